#include "exporter/web/compress.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <zlib.h>

/* What gzip's own reader makes of it. */
static struct strbuf unpack(const struct strbuf *packed)
{
    struct strbuf text = {0};
    z_stream stream = {.next_in = (Bytef *)packed->data, .avail_in = (uInt)packed->length};
    int end = Z_OK;
    cr_assert_eq(inflateInit2(&stream, 15 + 16), Z_OK);
    while (end == Z_OK) {
        cr_assert(strbuf_reserve(&text, 65536));
        stream.next_out = (Bytef *)text.data + text.length;
        stream.avail_out = 65536;
        end = inflate(&stream, Z_NO_FLUSH);
        text.length = stream.total_out;
    }
    cr_expect_eq(end, Z_STREAM_END, "%d", end);
    cr_expect_eq(stream.avail_in, 0, "something follows the end");
    inflateEnd(&stream);
    return text;
}

static void expect_unchanged_by_the_way(const struct strbuf *original)
{
    struct strbuf packed = {0};
    strbuf_add(&packed, original->data, original->length);
    cr_assert(compress_gzip(&packed));
    cr_expect_lt(packed.length, original->length);
    struct strbuf text = unpack(&packed);
    cr_assert_eq(text.length, original->length);
    cr_expect_eq(memcmp(text.data, original->data, text.length), 0);
    strbuf_done(&text);
    strbuf_done(&packed);
}

Test(compress, a_page_comes_back_as_it_was)
{
    struct strbuf page = {0};
    for (int i = 0; i < 500; i++)
        strbuf_printf(&page, "pgbackrest_repo_up{stanza=\"main\",repo_key=\"%d\"} %d\n", i, i % 2);
    expect_unchanged_by_the_way(&page);
    strbuf_done(&page);
}

Test(compress, a_page_of_many_mebibytes_comes_back_as_it_was)
{
    struct strbuf page = {0};
    for (int i = 0; i < 1000000; i++)
        strbuf_printf(&page, "line %d\n", i);
    expect_unchanged_by_the_way(&page);
    strbuf_done(&page);
}

Test(compress, what_would_not_get_shorter_is_left_alone)
{
    struct strbuf noise = {0};
    unsigned seed = 1;
    for (int i = 0; i < 4096; i++)
        strbuf_putc(&noise, (char)(rand_r(&seed) >> 5));
    char before[4096];
    memcpy(before, noise.data, sizeof before);
    cr_expect_not(compress_gzip(&noise));
    cr_expect_eq(noise.length, sizeof before);
    cr_expect_eq(memcmp(noise.data, before, sizeof before), 0);
    cr_expect_not(noise.failed);
    strbuf_done(&noise);
}

Test(compress, an_empty_text_is_left_alone)
{
    struct strbuf empty = {0};
    cr_expect_not(compress_gzip(&empty));
    cr_expect_eq(empty.length, 0);
    cr_expect_not(empty.failed);
}
