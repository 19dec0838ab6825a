#include "exporter/web/auth.h"

#include <pthread.h>
#include <time.h>

#include <criterion/criterion.h>

#include "exporter/web/auth_queue.h"
#include "tests/unit/config_files.h"

/* Of "secret" and "other", as cheap as bcrypt can be. */
#define HASH_OF_SECRET "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
#define HASH_OF_OTHER  "$2y$04$abcdefghijklmnopqrstuu0HtfOlPbTiymk5tcV.3TsFPDd3SYZqu"

static struct err err;

static void auth_done(struct auth **auth)
{
    auth_free(*auth);
}

/* alice has "secret", bob has "other". */
static struct auth *two_users(struct auth *before, const char *hash_of_alice)
{
    struct pair_list users CLEANUP(pair_list_done) = {0};
    struct auth *auth = NULL;
    cr_assert(pair_list_add(&users, "alice", hash_of_alice, NULL));
    cr_assert(pair_list_add(&users, "bob", HASH_OF_OTHER, NULL));
    cr_assert(auth_new(&users, before, &auth, &err), "%s", err.text);
    return auth;
}

#define LOGIN(user, word) (&(struct login){.name = (char[]){user}, .password = (char[]){word}})

/* Users */

static bool is_user(const char *name, const char *hash)
{
    return auth_check_user(name, hash, &err);
}

Test(auth, the_three_kinds_of_bcrypt_are_taken)
{
    cr_expect(is_user("a", "$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"));
    cr_expect(is_user("a", "$2b$17$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"));
    cr_expect(is_user("", HASH_OF_OTHER));
}

Test(auth, what_is_no_bcrypt_hash_is_refused_without_being_shown)
{
    static const char *const hashes[] = {
        "",
        "secret",
        "$2b$04$",
        "$1$abcdefgh$abcdefghijklmnopqrstuuIG6gCfhmkJTgQV0JINLTT3XEAyMn",
        "$2x$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
        "$2$$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
        "$2b$x4$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
        "$2b$04$abcdefghijklmnopqrst:u2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
        "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW ",
    };
    for (size_t i = 0; i < COUNT_OF(hashes); i++) {
        cr_expect_not(is_user("a", hashes[i]), "%s", hashes[i]);
        cr_expect_str_eq(err.text, "the value is not a bcrypt hash ($2b$, two digits of cost, "
                                   "salt and hash)");
    }
}

Test(auth, a_cost_that_would_take_minutes_is_refused)
{
    cr_expect_not(is_user("a", "$2b$18$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"));
    cr_expect_str_eq(err.text, "a cost of 18 is not one from 4 to 17");
    cr_expect_not(is_user("a", "$2b$03$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"));
}

/* Logins */

static bool parses(const char *header, const char *name, const char *password)
{
    struct login login CLEANUP(login_done) = {0};
    return login_parse(header, &login) && strcmp(login.name, name) == 0 &&
           strcmp(login.password, password) == 0;
}

Test(auth, a_basic_login_is_read)
{
    cr_expect(parses("Basic YWxpY2U6c2VjcmV0", "alice", "secret"));
    cr_expect(parses("basic  YWxpY2U6c2VjcmV0", "alice", "secret"));
    cr_expect(parses("Basic YTpiOmM=", "a", "b:c"), "a password may hold colons");
    cr_expect(parses("Basic Og==", "", ""));
}

Test(auth, what_is_no_basic_login_is_none)
{
    static const char *const headers[] = {
        NULL,
        "",
        "Basic",
        "Basic ",
        "Basic YWxp!",
        "Basic YWxpY2U=", /* no colon */
        "Bearer YTpi",
        "BasicYTpi",
        "Basic YTpiAGM=", /* a NUL in the password */
        "Basic AGE6Yg==", /* and in the name */
    };
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        struct login login CLEANUP(login_done) = {0};
        cr_expect_not(login_parse(headers[i], &login), "%s", headers[i]);
    }
}

Test(auth, each_user_has_one_password)
{
    struct auth *auth CLEANUP(auth_done) = two_users(NULL, HASH_OF_SECRET);
    cr_expect(auth_work_out(auth, LOGIN("alice", "secret")));
    cr_expect(auth_work_out(auth, LOGIN("bob", "other")));
    cr_expect_not(auth_work_out(auth, LOGIN("alice", "other")));
    cr_expect_not(auth_work_out(auth, LOGIN("bob", "secret")));
    cr_expect_not(auth_work_out(auth, LOGIN("alice", "")));
}

