#include "exporter/base/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "exporter/base/clock.h"
#include "exporter/base/strbuf.h"

static int catcher = -1;
static int own_stderr = -1;

/* From here on stderr goes to where captured() finds it. */
static void capture(void)
{
    catcher = memfd_create("stderr", MFD_CLOEXEC);
    cr_assert_eq(fcntl(catcher, F_SETFL, O_APPEND), 0); /* as threads write at one position */
    own_stderr = dup(STDERR_FILENO);
    cr_assert_eq(dup2(catcher, STDERR_FILENO), STDERR_FILENO);
}

/* Give stderr back; what was written meanwhile, which the caller frees. */
static char *captured(void)
{
    struct strbuf text = {0};
    char chunk[4096];
    ssize_t count;
    dup2(own_stderr, STDERR_FILENO);
    lseek(catcher, 0, SEEK_SET);
    while ((count = read(catcher, chunk, sizeof chunk)) > 0)
        strbuf_add(&text, chunk, (size_t)count);
    close(own_stderr);
    close(catcher);
    return strbuf_steal(&text);
}

static void free_text(char **text)
{
    free(*text);
}

/* The line behind its time, which is checked for its form. */
static const char *behind_time(const char *line)
{
    static const char form[] = "time=dddd-dd-ddTdd:dd:dd.dddZ ";
    cr_assert_geq(strlen(line), sizeof form - 1);
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool digit = line[i] >= '0' && line[i] <= '9';
        cr_assert(form[i] == 'd' ? digit : line[i] == form[i], "%s", line);
    }
    return line + sizeof form - 1;
}

static void expect_one_line(const char *text)
{
    cr_assert_str_not_empty(text);
    cr_expect_eq(strchr(text, '\n'), text + strlen(text) - 1, "%s", text);
}

static json_t *parsed(const char *text)
{
    json_error_t error;
    json_t *object = json_loads(text, 0, &error);
    cr_assert_not_null(object, "%s: %s", error.text, text);
    return object;
}

static const char hostile[] = "a\"b\\c\nd\re\tf\x1B[2J\x7F\xFF\xC2\x9B=} {";
static const char hostile_sound[] = "a\"b\\c\nd\xEF\xBF\xBD"
                                    "e\tf\xEF\xBF\xBD[2J\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD=} {";

Test(log, a_logfmt_line_has_time_level_message_and_fields)
{
    capture();
    log_info("reloaded", FIELDS(TEXT("file", "/etc/x.yml"), NUMBER("targets", 7)));
    char *text CLEANUP(free_text) = captured();
    cr_expect_str_eq(behind_time(text), "level=info msg=reloaded file=/etc/x.yml targets=7\n");
}

Test(log, fields_may_be_missing)
{
    capture();
    log_warn("poll failed", NULL);
    char *text CLEANUP(free_text) = captured();
    cr_expect_str_eq(behind_time(text), "level=warn msg=\"poll failed\"\n");
}

Test(log, a_logfmt_value_is_quoted_when_a_reader_would_split_it)
{
    capture();
    log_error("e",
              FIELDS(TEXT("space", "a b"), TEXT("equals", "a=b"), TEXT("empty", ""),
                     TEXT("quote", "a\"b"), TEXT("backslash", "a\\b"), TEXT("plain", "a/b:c")));
    char *text CLEANUP(free_text) = captured();
    cr_expect_str_eq(behind_time(text), "level=error msg=e space=\"a b\" equals=\"a=b\" empty=\"\" "
                                        "quote=\"a\\\"b\" backslash=\"a\\\\b\" plain=a/b:c\n");
}

Test(log, a_hostile_text_stays_on_one_logfmt_line_without_control_characters)
{
    capture();
    log_error(hostile, FIELDS(TEXT("text", hostile)));
    char *text CLEANUP(free_text) = captured();
    expect_one_line(text);
    for (const char *c = text; *c; c++)
        cr_expect(*c == '\n' || ((unsigned char)*c >= 0x20 && *c != 0x7F), "%02x", *c);
}

