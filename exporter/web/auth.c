#include "exporter/web/auth.h"

#include <crypt.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HASH_LENGTH 60 /* "$2b$12$", 22 characters of salt, 31 of hash */
#define DIGEST_SIZE 32

static const char hash_letters[] =
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

struct user {
    char *name;
    char *hash;
    bool is_remembered;
    unsigned char remembered[DIGEST_SIZE]; /* of the last login that was right */
};

struct auth {
    unsigned char key[DIGEST_SIZE]; /* of the digests; random, never leaves the process */
    pthread_mutex_t lock;           /* guards what the users remember */
    size_t count;
    struct user users[];
};

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

static bool is_bcrypt(const char *hash)
{
    return strlen(hash) == HASH_LENGTH && strncmp(hash, "$2", 2) == 0 && strchr("aby", hash[2]) &&
           hash[3] == '$' && is_digit(hash[4]) && is_digit(hash[5]) && hash[6] == '$' &&
           strspn(hash + 7, hash_letters) == HASH_LENGTH - 7;
}

bool auth_check_user(const char *name, const char *hash, struct err *err)
{
    if (strchr(name, ':'))
        return err_set(err, ERR_CONFIG, "a name cannot hold a colon: no client could send it");
    if (!is_bcrypt(hash))
        return err_set(err, ERR_CONFIG,
                       "the value is not a bcrypt hash ($2b$, two digits of cost, salt and hash)");
    int cost = (hash[4] - '0') * 10 + hash[5] - '0';
    if (cost < 4 || cost > AUTH_COST_MAX)
        return err_set(err, ERR_CONFIG, "a cost of %d is not one from 4 to %d", cost,
                       AUTH_COST_MAX);
    return true;
}

/* Digests. */

/* The name's end is in it, or "ab"+"c" and "a"+"bc" would be the same login. */
static bool digest_of(const struct auth *auth, const char *name, const char *password,
                      unsigned char ret[static DIGEST_SIZE])
{
    gnutls_hmac_hd_t digest;
    size_t name_size = strlen(name) + 1; /* with the NUL, which no name holds */
    if (gnutls_hmac_init(&digest, GNUTLS_MAC_SHA256, auth->key, sizeof auth->key) != 0)
        return false;
    bool made = gnutls_hmac(digest, name, name_size) == 0 &&
                gnutls_hmac(digest, password, strlen(password)) == 0;
    gnutls_hmac_deinit(digest, ret);
    return made;
}

static struct user *find_user(struct auth *auth, const char *name)
{
    for (size_t i = 0; i < auth->count; i++) {
        if (strcmp(auth->users[i].name, name) == 0)
            return &auth->users[i];
    }
    return NULL;
}

/* The user whose hash is worked on for a name that nobody has: always the same for one name. */
static const struct user *stand_in(const struct auth *auth, const char *name)
{
    unsigned char digest[DIGEST_SIZE] = {0};
    if (!digest_of(auth, name, "", digest))
        return &auth->users[0];
    uint32_t number = 0;
    for (size_t i = 0; i < sizeof number; i++)
        number = number << 8 | digest[i];
    return &auth->users[number % auth->count];
}

enum auth_answer auth_recall(struct auth *auth, const struct login *login)
{
    unsigned char digest[DIGEST_SIZE];
    struct user *user = find_user(auth, login->name);
    if (!user || !digest_of(auth, login->name, login->password, digest))
        return AUTH_UNKNOWN;
    pthread_mutex_lock(&auth->lock);
    bool same = user->is_remembered && gnutls_memcmp(digest, user->remembered, DIGEST_SIZE) == 0;
    pthread_mutex_unlock(&auth->lock);
    return same ? AUTH_GRANTED : AUTH_UNKNOWN;
}

static void remember(struct auth *auth, struct user *user, const struct login *login)
{
    unsigned char digest[DIGEST_SIZE];
    if (!digest_of(auth, login->name, login->password, digest))
        return;
    pthread_mutex_lock(&auth->lock);
    memcpy(user->remembered, digest, DIGEST_SIZE);
    user->is_remembered = true;
    pthread_mutex_unlock(&auth->lock);
}