Test(auth, nobody_else_gets_in_with_any_password)
{
    struct auth *auth CLEANUP(auth_done) = two_users(NULL, HASH_OF_SECRET);
    static const char *const names[] = {"", "carol", "Alice", "alice ", "dave", "eve"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct login login = {.name = strdup(names[i]), .password = strdup("secret")};
        cr_expect_not(auth_work_out(auth, &login), "%s", names[i]);
        cr_expect_eq(auth_recall(auth, &login), AUTH_UNKNOWN, "%s", names[i]);
        free(login.password);
        login.password = strdup("other");
        cr_expect_not(auth_work_out(auth, &login), "%s", names[i]);
        login_done(&login);
    }
}

Test(auth, only_a_login_that_was_right_is_remembered)
{
    struct auth *auth CLEANUP(auth_done) = two_users(NULL, HASH_OF_SECRET);
    cr_expect_eq(auth_recall(auth, LOGIN("alice", "secret")), AUTH_UNKNOWN);
    cr_expect_not(auth_work_out(auth, LOGIN("alice", "wrong")));
    cr_expect_eq(auth_recall(auth, LOGIN("alice", "wrong")), AUTH_UNKNOWN);
    cr_expect(auth_work_out(auth, LOGIN("alice", "secret")));
    cr_expect_eq(auth_recall(auth, LOGIN("alice", "secret")), AUTH_GRANTED);
    cr_expect_eq(auth_recall(auth, LOGIN("alice", "wrong")), AUTH_UNKNOWN);
    cr_expect_eq(auth_recall(auth, LOGIN("bob", "secret")), AUTH_UNKNOWN);
}

Test(auth, wrong_passwords_do_not_make_it_forget)
{
    struct auth *auth CLEANUP(auth_done) = two_users(NULL, HASH_OF_SECRET);
    cr_assert(auth_work_out(auth, LOGIN("alice", "secret")));
    for (int i = 0; i < 50; i++)
        cr_expect_not(auth_work_out(auth, LOGIN("alice", "wrong")));
    cr_expect_eq(auth_recall(auth, LOGIN("alice", "secret")), AUTH_GRANTED);
}

Test(auth, a_reload_remembers_users_whose_hash_is_the_same)
{
    struct auth *before CLEANUP(auth_done) = two_users(NULL, HASH_OF_SECRET);
    cr_assert(auth_work_out(before, LOGIN("alice", "secret")));
    cr_assert(auth_work_out(before, LOGIN("bob", "other")));
    struct auth *after CLEANUP(auth_done) = two_users(before, HASH_OF_OTHER);
    cr_expect_eq(auth_recall(after, LOGIN("alice", "secret")), AUTH_UNKNOWN, "her hash is new");
    cr_expect_not(auth_work_out(after, LOGIN("alice", "secret")));
    cr_expect_eq(auth_recall(after, LOGIN("bob", "other")), AUTH_GRANTED);
}

/* CPU time of this thread, which a busy machine does not change much. */
static double cpu_seconds(struct auth *auth, const struct login *login)
{
    struct timespec begin;
    struct timespec end;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (int i = 0; i < 20; i++)
        cr_expect_not(auth_work_out(auth, login));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

/* Without the work it would be a thousandth, not a third. */
Test(auth, a_name_that_nobody_has_costs_as_much_as_one_that_exists)
{
    struct auth *auth CLEANUP(auth_done) = two_users(NULL, HASH_OF_SECRET);
    double known = cpu_seconds(auth, LOGIN("alice", "wrong"));
    double unknown = cpu_seconds(auth, LOGIN("carol", "wrong"));
    cr_expect(unknown > known / 3, "known %g s, unknown %g s", known, unknown);
}

/* The queue */

static struct security *security;
static char *folder;

static void open_security(void)
{
    folder = config_folder_new();
    char *path CLEANUP(text_free) =
        config_file_write(folder, "web.yml", "basic_auth_users: {alice: " HASH_OF_SECRET "}\n");
    cr_assert(security_read(path, NULL, &security, &err), "%s", err.text);
}

static void close_security(void)
{
    security_unref(security);
    config_folder_remove(&folder);
}

TestSuite(auth_queue, .init = open_security, .fini = close_security);

/* What waits for an answer. */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int answers;
};

