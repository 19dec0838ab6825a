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
 * to none. A failure (no memory) shows in out->failed. Does not block.
 */
void api_render(struct strbuf *out, const struct page *page);

#endif
