#include <criterion/criterion.h>
#include <string.h>

#include "collectors/model/reason.h"
#include "collectors/model/s3_reason.h"
#include "collectors/parse/info.h"
#include "exporter/base/strbuf.h"

static const char *const versions[] = {"2.45", "2.55.1", "2.60.0"};

static void load(const char *version, const char *name, struct strbuf *out)
{
    struct strbuf path = {0};
    strbuf_printf(&path, "tests/fixtures/info/%s/%s", version, name);
    FILE *file = fopen(strbuf_text(&path), "rb");
    cr_assert(file, "%s is not there: run the tests from the root", strbuf_text(&path));
    char chunk[4096];
    for (size_t count = 0; (count = fread(chunk, 1, sizeof chunk, file)) > 0;)
        strbuf_add(out, chunk, count);
    fclose(file);
    strbuf_done(&path);
}

static enum err_code reason_of_fixture(const char *version, const char *name, int64_t key)
{
    struct strbuf text = {0};
    struct info *info = NULL;
    struct err err = {0};
    load(version, name, &text);
    cr_assert(info_parse(strbuf_text(&text), text.length, &info, &err), "%s", err.text);
    const struct info_repository *repository = info_find_repository(&info->stanzas[0], key);
    enum err_code code =
        reason_of_status(repository->status.code, repository->status.message, false);
    info_unref(info);
    strbuf_done(&text);
    return code;
}

/* The same fault must give the same reason whatever the version. */
static void expect_fixture(const char *name, int64_t key, enum err_code expected)
{
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        enum err_code code = reason_of_fixture(versions[i], name, key);
        cr_expect_eq(code, expected, "%s of %s gives %s", name, versions[i], err_name(code));
    }
}

Test(reason, a_sound_repository_has_none)
{
    expect_fixture("both.json", 1, ERR_NONE);
    expect_fixture("both.json", 2, ERR_NONE);
    expect_fixture("running-both.json", 1, ERR_NONE);
    expect_fixture("type-full.json", 2, ERR_NONE);
    expect_fixture("repo2-wrong-secret.json", 1, ERR_NONE);
}

Test(reason, a_path_without_the_stanza_is_missing_stanza_path)
{
    expect_fixture("empty-main.json", 1, ERR_MISSING_STANZA_PATH);
    expect_fixture("missing-stanza-repo1.json", 1, ERR_MISSING_STANZA_PATH);
    expect_fixture("repo1-only-path-gone.json", 1, ERR_MISSING_STANZA_PATH);
    expect_fixture("repo1-path-gone.json", 1, ERR_MISSING_STANZA_PATH);
}

Test(reason, a_stanza_without_backups_is_no_backup)
{
    expect_fixture("no-backups.json", 1, ERR_NO_BACKUP);
    expect_fixture("repo2-no-backups.json", 2, ERR_NO_BACKUP);
    expect_fixture("set-unknown.json", 1, ERR_NO_BACKUP);
}

Test(reason, files_of_another_owner_are_a_permission)
{
    expect_fixture("repo1-unreadable.json", 1, ERR_PERMISSION);
    expect_fixture("repo1-stanza-unreadable.json", 1, ERR_PERMISSION);
}

Test(reason, a_service_that_answers_503_is_other)
{
    expect_fixture("repo2-503.json", 2, ERR_OTHER);
}

Test(reason, an_unknown_certificate_authority_is_tls)
{
    expect_fixture("repo2-bad-ca.json", 2, ERR_TLS);
}

Test(reason, a_refused_connection_is_connect)
{
    expect_fixture("repo2-conn-refused.json", 2, ERR_CONNECT);
}

Test(reason, a_server_that_never_answers_is_a_timeout)
{
    expect_fixture("repo2-hang.json", 2, ERR_TIMEOUT);
}

Test(reason, a_bucket_that_is_not_there_is_bucket)
{
    expect_fixture("repo2-no-bucket.json", 2, ERR_BUCKET);
}

Test(reason, a_wrong_key_or_secret_is_auth)
{
    expect_fixture("repo2-wrong-key.json", 2, ERR_AUTH);
    expect_fixture("repo2-wrong-secret.json", 2, ERR_AUTH);
}

Test(reason, a_missing_option_is_config)
{
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct strbuf text = {0};
        load(versions[i], "repo2-no-credentials.json", &text);
        load(versions[i], "repo2-no-credentials.stderr", &text);
        cr_expect(strstr(strbuf_text(&text), "requires option: repo2-s3-key"));
        cr_expect_eq(reason_of_exit(37, strbuf_text(&text)), ERR_CONFIG);
        strbuf_done(&text);
    }
}

