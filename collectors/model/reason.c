#include "collectors/model/reason.h"

#include <stddef.h>
#include <string.h>

/* A text that tells the reason wherever it stands in a message. */
struct clue {
    const char *text;
    enum err_code code;
};

/*
 * The first that is found counts: what a server said before what the system said, both before
 * pgBackRest's own class, which is the same for many causes.
 */
static const struct clue clues[] = {
    /* S3 and those who speak like it: the <Code> of the answer. */
    {"<Code>RequestTimeTooSkewed<", ERR_CLOCK_SKEW},
    {"<Code>RequestExpired<", ERR_CLOCK_SKEW},
    {"<Code>SignatureDoesNotMatch<", ERR_AUTH},
    {"<Code>InvalidAccessKeyId<", ERR_AUTH},
    {"<Code>AccessDenied<", ERR_PERMISSION},
    {"<Code>AllAccessDisabled<", ERR_PERMISSION},
    {"<Code>AccountProblem<", ERR_PERMISSION},
    {"<Code>Unauthorized<", ERR_AUTH},
    {"<Code>ExpiredToken<", ERR_AUTH},
    {"<Code>InvalidToken<", ERR_AUTH},
    {"Credential access key has length", ERR_AUTH}, /* R2, as InvalidArgument */
    {"<Code>NoSuchBucket<", ERR_BUCKET},
    {"<Code>InvalidBucketName<", ERR_BUCKET},
    {"<Code>PermanentRedirect<", ERR_REDIRECT},
    {"<Code>TemporaryRedirect<", ERR_REDIRECT},
    {"<Code>AuthorizationHeaderMalformed<", ERR_REDIRECT}, /* "the region ... is wrong" */
    {"<Code>IllegalLocationConstraintException<", ERR_REDIRECT},
    /* Azure. */
    {"<Code>AuthenticationFailed<", ERR_AUTH},
    {"<Code>AuthorizationFailure<", ERR_PERMISSION},
    {"<Code>ContainerNotFound<", ERR_BUCKET},
    /* Any object store, when its answer says no more. */
    {"HTTP request failed with 301", ERR_REDIRECT},
    {"HTTP request failed with 302", ERR_REDIRECT},
    {"HTTP request failed with 307", ERR_REDIRECT},
    {"HTTP request failed with 308", ERR_REDIRECT},
    {"HTTP request failed with 401", ERR_AUTH},
    {"HTTP request failed with 403", ERR_PERMISSION},
    {"HTTP request failed with 404", ERR_BUCKET},
    /* TLS. Before the decryption below: both are a CryptoError. */
    {"unable to verify certificate", ERR_TLS},
    {"certificate common name", ERR_TLS},
    {"certificate verify failed", ERR_TLS},
    {"unable to load CA", ERR_TLS},
    {"TLS error", ERR_TLS},
    {"unable to negotiate TLS", ERR_TLS},
    /* SFTP. */
    {"key authentication failed", ERR_AUTH},
    /* Connections. */
    {"unable to get address for", ERR_DNS},
    {"[110] Connection timed out", ERR_TIMEOUT},
    {"timeout connecting to", ERR_TIMEOUT},
    {"timeout after", ERR_TIMEOUT},
    {"[HostConnectError]", ERR_CONNECT},
    {"[104] Connection reset", ERR_CONNECT},
    {"unexpected eof while reading", ERR_CONNECT},
    /* File systems. */
    {"[13] Permission denied", ERR_PERMISSION},
    {"[1] Operation not permitted", ERR_PERMISSION},
    {"[116] Stale file handle", ERR_STALE},
    {"[107] Transport endpoint is not connected", ERR_NOT_MOUNTED},
    /* Decryption. "Salted__" begins an encrypted file that was read without a cipher. */
    {"is or was the repo encrypted?", ERR_CRYPTO},
    {"CryptoError", ERR_CRYPTO},
    {": Salted__", ERR_CRYPTO},
    /* pgBackRest's other classes. */
    {"[ConfigError]", ERR_CONFIG},
    {"[ServiceError]", ERR_OTHER}, /* 5xx: the service answers, and it is its own trouble */
    {"[ProtocolError]", ERR_PROTOCOL},
    {"[FormatError]", ERR_PROTOCOL},
    {"[ChecksumError]", ERR_PROTOCOL},
    {"[JsonFormatError]", ERR_PROTOCOL},
    {"[VersionNotSupportedError]", ERR_PROTOCOL},
};

