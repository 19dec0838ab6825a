#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/parse/mountstats.h"
#include "exporter/base/attrs.h"
#include "exporter/base/strbuf.h"

#define NAS "/mnt/nas-postgresql"

#define SECTION                                                                                    \
    "device nas:/ mounted on /mnt with fstype nfs4 statvers=1.1\n"                                 \
    "\tnfsv4:\tbm0=0x1,lease_time=15,lease_expired=7\n"                                            \
    "\txprt:\ttcp 0 0 26 0 0 52 50 0 53 0 2 0 1\n"                                                 \
    "\tper-op statistics\n"                                                                        \
    "\t        NULL: 2 3 1 44 24 0 0 0 0\n"                                                        \
    "\t        READ: 5 5 0 180 112 0 0 0 0\n"

static struct strbuf read_fixture(const char *name)
{
    struct strbuf path = {0};
    struct strbuf text = {0};
    strbuf_printf(&path, "tests/fixtures/nfs/mountstats-%s.txt", name);
    FILE *file = fopen(strbuf_text(&path), "rb");
    cr_assert_not_null(file, "%s is not there: run the tests from the root", strbuf_text(&path));
    char chunk[4096];
    for (size_t count = 0; (count = fread(chunk, 1, sizeof chunk, file)) > 0;)
        strbuf_add(&text, chunk, count);
    fclose(file);
    strbuf_done(&path);
    return text;
}

static struct mountstats fixture(const char *name, const char *type)
{
    struct strbuf text = read_fixture(name);
    struct mountstats stats = {0};
    cr_assert(mountstats_find(text.data, text.length, NAS, type, &stats), "%s", name);
    strbuf_done(&text);
    return stats;
}

static bool find(const char *text, const char *path, const char *type, struct mountstats *ret)
{
    return mountstats_find(text, strlen(text), path, type, ret);
}

Test(mountstats, a_lease_holds_while_the_server_answers_and_runs_out_while_it_does_not)
{
    static const struct {
        const char *name;
        uint64_t seconds;
    } cases[] = {
        {"hard-drop-timeo3s-healthy", 0},
        {"hard-drop-timeo3s-outage", 41},
        {"hard-linkdown-healthy", 0},
        {"hard-linkdown-outage", 84},
        {"hard-linkdown-recovered", 0},
        {"hard-stale-outage", 0},
        {"hard-stop-healthy", 0},
        {"hard-stop-outage", 83},
        {"reject-healthy", 0},
        {"reject-outage", 5},
        {"soft-linkdown-outage", 22},
        {"softerr-linkdown-outage", 42},
        {"unexport-healthy", 0},
        {"unexport-outage", 6},
        {"v40-idle-healthy", 0},
        {"v40-idle-outage", 59},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mountstats stats = fixture(cases[i].name, "nfs4");
        cr_expect(stats.has_lease, "%s", cases[i].name);
        cr_expect_eq(stats.lease_expired_s, cases[i].seconds, "%s", cases[i].name);
    }
}

Test(mountstats, the_counters_of_real_mounts_are_summed)
{
    static const struct {
        const char *name;
        const char *type;
        uint64_t requests, retransmissions, major_timeouts, connects;
    } cases[] = {
        {"hard-drop-timeo3s-healthy", "nfs4", 31, 0, 0, 2},
        {"hard-drop-timeo3s-outage", "nfs4", 43, 0, 29, 4},
        {"hard-linkdown-healthy", "nfs4", 36, 0, 0, 2},
        {"hard-linkdown-outage", "nfs4", 59, 0, 0, 26},
        {"hard-linkdown-recovered", "nfs4", 74, 1, 0, 28},
        {"hard-stale-outage", "nfs4", 50, 0, 0, 2},
        {"hard-stop-healthy", "nfs4", 36, 0, 0, 2},
        {"hard-stop-outage", "nfs4", 59, 0, 0, 70},
        {"reject-healthy", "nfs4", 31, 0, 0, 2},
        {"reject-outage", "nfs4", 38, 0, 0, 32},
        {"soft-linkdown-outage", "nfs4", 39, 0, 17, 6},
        {"softerr-linkdown-outage", "nfs4", 46, 0, 22, 11},
        {"unexport-healthy", "nfs4", 31, 0, 0, 2},
        {"unexport-outage", "nfs4", 51, 14, 0, 54},
        {"v3-hard-linkdown-outage", "nfs", 27, 0, 0, 2},
        {"v40-idle-healthy", "nfs4", 17, 0, 0, 2},
        {"v40-idle-outage", "nfs4", 17, 0, 0, 11},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mountstats stats = fixture(cases[i].name, cases[i].type);
        cr_expect(stats.has_operations && stats.has_connects, "%s", cases[i].name);
        cr_expect_eq(stats.requests, cases[i].requests, "%s", cases[i].name);
        cr_expect_eq(stats.retransmissions, cases[i].retransmissions, "%s", cases[i].name);
        cr_expect_eq(stats.major_timeouts, cases[i].major_timeouts, "%s", cases[i].name);
        cr_expect_eq(stats.connects, cases[i].connects, "%s", cases[i].name);
    }
}

