#include "exporter/config/yaml.h"

#include <libfyaml.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/base/strbuf.h"
#include "exporter/base/utf8.h"

/* A position in the file, as libfyaml counts: from 0. */
struct position {
    int line, column;
};

/* The walk down the document: where it is, and whether memory ran out on the way. */
struct walk {
    struct yaml_file *file;
    struct strbuf path;
    struct position key; /* of the key it is at: the place of a value that has none of its own */
    bool failed;
};

static void problem_at(const struct walk *walk, struct position at, const char *text)
{
    const char *path = strbuf_text(&walk->path);
    problem_add(walk->file->problems, "%s:%d:%d: %s%s%s", walk->file->name, at.line + 1,
                at.column + 1, path, *path ? ": " : "", text);
}

static bool is_plain(struct fy_node *node)
{
    return fy_node_get_style(node) == FYNS_PLAIN;
}

/* "key:" without a value, "~" or "null": as if the key were not there. */
static bool is_null(struct fy_node *node)
{
    size_t length = 0;
    if (!node)
        return true;
    if (!fy_node_is_scalar(node) || !is_plain(node))
        return false;
    const char *text = fy_node_get_scalar(node, &length);
    return length == 0 || (length == 1 && *text == '~') ||
           (length == 4 && strncmp(text, "null", 4) == 0);
}

static struct fy_node *first_part(struct fy_node *node)
{
    void *iterator = NULL;
    if (fy_node_is_sequence(node))
        return fy_node_sequence_iterate(node, &iterator);
    struct fy_node_pair *pair = fy_node_mapping_iterate(node, &iterator);
    return pair ? fy_node_pair_key(pair) : NULL;
}

/* Where a value begins; a collection begins with its first part. */
static struct position position_of(struct fy_node *node, struct position fallback)
{
    while (node && !fy_node_is_scalar(node))
        node = first_part(node);
    struct fy_token *token = node ? fy_node_get_scalar_token(node) : NULL;
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    if (!mark)
        return fallback;
    enum fy_node_style style = fy_node_get_style(node);
    bool quoted = style == FYNS_SINGLE_QUOTED || style == FYNS_DOUBLE_QUOTED;
    return (struct position){.line = mark->line, .column = mark->column - quoted}; /* the quote */
}

static void remember_mark(struct walk *walk, struct position at)
{
    struct yaml_file *file = walk->file;
    struct yaml_mark *marks = reallocarray(file->marks, file->mark_count + 1, sizeof *marks);
    if (!marks) {
        walk->failed = true;
        return;
    }
    file->marks = marks;
    struct yaml_mark mark = {.line = at.line + 1, .column = at.column + 1};
    mark.path = strdup(strbuf_text(&walk->path));
    if (mark.path)
        marks[file->mark_count++] = mark;
    else
        walk->failed = true;
}

/* The text of a scalar; NULL and a problem when it cannot be one of ours. */
static char *scalar_text(struct walk *walk, struct fy_node *node)
{
    size_t length = 0;
    const char *text = fy_node_get_scalar(node, &length);
    if (text && memchr(text, '\0', length)) {
        problem_at(walk, position_of(node, walk->key), "must not hold a zero byte");
        return NULL;
    }
    char *copy = strndup(text ? text : "", length);
    walk->failed = walk->failed || !copy;
    return copy;
}

static bool is_text(struct fy_node *node)
{
    return node && fy_node_is_scalar(node) && !fy_node_is_alias(node) && !is_null(node);
}

/* Set a row from a scalar that is known to be one. */
static void set_scalar(struct walk *walk, const struct option *option, void *field,
                       struct fy_node *node)
{
    struct err err;
    char *text CLEANUP(secret_freep) = scalar_text(walk, node);
    if (!text || option_set(option, field, text, &err))
        return;
    if (err.code == ERR_MEMORY)
        walk->failed = true;
    else
        problem_at(walk, position_of(node, walk->key), err.text);
}

static const char *const shapes[] = {
    [OPTION_TEXTS] = "must be a list of texts, like [main, test]",
    [OPTION_MAP] = "must hold keys with texts, one \"key: value\" a line",
    [OPTION_SECTION] = "must hold keys, one \"key: value\" a line",
    [OPTION_SECTIONS] = "must be a list, each element starting with \"- \"",
    [OPTION_MEMBERS] = "must hold keys, one \"key: value\" a line",
};

/* A value of the wrong kind; what it must be is said, unless it is an alias. */
static void refuse_node(struct walk *walk, struct fy_node *node, const char *must_be)
{
    bool alias = node && fy_node_is_alias(node);
    problem_at(walk, position_of(node, walk->key),
               alias ? "aliases are not supported: write the value out" : must_be);
}

