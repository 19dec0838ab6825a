/*
 * attrs - the compiler attributes the project uses, by readable names.
 */
#ifndef EXPORTER_BASE_ATTRS_H
#define EXPORTER_BASE_ATTRS_H

/* The caller must look at the result. */
#define MUST_USE __attribute__((warn_unused_result))

/* Run function(&variable) when the variable goes out of scope. */
#define CLEANUP(function) __attribute__((cleanup(function)))

/* The function takes a printf format as argument number `format`, its values from `first` on. */
#define PRINTF(text, values) __attribute__((format(printf, text, values)))

#define UNUSED __attribute__((unused))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Pass an owned pointer on: the variable forgets it, so its cleanup does nothing. */
#define TAKE(pointer)                                                                              \
    (__extension__({                                                                               \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    }))

#endif