static struct waiter waiter = {.lock = PTHREAD_MUTEX_INITIALIZER,
                               .changed = PTHREAD_COND_INITIALIZER};

static void note(void *context UNUSED)
{
    pthread_mutex_lock(&waiter.lock);
    waiter.answers++;
    pthread_cond_broadcast(&waiter.changed);
    pthread_mutex_unlock(&waiter.lock);
}

static void wait_for(int answers)
{
    pthread_mutex_lock(&waiter.lock);
    while (waiter.answers < answers)
        pthread_cond_wait(&waiter.changed, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
}

static struct auth_queue *start_queue(size_t questions, size_t of_address)
{
    const struct auth_queue_limits limits = {questions, of_address};
    struct auth_queue *queue = NULL;
    cr_assert(auth_queue_start(&limits, &queue, &err), "%s", err.text);
    return queue;
}

static struct auth_question *question_of(struct auth_queue *queue, const char *password,
                                         const char *address)
{
    struct login login = {.name = strdup("alice"), .password = strdup(password)};
    struct auth_question *question = auth_question_new(queue, security, &login, address);
    cr_expect_eq(login.name == NULL, question != NULL, "who owns the login now");
    login_done(&login);
    return question;
}

Test(auth_queue, each_question_gets_its_own_verdict)
{
    struct auth_queue *queue = start_queue(10, 10);
    struct auth_question *right = question_of(queue, "secret", "a");
    struct auth_question *wrong = question_of(queue, "other", "a");
    cr_assert(right && wrong);
    auth_question_ask(right, note, NULL);
    auth_question_ask(wrong, note, NULL);
    wait_for(2);
    cr_expect_eq(auth_question_verdict(right), AUTH_RIGHT);
    cr_expect_eq(auth_question_verdict(wrong), AUTH_WRONG);
    cr_expect_eq(auth_recall(security_auth(security), LOGIN("alice", "secret")), AUTH_GRANTED);
    auth_question_free(right);
    auth_question_free(wrong);
    auth_queue_free(queue);
}

Test(auth_queue, no_more_questions_are_taken_than_there_is_room_for)
{
    struct auth_queue *queue = start_queue(2, 2);
    struct auth_question *one = question_of(queue, "secret", "a");
    struct auth_question *two = question_of(queue, "secret", "b");
    cr_assert(one && two);
    cr_expect_null(question_of(queue, "secret", "c"));
    auth_question_free(one);
    struct auth_question *three = question_of(queue, "secret", "c");
    cr_expect_not_null(three, "a place that was given back");
    auth_question_free(two);
    auth_question_free(three);
    auth_queue_free(queue);
}

Test(auth_queue, one_client_cannot_keep_the_others_out)
{
    struct auth_queue *queue = start_queue(10, 1);
    struct auth_question *one = question_of(queue, "secret", "a");
    cr_expect_null(question_of(queue, "secret", "a"));
    struct auth_question *two = question_of(queue, "secret", "b");
    cr_expect_not_null(two);
    auth_question_free(one);
    auth_question_free(two);
    auth_queue_free(queue);
}

Test(auth_queue, what_is_asked_after_the_stop_is_ready_at_once_and_has_no_verdict)
{
    struct auth_queue *queue = start_queue(10, 10);
    struct auth_question *question = question_of(queue, "secret", "a");
    auth_queue_stop(queue);
    auth_queue_stop(queue);
    auth_question_ask(question, note, NULL);
    cr_expect_eq(waiter.answers, 1);
    cr_expect_eq(auth_question_verdict(question), AUTH_WITHOUT);
    auth_question_free(question);
    auth_queue_free(queue);
}

#define MANY 200

Test(auth_queue, a_stop_leaves_nobody_waiting)
{
    struct auth_question *questions[MANY];
    struct auth_queue *queue = start_queue(MANY, MANY);
    for (size_t i = 0; i < MANY; i++)
        questions[i] = question_of(queue, "wrong", "a");
    for (size_t i = 0; i < MANY; i++)
        auth_question_ask(questions[i], note, NULL);
    auth_queue_stop(queue);
    cr_expect_eq(waiter.answers, MANY);
    cr_expect_eq(auth_question_verdict(questions[MANY - 1]), AUTH_WITHOUT, "it was not worked out");
    for (size_t i = 0; i < MANY; i++)
        auth_question_free(questions[i]);
    auth_queue_free(queue);
}
