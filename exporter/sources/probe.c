#include "exporter/sources/probe.h"

#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exporter/sources/probe_authorities.h"
#include "exporter/sources/probe_file.h"
#include "exporter/sources/probe_folder.h"

#define PROGRAM "/proc/self/exe"
#define MAGIC   0x70726f62U /* "prob" */

/* What stands before each answer; its length is known to both sides. */
struct head {
    uint32_t magic;
};

/* The answer of `resolve`. */
struct resolved {
    int status;       /* of getaddrinfo() */
    int error_number; /* for EAI_SYSTEM */
    struct probe_addresses addresses;
};

/* The operations: they run in the child and fill an answer of fixed size, all zero before. */

static void lookup(const char *host, int flags, struct resolved *answer)
{
    struct probe_addresses *addresses = &answer->addresses;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *list = NULL;
    answer->status = getaddrinfo(host, NULL, &hints, &list);
    answer->error_number = errno;
    for (struct addrinfo *info = list; info && addresses->count < PROBE_ADDRESS_MAX;
         info = info->ai_next) {
        char *text = addresses->text[addresses->count];
        if (getnameinfo(info->ai_addr, info->ai_addrlen, text, sizeof addresses->text[0], NULL, 0,
                        NI_NUMERICHOST) == 0)
            addresses->count++;
    }
    if (list)
        freeaddrinfo(list);
}

static void resolve(const char *host, void *answer)
{
    lookup(host, 0, answer);
}

static const struct operation {
    const char *name;
    void (*run)(const char *argument, void *answer);
    size_t size; /* of the answer */
} operations[] = {
    {.name = "resolve", .run = resolve, .size = sizeof(struct resolved)},
    {.name = "filesystem", .run = probe_filesystem_run, .size = sizeof(struct probe_filesystem)},
    {.name = "authorities", .run = probe_authorities_run, .size = sizeof(struct probe_authorities)},
    {.name = "real-path", .run = probe_real_path_run, .size = sizeof(struct probe_path)},
    {.name = "folder", .run = probe_folder_run, .size = sizeof(struct probe_folder)},
    {.name = "tail", .run = probe_tail_run, .size = sizeof(struct probe_tail)},
};

/* The child's side. */

static const struct operation *operation_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    }
    return NULL;
}

static bool answer_write(const void *answer, size_t size)
{
    const struct head head = {.magic = MAGIC};
    return fwrite(&head, sizeof head, 1, stdout) == 1 && fwrite(answer, size, 1, stdout) == 1 &&
           fflush(stdout) == 0;
}

int probe_main(int argc, char *const argv[])
{
    const struct operation *operation = argc == 4 ? operation_find(argv[2]) : NULL;
    if (!operation) {
        fputs("--probe is for the program's own use: --probe OPERATION ARGUMENT\n", stderr);
        return 2;
    }
    void *answer = calloc(1, operation->size);
    if (!answer)
        return 1;
    operation->run(argv[3], answer);
    bool written = answer_write(answer, operation->size);
    free(answer);
    return written ? 0 : 1;
}

/* The parent's side. */

static bool answer_read(const struct probe_question *question, const struct strbuf *output,
                        struct err *err)
{
    struct head head = {0};
    if (output->length == sizeof head + question->size)
        memcpy(&head, output->data, sizeof head);
    if (head.magic != MAGIC)
        return err_set(err, ERR_PROTOCOL, "the probe %s gave %zu bytes that are no answer",
                       question->operation, output->length);
    memcpy(question->answer, output->data + sizeof head, question->size);
    return true;
}

bool probe_ask(struct proc_pool *pool, const struct probe_question *question,
               const struct bound *bound, struct err *err)
{
    const char *const argv[] = {PROGRAM, "--probe", question->operation, question->argument, NULL};
    const char *const envp[] = {NULL};
    const struct proc_spec spec = {.argv = argv, .envp = envp, .key = question->key};
    struct proc_result result CLEANUP(proc_result_done) = {0};
    return proc_run(pool, &spec, bound, &result, err) && answer_read(question, &result.output, err);
}

static bool resolved_read(const char *host, const struct resolved *answer,
                          struct probe_addresses *ret, struct err *err)
{
    char reason[128];
    if (answer->status == EAI_SYSTEM)
        return err_set(err, ERR_DNS, "cannot resolve %s: %s", host,
                       strerror_r(answer->error_number, reason, sizeof reason));
    if (answer->status != 0)
        return err_set(err, ERR_DNS, "cannot resolve %s: %s", host, gai_strerror(answer->status));
    if (answer->addresses.count == 0)
        return err_set(err, ERR_DNS, "cannot resolve %s: it has no address", host);
    *ret = answer->addresses;
    return true;
}

bool probe_resolve(struct proc_pool *pool, const char *host, const struct bound *bound,
                   struct probe_addresses *ret, struct err *err)
{
    int timeout_ms = bound_remaining_ms(bound);
    struct resolved answer = {0};
    const struct probe_question question = {
        .operation = "resolve",
        .argument = host,
        .key = "resolver",
        .answer = &answer,
        .size = sizeof answer,
    };
    struct err why = {0};
    lookup(host, AI_NUMERICHOST, &answer); /* asks nobody, so it does not wait */
    if (answer.status == 0)
        return resolved_read(host, &answer, ret, err);
    if (probe_ask(pool, &question, bound, &why))
        return resolved_read(host, &answer, ret, err);
    if (why.code == ERR_TIMEOUT)
        return err_set(err, ERR_DNS, "cannot resolve %s: no answer within %d ms", host, timeout_ms);
    return err_set(err, why.code, "cannot resolve %s: %s", host, why.text);
}
