"""A bed on which one fault after the other is made, and what its exporter tells of them is played to the rules."""
import time
from contextlib import contextmanager
from uuid import uuid4

import exporter as bed_exporter
import faults_told
import yaml
from alerting import Alertmanager, AlertmanagerClient
from bed import Bed
from conftest import PROGRAM, Exporter
from process import free_port, wait_until
from recording import RULES_FILE, SCRAPED, Recording, text_of

MISSING = "pgbackrest_wal_missing_segments"
RESTORABLE = "pgbackrest_backups_restorable"
FOREIGN = "pgbackrest_wal_foreign_timelines"
UNRESTORABLE = "pgbackrest_backup_last_unrestorable_timestamp_seconds"
END = "pgbackrest_recovery_window_end_timestamp_seconds"
ARCHIVED = "pg_stat_archiver_last_archived_timestamp_seconds"
SEEN_SECONDS = 90  # pgbackrest info on a store that is gone takes a minute
SEEN = ("pgbackrest_repo_up", "pgbackrest_wal_listed")
NEEDED = ("pg_wal_lsn_bytes", "pg_wal_last_archived_lsn_bytes", "pgbackrest_wal_unarchived_bytes")

SEVERITIES = {
    rule["alert"]: rule["labels"]["severity"]
    for group in yaml.safe_load(RULES_FILE.read_text())["groups"]
    for rule in group["rules"]
}


def labels_of(key):
    """What an alert says of a repository of the bed: archive_command feeds the first."""
    return {"repo_key": key, "continuous_wal": str(key == "1").lower()} if key else {}


def is_archived(metrics):
    """No segment is just on its way: it would wait for as long as the scrape is held."""
    return metrics.value("pg_wal_last_archived_lsn_bytes") is not None and waiting(metrics) < 1


def archived(is_seen):
    """The same condition, while no segment is on its way."""
    return lambda now: is_seen(now) and is_archived(now)


def lags(metrics):
    """More was archived lately than repository 1 can be restored to."""
    return metrics.value(ARCHIVED) > metrics.value(END, repo_key="1") + 10


def is_sound(metrics):
    return (
        metrics.values(RESTORABLE) == [2, 2]
        and metrics.values(UNRESTORABLE) == []
        and metrics.values(MISSING, repo_key="1") == [0, 0]
        and metrics.value(FOREIGN, repo_key="1") == 0
        and metrics.values("pgbackrest_archive_config_valid") == [1]
    )


def nothing_waits(bed, metrics):
    """Of WAL: what waits in a scrape that is held for longer than the objective has an alert of its own.

    What the server wrote by itself since is archived, too."""
    waits = metrics.value("pgbackrest_wal_unarchived_bytes", repo_key="1") > 512
    if waits:
        bed.postgres.wait_archived(bed.postgres.switch_wal())
    return not waits


def is_whole(metrics):
    """Sound, and seen to be so just now."""
    return is_sound(metrics) and all(metrics.values(name) == [1, 1] for name in SEEN)


class Played(Recording):
    def add_silence(self, what, minutes, *alerts):
        """Nobody answers the scrape; after so many minutes exactly these fire."""
        self.add(what, time.time(), {}, minutes, *alerts)
        self._phases[-1][2][text_of("up", SCRAPED)] = ("up", 0)


