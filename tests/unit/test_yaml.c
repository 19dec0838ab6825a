#include <criterion/criterion.h>

#include "exporter/config/yaml.h"

struct item {
    int64_t number;
    char *name;
};

struct member {
    double seconds;
};

struct subject {
    char *text;
    char *secret;
    double duration;
    enum tristate maybe;
    struct text_list texts;
    struct pair_list map;
    char *inner;
    struct item *items;
    size_t item_count;
    struct member *members;
};

static const struct option item_rows[] = {
    {.key = "number",
     .type = OPTION_INTEGER,
     .required = true,
     .min = 1,
     .max = 9,
     .offset = offsetof(struct item, number)},
    {.key = "name", .type = OPTION_TEXT, .fallback = "none", .offset = offsetof(struct item, name)},
};
static const struct option_table item_table = {item_rows, COUNT_OF(item_rows), sizeof(struct item)};

static const struct option inner_rows[] = {
    {.key = "inner", .type = OPTION_TEXT, .offset = offsetof(struct subject, inner)},
};
static const struct option_table inner_table = {inner_rows, COUNT_OF(inner_rows), 0};

static bool member_at(size_t index, struct option_member *ret)
{
    static const char *const names[] = {"alpha", "beta"};
    if (index >= COUNT_OF(names))
        return false;
    *ret = (struct option_member){.key = names[index], .help = "One of them."};
    return true;
}

static const struct option member_row = {.key = "seconds",
                                         .type = OPTION_DURATION,
                                         .min = 1,
                                         .max = 60,
                                         .offset = offsetof(struct member, seconds)};

static const struct option rows[] = {
    {.key = "text",
     .type = OPTION_TEXT,
     .fallback = "default",
     .offset = offsetof(struct subject, text)},
    {.key = "secret",
     .type = OPTION_TEXT,
     .secret = true,
     .offset = offsetof(struct subject, secret)},
    {.key = "duration", .type = OPTION_DURATION, .offset = offsetof(struct subject, duration)},
    {.key = "maybe", .type = OPTION_TRISTATE, .offset = offsetof(struct subject, maybe)},
    {.key = "texts",
     .type = OPTION_TEXTS,
     .fallback = "first",
     .offset = offsetof(struct subject, texts)},
    {.key = "map", .type = OPTION_MAP, .offset = offsetof(struct subject, map)},
    {.key = "section", .type = OPTION_SECTION, .section = &inner_table},
    {.key = "items",
     .type = OPTION_SECTIONS,
     .section = &item_table,
     .offset = offsetof(struct subject, items),
     .count_offset = offsetof(struct subject, item_count)},
    {.key = "members",
     .type = OPTION_MEMBERS,
     .member_at = member_at,
     .member = &member_row,
     .member_size = sizeof(struct member),
     .offset = offsetof(struct subject, members)},
    {.key = "flag-only", .type = OPTION_TEXT, .sources = OPTION_IN_FLAG},
};
static const struct option_table table = {rows, COUNT_OF(rows), sizeof(struct subject)};

static struct member members[2];
static struct subject subject;
static struct problem_list problems;
static struct yaml_file file;

static void drop(void)
{
    option_free(&table, &subject);
    yaml_file_done(&file);
    problem_list_done(&problems);
}

TestSuite(yaml, .fini = drop);

/* Load the text; what is wrong with it, "" when nothing is. */
static const char *load_bytes(const char *text, size_t length)
{
    static struct err err;
    drop();
    members[0] = members[1] = (struct member){0};
    subject = (struct subject){.members = members};
    cr_assert(option_defaults(&table, &subject, &err));
    file =
        (struct yaml_file){.name = "f.yml", .text = text, .length = length, .problems = &problems};
    cr_assert(yaml_load(&file, &table, &subject, &err));
    return problem_none(&problems, &err) ? "" : err.text;
}

static const char *load(const char *text)
{
    return load_bytes(text, strlen(text));
}

static const char everything[] = "text: a text\n"
                                 "duration: 90s\n"
                                 "maybe: false\n"
                                 "texts: [one, \"two\"]\n"
                                 "map: {b: 2, a: 'x ; y'}\n"
                                 "section:\n"
                                 "  inner: deep\n"
                                 "items:\n"
                                 "  - number: 3\n"
                                 "  - {number: 4, name: four}\n"
                                 "members: {beta: 5s}\n";

