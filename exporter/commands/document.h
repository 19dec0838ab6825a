/*
 * document - the texts the program prints of itself: --help, --version and its reference pages.
 */
#ifndef EXPORTER_COMMANDS_DOCUMENT_H
#define EXPORTER_COMMANDS_DOCUMENT_H

#include <stdbool.h>

#include "collectors/settings.h"
#include "exporter/base/err.h"
#include "exporter/base/strbuf.h"

/* Whether the command line asks for a text and nothing else. */
bool document_is_wanted(const struct settings *settings);

/* Append that text. ERR_CONFIG when no such page exists. */
bool document_write(const struct settings *settings, struct strbuf *out, struct err *err) MUST_USE;

#endif