Test(log, a_json_line_is_one_object_with_the_same_members)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture();
    log_info("reloaded", FIELDS(TEXT("file", "x"), NUMBER("targets", 7), NUMBER("ratio", 0.5)));
    char *text CLEANUP(free_text) = captured();
    json_t *line = parsed(text);
    expect_one_line(text);
    cr_expect_eq(json_object_size(line), 6);
    cr_expect_eq(strlen(json_string_value(json_object_get(line, "time"))), 24);
    cr_expect_str_eq(json_string_value(json_object_get(line, "level")), "info");
    cr_expect_str_eq(json_string_value(json_object_get(line, "msg")), "reloaded");
    cr_expect_str_eq(json_string_value(json_object_get(line, "file")), "x");
    cr_expect_eq(json_number_value(json_object_get(line, "targets")), 7);
    cr_expect_eq(json_number_value(json_object_get(line, "ratio")), 0.5);
    json_decref(line);
}

Test(log, a_hostile_text_reads_back_from_json_with_its_bad_bytes_marked)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture();
    log_info(hostile, FIELDS(TEXT("text", hostile)));
    char *text CLEANUP(free_text) = captured();
    json_t *line = parsed(text);
    expect_one_line(text);
    cr_expect_str_eq(json_string_value(json_object_get(line, "msg")), hostile_sound);
    cr_expect_str_eq(json_string_value(json_object_get(line, "text")), hostile_sound);
    json_decref(line);
}

Test(log, every_single_byte_makes_sound_json)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (int byte = 1; byte < 256; byte++) {
        const char message[] = {(char)byte, '\0'};
        capture();
        log_info(message, NULL);
        char *text CLEANUP(free_text) = captured();
        json_decref(parsed(text));
        expect_one_line(text);
    }
}

Test(log, numbers_without_a_json_form_are_texts)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture();
    log_info("n", FIELDS(NUMBER("a", NAN), NUMBER("b", INFINITY), NUMBER("c", -INFINITY)));
    char *text CLEANUP(free_text) = captured();
    json_t *line = parsed(text);
    cr_expect_str_eq(json_string_value(json_object_get(line, "a")), "NaN");
    cr_expect_str_eq(json_string_value(json_object_get(line, "b")), "Inf");
    cr_expect_str_eq(json_string_value(json_object_get(line, "c")), "-Inf");
    json_decref(line);
}

Test(log, large_whole_numbers_keep_their_digits)
{
    capture();
    log_info("n", FIELDS(NUMBER("bytes", 123456789012345)));
    char *text CLEANUP(free_text) = captured();
    cr_expect_str_eq(behind_time(text), "level=info msg=n bytes=123456789012345\n");
}

static void log_all(void)
{
    log_error("error", NULL);
    log_warn("warn", NULL);
    log_info("info", NULL);
    log_debug("debug", NULL);
}

Test(log, each_level_shows_itself_and_what_is_worse)
{
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        log_configure((enum log_level)level, LOG_FORMAT_LOGFMT);
        capture();
        log_all();
        char *text CLEANUP(free_text) = captured();
        cr_expect_not_null(strstr(text, "level=error"));
        cr_expect_eq(strstr(text, "level=warn") != NULL, level >= LOG_LEVEL_WARN);
        cr_expect_eq(strstr(text, "level=info") != NULL, level >= LOG_LEVEL_INFO);
        cr_expect_eq(strstr(text, "level=debug") != NULL, level >= LOG_LEVEL_DEBUG);
    }
}

Test(log, level_names_are_read_and_others_refused)
{
    enum log_level level = LOG_LEVEL_INFO;
    cr_expect(log_level_parse("debug", &level) && level == LOG_LEVEL_DEBUG);
    cr_expect(log_level_parse("error", &level) && level == LOG_LEVEL_ERROR);
    cr_expect_not(log_level_parse("loud", &level));
    cr_expect_not(log_level_parse("", &level));
    cr_expect_eq(level, LOG_LEVEL_ERROR);
}

