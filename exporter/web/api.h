/*
 * api - what the status page says, as JSON for programs. docs/api.md tells what each field means,
 * docs/api.schema.json which fields there are.
 */
#ifndef EXPORTER_WEB_API_H
#define EXPORTER_WEB_API_H

#include "exporter/base/strbuf.h"
#include "exporter/web/page.h"

/*
 * Append the document, in valid UTF-8. Of a page with `only` it holds that group and what belongs
 * to none. Of more than 500 targets at once only groups and verdicts are told. A failure (no
 * memory) shows in out->failed. Does not block.
 */
void api_render(struct strbuf *out, const struct page *page);

#endif