Test(reason, messages_that_pgbackrest_is_known_to_print_are_told_apart)
{
    static const struct {
        const char *message;
        enum err_code code;
    } cases[] = {
        {"[HostConnectError] unable to get address for 'b.no.such.host': [-2] Name or service not "
         "known",
         ERR_DNS},
        {"[HostConnectError] timeout connecting to 'nas:443'", ERR_TIMEOUT},
        {"[HostConnectError] unable to connect to 'nas:443': [110] Connection timed out",
         ERR_TIMEOUT},
        {"[HostConnectError] unable to connect to 'nas:443': [113] No route to host", ERR_CONNECT},
        {"[CryptoError] unable to find hostname 'x' in certificate common name or subject "
         "alternative names",
         ERR_TLS},
        {"[ProtocolError] HTTP request failed with 403 (Forbidden):\n<Error><Code>"
         "RequestTimeTooSkewed</Code>",
         ERR_CLOCK_SKEW},
        {"[ProtocolError] HTTP request failed with 403 (Forbidden):\n<Error><Code>AccessDenied"
         "</Code>",
         ERR_PERMISSION},
        {"[ProtocolError] HTTP request failed with 403 (Forbidden)", ERR_PERMISSION},
        {"[ProtocolError] HTTP request failed with 404 (Not Found)", ERR_BUCKET},
        {"[ProtocolError] HTTP request failed with 301 (Moved Permanently):\n<Code>"
         "PermanentRedirect</Code>",
         ERR_REDIRECT},
        {"[ProtocolError] HTTP request failed with 400 (Bad Request):\n<Error><Code>"
         "AuthorizationHeaderMalformed</Code><Message>the region 'auto' is wrong",
         ERR_REDIRECT},
        {"[ProtocolError] HTTP request failed with 400 (Bad Request)", ERR_PROTOCOL},
        {"[PathOpenError] unable to list file info for path '/mnt': [116] Stale file handle",
         ERR_STALE},
        {"[CryptoError] unable to load info file '/r/backup.info'\nCryptoError: cipher header "
         "invalid\nHINT: is or was the repo encrypted?",
         ERR_CRYPTO},
        {"[FormatError] unable to load info file '/r/backup.info'\nFormatError: key/value found "
         "outside of section at line 1: Salted__w\xff",
         ERR_CRYPTO},
        {"[FormatError] unable to load info file '/r/backup.info'\nFormatError: key/value found "
         "outside of section at line 1: [backrest",
         ERR_PROTOCOL},
        {"[ChecksumError] unable to load info file '/r/backup.info'", ERR_PROTOCOL},
        {"[AssertError] something new", ERR_OTHER},
        {"", ERR_OTHER},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum err_code code = reason_of_status(99, cases[i].message, false);
        cr_expect_eq(code, cases[i].code, "%s gives %s", cases[i].message, err_name(code));
    }
}

Test(reason, garbage_of_an_encrypted_repository_is_a_wrong_passphrase)
{
    static const char message[] = "[FormatError] unable to load info file '/r/backup.info'\n"
                                  "FormatError: key/value found outside of section at line 1: eA";
    cr_expect_eq(reason_of_status(99, message, true), ERR_CRYPTO);
    cr_expect_eq(reason_of_status(99, message, false), ERR_PROTOCOL);
}

Test(reason, codes_of_a_repository_have_their_own_reason_whatever_the_message)
{
    cr_expect_eq(reason_of_status(0, "[13] Permission denied", false), ERR_NONE);
    cr_expect_eq(reason_of_status(3, "missing stanza data", false), ERR_MISSING_STANZA_DATA);
    cr_expect_eq(reason_of_status(6, "requested backup not found", false), ERR_NO_BACKUP);
    cr_expect_eq(reason_of_status(4711, "what is this", false), ERR_OTHER);
    cr_expect_eq(reason_of_status(-1, "[13] Permission denied", false), ERR_PERMISSION);
}

Test(reason, an_exit_status_counts_when_no_message_says_more)
{
    static const struct {
        int status;
        const char *messages;
        enum err_code code;
    } cases[] = {
        {31, "ERROR: [031]: invalid option '--x' timeout after", ERR_CONFIG},
        {32, "ERROR: [032]: 'bogus' is not valid for 'io-timeout' option", ERR_CONFIG},
        {49, "", ERR_CONNECT},
        {49, "ERROR: [049]: unable to get address for 'x'", ERR_DNS},
        {95, "", ERR_CRYPTO},
        {41, "ERROR: [041]: unable to open '/etc/x': [13] Permission denied", ERR_PERMISSION},
        {63, "ERROR: [063]: terminated on signal [SIGTERM]", ERR_OTHER},
        {25, "", ERR_OTHER},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum err_code code = reason_of_exit(cases[i].status, cases[i].messages);
        cr_expect_eq(code, cases[i].code, "%d %s gives %s", cases[i].status, cases[i].messages,
                     err_name(code));
    }
}

Test(reason, advice_is_a_sentence_or_nothing)
{
    for (enum err_code code = ERR_NONE; code < ERR_CODE_COUNT; code++) {
        const char *advice = reason_advice(code);
        cr_expect(!advice || strchr(".?;", advice[strlen(advice) - 1]), "%s", advice);
    }
    cr_expect_null(reason_advice(ERR_NONE));
    cr_expect_not_null(reason_advice(ERR_AUTH));
}

/* What pgBackRest meets in an answer and what the s3 collector meets in it have one name. */
Test(reason, a_refusal_of_an_object_store_has_the_same_reason_whoever_met_it)
{
    static const struct {
        long status;
        const char *code;
    } answers[] = {
        {403, "SignatureDoesNotMatch"},
        {403, "InvalidAccessKeyId"},
        {403, "AccessDenied"},
        {403, "AllAccessDisabled"},
        {403, "AccountProblem"},
        {403, "RequestTimeTooSkewed"},
        {403, "SomethingElse"},
        {401, "Unauthorized"},
        {400, "ExpiredToken"},
        {400, "InvalidToken"},
        {400, "AuthorizationHeaderMalformed"},
        {404, "NoSuchBucket"},
        {301, "PermanentRedirect"},
        {307, "TemporaryRedirect"},
    };
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct strbuf message = {0};
        strbuf_printf(&message,
                      "[ProtocolError] HTTP request failed with %ld:\n<Error><Code>%s</Code>",
                      answers[i].status, answers[i].code);
        cr_expect_eq(reason_of_status(99, strbuf_text(&message), false),
                     s3_reason(answers[i].status, answers[i].code), "%s", strbuf_text(&message));
        strbuf_done(&message);
    }
}
