#include <criterion/criterion.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "collectors/server_environment.h"
#include "tests/unit/config_files.h"

static const uid_t nobody = 65534;

/* Dumpable again, as LeakSanitizer wants it, and at the end who we were. */
static void become(uid_t user)
{
    cr_assert_eq(seteuid(user), 0);
    cr_assert_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

static void assert_unknown(pid_t server, pid_t backend, const char *why)
{
    struct server_environment environment CLEANUP(server_environment_done) = {0};
    struct err err = {0};
    cr_assert(!server_environment_of_process(server, backend, &environment, &err));
    cr_assert_eq(err.code, ERR_CONFIG, "%s", err_name(err.code));
    cr_assert(strstr(err.text, why), "%s", err.text);
}

Test(server_environment, reads_no_process_that_does_not_listen_here)
{
    assert_unknown(0, getpid(), "none by a local socket");
}

Test(server_environment, reads_no_process_that_is_not_the_parent_of_our_backend)
{
    assert_unknown(getpid(), getpid(), "not the server itself");
}

Test(server_environment, knows_whether_we_are_the_servers_user)
{
    uid_t us = geteuid();
    cr_expect(server_is_our_user(getpid()));
    become(us == 0 ? nobody : us);
    cr_expect_not(server_is_our_user(1));
    cr_expect_not(server_is_our_user(0));
    become(us);
}

Test(server_environment, reads_the_parent_of_our_backend)
{
    struct server_environment environment CLEANUP(server_environment_done) = {0};
    struct err err = {0};
    cr_assert(server_environment_of_process(getppid(), getpid(), &environment, &err), "%s",
              err.text);
    cr_assert(environment.path);
}

Test(server_environment, a_file_gives_what_is_pgbackrests_and_hides_its_secrets)
{
    struct server_environment environment CLEANUP(server_environment_done) = {0};
    char *folder CLEANUP(config_folder_remove) = config_folder_new();
    char *file CLEANUP(text_free) =
        config_file_write(folder, "server.env",
                          "OTHER=x\nPGBACKREST_REPO2_S3_KEY=key-of-2\nPGBACKREST_SPOOL_PATH=/s\n");
    struct strbuf shown CLEANUP(strbuf_done) = {0};
    struct err err = {0};
    cr_assert(server_environment_of_file(file, &environment, &err), "%s", err.text);
    cr_expect_str_eq(server_environment_get(&environment, "PGBACKREST_SPOOL_PATH"), "/s");
    cr_expect_null(server_environment_get(&environment, "OTHER"));
    repository_redact(&environment.hidden, "refused: key-of-2", &shown);
    cr_expect_str_eq(strbuf_text(&shown), "refused: ***");
}
