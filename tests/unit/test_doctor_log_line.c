#include "exporter/commands/doctor_log_line.h"

#include <criterion/criterion.h>

#define LINE(second, text) "2026-11-22 19:26:" second ".123 P00" text "\n"
#define FAILED(second)                                                                             \
    LINE(second, "  ERROR: [037]: archive-push command requires option: repo2-s3-key")

static struct strbuf error, when;

static void end(void)
{
    strbuf_done(&error);
    strbuf_done(&when);
}

TestSuite(doctor_log_line, .fini = end);

static bool find(const char *text)
{
    return doctor_log_last_error(text, &error, &when);
}

Test(doctor_log_line, the_last_failure_with_its_time)
{
    cr_assert(find(FAILED("01") FAILED("07")));
    cr_expect_str_eq(strbuf_text(&when), "2026-11-22 19:26:07");
    cr_expect_str_eq(strbuf_text(&error),
                     "ERROR: [037]: archive-push command requires option: repo2-s3-key");
}

Test(doctor_log_line, a_segment_that_was_pushed_since_ends_it)
{
    cr_expect_not(find(FAILED("01") LINE("02", "   INFO: pushed WAL file '0001' to the archive")));
}

Test(doctor_log_line, a_command_that_went_well_since_ends_it)
{
    cr_expect_not(find(FAILED("01") LINE("02", "   INFO: archive-push command begin 2.45:") LINE(
        "03", "   INFO: archive-push command end: completed successfully")));
}

Test(doctor_log_line, an_asynchronous_command_that_ends_well_behind_its_failure_does_not)
{
    cr_expect(find(LINE("01", "   INFO: archive-push:async command begin 2.45:")
                       LINE("02", "   WARN: could not push WAL file '0001' to the archive")
                           LINE("03", "   INFO: archive-push:async command end: completed "
                                      "successfully")));
    cr_expect_str_eq(strbuf_text(&when), "2026-11-22 19:26:02");
}

Test(doctor_log_line, what_has_no_time_is_no_line_of_its_own)
{
    cr_expect_not(find("            ERROR: of something else\n"));
}

Test(doctor_log_line, a_file_that_is_cut_off_at_its_beginning_or_end)
{
    cr_assert(find("ted\n" LINE("04", "  ERROR: [082]: x") "2026-11-22 19"));
    cr_expect_str_eq(strbuf_text(&error), "ERROR: [082]: x");
}

Test(doctor_log_line, an_empty_file_tells_nothing)
{
    cr_expect_not(find(""));
}
