#include "exporter/commands/arguments.h"

#include "exporter/config/flags.h"
#include "exporter/config/manual.h"

static bool take_flags(struct flags *flags, int argc, char *const argv[], int *ret_rest,
                       struct err *err)
{
    if (!flags_read_arguments(flags, argc, argv, ret_rest, err))
        return false;
    return flags_apply(flags, err) && problem_none(flags->problems, err);
}

bool arguments_read(const struct option_table *table, void *base, int argc, char *const argv[],
                    int *ret_rest, struct err *err)
{
    struct problem_list problems CLEANUP(problem_list_done) = {0};
    struct flags flags CLEANUP(flags_done) = {.table = table, .base = base, .problems = &problems};
    int rest = argc;
    if (!option_defaults(table, base, err) || !take_flags(&flags, argc, argv, &rest, err))
        return err_prefix(err, "%s", argv[0]);
    if (ret_rest)
        *ret_rest = rest;
    else if (rest < argc)
        return err_set(err, ERR_CONFIG, "%s takes no argument, got %s", argv[0], argv[rest]);
    return true;
}

void arguments_help(const struct command *command, const char *about,
                    const struct option_table *table, struct strbuf *out)
{
    strbuf_printf(out, "usage: pgbackup_exporter [FLAGS] %s%s%s\n\n%s\n", command->name,
                  *command->arguments ? " " : "", command->arguments, about);
    manual_flags(table, "", out);
}
