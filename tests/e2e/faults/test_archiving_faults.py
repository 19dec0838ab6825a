"""Real faults of archiving and of the server: exactly the alerts that they are to cause."""
from contextlib import contextmanager

import pytest
from stage import begun, restarted, waiting
from test_archive_config import put_repo2_into_pgbackrest_conf

pytestmark = pytest.mark.campaign

FAILING = ("PgWalArchivingFailing", "")
STALLED = ("PgWalArchivingStalled", "")
RECOVERY_POINT = ("PgBackRestRecoveryPointTooOld", "1")
CONFIG_INVALID = ("PgBackRestArchiveConfigInvalid", "")
FAILURES = "pg_stat_archiver_failed_count"


@pytest.fixture(scope="module")
def stage(request):
    return begun(request)


@contextmanager
def archive_command(stage, command):
    stage.bed.postgres.set("archive_command", command)
    try:
        yield
    finally:
        stage.bed.postgres.reset("archive_command")


@contextmanager
def hanging(stage):
    hangs = stage.bed.place.write("hangs", "")
    usual = stage.bed.postgres.archive_command
    with archive_command(stage, f"while test -e {hangs}; do sleep 0.2; done; {usual}"):
        try:
            yield
        finally:
            hangs.unlink()


def fails_more_than(count):
    return lambda now: now.value(FAILURES) > count


def is_behind(metrics):
    """Of what was written segments wait, and the look into repository 1 knows of it."""
    return waiting(metrics) > 3 and metrics.value("pgbackrest_wal_unarchived_bytes", repo_key="1") > 512


def test_an_archive_command_that_fails_pages_once(stage, tmp_path):
    now = stage.begin()
    with archive_command(stage, "/bin/false"):
        for minutes, *alerts in ((10, FAILING), (14, FAILING, STALLED), (14, FAILING, STALLED, RECOVERY_POINT)):
            more = fails_more_than(now.value(FAILURES))
            stage.write(4)
            now = stage.tell("fails", lambda seen, more=more: more(seen) and is_behind(seen), minutes, *alerts)
    stage.mend()
    stage.conclude(tmp_path, "`archive_command` fails", [FAILING], [STALLED, RECOVERY_POINT])


def test_an_archive_command_that_hangs_pages_once(stage, tmp_path):
    stage.begin()
    with hanging(stage):
        stage.write(5)
        stage.tell("hangs", is_behind, 40, STALLED, RECOVERY_POINT)
    stage.mend()
    stage.conclude(tmp_path, "`archive_command` hangs", [STALLED], [RECOVERY_POINT])


def test_an_archive_command_that_is_empty_pages_once(stage, tmp_path):
    stage.begin()
    with archive_command(stage, ""):
        stage.write(5)
        is_seen = lambda now: is_behind(now) and now.value("pg_archiver_enabled") == 1  # noqa: E731
        stage.tell("empty", is_seen, 40, STALLED, RECOVERY_POINT)
    stage.mend()
    stage.conclude(tmp_path, "`archive_command` is empty", [STALLED], [RECOVERY_POINT])


@contextmanager
def key_forgotten(bed):
    sound = put_repo2_into_pgbackrest_conf(bed, s3_key=None)
    try:
        yield
    finally:
        bed.place.write(bed.pgbackrest.configuration.name, sound, 0o640)


def is_refused(metrics):
    return metrics.value("pgbackrest_archive_config_valid") == 0


def test_a_repository_without_its_key_is_a_ticket_while_nothing_is_written(stage, tmp_path):
    stage.begin()
    with key_forgotten(stage.bed):
        stage.tell("refused", lambda now: is_refused(now) and waiting(now) < 1, 10, CONFIG_INVALID)
    stage.mend()
    fault = "`pgbackrest.conf` names repository 2 without its key, nothing is written"
    stage.conclude(tmp_path, fault, [CONFIG_INVALID])


def test_a_repository_without_its_key_is_a_page_from_the_first_segment_on(stage, tmp_path):
    sound = stage.begin()
    failures = fails_more_than(sound.value(FAILURES))
    with key_forgotten(stage.bed):
        stage.write(1)
        stage.tell("fails", lambda now: is_refused(now) and failures(now), 10, CONFIG_INVALID, FAILING)
    stage.mend()
    stage.conclude(tmp_path, "the same, and something is written", [CONFIG_INVALID, FAILING])


def test_a_server_that_is_down_is_a_ticket(stage, tmp_path):
    stage.begin()
    stage.bed.postgres.stop()
    unreachable = ("PostgresUnreachable", "")
    stage.tell("down", lambda now: now.value("pgbackup_postgres_up") == 0, 40, unreachable)
    stage.bed.postgres.start()
    stage.mend()
    stage.conclude(tmp_path, "PostgreSQL is down", [unreachable])


def test_archiving_switched_off_pages(stage, tmp_path):
    stage.begin()
    restarted(stage.bed.postgres, archive_mode="off")
    disabled = ("PgArchivingDisabled", "")
    stage.tell("off", lambda now: now.value("pg_archiver_enabled") == 0, 10, disabled)
    restarted(stage.bed.postgres, archive_mode="on")
    stage.mend()
    stage.conclude(tmp_path, "`archive_mode` off on a primary", [disabled])