class Stage:
    """A bed with two sound repositories, and the exporter that looks at it."""

    def __init__(self, bed, start_exporter, text):
        self.bed = bed
        complete = bed.place.write("complete.yml", text)
        program = bed.place.copy_program(PROGRAM)
        bed.place.run([program, f"--config.file={complete}", "complete-wal", "--repo=2"])
        for _ in range(4):
            bed.postgres.wait_archived(bed.postgres.switch_wal())
        self.exporter = start_exporter(bed, text)
        self.recording = Played()
        alertmanager = Alertmanager(bed.place, free_port(), free_port())
        alertmanager.launch()
        alertmanager.wait_ready()
        self.alertmanager = AlertmanagerClient(alertmanager.port)

    def begin(self, is_whole=is_whole, minutes=10, step=1):
        """Forget what was recorded; so many minutes without an alert, told in such steps. The metrics."""
        self.recording = Played(step)
        return self.tell("sound", lambda now: is_whole(now) and self.is_quiet(now), minutes)

    def tell(self, what, is_seen, minutes, *alerts):
        """Wait until the exporter tells of it; after so many minutes of that exactly these fire. Its metrics."""
        metrics = self.exporter.wait_for(is_seen, SEEN_SECONDS)
        self.recording.add(what, time.time(), metrics, minutes, *alerts)
        return metrics

    def pass_by(self, what, is_seen, minutes):
        """As tell(), on the way to something: what fires then is not asked."""
        metrics = self.exporter.wait_for(is_seen, SEEN_SECONDS)
        self.recording.hold(what, time.time(), metrics, minutes)
        return metrics

    def mend(self, minutes=20, is_whole=is_whole):
        """What was broken is whole; after so many minutes nothing fires."""
        self.archive()
        self.tell("mended", lambda now: is_whole(now) and self.is_quiet(now), minutes)

    def is_quiet(self, metrics):
        """No WAL waits, which would grow old while the scrape is held."""
        is_known = all(metrics.values(name) for name in NEEDED)
        return is_known and nothing_waits(self.bed, metrics) and is_archived(metrics)

    def archive(self):
        """All WAL so far is in repository 1."""
        self.bed.postgres.wait_archived(self.bed.postgres.switch_wal(), SEEN_SECONDS)

    def write(self, segments):
        """So many segments full of nothing that the server may try to archive."""
        for _ in range(segments):
            self.bed.postgres.switch_wal()

    @contextmanager
    def watched_by(self, exporter):
        """Another exporter tells for a while."""
        usual, self.exporter = self.exporter, exporter
        try:
            yield
        finally:
            self.exporter = usual

    def conclude(self, folder, fault, heard=(), muted=()):
        """What was recorded makes these fire and these be heard, as docs/alerts.md says of the fault."""
        self.conclude_all(folder, (fault, heard, muted))

    def conclude_all(self, folder, *faults):
        """The same of several faults, of which one became the next: (its row, heard, muted) of each."""
        told = {alert for _, heard, muted in faults for alert in (*heard, *muted)}
        assert told == self.recording.expected()
        for fault, heard, muted in faults:
            self.expect_row(fault, heard, muted)
        self.recording.check(folder)
        for _, heard, muted in faults:
            self.expect_heard(heard, *muted)

    def expect_row(self, fault, heard, muted):
        """docs/alerts.md says this of the fault, and when each was to fire first."""
        row = faults_told.rows()[fault]
        assert (set(row.heard), row.muted) == (set(heard), set(muted))
        for alert, (severity, minutes) in row.heard.items():
            assert severity == SEVERITIES[alert[0]]
            self.recording.expect_first(alert, minutes)

    def expect_heard(self, heard, *muted):
        """Of these, which all fire, Alertmanager silences the second kind and none of the first."""
        host = {"instance": uuid4().hex, "stanza": "main"}
        both = [*heard, *muted]
        self.alertmanager.post(*[{"alertname": name, **labels_of(key), **host} for name, key in both])
        wait_until(lambda: len(self.found(host)) == len(both), SEEN_SECONDS, "Alertmanager lacks alerts")
        self.alertmanager.wait_loud(*heard, **host)

    def found(self, labels):
        return [each for each in self.alertmanager.alerts() if labels.items() <= each["labels"].items()]


def begun(request, bed=None, configure=str):
    """A stage for one module, which ends with it; `configure` changes the text of the exporter's configuration."""
    bed = bed or Bed()
    request.addfinalizer(bed.stop)
    bed.start(alerting=False)

    def start(bed, text):
        exporter = Exporter(bed, PROGRAM, free_port(), "exporter-played")
        exporter.start(text)
        request.addfinalizer(exporter.stop)
        return exporter

    return Stage(bed, start, configure(bed_exporter.configuration(bed, bed_exporter.FAST)))


@contextmanager
def played_by(stage, exporter, is_whole=is_whole):
    """Another exporter tells, of whose world nothing was recorded yet; it is whole before."""
    with stage.watched_by(exporter):
        stage.recording = Played()
        stage.tell("before", is_whole, 1)
        yield


def waiting(metrics):
    """Segments that wait to be archived; the one that is written to counts in part."""
    waits = metrics.value("pg_wal_lsn_bytes") - metrics.value("pg_wal_last_archived_lsn_bytes")
    return waits / metrics.value("pg_wal_segment_size_bytes")


def restarted(postgres, **settings):
    for name, value in settings.items():
        postgres.set(name, value)
    postgres.restart()
