# Side by side with other exporters on one bed: docs/benchmark.md. Included by the main Makefile.

BENCH_PEERS := build/bench/peers
# How long CPU is counted, less than 600: a look each 600 s is derived from looks each 60 s.
BENCH_SECONDS ?= 300

.PHONY: bench
## make bench         side by side with pgbackrest_exporter and postgres_exporter, in 10 minutes
bench: deps $(BENCH_PEERS)/versions
	$(Q)$(MAKE) --no-print-directory VARIANT=release all
	$(Q)/usr/bin/python3 -B tests/bench/bench.py --peers $(BENCH_PEERS) --seconds $(BENCH_SECONDS)

.PHONY: bench-storage
## make bench-storage outages of mounts and of the object store, in 50 minutes
bench-storage: deps
	$(Q)$(MAKE) --no-print-directory VARIANT=release all
	$(Q)/usr/bin/python3 -B tests/bench/storage.py

.PHONY: bench-web
## make bench-web     many clients at once: busy, slow, and ten thousand; 5 minutes
bench-web: deps $(BENCH_PEERS)/versions
	$(Q)$(MAKE) --no-print-directory VARIANT=release all
	$(Q)/usr/bin/python3 -B tests/bench/crowd.py --peers $(BENCH_PEERS)

.PHONY: bench-wal
## make bench-wal     a million segments of WAL in a folder, 20,000 in an object store; 15 minutes
bench-wal: deps
	$(Q)$(MAKE) --no-print-directory VARIANT=release all
	$(Q)/usr/bin/python3 -B tests/bench/wal.py

$(BENCH_PEERS)/versions: tests/bench/peers
	$(SAY) FETCH $(@D)
	$(Q)tests/bench/peers $(@D)