Test(yaml, every_kind_of_option_is_set)
{
    cr_assert_str_eq(load(everything), "");
    cr_expect_str_eq(subject.text, "a text");
    cr_expect_eq(subject.duration, 90);
    cr_expect_eq(subject.maybe, NO);
    cr_assert_eq(subject.texts.count, 2);
    cr_expect_str_eq(subject.texts.items[1], "two");
    cr_assert_eq(subject.map.count, 2);
    cr_expect_str_eq(subject.map.items[0].name, "b");
    cr_expect_str_eq(subject.map.items[0].value, "2");
    cr_expect_str_eq(subject.map.items[1].value, "x ; y");
    cr_expect_str_eq(subject.inner, "deep");
    cr_assert_eq(subject.item_count, 2);
    cr_expect_eq(subject.items[0].number, 3);
    cr_expect_str_eq(subject.items[0].name, "none");
    cr_expect_str_eq(subject.items[1].name, "four");
    cr_expect_eq(members[0].seconds, 0);
    cr_expect_eq(members[1].seconds, 5);
}

Test(yaml, an_empty_file_leaves_the_defaults)
{
    static const char *const empty[] = {"", "\n", "# only a comment\n", "---\n", "~\n", "{}"};
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        cr_expect_str_eq(load(empty[i]), "", "%s", empty[i]);
        cr_expect_str_eq(subject.text, "default");
        cr_expect_eq(subject.maybe, UNSET);
        cr_expect_eq(subject.texts.count, 1);
        cr_expect_null(subject.items);
    }
}

Test(yaml, a_key_without_a_value_is_as_if_it_were_not_there)
{
    cr_expect_str_eq(load("text:\nsection:\nitems: ~\nmap: null\ntexts:\n"), "");
    cr_expect_str_eq(subject.text, "default");
    cr_expect_eq(subject.texts.count, 1);
    cr_expect_null(subject.items);
}

Test(yaml, an_empty_list_is_not_the_same_as_none)
{
    cr_expect_str_eq(load("items: []\ntexts: []\n"), "");
    cr_expect_not_null(subject.items);
    cr_expect_eq(subject.item_count, 0);
    cr_expect_eq(subject.texts.count, 0);
}

Test(yaml, a_file_cut_at_any_byte_neither_crashes_nor_leaks)
{
    for (size_t length = 0; length < sizeof everything; length++)
        load_bytes(everything, length);
}

static const struct {
    const char *text, *wrong;
} mistakes[] = {
    {"txt: a\n", "f.yml:1:1: txt: unknown key; did you mean \"text\"?"},
    {"section:\n  other: a\n", "f.yml:2:3: section.other: unknown key; known here: inner"},
    {"flag-only: x\n", "f.yml:1:1: flag-only: unknown key; known here: text, secret, duration, "
                       "maybe, texts, map, section, items, members"},
    {"duration: 27x\n", "f.yml:1:11: duration: \"27x\" is not a duration (a number with s, m, h or "
                        "d, like 90s or 27h)"},
    {"items:\n  - number: 3\n  - name: x\n    number: 10\n",
     "f.yml:4:13: items[1].number: \"10\" is not a whole number from 1 to 9"},
    {"items:\n  - name: x\n", "f.yml:2:5: items[0]: needs the key \"number\""},
    {"items:\n  - number:\n", "f.yml:2:5: items[0]: needs the key \"number\""},
    {"items: {number: 1}\n", "f.yml:1:9: items: must be a list, each element starting with \"- \""},
    {"items: [text]\n", "f.yml:1:9: items[0]: must hold keys, one \"key: value\" a line"},
    {"texts: main\n", "f.yml:1:8: texts: must be a list of texts, like [main, test]"},
    {"texts: [a, [b]]\n", "f.yml:1:13: texts[1]: must be a text"},
    {"texts: [a, ~]\n", "f.yml:1:12: texts[1]: must be a text"},
    {"texts: [\"\"]\n", "f.yml:1:9: texts[0]: must not be empty"},
    {"text: [a]\n", "f.yml:1:8: text: must be a text"},
    {"text: {a: b}\n", "f.yml:1:8: text: must be a text"},
    {"duration: []\n", "f.yml:1:1: duration: must be a duration"},
    {"maybe: yes\n", "f.yml:1:8: maybe: \"yes\" is not true or false"},
    {"section: x\n", "f.yml:1:10: section: must hold keys, one \"key: value\" a line"},
    {"map: [a]\n", "f.yml:1:7: map: must hold keys with texts, one \"key: value\" a line"},
    {"map: {a: [b]}\n", "f.yml:1:11: map.a: must be a text"},
    {"map: {a: }\n", "f.yml:1:7: map.a: must be a text"},
    {"map: {a: 1, a: 2}\n", "f.yml:1:13: map.a: said twice"},
    {"text: a\ntext: b\n", "f.yml:2:1: text: said twice"},
    {"members: {alhpa: 1s}\n", "f.yml:1:11: members.alhpa: unknown key; did you mean \"alpha\"?"},
    {"members: {x: 1s}\n", "f.yml:1:11: members.x: unknown key; known here: alpha, beta"},
    {"members: {beta: 2m}\n", "f.yml:1:17: members.beta: \"2m\" is not a duration from 1s to 1m"},
    {"members: {beta: [1s]}\n", "f.yml:1:18: members.beta: must be a duration from 1s to 1m"},
    {"a: &x b\ntext: *x\n",
     "f.yml:1:1: a: unknown key; known here: text, secret, duration, maybe, texts, map, section, "
     "items, members\nf.yml:2:8: text: aliases are not supported: write the value out"},
    {"[a, b]: c\n", "f.yml:1:2: a key must be a text"},
    {"- a\n", "f.yml:1:3: must hold keys, one \"key: value\" a line"},
    {"just text\n", "f.yml:1:1: must hold keys, one \"key: value\" a line"},
    {"text: \"a\n", "f.yml:1:8: double-quoted scalar without closing quote"},
    {"section:\n\tinner: x\n", "f.yml:2:1: tab character may not be used as indentation"},
    {"text: a\n---\ntext: b\n", "f.yml: holds more than one document (a line ---)"},
    {"text: a\nsecret: \xff\n", "f.yml:2: is not UTF-8 text"},
    {"text: \"a\\0b\"\n", "f.yml:1:7: text: must not hold a zero byte"},
};