Test(mountstats, version_3_has_no_lease)
{
    cr_expect_not(fixture("v3-hard-linkdown-outage", "nfs").has_lease);
}

Test(mountstats, each_operation_counts_its_further_transmissions_and_timeouts)
{
    struct mountstats stats = {0};
    cr_assert(find(SECTION, "/mnt", "nfs4", &stats));
    cr_expect_eq(stats.requests, 7);
    cr_expect_eq(stats.retransmissions, 1);
    cr_expect_eq(stats.major_timeouts, 1);
    cr_expect_eq(stats.lease_expired_s, 7);
    cr_expect_eq(stats.connects, 26);
}

Test(mountstats, several_connections_are_summed_and_udp_has_none)
{
    static const char text[] = "device nas:/ mounted on /mnt with fstype nfs4 statvers=1.1\n"
                               "\txprt:\ttcp 0 0 2 0\n"
                               "\txprt:\trdma 0 0 3 0\n"
                               "\txprt:\tudp 690 0 4 0\n";
    struct mountstats stats = {0};
    cr_assert(find(text, "/mnt", "nfs4", &stats));
    cr_expect_eq(stats.connects, 5);
    cr_expect_not(stats.has_operations);
}

Test(mountstats, another_mount_or_another_type_is_not_taken)
{
    struct mountstats stats = {0};
    cr_expect_not(find(SECTION, "/mnt2", "nfs4", &stats));
    cr_expect_not(find(SECTION, "/mn", "nfs4", &stats));
    cr_expect_not(find(SECTION, "/mnt", "nfs", &stats));
    cr_expect_not(find("", "/mnt", "nfs4", &stats));
}

/* The blank between both words can be the end of one or the begin of the other, not both. */
Test(mountstats, a_header_without_a_mount_point_is_no_section)
{
    static const char text[] = "device nas:/ mounted on with fstype nfs4\n"
                               "\tper-op statistics\n\tNULL: 1 1 0 0 0 0 0 0\n";
    struct mountstats stats = {0};
    cr_expect_not(find(text, "", "nfs4", &stats));
}

Test(mountstats, a_section_ends_where_the_next_begins)
{
    static const char other[] = "device b:/ mounted on /b with fstype nfs4 statvers=1.1\n"
                                "\tper-op statistics\n\tNULL: 100 100 0 0 0 0 0 0\n";
    struct mountstats stats = {0};
    struct strbuf text = {0};
    strbuf_puts(&text, SECTION);
    strbuf_puts(&text, other);
    strbuf_puts(&text, "no device mounted on /c with fstype tmpfs\n");
    cr_assert(find(strbuf_text(&text), "/mnt", "nfs4", &stats));
    cr_expect_eq(stats.requests, 7);
    strbuf_done(&text);
}

Test(mountstats, of_two_mounts_at_one_place_the_last_counts)
{
    static const char text[] =
        SECTION "device nas:/ mounted on /mnt with fstype nfs4 statvers=1.1\n"
                "\tper-op statistics\n\tNULL: 1 1 0 0 0 0 0 0\n";
    struct mountstats stats = {0};
    cr_assert(find(text, "/mnt", "nfs4", &stats));
    cr_expect_eq(stats.requests, 1);
    cr_expect_not(stats.has_lease);
}

Test(mountstats, escaped_names_are_found)
{
    static const char text[] =
        "device nas:/a\\040b mounted on /mnt/a\\040b\\012c with fstype nfs statvers=1.1\n"
        "\tper-op statistics\n\tNULL: 1 1 0 0 0 0 0 0\n";
    struct mountstats stats = {0};
    cr_expect(find(text, "/mnt/a b\nc", "nfs", &stats));
}

Test(mountstats, a_file_cut_anywhere_gives_no_number_that_is_not_in_it)
{
    for (size_t length = 0; length <= strlen(SECTION); length++) {
        struct mountstats stats = {0};
        if (mountstats_find(SECTION, length, "/mnt", "nfs4", &stats))
            cr_expect(stats.requests <= 7 && stats.connects <= 26 && stats.lease_expired_s <= 7);
    }
}