/* status.code; what is not here is told by the message. */
static const struct {
    int64_t code;
    enum err_code reason;
} statuses[] = {
    {0, ERR_NONE},      {1, ERR_MISSING_STANZA_PATH},
    {2, ERR_NO_BACKUP}, {3, ERR_MISSING_STANZA_DATA},
    {6, ERR_NO_BACKUP},
};

/*
 * pgBackRest's exit statuses (its error codes). Those that are certain come first; the others only
 * count when no message tells more.
 */
struct exit_reason {
    int status;
    enum err_code reason;
    bool certain;
};

static const struct exit_reason exits[] = {
    {27, ERR_CONFIG, true},    /* ConfigError */
    {30, ERR_CONFIG, true},    /* CommandRequiredError */
    {31, ERR_CONFIG, true},    /* OptionInvalidError */
    {32, ERR_CONFIG, true},    /* OptionInvalidValueError */
    {33, ERR_CONFIG, true},    /* OptionInvalidRangeError */
    {34, ERR_CONFIG, true},    /* OptionInvalidPairError */
    {35, ERR_CONFIG, true},    /* OptionDuplicateKeyError */
    {36, ERR_CONFIG, true},    /* OptionNegateError */
    {37, ERR_CONFIG, true},    /* OptionRequiredError */
    {29, ERR_PROTOCOL, false}, /* FormatError */
    {39, ERR_PROTOCOL, false}, /* ProtocolError */
    {49, ERR_CONNECT, false},  /* HostConnectError */
    {95, ERR_CRYPTO, false},   /* CryptoError */
};

static enum err_code reason_of_message(const char *message)
{
    for (size_t i = 0; i < COUNT_OF(clues); i++) {
        if (strstr(message, clues[i].text))
            return clues[i].code;
    }
    return ERR_NONE;
}

enum err_code reason_of_status(int64_t code, const char *message, bool encrypted)
{
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        if (statuses[i].code == code)
            return statuses[i].reason;
    }
    if (encrypted && strncmp(message, "[FormatError]", strlen("[FormatError]")) == 0)
        return ERR_CRYPTO; /* a wrong passphrase decrypts to garbage */
    enum err_code reason = reason_of_message(message);
    return reason == ERR_NONE ? ERR_OTHER : reason;
}

static const struct exit_reason *find_exit(int exit_status)
{
    for (size_t i = 0; i < COUNT_OF(exits); i++) {
        if (exits[i].status == exit_status)
            return &exits[i];
    }
    return NULL;
}

enum err_code reason_of_exit(int exit_status, const char *messages)
{
    const struct exit_reason *known = find_exit(exit_status);
    if (known && known->certain)
        return known->reason;
    enum err_code reason = reason_of_message(messages);
    if (reason != ERR_NONE)
        return reason;
    return known ? known->reason : ERR_OTHER;
}

static const char *const advices[ERR_CODE_COUNT] = {
    [ERR_TIMEOUT] = "Look whether its server or mount still answers at all.",
    [ERR_STUCK] = "A pgbackrest process hangs in the kernel: bring its file server back; no kill "
                  "ends it.",
    [ERR_CONNECT] = "Look at its server, the network and the firewall between.",
    [ERR_DNS] = "Look at the host name in its endpoint and at this host's name servers.",
    [ERR_TLS] = "Look at the server's certificate and at repo-storage-ca-file.",
    [ERR_AUTH] = "Look at its credentials: the file, the key's rights on the bucket, its expiry.",
    [ERR_BUCKET] = "Look at the bucket's name and endpoint; was the bucket deleted?",
    [ERR_PERMISSION] =
        "A repository of files: run as its owner (usually postgres). An object store: its "
        "key is known, but may not do this; look at the policies of key and bucket.",
    [ERR_CLOCK_SKEW] = "Set this host's clock: is time synchronisation running?",
    [ERR_REDIRECT] = "Look at the endpoint, the region and repo-s3-uri-style.",
    [ERR_MISSING_STANZA_PATH] = "Is its file system mounted? Only a repository that never held "
                                "this stanza needs stanza-create.",
    [ERR_MISSING_STANZA_DATA] = "Its info files are gone: look at the storage before any "
                                "stanza-create.",
    [ERR_NO_BACKUP] = "Take a full backup.",
    [ERR_CRYPTO] = "Look at repo-cipher-type and repo-cipher-pass.",
    [ERR_CONFIG] = "Correct the repository's options; check-config shows what is used.",
    [ERR_NOT_MOUNTED] = "Mount its file system again.",
    [ERR_STALE] = "Mount its file system again: the server replaced what was exported.",
};

const char *reason_advice(enum err_code code)
{
    return advices[code];
}
