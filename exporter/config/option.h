/*
 * option - what can be configured, as rows of tables.
 *
 * One table serves everything: the YAML walker, the flags, the environment, the defaults, --help
 * and the documentation. A row's YAML path follows from nesting ("web.telemetry-path"), its flag
 * is that path with "--" before it, its variable the same in capitals. Nothing here knows what
 * the options mean.
 */
#ifndef EXPORTER_CONFIG_OPTION_H
#define EXPORTER_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"
#include "exporter/config/lists.h"

enum option_type {                  /* the field it fills */
                   OPTION_TEXT,     /* char * */
                   OPTION_PATH,     /* char *, absolute */
                   OPTION_CHOICE,   /* char *, one of choices */
                   OPTION_BOOL,     /* bool */
                   OPTION_TRISTATE, /* enum tristate; UNSET when nothing was said */
                   OPTION_INTEGER,  /* int64_t */
                   OPTION_DURATION, /* double, seconds */
                   OPTION_TEXTS,    /* struct text_list */
                   OPTION_MAP,      /* struct pair_list: free keys, texts as values */
                   OPTION_SECTION,  /* no field of its own: the rows of `section`, in the struct at
                                       offset */
                   OPTION_SECTIONS, /* pointer to an array of section->size, its length at
                                       count_offset */
                   OPTION_MEMBERS,  /* pointer to an array that is there already: one `member` for
                                       each key */
};

/* Where a row may be said. */
enum option_source {
    OPTION_IN_FILE = 1,
    OPTION_IN_FLAG = 2,
    OPTION_IN_ENVIRONMENT = 4,
    OPTION_HIDDEN = 8, /* not in --help and not in the documentation */
    OPTION_EVERYWHERE = OPTION_IN_FILE | OPTION_IN_FLAG | OPTION_IN_ENVIRONMENT,
    OPTION_COMMAND_LINE = OPTION_IN_FLAG | OPTION_IN_ENVIRONMENT,
};

/* One key of OPTION_MEMBERS. */
struct option_member {
    const char *key;  /* static */
    const char *help; /* static */
    double
        fallback; /* what holds when nothing is said; written to a bool field, shown for others */
};

struct option_table {
    const struct option *rows;
    size_t count;
    size_t size; /* of the struct that one element of OPTION_SECTIONS fills */
};

struct option {
    const char *key;
    const char *help;     /* sentences; the first one says what it is */
    const char *fallback; /* the default as one would write it; NULL for none */
    const char *shown;    /* in place of the fallback, for defaults that are found out; or NULL */
    const char *value;    /* what stands for the value in --help: "FILE" */
    enum option_type type;
    unsigned sources; /* enum option_source; 0 means OPTION_IN_FILE */
    size_t offset;    /* of the field in the struct that the table fills */
    double min, max;  /* of a number or a duration in seconds; both 0: no limits */
    bool required;    /* of an element of OPTION_SECTIONS */
    bool secret;      /* its value is never shown, in no message */
    char letter;      /* short flag, or 0 */

    const char *const *choices; /* NULL-terminated */
    const char *path_variable;  /* a path may begin with $NAME/ instead; it is kept as written */
    const struct option_table *section;                         /* SECTION, SECTIONS */
    size_t count_offset;                                        /* SECTIONS */
    bool (*member_at)(size_t index, struct option_member *ret); /* MEMBERS; false: no more */
    const struct option *member;                                /* MEMBERS: what each one is */
    size_t member_size;                                         /* MEMBERS: of one array element */
};

/* One row that takes a value by flag or variable, with the field it fills. */
struct option_place {
    const struct option *option;
    const char *path;            /* "web.telemetry-path"; valid during the visit only */
    void *field;                 /* NULL when the visit had no base */
    struct option_member member; /* key NULL unless it is one of OPTION_MEMBERS */
};

/* Give every field of the struct at base its default. base must be all-zero, arrays of
 * OPTION_MEMBERS there. ERR_MEMORY. */
bool option_defaults(const struct option_table *table, void *base, struct err *err) MUST_USE;

/* Free what the options own in the struct at base, not the struct itself. */
void option_free(const struct option_table *table, void *base);

/*
 * Set the field of one row from text, as YAML, a flag or a variable gave it. On false *err holds
 * ERR_MEMORY, or ERR_CONFIG with what is wrong and what is allowed, without the row's name:
 * `"27x" is not a duration (...)`. The value of a secret row is not in it. A text is added to a
 * list. Not for OPTION_MAP and the section types.
 */
bool option_set(const struct option *option, void *field, const char *text,
                struct err *err) MUST_USE;

/* Seconds of "500ms", "15s", "5m", "27h", "9d"; ERR_CONFIG as option_set(). */
bool option_parse_duration(const char *text, double *ret, struct err *err) MUST_USE;

/* Append seconds in the shortest whole unit: 97200 -> "27h". */
void option_format_duration(struct strbuf *out, double seconds);

/* What a row takes, in words: "a duration from 1s to 7d". */
void option_describe_value(const struct option *option, struct strbuf *out);

/*
 * Call visit for every row that has a flag or a variable, in the order of the tables, until it
 * returns false; that is returned. base may be NULL.
 */
bool option_visit(const struct option_table *table, void *base,
                  bool (*visit)(const struct option_place *place, void *data), void *data);

/* The row with that key, or NULL. */
const struct option *option_find(const struct option_table *table, const char *key);

/*
 * Offer candidates one by one to find the name that was probably meant: *best is NULL and
 * *distance OPTION_TOO_FAR at the start.
 */
#define OPTION_TOO_FAR 4
void option_nearest(const char *wrong, const char *candidate, size_t *distance, const char **best);

/* The field of a row, and the element of an array of OPTION_MEMBERS. */
void *option_field(const struct option *option, void *base);
void *option_member_field(const struct option *option, void *base, size_t index);

#endif
