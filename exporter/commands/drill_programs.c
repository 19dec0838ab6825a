#include "exporter/commands/drill_programs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/base/strbuf.h"

#define VERSION_MS    10000
#define VERSION_LIMIT 4096

static const char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL};

/* %v is the major version, %u the user, %h the home directory. */
static const char *const folders[] = {
    "/usr/lib/postgresql/%v/bin", /* Debian, PGDG's packages for it */
    "/usr/pgsql-%v/bin",          /* PGDG's packages for Red Hat */
    "/usr/local/pgsql-%v/bin",
    "/usr/local/pgsql/bin",              /* built by hand */
    "/run/current-system/sw/bin",        /* NixOS */
    "/etc/profiles/per-user/%u/bin",     /* NixOS, packages of a user */
    "%h/.nix-profile/bin",               /* Nix elsewhere: nix profile, nix-env */
    "/nix/var/nix/profiles/default/bin", /* the same, for all users */
    "/usr/bin",
};

/* "postgres (PostgreSQL) 15.8 (Debian ...)" of version "15". */
static bool is_version(const char *said, const char *version)
{
    static const char name[] = "(PostgreSQL) ";
    const char *found = strstr(said, name);
    size_t length = strlen(version);
    if (!found || strncmp(found + sizeof name - 1, version, length) != 0)
        return false;
    char next = found[sizeof name - 1 + length];
    return next < '0' || next > '9';
}

/* A folder may lie on a file server that hangs: it shall not take the whole time. */
static struct bound short_bound(const struct bound *bound)
{
    int left_ms = bound_remaining_ms(bound);
    return bound_after(left_ms < VERSION_MS ? left_ms : VERSION_MS, bound->stop_fd);
}

/* Whether `postgres --version` of a folder names it; a folder without a postgres does not. */
static bool has_version(struct proc_pool *pool, const char *folder, const char *version,
                        const struct bound *bound)
{
    struct strbuf program CLEANUP(strbuf_done) = {0};
    struct proc_result result CLEANUP(proc_result_done) = {0};
    struct err err = {0};
    struct bound limit = short_bound(bound);
    strbuf_printf(&program, "%s/postgres", folder);
    if (program.failed || access(strbuf_text(&program), X_OK) != 0)
        return false;
    const char *const argv[] = {strbuf_text(&program), "--version", NULL};
    const struct proc_spec spec = {
        .argv = argv, .envp = environment, .output_limit = VERSION_LIMIT};
    return proc_run(pool, &spec, &limit, &result, &err) &&
           is_version(strbuf_text(&result.output), version);
}

static const char *value_of(char place, const struct drill_host *host, const char *version)
{
    if (place == 'v')
        return version;
    return place == 'u' ? host->user : host->home;
}

static void add_folder(struct strbuf *out, const char *pattern, const struct drill_host *host,
                       const char *version)
{
    strbuf_puts(out, host->root);
    for (; *pattern; pattern++) {
        if (*pattern == '%')
            strbuf_puts(out, value_of(*++pattern, host, version));
        else
            strbuf_putc(out, *pattern);
    }
}

static bool take_given(const struct drill_host *host, const char *version, const char *given,
                       const struct bound *bound, char **ret, struct err *err)
{
    if (!has_version(host->pool, given, version, bound))
        return err_set(err, ERR_CONFIG, "%s/postgres is no PostgreSQL %s (--postgres-bin)", given,
                       version);
    char *copy = strdup(given);
    if (copy)
        *ret = copy;
    return copy || err_memory(err);
}

bool drill_programs_find(const struct drill_host *host, const char *version, const char *given,
                         const struct bound *bound, char **ret, struct err *err)
{
    struct strbuf looked CLEANUP(strbuf_done) = {0};
    if (given)
        return take_given(host, version, given, bound, ret, err);
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        struct strbuf folder CLEANUP(strbuf_done) = {0};
        add_folder(&folder, folders[i], host, version);
        if (folder.failed)
            return err_memory(err);
        if (has_version(host->pool, strbuf_text(&folder), version, bound)) {
            *ret = strbuf_steal(&folder);
            return true;
        }
        strbuf_printf(&looked, " %s", strbuf_text(&folder));
    }
    return err_set(err, ERR_CONFIG,
                   "no PostgreSQL %s, which the backup is of, is installed here: looked in%s; "
                   "install it, or name its folder by --postgres-bin",
                   version, strbuf_text(&looked));
}
