# Lint, coverage and fuzzing. Included by the main Makefile.

LINT_C := $(filter %.c,$(OUR_C))
PRODUCT_C := $(filter exporter/% collectors/%,$(LINT_C))
# Ours as git sees them: tracked, or new and not ignored.
OUR_FILES = $(shell git ls-files --cached --others --exclude-standard)
SHELL_SCRIPTS = $(shell awk 'FNR == 1 && /^\#!(\/usr)?\/bin\/(env )?(ba)?sh/ { print FILENAME } { nextfile }' $(OUR_FILES))
PYTHON_FILES = $(shell awk 'FNR == 1 && (/^\#!.*python3/ || FILENAME ~ /\.py$$/) { print FILENAME } { nextfile }' $(OUR_FILES))
PYTEST := /usr/bin/python3 -B -m pytest -q -p no:cacheprovider
HINT = { echo "  $(1) is missing: make deps" >&2; exit 1; }

# clang does not know every flag of gcc; what the code means does not depend on them.
TIDY_FLAGS := $(filter-out -f% -O% -g -D_FORTIFY_SOURCE%,$(ALL_CFLAGS))
TIDY_KNOWS = $(if $(filter exporter/base/err.c,$<),,-include tests/lint/analyzer.h)

.PHONY: check check-layers functions words log-events
## make check         what to run before a commit: layers, lengths, words, layout, units, alerts
check: format-check check-layers functions words log-events unit
	$(Q)$(PYTEST) tests/e2e/test_alerts.py

## make check-layers  who includes whom, where libraries live, what has a test
check-layers:
	$(SAY) LAYERS
	$(Q)tests/lint/check_layers.py --compile "$(subst ",\",$(CC) $(ALL_CFLAGS))"

## make functions     lengths of functions, of the program and of its tests
functions:
	$(SAY) LENGTHS program
	$(Q)tests/lint/functions.py $(PRODUCT_C)
	$(SAY) LENGTHS tests
	$(Q)tests/lint/functions.py $(filter tests/%,$(LINT_C))

words:
	$(SAY) WORDS
	$(Q)tests/lint/words.py $(OUR_FILES)

log-events:
	$(SAY) EVENTS docs/logging.md
	$(Q)tests/lint/log_events.py

.PHONY: lint lint-cppcheck lint-clang lint-tidy lint-shell lint-python lint-lint
## make lint          everything that can be found without running: errors, not opinions
lint: format-check check-layers functions words log-events lint-shell lint-python lint-lint lint-cppcheck lint-clang lint-tidy

# warning, performance, portability only: `style` had one finding in eight that was right.
# Suppressed, each because cppcheck 2.10 cannot see what makes it wrong:
#   missingIncludeSystem  system headers are not read, its library descriptions stand for them
#   resourceLeak memleak  it does not know the cleanup attribute; the tests run under ASan, which does
#   unknownEvaluationOrder  takes `list[count++] = (struct x){.a = ...}` for two side effects
#   readdirCalled         readdir() is safe on a stream of one's own; readdir_r() is deprecated
#   getpwnamCalled        called once, before any thread is started
#   getpwuidCalled        called by one thread only
# sys/queue.h is read after all: LIST_FOREACH is a loop.
CPPCHECK := cppcheck --quiet -j2 --std=c11 --error-exitcode=1 --inline-suppr -I. \
	$(addprefix --include=,$(firstword $(wildcard /usr/include/*/sys/queue.h /usr/include/sys/queue.h))) \
	--library=posix,gnu,bsd --enable=warning,performance,portability \
	$(addprefix --suppress=,missingIncludeSystem resourceLeak memleak unknownEvaluationOrder readdirCalled \
	getpwnamCalled getpwuidCalled)

lint-cppcheck:
	$(SAY) CPPCHECK
	$(Q)command -v cppcheck >/dev/null || $(call HINT,cppcheck)
	$(Q)$(CPPCHECK) $(PRODUCT_C)

# The other compiler, and warnings are errors.
lint-clang:
	$(Q)command -v clang >/dev/null || $(call HINT,clang)
	$(Q)$(MAKE) --no-print-directory CC=clang CI=1 BUILD=build/lint-clang \
		build/lint-clang/pgbackup_exporter build/lint-clang/unit

# Slow, so a file is looked at again only when it, a header or the checks have changed.
TIDY_STAMPS := $(LINT_C:%=build/lint-tidy/%.ok)
lint-tidy:
	$(Q)command -v clang-tidy >/dev/null || $(call HINT,clang-tidy)
	$(Q)$(MAKE) --no-print-directory -k -j2 $(TIDY_STAMPS)

build/lint-tidy/%.c.ok: %.c $(filter %.h,$(OUR_C)) collectors/list.def .clang-tidy tests/.clang-tidy
	$(SAY) TIDY $<
	$(Q)mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- $(TIDY_FLAGS) $(TIDY_KNOWS) 2>$@.log || { cat $@.log >&2; exit 1; }
	$(Q)touch $@

lint-shell:
	$(SAY) SHELL
	$(Q)command -v shellcheck >/dev/null || $(call HINT,shellcheck)
	$(Q)$(if $(SHELL_SCRIPTS),shellcheck -x $(SHELL_SCRIPTS))

lint-python:
	$(SAY) PYTHON
	$(Q)command -v pyflakes3 >/dev/null || $(call HINT,pyflakes3)
	$(Q)pyflakes3 $(PYTHON_FILES)

# The checks themselves: each must find what was planted for it.
lint-lint:
	$(SAY) CHECKS
	$(Q)$(PYTEST) tests/lint

.PHONY: coverage fuzz
# The report comes also when a test fails. umask: some tests become another user, who counts too.
## make coverage      which lines the unit tests reach: a summary, and build/coverage/index.html
coverage:
	$(Q)command -v gcovr >/dev/null || $(call HINT,gcovr)
	$(Q)find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	$(Q)umask 0; $(MAKE) --no-print-directory VARIANT=coverage unit; passed=$$?; \
	gcovr --root . --filter exporter/ --filter collectors/ --print-summary \
		--html-details build/coverage/index.html build/coverage | grep '^lines:\|^branches:'; exit $$passed

# Each target runs on its seeds (tests/fuzz/seeds/NAME/, where there are any) and on what earlier
# runs found in build/fuzz/corpus/NAME/. An input that breaks it stays in build/fuzz/.
FUZZ_SECONDS ?= 20
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_MAKE = $(MAKE) --no-print-directory CC=clang VARIANT=fuzz

## make fuzz          each parser against hostile input, FUZZ_SECONDS=20 each
fuzz:
	$(Q)command -v clang >/dev/null || $(call HINT,clang)
	$(Q)$(FUZZ_MAKE) CFLAGS="-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all" \
		$(FUZZ_TARGETS:%=build/fuzz/%)
	$(Q)for target in $(FUZZ_TARGETS); do tests/lint/fuzz $$target $(FUZZ_SECONDS) || exit 1; done

FUZZ_OBJECTS := $(FUZZ_TARGETS:%=build/fuzz/tests/fuzz/%.o)
.SECONDARY: $(FUZZ_OBJECTS)
-include $(FUZZ_OBJECTS:.o=.d)

build/fuzz/fuzz_%: build/fuzz/tests/fuzz/fuzz_%.o build/fuzz/libpgbackup.a
	$(SAY) LINK $@
	$(Q)$(CC) -fsanitize=fuzzer,address,undefined -pthread -o $@ $^ $(LIBRARY_LIBS) -lm
