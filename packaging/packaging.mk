# Manual page, installation, Debian's package. Included by the main Makefile.

MANUAL := $(BUILD)/pgbackup_exporter.8
UNITS := $(patsubst packaging/systemd/%,%,$(sort $(wildcard $(addprefix packaging/systemd/, \
	*.service *.timer *.target *.d/*.conf))))
INTO = $(DESTDIR)$(PREFIX)
SHARE = $(INTO)/share/pgbackup_exporter
DOCUMENTS = $(INTO)/share/doc/pgbackup_exporter
UNIT_FOLDER = $(INTO)/lib/systemd/system
# The units are written for /usr.
TO_PREFIX = sed 's,/usr/bin/pgbackup_exporter,$(PREFIX)/bin/pgbackup_exporter,; s,/usr/share/,$(PREFIX)/share/,'
# When the last change was made, so that equal sources make equal packages.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || date +%s)

DEB_FOLDER ?= build/deb

.PHONY: man install uninstall deb
## make man           the manual page, from the program's own help
man: $(MANUAL)

$(MANUAL): $(PROGRAM) packaging/man/build packaging/man/mdoc.awk
	$(SAY) MAN $@
	$(Q)packaging/man/build $(abspath $(PROGRAM)) "$$(date -u -d @$(SOURCE_DATE_EPOCH) +%F)" >$@.$$$$ && mv $@.$$$$ $@

## make install       into DESTDIR and PREFIX: program, units, manual page, alerts, dashboards, documents
install: $(PROGRAM) $(MANUAL)
	$(Q)install -D -m 755 $(PROGRAM) $(INTO)/bin/pgbackup_exporter
	$(Q)install -D -m 644 $(MANUAL) $(INTO)/share/man/man8/pgbackup_exporter.8
	$(Q)install -D -m 644 -t $(SHARE)/alerts alerts/*.yml
	$(Q)install -D -m 644 -t $(SHARE)/dashboards dashboards/*.json dashboards/README.md
	$(Q)install -D -m 644 -t $(DOCUMENTS) README.md CHANGELOG.md LICENSE docs/*.md docs/*.json packaging/pgbackup_exporter.yml
	$(Q)install -D -m 644 -t $(DOCUMENTS)/runbooks docs/runbooks/*.md
	$(Q)for unit in $(UNITS); do \
		install -D -m 644 /dev/null "$(UNIT_FOLDER)/$$unit" && \
		$(TO_PREFIX) "packaging/systemd/$$unit" >"$(UNIT_FOLDER)/$$unit" || exit 1; done

## make uninstall     remove what install put there
uninstall:
	$(Q)rm -f $(INTO)/bin/pgbackup_exporter $(INTO)/share/man/man8/pgbackup_exporter.8
	$(Q)rm -f $(addprefix $(UNIT_FOLDER)/,$(UNITS))
	$(Q)rmdir $(addprefix $(UNIT_FOLDER)/,$(filter %.d/,$(sort $(dir $(UNITS))))) 2>/dev/null || true
	$(Q)rm -rf $(SHARE) $(DOCUMENTS)

## make deb           a package for this Debian, into build/deb
deb: $(PROGRAM) $(MANUAL)
	$(Q)rm -rf $(DEB_FOLDER)/root
	$(Q)$(MAKE) --no-print-directory -o $(PROGRAM) -o $(MANUAL) install \
		DESTDIR=$(abspath $(DEB_FOLDER))/root PREFIX=/usr
	$(Q)SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) packaging/deb/build $(VERSION) $(DEB_FOLDER)/root