Test(log, format_names_are_read_and_others_refused)
{
    enum log_format format = LOG_FORMAT_LOGFMT;
    cr_expect(log_format_parse("json", &format) && format == LOG_FORMAT_JSON);
    cr_expect_not(log_format_parse("xml", &format));
    cr_expect_eq(format, LOG_FORMAT_JSON);
}

#define THREADS 4
#define LINES   100

static void *log_many(void *text)
{
    for (int i = 0; i < LINES; i++)
        log_info("many", FIELDS(TEXT("text", text)));
    return NULL;
}

Test(log, lines_of_several_threads_never_mix)
{
    static char letters[THREADS][200];
    pthread_t threads[THREADS];
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture();
    for (size_t i = 0; i < THREADS; i++) {
        memset(letters[i], (int)('a' + i), sizeof letters[i] - 1);
        pthread_create(&threads[i], NULL, log_many, letters[i]);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char *text CLEANUP(free_text) = captured();
    char *rest = text;
    size_t count = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line; count++)
        json_decref(parsed(line));
    cr_expect_eq(count, THREADS * LINES);
}

static int pipe_ends[2];
static volatile sig_atomic_t ticks;

/* Interrupts the writer; the second time it also makes room in the pipe. */
static void on_tick(int number UNUSED)
{
    char chunk[4096];
    if (++ticks != 2)
        return;
    while (read(pipe_ends[0], chunk, sizeof chunk) > 0)
        continue;
}

static void tick_every_ms(int milliseconds)
{
    struct timeval time = {.tv_usec = milliseconds * 1000};
    setitimer(ITIMER_REAL, &(struct itimerval){.it_interval = time, .it_value = time}, NULL);
}

Test(log, an_interrupted_write_loses_no_line)
{
    char line[4096] = "";
    struct sigaction action = {.sa_handler = on_tick}; /* without SA_RESTART */
    cr_assert_eq(pipe2(pipe_ends, O_NONBLOCK), 0);
    while (write(pipe_ends[1], line, sizeof line) > 0)
        continue;
    fcntl(pipe_ends[1], F_SETFL, 0); /* full: the next write waits */
    sigaction(SIGALRM, &action, NULL);
    capture();
    dup2(pipe_ends[1], STDERR_FILENO);
    tick_every_ms(10);
    log_info("kept", NULL);
    tick_every_ms(0);
    free(captured());
    cr_expect_geq(ticks, 2);
    cr_expect_gt(read(pipe_ends[0], line, sizeof line - 1), 0);
    cr_expect_not_null(strstr(line, "msg=kept\n"));
}

/* A pipe for stderr with no room left; returns its reading end. */
static int block_stderr(void)
{
    int ends[2];
    char byte = 'x';
    cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(ends[1], &byte, 1) == 1)
        ;
    cr_assert_eq(fcntl(ends[1], F_SETFL, 0), 0); /* whoever inherits a pipe inherits it blocking */
    cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    return ends[0];
}

static void drain(int fd)
{
    char chunk[4096];
    while (read(fd, chunk, sizeof chunk) > 0)
        ;
}

Test(log, a_log_that_nobody_reads_stops_nobody, .timeout = 10)
{
    int reader = block_stderr();
    int64_t begun_ms = clock_monotonic_ms();
    for (int i = 0; i < 1000; i++)
        log_error("dropped", NULL);
    cr_expect_lt(clock_monotonic_ms() - begun_ms, 5000);
    close(reader);
}

Test(log, lines_are_written_again_when_somebody_reads, .timeout = 10)
{
    int reader = block_stderr();
    log_error("dropped", NULL);
    drain(reader);
    log_error("kept", NULL);
    char chunk[4096] = {0};
    cr_assert_gt(read(reader, chunk, sizeof chunk - 1), 0);
    cr_expect(strstr(chunk, "msg=kept\n"));
    cr_expect_not(strstr(chunk, "dropped"));
    close(reader);
}
