# pgbackup_exporter: `make` builds, `make demo` shows, `make test` proves. `make help` lists all.

VARIANT ?= release
BUILD := build/$(VARIANT)
VERSION := $(shell cat VERSION)
REVISION := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

PREFIX ?= /usr/local
DESTDIR ?=
CC ?= cc
PKG_CONFIG ?= pkg-config
CFLAGS ?=
LDFLAGS ?=
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
SAY = $(if $(filter 1,$(V)),@:,@printf '  %-8s %s\n')

LIBRARIES := libmicrohttpd gnutls libxcrypt zlib libsystemd libpq jansson libcurl libfyaml
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wcast-qual \
	-Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla
HARDENING := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
# Third-party headers come with -isystem, so that our warnings speak of our code only.
LIBRARY_CFLAGS := $(subst -I,-isystem ,$(shell $(PKG_CONFIG) --cflags $(LIBRARIES) 2>/dev/null))
LIBRARY_LIBS := $(shell $(PKG_CONFIG) --libs $(LIBRARIES) 2>/dev/null)

OPTIMISE_release := -O2 -g $(HARDENING)
LINK_release := -pie -Wl,-z,relro,-z,now
OPTIMISE_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LINK_asan := -fsanitize=address,undefined
OPTIMISE_tsan := -O1 -g -fsanitize=thread
LINK_tsan := -fsanitize=thread
OPTIMISE_coverage := -O0 -g --coverage
LINK_coverage := --coverage

ALL_CFLAGS := -std=gnu17 $(WARNINGS) $(if $(CI),-Werror) $(OPTIMISE_$(VARIANT)) -pthread -I. \
	-include exporter/base/banned.h $(LIBRARY_CFLAGS) \
	-DPGBACKUP_VERSION='"$(VERSION)"' -DPGBACKUP_REVISION='"$(REVISION)"' $(CFLAGS)
ALL_LDFLAGS := $(LINK_$(VARIANT)) -pthread -Wl,--as-needed $(LDFLAGS)

SOURCES := $(sort $(filter-out exporter/main.c,$(wildcard exporter/*/*.c collectors/*.c collectors/*/*.c)))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
UNIT_SOURCES := $(sort $(wildcard tests/unit/*.c))
UNIT_OBJECTS := $(UNIT_SOURCES:%.c=$(BUILD)/%.o)
THREAD_PROGRAMS := $(patsubst tests/tsan/%.c,build/tsan/tests/tsan/%,$(sort $(wildcard tests/tsan/*.c)))
OUR_C := $(sort $(wildcard exporter/*.c exporter/*/*.[ch] collectors/*.[ch] collectors/*/*.[ch] tests/*/*.[ch]))
PROGRAM := $(BUILD)/pgbackup_exporter

.PHONY: all help
all: $(PROGRAM)

help:
	@echo 'make               build $(PROGRAM)'
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

$(PROGRAM): $(BUILD)/exporter/main.o $(BUILD)/libpgbackup.a
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBRARY_LIBS) -lm

$(BUILD)/libpgbackup.a: $(OBJECTS)
	$(SAY) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/%.o: %.c exporter/base/banned.h
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# What says the version is compiled again when the version or the commit is another one.
SAYS_VERSION := $(shell grep -lE 'PGBACKUP_(VERSION|REVISION)' $(SOURCES) $(UNIT_SOURCES))
$(SAYS_VERSION:%.c=$(BUILD)/%.o): $(BUILD)/version
.PHONY: always
$(BUILD)/version: always
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(VERSION) $(REVISION)' | cmp -s - $@ || echo '$(VERSION) $(REVISION)' >$@

# The registry expands list.def, which the compiler's dependency files name too.
$(BUILD)/unit: $(UNIT_OBJECTS) $(BUILD)/libpgbackup.a
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBRARY_LIBS) -lcriterion -lm

-include $(OBJECTS:.o=.d) $(UNIT_OBJECTS:.o=.d) $(BUILD)/exporter/main.d

.PHONY: unit asan tsan clean format format-check
## make unit          unit tests
unit: $(BUILD)/unit $(PROGRAM)
	$(Q)$(BUILD)/unit --timeout 60

## make asan          unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
# A report inside a test does not end the test: it is written to a file, and a file fails the run.
asan:
	$(Q)rm -rf build/asan/reports && mkdir -p -m 1777 build/asan/reports
	$(Q)ASAN_OPTIONS=log_path=$(CURDIR)/build/asan/reports/report \
		$(MAKE) --no-print-directory VARIANT=asan unit
	$(Q)if ls build/asan/reports/* >/dev/null 2>&1; then cat build/asan/reports/*; exit 1; fi

## make tsan          threaded programs under ThreadSanitizer
tsan:
	$(Q)$(MAKE) --no-print-directory VARIANT=tsan thread-programs

.PHONY: thread-programs
thread-programs: $(THREAD_PROGRAMS)
	$(Q)for program in $(THREAD_PROGRAMS); do echo "  TSAN     $$program"; $$program || exit 1; done

build/tsan/tests/tsan/%: build/tsan/tests/tsan/%.o build/tsan/tests/unit/fake_collector.o build/tsan/libpgbackup.a
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBRARY_LIBS) -lm

include packaging/packaging.mk # man install uninstall deb
include $(sort $(wildcard tests/*/*.mk)) # deps demo demo-stop e2e; check lint coverage fuzz

.PHONY: test test-full docs
## make test          install what is missing, then units, sanitizers and the real bed
test: deps
	$(Q)tests/run quick

## make test-full     the same with all matrices and campaigns
test-full: deps
	$(Q)tests/run full

## make docs          write the reference pages from the program's own tables
docs: $(PROGRAM)
	$(Q)$(PROGRAM) --dump-docs=configuration > docs/configuration.md
	$(Q)$(PROGRAM) --dump-docs=metrics > docs/metrics.md

## make format        lay out all C files
format:
	$(Q)clang-format -i $(OUR_C)

## make format-check  fail when a C file is not laid out
format-check:
	$(Q)clang-format --dry-run --Werror $(OUR_C)

## make clean         remove what was built
clean:
	$(Q)rm -rf build
