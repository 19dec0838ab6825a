#include "collectors/registry.h"

#define COLLECTOR(name) extern const struct collector collector_##name;
#include "collectors/list.def"
#undef COLLECTOR

const struct collector *const collector_registry[] = {
#define COLLECTOR(name) &collector_##name,
#include "collectors/list.def"
#undef COLLECTOR
    NULL,
};

size_t collector_count(void)
{
    return sizeof collector_registry / sizeof *collector_registry - 1;
}