static bool fits(const char *password, const char *hash)
{
    struct crypt_data *data = calloc(1, sizeof *data); /* 32 kB: too much for a small stack */
    if (!data)
        return false;
    const char *made = crypt_rn(password, hash, data, sizeof *data); /* NULL when it fails */
    bool same = made && strlen(made) == HASH_LENGTH && gnutls_memcmp(made, hash, HASH_LENGTH) == 0;
    explicit_bzero(data, sizeof *data);
    free(data);
    return same;
}

bool auth_work_out(struct auth *auth, const struct login *login)
{
    struct user *user = find_user(auth, login->name);
    bool same = fits(login->password, user ? user->hash : stand_in(auth, login->name)->hash);
    bool right = user && same;
    if (right)
        remember(auth, user, login);
    return right;
}

/* Users. */

static bool set_user(struct user *user, const struct text_pair *pair, struct auth *before)
{
    user->name = strdup(pair->name);
    user->hash = strdup(pair->value);
    if (!user->name || !user->hash)
        return false;
    const struct user *old = before ? find_user(before, user->name) : NULL;
    if (!old || strcmp(old->hash, user->hash) != 0)
        return true;
    pthread_mutex_lock(&before->lock);
    user->is_remembered = old->is_remembered;
    memcpy(user->remembered, old->remembered, DIGEST_SIZE);
    pthread_mutex_unlock(&before->lock);
    return true;
}

static bool set_key(struct auth *auth, const struct auth *before, struct err *err)
{
    if (before)
        memcpy(auth->key, before->key, sizeof auth->key);
    else if (gnutls_rnd(GNUTLS_RND_KEY, auth->key, sizeof auth->key) != 0)
        return err_set(err, ERR_SYSTEM, "the system gives no random bytes");
    return true;
}

static bool fill(struct auth *auth, const struct pair_list *users, struct auth *before,
                 struct err *err)
{
    if (!set_key(auth, before, err))
        return false;
    for (size_t i = 0; i < users->count; i++) {
        auth->count = i + 1;
        if (!set_user(&auth->users[i], &users->items[i], before))
            return err_memory(err);
    }
    return true;
}

bool auth_new(const struct pair_list *users, struct auth *before, struct auth **ret,
              struct err *err)
{
    struct auth *auth = calloc(1, sizeof *auth + users->count * sizeof auth->users[0]);
    if (!auth)
        return err_memory(err);
    pthread_mutex_init(&auth->lock, NULL);
    if (!fill(auth, users, before, err)) {
        auth_free(auth);
        return false;
    }
    *ret = auth;
    return true;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    for (size_t i = 0; i < auth->count; i++) {
        secret_free(auth->users[i].name);
        secret_free(auth->users[i].hash);
    }
    pthread_mutex_destroy(&auth->lock);
    explicit_bzero(auth, sizeof *auth + auth->count * sizeof auth->users[0]);
    free(auth);
}

/* Logins. */

/* "NAME:PASSWORD" of `length` bytes; one with a NUL would be another login for crypt than for us.
 */
static bool split_login(const char *text, size_t length, struct login *ret)
{
    const char *colon = memchr(text, ':', length);
    if (!colon || memchr(text, '\0', length))
        return false;
    size_t name_length = (size_t)(colon - text);
    struct login login = {.name = strndup(text, name_length),
                          .password = strndup(colon + 1, length - name_length - 1)};
    if (!login.name || !login.password) {
        login_done(&login);
        return false;
    }
    *ret = login;
    return true;
}

bool login_parse(const char *header, struct login *ret)
{
    static const char scheme[] = "Basic ";
    if (!header || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *code = header + sizeof scheme - 1;
    code += strspn(code, " ");
    gnutls_datum_t coded = {.data = (unsigned char *)(uintptr_t)code,
                            .size = (unsigned)strcspn(code, " ")};
    gnutls_datum_t text = {0};
    if (coded.size == 0 || gnutls_base64_decode2(&coded, &text) != 0)
        return false;
    bool split = split_login((const char *)text.data, text.size, ret);
    explicit_bzero(text.data, text.size);
    gnutls_free(text.data);
    return split;
}

void login_done(struct login *login)
{
    secret_free(login->name);
    secret_free(login->password);
    *login = (struct login){0};
}
