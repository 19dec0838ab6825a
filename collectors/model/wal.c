#include "collectors/model/wal.h"

#include <inttypes.h>
#include <string.h>

#define NAME_LENGTH 24
#define LOG_SIZE    (UINT64_C(1) << 32)

bool wal_segment_size_is_valid(uint64_t segment_size)
{
    bool power_of_two = (segment_size & (segment_size - 1)) == 0;
    return power_of_two && segment_size >= UINT64_C(1) << 20 && segment_size <= UINT64_C(1) << 30;
}

static uint32_t hexadecimal_8(const char *digits)
{
    uint32_t value = 0;
    for (int i = 0; i < 8; i++) {
        unsigned digit = (unsigned)(digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'A' + 10);
        value = value << 4 | digit;
    }
    return value;
}

bool wal_segment_parse(const char *name, uint64_t segment_size, struct wal_segment *ret)
{
    bool named = strlen(name) == NAME_LENGTH && strspn(name, "0123456789ABCDEF") == NAME_LENGTH;
    if (!named || !wal_segment_size_is_valid(segment_size))
        return false;
    uint64_t per_log = LOG_SIZE / segment_size;
    uint64_t log = hexadecimal_8(name + 8), segment = hexadecimal_8(name + 16);
    uint64_t number = log * per_log + segment;
    if (segment >= per_log || number >= UINT64_MAX / segment_size)
        return false;
    *ret = (struct wal_segment){.timeline = hexadecimal_8(name), .number = number};
    return true;
}

static bool is_backup_history(const char *name)
{
    static const char suffix[] = ".backup";
    size_t offset = strspn(name + NAME_LENGTH + 1, "0123456789ABCDEF");
    return name[NAME_LENGTH] == '.' && offset == 8 &&
           strcmp(name + NAME_LENGTH + 1 + offset, suffix) == 0;
}

bool wal_segment_archived(const char *name, uint64_t segment_size, struct wal_segment *ret)
{
    char segment[NAME_LENGTH + 1] = {0};
    if (strlen(name) <= NAME_LENGTH || !is_backup_history(name))
        return wal_segment_parse(name, segment_size, ret);
    memcpy(segment, name, NAME_LENGTH);
    return wal_segment_parse(segment, segment_size, ret);
}

void wal_segment_name(const struct wal_segment *segment, uint64_t segment_size, struct strbuf *out)
{
    uint64_t per_log = LOG_SIZE / segment_size;
    strbuf_printf(out, "%08" PRIX32 "%08" PRIX64 "%08" PRIX64, segment->timeline,
                  segment->number / per_log, segment->number % per_log);
}

uint64_t wal_segment_end(const struct wal_segment *segment, uint64_t segment_size)
{
    return (segment->number + 1) * segment_size;
}
