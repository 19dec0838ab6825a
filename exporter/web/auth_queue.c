#include "exporter/web/auth_queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)256 * 1024)
#define NICE       10 /* a flood of wrong passwords must not slow down what is collected */

struct auth_question {
    TAILQ_ENTRY(auth_question) waiting; /* in the queue's list, between ask and its turn */
    LIST_ENTRY(auth_question) place;    /* in the queue's places, as long as it lives */
    struct auth_queue *queue;
    struct security *security;
    struct login login;
    char *address;
    enum auth_verdict verdict;
    void (*ready)(void *context);
    void *context;
};

TAILQ_HEAD(waiting_list, auth_question);
LIST_HEAD(place_list, auth_question);

struct auth_queue {
    struct auth_queue_limits limits;
    pthread_t thread;
    bool joined;
    pthread_mutex_t lock; /* guards what is below */
    pthread_cond_t changed;
    struct waiting_list waiting;
    struct place_list places;
    bool stopped;
};

static struct auth_question *next_question(struct auth_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    while (!queue->stopped && TAILQ_EMPTY(&queue->waiting))
        pthread_cond_wait(&queue->changed, &queue->lock);
    struct auth_question *question = queue->stopped ? NULL : TAILQ_FIRST(&queue->waiting);
    if (question)
        TAILQ_REMOVE(&queue->waiting, question, waiting);
    pthread_mutex_unlock(&queue->lock);
    return question;
}

/* Another one with the same login may have been answered while this one waited. */
static enum auth_verdict judge(const struct auth_question *question)
{
    struct auth *auth = security_auth(question->security);
    bool right = auth_recall(auth, &question->login) == AUTH_GRANTED ||
                 auth_work_out(auth, &question->login);
    return right ? AUTH_RIGHT : AUTH_WRONG;
}

static void *work(void *argument)
{
    struct auth_queue *queue = argument;
    struct auth_question *question;
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* of this thread alone, on Linux */
    while ((question = next_question(queue))) {
        question->verdict = judge(question);
        question->ready(question->context);
    }
    return NULL;
}

static int start_thread(struct auth_queue *queue)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error)
        return error;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    error = pthread_create(&queue->thread, &attributes, work, queue);
    pthread_attr_destroy(&attributes);
    return error;
}

bool auth_queue_start(const struct auth_queue_limits *limits, struct auth_queue **ret,
                      struct err *err)
{
    struct auth_queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return err_memory(err);
    queue->limits = *limits;
    TAILQ_INIT(&queue->waiting);
    LIST_INIT(&queue->places);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    int error = start_thread(queue);
    if (error) {
        queue->joined = true;
        auth_queue_free(queue);
        return err_system(err, error, "cannot start the thread that checks passwords");
    }
    *ret = queue;
    return true;
}

static struct auth_question *take_waiting(struct auth_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    struct auth_question *question = TAILQ_FIRST(&queue->waiting);
    if (question)
        TAILQ_REMOVE(&queue->waiting, question, waiting);
    pthread_mutex_unlock(&queue->lock);
    return question;
}

void auth_queue_stop(struct auth_queue *queue)
{
    struct auth_question *question;
    if (!queue || queue->joined)
        return;
    pthread_mutex_lock(&queue->lock);
    queue->stopped = true;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    while ((question = take_waiting(queue)))
        question->ready(question->context);
    pthread_join(queue->thread, NULL);
    queue->joined = true;
}

void auth_queue_free(struct auth_queue *queue)
{
    if (!queue)
        return;
    auth_queue_stop(queue);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

/* Under the lock. */
static bool has_room(const struct auth_queue *queue, const char *address)
{
    const struct auth_question *question;
    size_t all = 0;
    size_t same = 0;
    LIST_FOREACH(question, &queue->places, place)
    {
        all++;
        same += strcmp(question->address, address) == 0;
    }
    return all < queue->limits.questions && same < queue->limits.questions_of_address;
}

static bool take_place(struct auth_queue *queue, struct auth_question *question)
{
    pthread_mutex_lock(&queue->lock);
    bool room = has_room(queue, question->address);
    if (room)
        LIST_INSERT_HEAD(&queue->places, question, place);
    pthread_mutex_unlock(&queue->lock);
    return room;
}

struct auth_question *auth_question_new(struct auth_queue *queue, struct security *security,
                                        struct login *login, const char *address)
{
    struct auth_question *question = calloc(1, sizeof *question);
    if (!question)
        return NULL;
    question->queue = queue;
    question->address = strdup(address);
    if (!question->address || !take_place(queue, question)) {
        free(question->address);
        free(question);
        return NULL;
    }
    question->security = security_ref(security);
    question->login = *login;
    *login = (struct login){0};
    return question;
}

void auth_question_ask(struct auth_question *question, void (*ready)(void *context), void *context)
{
    struct auth_queue *queue = question->queue;
    question->ready = ready;
    question->context = context;
    pthread_mutex_lock(&queue->lock);
    bool stopped = queue->stopped;
    if (!stopped)
        TAILQ_INSERT_TAIL(&queue->waiting, question, waiting);
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    if (stopped)
        ready(context);
}

enum auth_verdict auth_question_verdict(const struct auth_question *question)
{
    return question->verdict;
}

void auth_question_free(struct auth_question *question)
{
    if (!question)
        return;
    pthread_mutex_lock(&question->queue->lock);
    LIST_REMOVE(question, place);
    pthread_mutex_unlock(&question->queue->lock);
    security_unref(question->security);
    login_done(&question->login);
    free(question->address);
    free(question);
}
