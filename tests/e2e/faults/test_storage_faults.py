"""Real faults of one repository of two, of its growth and of a fleet: exactly the alerts that they are to cause."""
import os
from contextlib import contextmanager

import pytest
from conftest import PROGRAM
from copies import Standby
from exporter import FAST, configuration
from missing import away
from stage import begun, is_archived, is_whole, played_by, waiting

pytestmark = pytest.mark.campaign

UP, LISTED, S3_UP = "pgbackrest_repo_up", "pgbackrest_wal_listed", "pgbackup_s3_up"
UNKNOWN_2 = ("PgBackRestRestorabilityUnknown", "2")
NOT_RESTORABLE_2 = ("PgBackRestBackupNotRestorable", "2")
OBJECTIVES = "objectives: {full: 27h, incr: 2h, drill: 9d}"  # of repository 2


@pytest.fixture(scope="module")
def stage(request):
    return begun(request)


@pytest.mark.parametrize(
    ("minutes", "alert", "what"),
    [
        (40, "PgBackRestBackupLate", "repository 2 gets no full backup, one is due every 30 minutes"),
        (80, "PgBackRestBackupTooOld", "the same in repository 2 alone, for an hour and longer"),
    ],
)
def test_a_full_backup_that_repository_2_alone_lacks(stage, start_exporter, tmp_path, minutes, alert, what):
    text = configuration(stage.bed, FAST)
    assert text.count(OBJECTIVES) == 1
    text = text.replace(OBJECTIVES, "objectives: {full: 30m}").replace("incr: 2h, recovery-point", "recovery-point")
    with played_by(stage, start_exporter(stage.bed, text=text)):
        stage.tell("late", stage.is_quiet, minutes, (alert, "2"))
    stage.conclude(tmp_path, what, [(alert, "2")])


def test_an_incremental_backup_that_repository_1_alone_lacks(stage, start_exporter, tmp_path):
    text = configuration(stage.bed, FAST).replace("incr: 2h, recovery-point", "incr: 30m, recovery-point")
    with played_by(stage, start_exporter(stage.bed, text=text)):
        stage.tell("late", stage.is_quiet, 40, ("PgBackRestBackupLate", "1"))
    what = "repository 1 gets no incremental backup, one is due every 30 minutes"
    stage.conclude(tmp_path, what, [("PgBackRestBackupLate", "1")])


@contextmanager
def broken(s3, **fault):
    s3.break_with(**fault)
    try:
        yield
    finally:
        s3.repair()


def test_a_store_that_is_slow_is_silent(stage, tmp_path):
    stage.begin()
    with broken(stage.bed.s3, delay_ms=1000):
        is_slow = lambda now: sum(now.values("pgbackup_s3_probe_duration_seconds", repo_key="2")) > 1  # noqa: E731
        stage.tell("slow", lambda now: is_slow(now) and is_whole(now) and stage.is_quiet(now), 60)
    stage.mend()
    stage.conclude(tmp_path, "the store takes a second for each answer")


def test_a_listing_that_takes_too_long_is_a_ticket(stage, start_exporter, tmp_path):
    text = configuration(stage.bed, FAST) + "timeouts: {wal: 2s}\n"
    with played_by(stage, start_exporter(stage.bed, text=text)):
        with broken(stage.bed.s3, delay_ms=3000, match="list-type"):
            is_seen = lambda now: now.value(LISTED, repo_key="2") == 0 and now.values(UP) == [1, 1]  # noqa: E731
            stage.tell("slow", lambda now: is_seen(now) and stage.is_quiet(now), 60, UNKNOWN_2)
        stage.mend()
    stage.conclude(tmp_path, "the files of repository 2 cannot be listed in time", [UNKNOWN_2])


def in_s3(bed, *names):
    return next(bed.place.path("s3").glob("*/pgbackrest")).joinpath(*names)


def test_a_backup_that_a_lifecycle_rule_deletes(stage, tmp_path):
    stage.begin()
    full = stage.bed.pgbackrest.info(2)["backup"][0]["label"]
    with away(stage.bed, in_s3(stage.bed, "backup", "main", full)):
        is_seen = lambda now: now.value("pgbackrest_backups_restorable", repo_key="2") == 0  # noqa: E731
        stage.tell("deleted", lambda now: is_seen(now) and stage.is_quiet(now), 40, NOT_RESTORABLE_2)
    stage.mend()
    stage.conclude(tmp_path, "the store's lifecycle rule deletes the full backup", [NOT_RESTORABLE_2])


@contextmanager
def without_stanza(bed):
    folders = [away(bed, in_s3(bed, name, "main")) for name in ("archive", "backup")]
    folders[0].hidden = folders[0].hidden.with_name("away-archive")
    with folders[0], folders[1]:
        yield


def test_a_stanza_that_is_missing(stage, tmp_path):
    stage.begin()
    unreachable = ("PgBackRestRepoUnreachable", "2")
    with without_stanza(stage.bed):
        is_seen = lambda now: now.value("pgbackrest_repo_status", repo_key="2") not in (0, None)  # noqa: E731
        is_told = lambda now: is_seen(now) and now.value(LISTED, repo_key="2") == 0 and stage.is_quiet(now)  # noqa: E731
        stage.tell("missing", is_told, 40, unreachable, UNKNOWN_2)
    stage.mend()
    stage.conclude(tmp_path, "repository 2 has lost its stanza", [unreachable], [UNKNOWN_2])


