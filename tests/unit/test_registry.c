/*
 * Every collector keeps the house rules; a new one is tested here the moment it is in list.def.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

#include "collectors/registry.h"
#include "exporter/commands/own_metrics.h"

Test(registry, every_descriptor_is_a_sound_metric)
{
    struct err err = {0};
    for (const struct collector *const *item = collector_registry; *item; item++) {
        for (size_t i = 0; i < (*item)->metric_count; i++)
            cr_expect(metric_desc_check_target(&(*item)->metrics[i], (*item)->labels, &err),
                      "%s: %s", (*item)->name, err.text);
    }
    for (size_t i = 0; i < own_metric_count; i++)
        cr_expect(metric_desc_check(&own_metrics[i], &err), "%s", err.text);
}

static bool is_known(const struct collector *const *end, const char *name)
{
    for (const struct collector *const *item = collector_registry; item != end; item++) {
        for (size_t i = 0; i < (*item)->metric_count; i++) {
            if (strcmp((*item)->metrics[i].name, name) == 0)
                return true;
        }
    }
    for (size_t i = 0; i < own_metric_count; i++) {
        if (strcmp(own_metrics[i].name, name) == 0)
            return true;
    }
    return false;
}

Test(registry, no_two_collectors_write_the_same_metric)
{
    for (const struct collector *const *item = collector_registry; *item; item++) {
        for (size_t i = 0; i < (*item)->metric_count; i++)
            cr_expect_not(is_known(item, (*item)->metrics[i].name), "%s of %s",
                          (*item)->metrics[i].name, (*item)->name);
    }
}

Test(registry, every_collector_is_complete)
{
    for (const struct collector *const *item = collector_registry; *item; item++) {
        const struct collector *collector = *item;
        cr_expect(collector->help && isupper((unsigned char)collector->help[0]), "%s",
                  collector->name);
        cr_expect(collector->targets && collector->collect, "%s", collector->name);
        cr_expect(collector->interval_s >= 1 && collector->timeout_s >= 1, "%s", collector->name);
        cr_expect(collector->metric_count > 0 && collector->labels, "%s", collector->name);
        for (const char *c = collector->name; *c; c++)
            cr_expect(islower((unsigned char)*c) || *c == '_' ||
                          (c > collector->name && isdigit((unsigned char)*c)),
                      "%s", collector->name);
    }
}

/* A page that shows "down" must also be able to show the target's last word on itself. */
Test(registry, up_and_error_metrics_are_outcomes)
{
    for (const struct collector *const *item = collector_registry; *item; item++) {
        for (size_t i = 0; i < (*item)->metric_count; i++) {
            const struct metric_desc *desc = &(*item)->metrics[i];
            size_t length = strlen(desc->name);
            bool says_up = length > 3 && strcmp(desc->name + length - 3, "_up") == 0;
            bool says_why = desc->labels && strcmp(desc->labels[0], "reason") == 0;
            if (says_up || says_why)
                cr_expect_eq(desc->keeps, OUTCOME, "%s", desc->name);
        }
    }
}
