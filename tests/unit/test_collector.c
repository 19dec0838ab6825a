#include <criterion/criterion.h>
#include <stdlib.h>

#include "exporter/schedule/collector.h"

static const struct label labels[] = {{"stanza", "main"}, {"repo_key", "1"}, {NULL, NULL}};

Test(collector, a_target_list_owns_copies_of_its_texts)
{
    struct target_list list = {0};
    char name[] = "main/repo1";
    cr_assert(target_add(&list, name, "f", labels));
    name[0] = 'X';
    cr_assert_str_eq(list.items[0].name, "main/repo1");
    cr_assert_str_eq(label_get(list.items[0].labels, "repo_key"), "1");
    target_list_done(&list);
    cr_assert_eq(list.count, 0u);
}

Test(collector, targets_are_the_same_when_name_labels_and_fingerprint_are)
{
    static const struct label others[] = {{"stanza", "main"}, {"repo_key", "2"}, {NULL, NULL}};
    struct target_list list = {0};
    target_add(&list, "a", "f", labels);
    target_add(&list, "a", "f", labels);
    target_add(&list, "a", "g", labels);
    target_add(&list, "b", "f", labels);
    target_add(&list, "a", "f", others);
    cr_expect(target_is_same(&list.items[0], &list.items[1]));
    for (size_t i = 2; i < list.count; i++)
        cr_expect_not(target_is_same(&list.items[0], &list.items[i]), "target %zu", i);
    target_list_done(&list);
}

Test(collector, a_label_that_is_not_there_reads_as_empty)
{
    cr_assert_str_eq(label_get(labels, "path"), "");
    cr_assert_str_eq(label_get(NULL, "path"), "");
}

static int freed;

static void count_free(void *observation)
{
    freed++;
    free(observation);
}

Test(collector, a_second_observation_replaces_and_frees_the_first)
{
    struct run run = {0};
    run_observe(&run, malloc(1), count_free);
    run_observe(&run, malloc(1), count_free);
    cr_assert_eq(freed, 1);
    count_free(run.observation);
}

Test(collector, a_target_that_is_down_is_a_success_with_up_zero_and_a_reason)
{
    static const struct metric_desc up[] = {{.name = "x_up", .help = "Up.", .keeps = OUTCOME}};
    struct run run = {.sink = sink_new(up, 1, labels)};
    struct err err = {.code = ERR_DNS, .text = "no such host"};
    cr_assert(run_says_down(&run, 0, &err));
    cr_assert(run.down);
    cr_assert_eq(run.down_error.code, ERR_DNS);
    struct sample_set *set = NULL;
    struct err refused = {0};
    cr_assert(sink_finish(run.sink, &set, &refused, &err));
    cr_assert_eq(set->count, 1u);
    cr_assert_str_eq(set->items[0].series, "x_up{stanza=\"main\",repo_key=\"1\"}");
    sample_set_free(set);
    sink_free(run.sink);
}

Test(collector, labels_agree_unless_one_that_both_carry_differs)
{
    static const struct label stanza[] = {{"stanza", "main"}, {NULL, NULL}};
    static const struct label repo1[] = {{"stanza", "main"}, {"repo_key", "1"}, {NULL, NULL}};
    static const struct label repo2[] = {{"stanza", "main"}, {"repo_key", "2"}, {NULL, NULL}};
    static const struct label other[] = {{"stanza", "other"}, {NULL, NULL}};
    static const struct label none[] = {{NULL, NULL}};
    cr_expect(label_lists_agree(stanza, repo1));
    cr_expect(label_lists_agree(repo1, stanza));
    cr_expect(label_lists_agree(repo1, repo1));
    cr_expect(label_lists_agree(none, repo1));
    cr_expect(label_lists_agree(repo1, none));
    cr_expect_not(label_lists_agree(repo1, repo2));
    cr_expect_not(label_lists_agree(stanza, other));
    cr_expect_not(label_lists_agree(other, repo1));
}
