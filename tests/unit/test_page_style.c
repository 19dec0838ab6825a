#include "exporter/web/page_style.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "exporter/web/page_words.h"

static bool has(const char *part)
{
    return strstr(page_style, part) != NULL;
}

Test(page_style, it_loads_nothing)
{
    cr_expect_not(has("url("));
    cr_expect_not(has("@import"));
    cr_expect_not(has("//"));
}

Test(page_style, it_cannot_end_its_element)
{
    cr_expect_not(has("<"));
}

Test(page_style, each_grade_has_a_tone_in_the_light_and_in_the_dark)
{
    for (enum grade grade = GRADE_PROVEN; grade <= GRADE_FAILED; grade++) {
        char tone[64];
        snprintf(tone, sizeof tone, ".%s{--tone:var(--%s)}", page_grade_class(grade),
                 page_grade_class(grade));
        cr_expect(has(tone), "%s", tone);
        snprintf(tone, sizeof tone, "--%s:#", page_grade_class(grade));
        const char *light = strstr(page_style, tone);
        cr_assert_not_null(light, "%s", tone);
        cr_expect_not_null(strstr(light + 1, tone), "%s in the dark", tone);
    }
    cr_expect(has("@media(prefers-color-scheme:dark)"));
}