static void wrong_shape(struct walk *walk, const struct option *option, struct fy_node *node)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    if (option->type < COUNT_OF(shapes) && shapes[option->type]) {
        strbuf_puts(&text, shapes[option->type]);
    } else {
        strbuf_puts(&text, "must be ");
        option_describe_value(option, &text);
    }
    refuse_node(walk, node, strbuf_text(&text));
}

static void walk_section(struct walk *walk, const struct option_table *table, void *base,
                         struct fy_node *node);

static void walk_texts(struct walk *walk, const struct option *option, void *field,
                       struct fy_node *node)
{
    void *iterator = NULL;
    struct fy_node *item;
    size_t index = 0;
    text_list_done(field);
    while ((item = fy_node_sequence_iterate(node, &iterator))) {
        size_t length = walk->path.length;
        strbuf_printf(&walk->path, "[%zu]", index++);
        remember_mark(walk, position_of(item, walk->key));
        if (is_text(item))
            set_scalar(walk, option, field, item);
        else
            refuse_node(walk, item, "must be a text");
        strbuf_truncate(&walk->path, length);
    }
}

static void check_required(struct walk *walk, const struct option_table *table,
                           struct fy_node *node)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->rows[i];
        if (!option->required ||
            !is_null(fy_node_mapping_lookup_by_string(node, option->key, strlen(option->key))))
            continue;
        struct strbuf text CLEANUP(strbuf_done) = {0};
        strbuf_printf(&text, "needs the key \"%s\"", option->key);
        problem_at(walk, position_of(node, walk->key), strbuf_text(&text));
    }
}

static void walk_element(struct walk *walk, const struct option *option, void *element,
                         struct fy_node *node)
{
    struct err err;
    remember_mark(walk, position_of(node, walk->key));
    if (!option_defaults(option->section, element, &err)) {
        walk->failed = true;
    } else if (!node || !fy_node_is_mapping(node)) {
        refuse_node(walk, node, shapes[OPTION_SECTION]);
    } else {
        walk_section(walk, option->section, element, node);
        check_required(walk, option->section, node);
    }
}

static void walk_sections(struct walk *walk, const struct option *option, void *base,
                          struct fy_node *node)
{
    size_t count = (size_t)fy_node_sequence_item_count(node);
    char **array = option_field(option, base);
    size_t *array_count = (size_t *)(void *)((char *)base + option->count_offset);
    *array = calloc(count ? count : 1, option->section->size);
    if (!*array) {
        walk->failed = true;
        return;
    }
    void *iterator = NULL;
    for (size_t index = 0; index < count; index++) {
        size_t length = walk->path.length;
        strbuf_printf(&walk->path, "[%zu]", index);
        walk_element(walk, option, *array + index * option->section->size,
                     fy_node_sequence_iterate(node, &iterator));
        strbuf_truncate(&walk->path, length);
        *array_count = index + 1;
    }
}

static size_t list_members(const struct option *option, const char *key, struct strbuf *known,
                           const char **nearest)
{
    struct option_member member;
    size_t distance = OPTION_TOO_FAR;
    for (size_t i = 0; option->member_at(i, &member); i++) {
        if (strcmp(member.key, key) == 0)
            return i;
        option_nearest(key, member.key, &distance, nearest);
        strbuf_printf(known, "%s%s", i ? ", " : "", member.key);
    }
    return SIZE_MAX;
}

static void unknown_key(struct walk *walk, struct fy_node *key, const char *nearest,
                        const char *known)
{
    struct strbuf text CLEANUP(strbuf_done) = {0};
    if (nearest)
        strbuf_printf(&text, "unknown key; did you mean \"%s\"?", nearest);
    else
        strbuf_printf(&text, "unknown key; known here: %s", known);
    problem_at(walk, position_of(key, walk->key), strbuf_text(&text));
}

/* What a mapping's walk does with each pair whose key is a text that came once. */
struct pair_visit {
    void (*visit)(struct walk *walk, const struct pair_visit *pair);
    const struct option_table *table;
    const struct option *option;
    void *base;
    const char *key;
    struct fy_node *key_node;
    struct fy_node *value;
};

static void visit_member(struct walk *walk, const struct pair_visit *pair)
{
    const char *nearest = NULL;
    struct strbuf known CLEANUP(strbuf_done) = {0};
    const struct option *option = pair->option;
    size_t index = list_members(option, pair->key, &known, &nearest);
    if (index == SIZE_MAX)
        unknown_key(walk, pair->key_node, nearest, strbuf_text(&known));
    else if (is_text(pair->value))
        set_scalar(walk, option->member, option_member_field(option, pair->base, index),
                   pair->value);
    else if (!is_null(pair->value))
        wrong_shape(walk, option->member, pair->value);
}

