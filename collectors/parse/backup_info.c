#include "collectors/parse/backup_info.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/sources/json.h"

static const char section[] = "[backup:current]";

static void text_freep(char **text)
{
    free(*text);
}

/* 20261122-220046F={"option-archive-copy":false, ...} */
static bool read_backup(char *line, struct text_list *ret, struct err *err)
{
    struct json_t *root CLEANUP(json_freep) = NULL;
    char *value = strchr(line, '=');
    bool copies = false;
    if (!value)
        return err_set(err, ERR_PROTOCOL, "no value");
    *value++ = '\0';
    if (!json_parse(value, strlen(value), &root, err))
        return false;
    struct json_at at = json_root(root);
    if (!json_expect_object(&at, err) ||
        !json_opt_bool(&at, "option-archive-copy", false, &copies, err))
        return false;
    return !copies || text_list_add(ret, line, err);
}

bool backup_info_archive_copies(const char *text, size_t length, struct text_list *ret,
                                struct err *err)
{
    char *copy CLEANUP(text_freep) = strndup(text, length);
    if (!copy)
        return err_memory(err);
    bool inside = false;
    size_t number = 0;
    char *rest = copy;
    for (char *line; (line = strsep(&rest, "\n"));) {
        number++;
        if (*line == '[')
            inside = strcmp(line, section) == 0;
        else if (inside && *line && !read_backup(line, ret, err))
            return err->code == ERR_MEMORY ? false
                                           : err_prefix(err, "backup.info, line %zu", number);
    }
    return true;
}
