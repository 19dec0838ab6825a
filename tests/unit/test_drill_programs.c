#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "exporter/base/strbuf.h"
#include "exporter/commands/drill_programs.h"

static char root[] = "/tmp/test_programs_XXXXXX";
static struct drill_host host;
static struct strbuf made[8]; /* what is removed in the end, in reverse order */
static size_t made_count;

static void set_up(void)
{
    cr_assert(mkdtemp(root));
    host = (struct drill_host){
        .pool = proc_pool_new(&(struct proc_limits){.at_once = 1, .stuck = 1}),
        .root = root,
        .user = "dba",
        .home = "/home/dba",
    };
    cr_assert(host.pool);
}

static void tear_down(void)
{
    while (made_count > 0) {
        remove(strbuf_text(&made[--made_count]));
        strbuf_done(&made[made_count]);
    }
    cr_expect_eq(remove(root), 0);
    proc_pool_free(host.pool);
}

TestSuite(drill_programs, .init = set_up, .fini = tear_down, .timeout = 60);

static const char *make_entry(const char *path, size_t length)
{
    struct strbuf *entry = &made[made_count++];
    cr_assert_leq(made_count, COUNT_OF(made));
    strbuf_printf(entry, "%s%.*s", root, (int)length, path);
    return strbuf_text(entry);
}

/* A program in the folder that says what postgres of this version says. */
static void install(const char *folder, const char *version)
{
    for (const char *end = strchr(folder + 1, '/'); end; end = strchr(end + 1, '/'))
        cr_assert_eq(mkdir(make_entry(folder, (size_t)(end - folder)), 0700), 0);
    cr_assert_eq(mkdir(make_entry(folder, strlen(folder)), 0700), 0);
    struct strbuf path CLEANUP(strbuf_done) = {0};
    strbuf_printf(&path, "%s/postgres", folder);
    const char *program = make_entry(strbuf_text(&path), path.length);
    FILE *file = fopen(program, "w");
    cr_assert(file);
    fprintf(file, "#!/bin/sh\n[ \"$1\" = --version ] && echo 'postgres (PostgreSQL) %s'\n",
            version);
    fclose(file);
    cr_assert_eq(chmod(program, 0700), 0);
}

static void expect_found(const char *version, const char *folder)
{
    struct err err = {0};
    char *found = NULL;
    struct bound bound = bound_after(30000, -1);
    cr_assert(drill_programs_find(&host, version, NULL, &bound, &found, &err), "%s", err.text);
    cr_expect_str_eq(found + strlen(root), folder);
    free(found);
}

static void expect_none(const char *version, const char *given, const char *text)
{
    struct err err = {0};
    char *found = NULL;
    struct bound bound = bound_after(30000, -1);
    cr_expect_not(drill_programs_find(&host, version, given, &bound, &found, &err));
    cr_expect_null(found);
    cr_expect_eq(err.code, ERR_CONFIG);
    cr_expect(strstr(err.text, text), "%s", err.text);
}

Test(drill_programs, are_found_where_debian_puts_them)
{
    install("/usr/lib/postgresql/15/bin", "15.8 (Debian 15.8-0+deb12u1)");
    expect_found("15", "/usr/lib/postgresql/15/bin");
}

Test(drill_programs, are_found_where_pgdg_puts_them_on_red_hat)
{
    install("/usr/pgsql-17/bin", "17.2");
    expect_found("17", "/usr/pgsql-17/bin");
}

Test(drill_programs, are_found_in_the_system_of_nixos)
{
    install("/run/current-system/sw/bin", "16.4");
    expect_found("16", "/run/current-system/sw/bin");
}

Test(drill_programs, are_found_in_a_users_packages_on_nixos)
{
    install("/etc/profiles/per-user/dba/bin", "16.4");
    expect_found("16", "/etc/profiles/per-user/dba/bin");
}

Test(drill_programs, are_found_in_a_users_profile_of_nix)
{
    install("/home/dba/.nix-profile/bin", "16.4");
    expect_found("16", "/home/dba/.nix-profile/bin");
}

Test(drill_programs, are_found_in_the_profile_of_nix_for_all_users)
{
    install("/nix/var/nix/profiles/default/bin", "18rc1");
    expect_found("18", "/nix/var/nix/profiles/default/bin");
}

Test(drill_programs, of_another_major_version_do_not_count)
{
    install("/run/current-system/sw/bin", "15.8");
    expect_none("16", NULL, "no PostgreSQL 16, which the backup is of, is installed here");
}

Test(drill_programs, of_version_1_are_not_those_of_version_15)
{
    install("/run/current-system/sw/bin", "15.8");
    expect_none("1", NULL, "no PostgreSQL 1,");
}

Test(drill_programs, that_are_nowhere_are_told_with_every_place_that_was_looked_into)
{
    expect_none("15", NULL, "/usr/lib/postgresql/15/bin ");
    expect_none("15", NULL, "/usr/pgsql-15/bin ");
    expect_none("15", NULL, "/home/dba/.nix-profile/bin ");
}

Test(drill_programs, that_are_given_are_taken_when_they_are_of_that_version)
{
    struct err err = {0};
    struct strbuf given CLEANUP(strbuf_done) = {0};
    struct bound bound = bound_after(30000, -1);
    char *found = NULL;
    install("/opt", "15.8");
    strbuf_printf(&given, "%s/opt", root);
    cr_assert(drill_programs_find(&host, "15", strbuf_text(&given), &bound, &found, &err), "%s",
              err.text);
    cr_expect_str_eq(found, strbuf_text(&given));
    free(found);
    expect_none("16", strbuf_text(&given), "/opt/postgres is no PostgreSQL 16 (--postgres-bin)");
}