static void visit_map_pair(struct walk *walk, const struct pair_visit *pair)
{
    struct err err;
    if (!is_text(pair->value)) {
        refuse_node(walk, pair->value, "must be a text");
        return;
    }
    char *text CLEANUP(secret_freep) = scalar_text(walk, pair->value);
    void *field = option_field(pair->option, pair->base);
    if (text && !pair_list_add(field, pair->key, text, &err))
        walk->failed = true;
}

static bool is_in_file(const struct option *option)
{
    return !option->sources || (option->sources & OPTION_IN_FILE);
}

static void visit_unknown(struct walk *walk, const struct pair_visit *pair)
{
    const char *nearest = NULL;
    size_t distance = OPTION_TOO_FAR;
    size_t told = 0;
    struct strbuf known CLEANUP(strbuf_done) = {0};
    for (size_t i = 0; i < pair->table->count; i++) {
        const struct option *option = &pair->table->rows[i];
        if (!is_in_file(option))
            continue;
        option_nearest(pair->key, option->key, &distance, &nearest);
        strbuf_printf(&known, "%s%s", told++ ? ", " : "", option->key);
    }
    unknown_key(walk, pair->key_node, nearest, strbuf_text(&known));
}

/* The key of one pair joins the path; then its value is visited. */
static void walk_keyed(struct walk *walk, struct pair_visit *pair, struct text_list *seen)
{
    char *key CLEANUP(secret_freep) = scalar_text(walk, pair->key_node);
    if (!key)
        return;
    size_t length = walk->path.length;
    strbuf_printf(&walk->path, "%s%s", length ? "." : "", key);
    pair->key = key;
    if (text_list_has(seen, key)) {
        problem_at(walk, walk->key, "said twice");
    } else if (!text_list_add(seen, key, NULL)) {
        walk->failed = true;
    } else {
        remember_mark(walk, position_of(pair->value, walk->key));
        pair->visit(walk, pair);
    }
    strbuf_truncate(&walk->path, length);
}

static bool too_many(const struct walk *walk, int items)
{
    if (items > YAML_ITEMS_MAX)
        problem_at(walk, walk->key, "holds too much (at most 1000 elements)");
    return items > YAML_ITEMS_MAX;
}

/* Call pair.visit for each pair of a mapping whose key is a text that was not there before. */
static void walk_pairs(struct walk *walk, struct pair_visit pair, struct fy_node *mapping)
{
    void *iterator = NULL;
    struct fy_node_pair *entry;
    struct text_list seen CLEANUP(text_list_done) = {0};
    const struct position outer = walk->key;
    if (too_many(walk, fy_node_mapping_item_count(mapping)))
        return;
    while (!walk->failed && (entry = fy_node_mapping_iterate(mapping, &iterator))) {
        pair.key_node = fy_node_pair_key(entry);
        pair.value = fy_node_pair_value(entry);
        walk->key = position_of(pair.key_node, outer);
        if (is_text(pair.key_node))
            walk_keyed(walk, &pair, &seen);
        else
            problem_at(walk, walk->key, "a key must be a text");
    }
    walk->key = outer;
}

static bool has_shape(struct walk *walk, const struct option *option, struct fy_node *node)
{
    bool right;
    switch (option->type) {
    case OPTION_TEXTS:
    case OPTION_SECTIONS:
        right = fy_node_is_sequence(node);
        break;
    case OPTION_MAP:
    case OPTION_SECTION:
    case OPTION_MEMBERS:
        right = fy_node_is_mapping(node);
        break;
    default:
        right = is_text(node);
        break;
    }
    if (!right)
        wrong_shape(walk, option, node);
    return right &&
           !(fy_node_is_sequence(node) && too_many(walk, fy_node_sequence_item_count(node)));
}

/* Set a row from a node that has its shape. */
static void walk_value(struct walk *walk, const struct option *option, void *base,
                       struct fy_node *node)
{
    struct pair_visit inner = {.option = option, .base = base};
    switch (option->type) {
    case OPTION_TEXTS:
        walk_texts(walk, option, option_field(option, base), node);
        break;
    case OPTION_SECTION:
        walk_section(walk, option->section, option_field(option, base), node);
        break;
    case OPTION_SECTIONS:
        walk_sections(walk, option, base, node);
        break;
    case OPTION_MAP:
        inner.visit = visit_map_pair;
        walk_pairs(walk, inner, node);
        break;
    case OPTION_MEMBERS:
        inner.visit = visit_member;
        walk_pairs(walk, inner, node);
        break;
    default:
        set_scalar(walk, option, option_field(option, base), node);
        break;
    }
}

static void visit_option(struct walk *walk, const struct pair_visit *pair)
{
    const struct option *option = option_find(pair->table, pair->key);
    if (!option || !is_in_file(option))
        visit_unknown(walk, pair);
    else if (!is_null(pair->value) && has_shape(walk, option, pair->value))
        walk_value(walk, option, pair->base, pair->value);
}

