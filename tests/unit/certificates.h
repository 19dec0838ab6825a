/*
 * certificates - keys and certificates made for one test.
 */
#ifndef TESTS_UNIT_CERTIFICATES_H
#define TESTS_UNIT_CERTIFICATES_H

#include <stdbool.h>
#include <time.h>

struct certificate_wish {
    const char *folder; /* gets NAME.crt and NAME.key */
    const char *name;
    const char *signer; /* the NAME of an authority made before; NULL: itself */
    bool is_authority;
    bool is_server_only; /* its purpose is not that of a client */
    const char *dns;     /* alternative names, or NULL */
    const char *uri;
    const char *mail;
    const char *ipv4;
    time_t begin, end; /* seconds from now; both 0: from an hour ago for an hour more */
};

/* Make both; the test fails when that fails. */
void certificate_make(const struct certificate_wish *wish);

#endif
