"""Real faults of real repositories, as the exporter tells them: exactly the alerts that they are to cause.

Of those that fire for one fault Alertmanager lets one be heard, which is named first everywhere.
"""
import time
from contextlib import contextmanager
from uuid import uuid4

import exporter as bed_exporter
import pytest
from alerting import Alertmanager, AlertmanagerClient
from bed import Bed
from conftest import PROGRAM, Exporter
from missing import archive_in_s3, away, backup_folder, behind_newest_backup, first_segment
from pgbackrest import PROGRAM as PGBACKREST
from process import free_port
from recording import Recording
from restored import Restored

MISSING = "pgbackrest_wal_missing_segments"
RESTORABLE = "pgbackrest_backups_restorable"
FOREIGN = "pgbackrest_wal_foreign_timelines"
UNRESTORABLE = "pgbackrest_backup_last_unrestorable_timestamp_seconds"
END = "pgbackrest_recovery_window_end_timestamp_seconds"
ARCHIVED = "pg_stat_archiver_last_archived_timestamp_seconds"
SEEN_SECONDS = 90  # pgbackrest info on a store that is gone takes a minute


class Place:
    """A bed whose two repositories are sound, and the exporter that looks at it."""

    def __init__(self, bed, start_exporter, text):
        self.bed = bed
        complete = bed.place.write("complete.yml", text)
        program = bed.place.copy_program(PROGRAM)
        bed.place.run([program, f"--config.file={complete}", "complete-wal", "--repo=2"])
        for _ in range(4):
            bed.postgres.wait_archived(bed.postgres.switch_wal())
        self.exporter = start_exporter(bed, text)
        self.recording = Recording()
        alertmanager = Alertmanager(bed.place, free_port(), free_port())
        alertmanager.launch()
        alertmanager.wait_ready()
        self.alertmanager = AlertmanagerClient(alertmanager.port)

    def record(self, what, condition, minutes, *alerts):
        """Wait until the exporter tells of it; after so many minutes of that exactly these alerts fire."""
        metrics = self.exporter.wait_for(lambda now: condition(now) and is_archived(now), SEEN_SECONDS)
        self.recording.add(what, time.time(), metrics, minutes, *alerts)

    def expect_one_heard(self, *alerts):
        """Of these, which all fire, Alertmanager silences all but the first."""
        host = {"instance": uuid4().hex, "stanza": "main"}
        labels = [{"alertname": name, **({"repo_key": key} if key else {}), **host} for name, key in alerts]
        self.alertmanager.post(*labels)
        self.alertmanager.wait_loud(alerts[0], **host)


@pytest.fixture(scope="module")
def shared(request):
    bed = Bed().start(alerting=False)
    request.addfinalizer(bed.stop)

    def start(bed, text):
        exporter = Exporter(bed, PROGRAM, free_port(), "exporter-recorded")
        exporter.start(text)
        request.addfinalizer(exporter.stop)
        return exporter

    return Place(bed, start, bed_exporter.configuration(bed, bed_exporter.FAST))


def is_archived(metrics):
    """No segment is just on its way: it would wait for as long as the scrape is held."""
    waits = metrics.value("pg_wal_lsn_bytes") - metrics.value("pg_wal_last_archived_lsn_bytes")
    return waits < metrics.value("pg_wal_segment_size_bytes")


def is_sound(metrics):
    return (
        metrics.values(RESTORABLE) == [2, 2]
        and metrics.values(UNRESTORABLE) == []
        and metrics.values(MISSING, repo_key="1") == [0, 0]
        and metrics.value(FOREIGN, repo_key="1") == 0
        and metrics.values("pgbackrest_archive_config_valid") == [1]
    )


@pytest.fixture
def expect(shared, tmp_path):
    """expect(fault, is_seen, *alerts): nothing before it, these after 40 minutes of it, nothing when it is mended."""

    def expect(fault, is_seen, *alerts):
        shared.recording = Recording()
        shared.record("sound", is_sound, 10)
        with fault:
            shared.record("broken", is_seen, 40, *alerts)
        shared.record("mended", is_sound, 20)
        shared.recording.check(tmp_path)
        shared.expect_one_heard(*alerts)

    return expect


def broken(*keys):
    return lambda metrics: [labels["repo_key"] for labels, _ in metrics.get(UNRESTORABLE, [])] == list(keys)


def test_a_segment_gone_behind_the_newest_backup(shared, expect):
    expect(
        away(shared.bed, behind_newest_backup(shared.bed)[1]),
        lambda now: now.value(MISSING, repo_key="1", scope="since_last_backup") == 1,
        ("PgBackRestWalMissing", "1"),
        ("PgBackRestRecoveryPointTooOld", "1"),
    )


def test_a_segment_gone_that_an_older_backup_needs_is_a_ticket(shared, expect):
    expect(away(shared.bed, first_segment(shared.bed, 0)), broken("1"), ("PgBackRestWalMissingOlder", "1"))


def test_a_segment_gone_that_the_newest_backup_needs(shared, expect):
    expect(
        away(shared.bed, first_segment(shared.bed, -1)),
        broken("1"),
        ("PgBackRestBackupNotRestorable", "1"),
        ("PgBackRestWalMissingOlder", "1"),
        ("PgBackRestRecoveryPointTooOld", "1"),
    )


def test_a_full_backups_folder_gone_takes_the_newest_backup_along(shared, expect):
    expect(
        away(shared.bed, backup_folder(shared.bed, 0)),
        broken("1"),
        ("PgBackRestBackupNotRestorable", "1"),
        ("PgBackRestRecoveryPointTooOld", "1"),
    )


