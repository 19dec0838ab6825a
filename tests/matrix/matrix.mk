# The versions that other Debian suites have. Included by the main Makefile.

.PHONY: test-matrix

## make test-matrix   the story of a disaster with newer PostgreSQL and pgBackRest (root or sudo)
test-matrix: $(BED_MODULES)
	$(Q)tests/matrix/run