static void walk_section(struct walk *walk, const struct option_table *table, void *base,
                         struct fy_node *node)
{
    walk_pairs(walk, (struct pair_visit){.visit = visit_option, .table = table, .base = base},
               node);
}

/* libfyaml's own handles, ended together. */
struct parser {
    struct fy_diag *diag;
    struct fy_parser *parser;
    struct fy_document *document;
};

static void parser_done(struct parser *parser)
{
    if (parser->document)
        fy_parse_document_destroy(parser->parser, parser->document);
    if (parser->parser)
        fy_parser_destroy(parser->parser);
    if (parser->diag)
        fy_diag_destroy(parser->diag);
}

static bool parser_open(struct parser *parser, const struct yaml_file *file)
{
    parser->diag = fy_diag_create(NULL);
    if (!parser->diag)
        return false;
    fy_diag_set_collect_errors(parser->diag, true);
    const struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_ALLOW_DUPLICATE_KEYS | FYPCF_DISABLE_RECYCLING,
        .diag = parser->diag,
    };
    parser->parser = fy_parser_create(&config);
    return parser->parser && fy_parser_set_string(parser->parser, file->text, file->length) == 0;
}

/* True when libfyaml found a mistake; the first one is told, the rest only follows from it. */
static bool tell_syntax(const struct parser *parser, const struct yaml_file *file)
{
    void *iterator = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(parser->diag, &iterator);
    if (error)
        problem_add(file->problems, "%s:%d:%d: %s", file->name, error->line, error->column,
                    error->msg);
    else if (fy_diag_got_error(parser->diag))
        problem_add(file->problems, "%s: is not YAML", file->name);
    return error || fy_diag_got_error(parser->diag);
}

static void walk_root(struct walk *walk, const struct option_table *table, void *base,
                      struct fy_node *root)
{
    if (is_null(root))
        return;
    if (fy_node_is_mapping(root))
        walk_section(walk, table, base, root);
    else
        refuse_node(walk, root, shapes[OPTION_SECTION]);
}

static bool walk_document(struct parser *parser, struct yaml_file *file,
                          const struct option_table *table, void *base)
{
    struct walk walk = {.file = file};
    if (parser->document)
        walk_root(&walk, table, base, fy_document_root(parser->document));
    bool sound = !walk.failed && !walk.path.failed;
    strbuf_done(&walk.path);
    return sound;
}

static void refuse_second(struct parser *parser, const struct yaml_file *file)
{
    struct fy_document *second = fy_parse_load_document(parser->parser);
    if (!second) {
        tell_syntax(parser, file);
        return;
    }
    problem_add(file->problems, "%s: holds more than one document (a line ---)", file->name);
    fy_parse_document_destroy(parser->parser, second);
}

/* Bytes that no text of ours may hold; libfyaml's own complaint would not say where. */
static bool is_utf8(const struct yaml_file *file)
{
    int line = 1;
    for (size_t i = 0; i < file->length;) {
        size_t width = utf8_char_length(file->text + i, file->length - i);
        if (width == 0 || file->text[i] == '\0') {
            problem_add(file->problems, "%s:%d: is not UTF-8 text", file->name, line);
            return false;
        }
        line += file->text[i] == '\n';
        i += width;
    }
    return true;
}

bool yaml_load(struct yaml_file *file, const struct option_table *table, void *base,
               struct err *err)
{
    if (!is_utf8(file))
        return true;
    struct parser parser CLEANUP(parser_done) = {0};
    if (!parser_open(&parser, file))
        return err_memory(err);
    parser.document = fy_parse_load_document(parser.parser);
    if (tell_syntax(&parser, file))
        return true;
    if (!walk_document(&parser, file, table, base))
        return err_memory(err);
    refuse_second(&parser, file);
    return true;
}

static const struct yaml_mark *find_mark(const struct yaml_file *file, const char *path)
{
    for (size_t i = 0; i < file->mark_count; i++) {
        if (strcmp(file->marks[i].path, path) == 0)
            return &file->marks[i];
    }
    return NULL;
}

void yaml_problem(const struct yaml_file *file, const char *path, const char *format, ...)
{
    char *text CLEANUP(secret_freep) = NULL;
    va_list values;
    va_start(values, format);
    if (vasprintf(&text, format, values) < 0)
        text = NULL;
    va_end(values);
    const struct yaml_mark *mark = find_mark(file, path);
    if (mark)
        problem_add(file->problems, "%s:%d:%d: %s: %s", file->name, mark->line, mark->column, path,
                    text ? text : "is wrong");
    else
        problem_add(file->problems, "%s: %s: %s", file->name, path, text ? text : "is wrong");
}

void yaml_file_done(struct yaml_file *file)
{
    for (size_t i = 0; i < file->mark_count; i++)
        free(file->marks[i].path);
    free(file->marks);
    file->marks = NULL;
    file->mark_count = 0;
}