Test(yaml, each_mistake_is_told_with_its_place_and_what_is_allowed)
{
    for (size_t i = 0; i < COUNT_OF(mistakes); i++)
        cr_expect_str_eq(load(mistakes[i].text), mistakes[i].wrong);
}

Test(yaml, all_mistakes_are_told_and_the_rest_is_set)
{
    cr_expect_str_eq(
        load("txt: a\nduration: 1\ntext: b\n"),
        "f.yml:1:1: txt: unknown key; did you mean \"text\"?\n"
        "f.yml:2:11: duration: \"1\" has no unit, and it could mean seconds as well as "
        "hours (write it with s, m, h or d, like 90s or 27h)");
    cr_expect_str_eq(subject.text, "b");
}

Test(yaml, a_zero_byte_in_the_file_is_refused)
{
    cr_expect_str_eq(load_bytes("text: a\n\0", 9), "f.yml:2: is not UTF-8 text");
}

Test(yaml, a_secret_is_never_in_a_message)
{
    static const char *const texts[] = {
        "secret: [geheim]\n",     "secret: {geheim: a}\n",
        "map: {key: [geheim]}\n", "secret: geheim\nsecret: geheim\n",
        "secret: \"geheim\n",     "secret: geheim: geheim\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const char *wrong = load(texts[i]);
        cr_expect_str_neq(wrong, "");
        cr_expect_null(strstr(wrong, "geheim"), "%s", wrong);
    }
}

Test(yaml, a_huge_section_is_refused_in_no_time)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    for (int i = 0; i < 50000; i++)
        strbuf_printf(&text, "k%d: 1\n", i);
    cr_expect_str_eq(load(strbuf_text(&text)), "f.yml:1:1: holds too much (at most 1000 elements)");
}

Test(yaml, a_huge_list_is_refused_in_no_time)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_puts(&text, "texts:\n");
    for (int i = 0; i < 50000; i++)
        strbuf_puts(&text, "- a\n");
    cr_expect_str_eq(load(strbuf_text(&text)),
                     "f.yml:1:1: texts: holds too much (at most 1000 elements)");
}

Test(yaml, deep_nesting_is_refused)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    strbuf_puts(&text, "texts: ");
    for (int i = 0; i < 50000; i++)
        strbuf_putc(&text, '[');
    cr_expect_not_null(strstr(load(strbuf_text(&text)), "Max depth"));
}

Test(yaml, a_later_problem_finds_the_place_of_its_value)
{
    struct err err;
    load("items:\n  - number: 3\n");
    yaml_problem(&file, "items[0].number", "is %s", "odd");
    yaml_problem(&file, "items[7].number", "is missing");
    cr_assert_not(problem_none(&problems, &err));
    cr_expect_str_eq(err.text, "f.yml:2:13: items[0].number: is odd\n"
                               "f.yml: items[7].number: is missing");
}
