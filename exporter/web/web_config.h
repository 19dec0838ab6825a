/*
 * web_config - reads the file of --web.config.file: who may ask, and over what.
 *
 * It is the web configuration file of Prometheus' own servers and exporters (exporter-toolkit),
 * with the same keys, defaults and meaning. What cannot be done here is refused by name, so that
 * nobody believes in a protection that is not there. The files it names are not opened here.
 */
#ifndef EXPORTER_WEB_WEB_CONFIG_H
#define EXPORTER_WEB_WEB_CONFIG_H

#include <stdbool.h>

#include "exporter/base/attrs.h"
#include "exporter/base/err.h"
#include "exporter/config/lists.h"

/* One PEM: in a file of its own, or written into the configuration. Both NULL: none. */
struct web_pem {
    char *file; /* made absolute: a relative one is beside the configuration file */
    char *text;
};

struct web_tls_config {
    struct web_pem certificate; /* with its chain */
    struct web_pem key;
    struct web_pem client_authorities;
    char *client_auth_type; /* exporter-toolkit's word: "RequireAndVerifyClientCert" */
    struct text_list client_allowed_sans;
    char *min_version; /* "TLS10" to "TLS13" */
    char *max_version;
    bool prefer_server_cipher_suites;
};

struct web_config {
    bool has_tls;
    struct web_tls_config tls;
    struct pair_list headers; /* of every answer: name and value */
    struct pair_list users;   /* name and bcrypt hash; empty: nobody is asked for a password */
    struct text_list files;   /* the configuration and all that it names, absolute */
};

/*
 * Read the file at an absolute path; an empty one asks for nothing. ERR_CONFIG names file, line,
 * column and key of everything that is wrong, ERR_PERMISSION and ERR_SYSTEM as config_file_read().
 * No hash and no key is in any text. Blocks only on reading that local file.
 */
bool web_config_read(const char *path, struct web_config **ret, struct err *err) MUST_USE;

void web_config_free(struct web_config *config); /* takes NULL */

#endif
