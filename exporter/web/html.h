/*
 * html - puts text from outside into a page.
 */
#ifndef EXPORTER_WEB_HTML_H
#define EXPORTER_WEB_HTML_H

#include "exporter/base/strbuf.h"

/*
 * Append text so that a browser shows it and does nothing else with it, in content and in quoted
 * attributes: & < > " ' are escaped; malformed UTF-8, control characters and the characters that
 * turn the direction of writing (a command could look like another one) become U+FFFD. NULL is "".
 */
void html_escape(struct strbuf *out, const char *text);

/* The same with the first line of text only; what is left out shows as "...". */
void html_escape_line(struct strbuf *out, const char *text);

#endif
