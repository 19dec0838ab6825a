# The real bed: what it needs, the demo and the end-to-end tests. Included by the main Makefile.

DEMO := /usr/bin/python3 tests/bed/demo.py
BED_MODULES := tests/bed/node_modules/.package-lock.json

.PHONY: deps demo demo-stop e2e

## make deps          install what building and testing need (Debian; root or sudo)
deps:
	$(Q)sh tests/bed/deps
	$(Q)$(MAKE) --no-print-directory $(BED_MODULES)

# A link leads to another checkout's modules, which npm would delete.
$(BED_MODULES): tests/bed/package.json tests/bed/package-lock.json
	$(SAY) NPM $@
	$(Q)[ -L tests/bed/node_modules ] || npm ci --prefix tests/bed --no-audit --no-fund --loglevel=error
	$(Q)touch $@

# A second make each: pkg-config is asked when make reads the Makefile, before deps has run.
## make demo          the exporter with PostgreSQL, two repositories, Prometheus and Alertmanager
demo: deps
	$(Q)$(MAKE) --no-print-directory VARIANT=release all
	$(Q)$(DEMO) start

## make demo-stop     stop the demo and remove all it made
demo-stop:
	$(Q)$(DEMO) stop

## make e2e           black-box tests against real servers
e2e: $(BED_MODULES)
	$(Q)$(MAKE) --no-print-directory VARIANT=release all
	$(Q)/usr/bin/python3 -B -m pytest -q -p no:cacheprovider tests/e2e
