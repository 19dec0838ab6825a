/*
 * analyzer - tells clang-tidy what it cannot see from one file: that these return false.
 *
 * Without it the analyzer follows every failing path on as if it had succeeded. Put before each
 * file by lint.mk, never compiled into anything.
 */
#ifndef TESTS_LINT_ANALYZER_H
#define TESTS_LINT_ANALYZER_H

#include "exporter/base/err.h"

#define err_set(...)    ((void)err_set(__VA_ARGS__), false)
#define err_system(...) ((void)err_system(__VA_ARGS__), false)
#define err_memory(err) ((void)err_memory(err), false)
#define err_prefix(...) ((void)err_prefix(__VA_ARGS__), false)

#endif
