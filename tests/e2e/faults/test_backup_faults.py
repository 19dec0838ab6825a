"""A backup that stands still or holds damaged pages, a standby and its promotion: exactly the alerts they cause."""
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import PROGRAM
from copies import Standby
from exporter import FAST, configuration
from stage import Played, begun, played_by

pytestmark = pytest.mark.campaign

LOCKED = "pgbackrest_backup_lock_held"
DAMAGED = "pgbackrest_backups_with_errors"
STUCK = ("PgBackRestBackupStuck", "")


@pytest.fixture(scope="module")
def stage(request):
    return begun(request)


def is_well(metrics):
    return metrics.values("pgbackrest_repo_up") == [1, 1] and metrics.values(LOCKED) == [0]


def test_a_standby_is_silent(stage, start_exporter, tmp_path):
    bed = stage.bed
    with Standby(bed, 1) as standby:
        text = configuration(bed, FAST).replace(bed.postgres.conninfo, standby.server.conninfo)
        with stage.watched_by(start_exporter(bed, text=text)):
            stage.recording = Played()
            is_seen = lambda now: now.value("pg_in_recovery") == 1 and is_well(now)  # noqa: E731
            stage.tell("standby", is_seen, 100)
    stage.conclude(tmp_path, "a standby")


def damage_a_page(postgres):
    """A page whose checksum is wrong on disk, in a cluster that has checksums."""
    postgres.sql("CREATE TABLE damaged AS SELECT generate_series(1, 10000)")
    file = postgres.data / postgres.sql("SELECT pg_relation_filepath('damaged')")
    postgres.stop()
    postgres.place.run([postgres.programs / "pg_checksums", "--enable", "-D", postgres.data])
    with open(file, "r+b") as relation:
        relation.seek(8192 + 4000)
        relation.write(b"damaged")
    postgres.start()


def test_damaged_pages_in_a_backup_are_a_ticket(stage, tmp_path):
    stage.begin(is_well)
    damage_a_page(stage.bed.postgres)
    stage.bed.pgbackrest.backup("full", 1)
    stage.archive()
    is_seen = lambda now: now.value(DAMAGED, repo_key="1") == 1 and is_well(now) and stage.is_quiet(now)  # noqa: E731
    damaged = ("PgBackRestPageChecksumErrors", "1")
    stage.tell("damaged", is_seen, 40, damaged)
    stage.conclude(tmp_path, "damaged pages in a backup", [damaged])


def test_a_backup_that_holds_the_lock_for_six_hours_is_a_ticket(request, start_exporter, tmp_path):
    stage = begun(request)
    bed = stage.bed
    text = configuration(bed, FAST).replace("incr: 2h, ", "")
    bed.s3.break_with(delay_ms=5000, match="^(PUT|POST) ")
    with ThreadPoolExecutor(1) as pool, stage.watched_by(start_exporter(bed, text=text)):
        stage.recording = Played()
        backup = pool.submit(bed.pgbackrest.backup, "incr", 2)
        try:
            is_seen = lambda now: now.value(LOCKED) == 1 and stage.is_quiet(now)  # noqa: E731
            stage.tell("stands still", is_seen, 400, STUCK)
        finally:
            bed.s3.repair()
        backup.result()
        stage.tell("mended", lambda now: is_well(now) and stage.is_quiet(now), 20)
    stage.conclude(tmp_path, "a backup that holds the lock for hours", [STUCK])


def test_a_promotion_is_silent(tmp_path, request):
    stage = begun(request)
    stage.begin()
    with Standby(stage.bed, 1) as standby:
        standby.take_over()
        stage.archive()
        metrics = stage.tell("promoted", lambda now: is_well(now) and stage.is_quiet(now), 60)
    assert metrics.value("pg_in_recovery") == 0
    stage.conclude(tmp_path, "a promotion")


def test_a_backup_by_run_that_fails_is_a_ticket(request, tmp_path):
    stage = begun(request)
    place = stage.bed.place
    program, text = place.copy_program(PROGRAM), place.path("complete.yml")
    words = [program, f"--config.file={text}", "run", "--repo=1", "--", "backup", "--type=incr"]
    status = lambda now: now.value("pgbackrest_command_last_exit_status", repo_key="1", command="backup")  # noqa: E731
    stage.begin()
    assert place.run([*words, "--io-timeout=never"], check=False).returncode == 32
    failed = ("PgBackRestCommandFailed", "1")
    stage.tell("failed", lambda now: status(now) == 32 and stage.is_quiet(now), 40, failed)
    place.run(words)
    stage.archive()
    stage.tell("mended", lambda now: status(now) == 0 and stage.is_quiet(now), 20)
    stage.conclude(tmp_path, "`run -- backup` fails", [failed])


def test_a_drill_that_worked_too_long_ago_is_a_ticket(request, start_exporter, tmp_path):
    stage = begun(request)
    bed = stage.bed
    words = [bed.place.copy_program(PROGRAM), f"--config.file={bed.place.path('complete.yml')}", "drill", "--repo=1"]
    bed.place.run([*words, "--allow-same-filesystem"])
    stage.archive()
    text = configuration(bed, FAST).replace("drill: 9d, restore-time", "drill: 30m, restore-time")
    overdue = ("RestoreDrillOverdue", "1")
    drilled = lambda now: now.value("pgbackrest_restore_drill_last_success_timestamp_seconds", repo_key="1")  # noqa: E731
    is_seen = lambda now: drilled(now) is not None and stage.is_quiet(now)  # noqa: E731
    with played_by(stage, start_exporter(bed, text=text)):
        old = drilled(stage.tell("old", is_seen, 70, overdue))
        bed.place.run([*words, "--allow-same-filesystem"])
        stage.archive()
        stage.tell("drilled again", lambda now: is_seen(now) and drilled(now) > old, 20)
    stage.conclude(tmp_path, "a drill is due every 30 minutes, and the last is older", [overdue])


def test_full_backups_that_nothing_removes_are_a_ticket(request, tmp_path):
    stage = begun(request)
    bed = stage.bed
    for _ in range(2):
        bed.pgbackrest.backup("full", 1)
    stage.archive()
    conf = bed.pgbackrest.configuration
    usual = conf.read_text()
    is_told = lambda now: is_well(now) and stage.is_quiet(now)  # noqa: E731
    kept = lambda now: now.value("pgbackrest_repo_retention_full", repo_key="1")  # noqa: E731
    stage.begin(lambda now: is_well(now) and now.value("pgbackrest_backups", repo_key="1", backup_type="full") == 3)
    bed.place.write(conf.name, usual.replace("repo1-retention-full=7", "repo1-retention-full=1"), 0o640)
    stage.exporter.process.signal(signal.SIGHUP)
    not_removed = ("PgBackRestExpireNotWorking", "1")
    stage.tell("too many", lambda now: is_told(now) and kept(now) == 1, 40, not_removed)
    bed.place.write(conf.name, usual, 0o640)
    stage.exporter.process.signal(signal.SIGHUP)
    stage.tell("mended", lambda now: is_told(now) and kept(now) == 7, 20)
    stage.conclude(tmp_path, "two full backups more than are to be kept", [not_removed])