def test_a_repository_that_grows_tenfold(request, start_exporter, tmp_path):
    stage = begun(request)
    text = configuration(stage.bed, FAST).replace(OBJECTIVES, "objectives: {full: 30d}")
    text = text.replace("full: 27h, incr: 2h, recovery-point: 15m, drill: 9d", "full: 30d, incr: 30d, recovery-point: 15m")
    size = lambda now: now.value("pgbackrest_repo_stored_bytes", repo_key="1")  # noqa: E731
    with stage.watched_by(start_exporter(stage.bed, text=text)):
        sound = stage.begin(minutes=14 * 24 * 60, step=10)
        file = stage.bed.place.path("data", "much")
        file.write_bytes(os.urandom(40_000_000))
        stage.bed.postgres.sql(f"CREATE TABLE much AS SELECT pg_read_binary_file('{file}') AS bytes")
        stage.bed.pgbackrest.backup("full", 1)
        stage.archive()
        is_seen = lambda now: size(now) > 10 * size(sound) and stage.is_quiet(now)  # noqa: E731
        stage.tell("grown", is_seen, 25 * 60, ("PgBackRestRepoGrowing", "1"))
    stage.conclude(tmp_path, "repository 1 has grown tenfold", [("PgBackRestRepoGrowing", "1")])


def test_no_full_backup_after_an_upgrade(request, tmp_path):
    stage = begun(request)
    bed = stage.bed
    stage.begin()
    bed.postgres.stop()
    bed.postgres.data.rename(bed.postgres.data.with_suffix(".former"))
    bed.postgres.create()
    bed.postgres.start()
    bed.pgbackrest.run("stanza-upgrade")
    stage.archive()
    none = [("PgBackRestNoFullBackup", key) for key in "12"]
    is_seen = lambda now: now.values("pgbackrest_backups", backup_type="full") == [0, 0]  # noqa: E731
    is_told = lambda now: is_seen(now) and now.value("pgbackrest_backups_restorable", repo_key="1") == 0  # noqa: E731
    recovery_point = ("PgBackRestRecoveryPointTooOld", "1")
    stage.tell("upgraded", lambda now: is_told(now) and is_archived(now), 40, *none, recovery_point)
    for repo in (1, 2):
        bed.pgbackrest.backup("full", repo)
    complete = [f"--config.file={bed.place.path('complete.yml')}", "complete-wal", "--repo=2"]
    bed.place.run([bed.place.copy_program(PROGRAM), *complete])
    stage.archive()
    is_well = lambda now: now.values("pgbackrest_backups_restorable") == [1, 1]  # noqa: E731
    stage.tell("backed up", lambda now: is_well(now) and stage.is_quiet(now), 30)
    stage.conclude(tmp_path, "a new database after `stanza-upgrade`, without a full backup", none, [recovery_point])


# ---- Fleets ----


def test_two_clusters_that_are_both_called_main(stage, start_exporter, request, tmp_path):
    other = begun(request)
    stage.begin()
    stage.recording.expect_silence("db2")
    stage.recording.add_beside("db2", other.exporter.wait_for(is_whole, 60))
    failing = ("PgWalArchivingFailing", "")
    stage.bed.postgres.set("archive_command", "/bin/false")
    stage.write(1)
    stage.tell("fails", lambda now: now.value("pg_stat_archiver_failed_count") > 0, 10, failing)
    stage.recording.add_beside("db2", other.exporter.metrics())
    stage.bed.postgres.reset("archive_command")
    stage.mend()
    stage.recording.add_beside("db2", other.exporter.metrics())
    stage.conclude(tmp_path, "`archive_command` fails on one of two servers whose stanza is main", [failing])


def test_three_nodes_on_one_repository(request, start_exporter, tmp_path):
    stage = begun(request)
    bed = stage.bed
    unreachable, unknown = ("PgBackRestRepoUnreachable", "1"), ("PgBackRestRestorabilityUnknown", "1")
    with Standby(bed, 1) as first, Standby(bed, 2) as second:
        nodes = {
            name: start_exporter(
                bed, text=configuration(bed, FAST).replace(bed.postgres.conninfo, standby.server.conninfo)
            )
            for name, standby in (("db2", first), ("db3", second))
        }
        stage.begin()
        for name, exporter in nodes.items():
            stage.recording.add_beside(name, exporter.wait_for(lambda now: now.values(UP) == [1, 1], 60))
        with away(bed, bed.pgbackrest.repo1):
            is_seen = lambda now: [now.value(name, repo_key="1") for name in (UP, LISTED)] == [0, 0]  # noqa: E731
            stage.tell("gone", lambda now: is_seen(now) and waiting(now) < 1, 40, *3 * [unreachable], *3 * [unknown])
            for name, exporter in nodes.items():
                stage.recording.add_beside(name, exporter.wait_for(is_seen, 60))
        stage.mend()
        for name, exporter in nodes.items():
            stage.recording.add_beside(name, exporter.wait_for(lambda now: now.values(UP) == [1, 1], 60))
    what = "the folder of repository 1 is gone, which three nodes watch"
    stage.conclude(tmp_path, what, [unreachable], [unknown])