def test_a_repository_without_the_wal_of_its_backups_though_info_says_ok(shared, expect):
    expect(away(shared.bed, archive_in_s3(shared.bed)), broken("2"), ("PgBackRestBackupNotRestorable", "2"))


@contextmanager
def both_broken(bed):
    with away(bed, archive_in_s3(bed)), away(bed, backup_folder(bed, 0)):
        yield


def test_both_repositories_broken(shared, expect):
    expect(
        both_broken(shared.bed),
        broken("1", "2"),
        ("PgBackRestNoRestorableRepository", ""),
        ("PgBackRestBackupNotRestorable", "1"),
        ("PgBackRestBackupNotRestorable", "2"),
        ("PgBackRestRecoveryPointTooOld", "1"),
    )


@contextmanager
def promoted_copy(bed):
    """A copy, restored and promoted, archives into production's repository; somebody removes what it left there."""
    with Restored(bed, 1) as copy:
        copy.sql("SELECT pg_switch_wal()")
        wal = copy.server.data / "pg_wal"
        archived = ["00000002.history", sorted(file.name for file in wal.glob("00000002????????????????"))[0]]
        push = [PGBACKREST, f"--config={bed.pgbackrest.configuration}", "--stanza=main", "--no-archive-async"]
        for name in archived:
            bed.place.run([*push, f"--pg1-path={copy.server.data}", "archive-push", wal / name])
    yield
    for file in bed.pgbackrest.repo1.glob("archive/main/*/00000002*/*"):
        file.unlink()
    for left in bed.pgbackrest.repo1.glob("archive/main/*/00000002*"):
        left.rmdir() if left.is_dir() else left.unlink()


def test_a_promoted_copy_that_archives_into_the_same_repository(shared, expect):
    expect(
        promoted_copy(shared.bed),
        lambda now: now.value(FOREIGN, repo_key="1") == 1,
        ("PgBackRestForeignTimeline", "1"),
    )


def lags(metrics):
    return metrics.value(ARCHIVED) > metrics.value(END, repo_key="1") + 10


def test_wal_thrown_away_pages_until_a_backup_begins_a_new_window(own_bed, start_exporter, tmp_path):
    text = bed_exporter.configuration(own_bed, bed_exporter.FAST).replace("recovery-point: 15m", "recovery-point: 5s")
    place = Place(own_bed, lambda bed, text: start_exporter(bed, text=text), text)
    place.record("sound", is_sound, 20)
    own_bed.postgres.set("archive_command", "/bin/true")
    place.record(
        "thrown away",
        lambda now: lags(now) or not own_bed.postgres.switch_wal(),
        40,
        ("PgBackRestRecoveryPointTooOld", "1"),
    )
    own_bed.postgres.reset("archive_command")
    own_bed.postgres.wait_archived(own_bed.postgres.switch_wal())
    both = [("PgBackRestWalMissing", "1"), ("PgBackRestRecoveryPointTooOld", "1")]
    gap = {"repo_key": "1", "scope": "since_last_backup"}
    place.record("archived again", lambda now: now.value(MISSING, **gap) > 0, 20, *both)
    own_bed.pgbackrest.backup("incr", 1)
    # Else the last file that was archived may be the backup's label, which names an older segment.
    own_bed.postgres.wait_archived(own_bed.postgres.switch_wal())
    place.record(
        "backed up",
        lambda now: now.value(MISSING, repo_key="1", scope="older") > 0 and not lags(now),
        20,
        ("PgBackRestWalMissingOlder", "1"),
    )
    place.recording.check(tmp_path)
    place.expect_one_heard(*both)


# ---- Commands and drills ----

STATUS = "pgbackrest_command_last_exit_status"
DRILL = "pgbackrest_restore_drill_status"


def nothing_waits(bed, metrics):
    """Of WAL: what waits in a scrape that is held for longer than the objective has an alert of its own.

    What the server wrote by itself since is archived, too."""
    waits = metrics.value("pgbackrest_wal_unarchived_bytes", repo_key="1") > 512
    if waits:
        bed.postgres.wait_archived(bed.postgres.switch_wal())
    return not waits


@contextmanager
def failed(shared, fail, mend, mended):
    """The words `fail` end with an error, `mend` well; `mended` is what the exporter tells of that."""
    bed = shared.bed
    words = [bed.place.copy_program(PROGRAM), f"--config.file={bed.place.path('complete.yml')}"]
    assert bed.place.run([*words, *fail], check=False).returncode > 0
    bed.postgres.wait_archived(bed.postgres.switch_wal())
    yield
    bed.place.run([*words, *mend])
    bed.postgres.wait_archived(bed.postgres.switch_wal())
    shared.exporter.wait_for(lambda now: mended(now) and nothing_waits(bed, now), SEEN_SECONDS)


@pytest.mark.parametrize(
    ("command", "alert"), [("check", "PgBackRestCommandFailed"), ("expire", "PgBackRestExpireNotWorking")]
)
def test_a_command_by_run_that_fails(shared, expect, command, alert):
    words = ["run", "--repo=1", "--", command]

    def status(metrics):
        return metrics.value(STATUS, repo_key="1", command=command)

    fault = failed(shared, [*words, "--io-timeout=never"], words, lambda now: status(now) == 0)
    expect(fault, lambda now: status(now) == 32 and nothing_waits(shared.bed, now), (alert, "1"))


def test_a_drill_that_fails(shared, expect):
    words = ["drill", "--repo=1", "--allow-same-filesystem"]

    def status(metrics):
        return metrics.value(DRILL, repo_key="1")

    fault = failed(shared, [*words, "--set=20000101-000000F"], words, lambda now: status(now) == 1)
    expect(fault, lambda now: status(now) == 0 and nothing_waits(shared.bed, now), ("RestoreDrillFailed", "1"))
