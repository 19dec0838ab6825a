"""Real faults of the exporter's own sight: clocks, programs, file systems, its configuration."""
import signal
import time
from contextlib import contextmanager
from email.utils import formatdate

import pytest
from exporter import FAST, configuration
from pgbackrest import PROGRAM as PGBACKREST
from process import wait_until
from stage import SEEN, archived, begun, is_whole, played_by
from test_queue import HangingSpace, needs_fuse, space_beside

pytestmark = pytest.mark.campaign

S3_UP = "pgbackup_s3_up"
SUCCESS = "pgbackup_collector_success"
S3_UNREACHABLE = ("S3Unreachable", "2")
LATE_2 = ("PgBackRestBackupLate", "2")
SKEW = "pgbackup_clock_skew_seconds"
CLOCK = ("PgBackupClockSkew", "")
COLLECTOR_FAILING = ("PgBackupCollectorFailing", "")
STUCK = ("PgBackupCollectorStuck", "")
UNKNOWN_2 = ("PgBackRestRestorabilityUnknown", "2")
UNREACHABLE_2 = ("PgBackRestRepoUnreachable", "2")
SERIES_MISSING = ("PgBackupExpectedSeriesMissing", "")


@pytest.fixture(scope="module")
def stage(request):
    return begun(request)


@contextmanager
def clock_of_store(s3, seconds, **more):
    """Behind ours by so much."""
    s3.break_with(headers={"Date": formatdate(time.time() - seconds, usegmt=True)}, **more)
    try:
        yield
    finally:
        s3.repair()


def ahead(stage, seconds, **also):
    """Of the store's clock by so much, and no WAL waits; a metric `also` of repository 2 has this value."""
    return lambda now: (
        abs(now.value(SKEW, source="s3") - seconds) < 60
        and all(now.value(name, repo_key="2") == value for name, value in also.items())
        and stage.is_quiet(now)
    )


def mend(stage):
    stage.tell("mended", lambda now: is_whole(now) and ahead(stage, 0)(now), 20)


def test_a_clock_that_is_wrong_by_minutes_is_a_ticket(stage, tmp_path):
    stage.begin()
    with clock_of_store(stage.bed.s3, 300):
        stage.tell("5 minutes", ahead(stage, 300), 40, CLOCK)
    mend(stage)
    stage.conclude(tmp_path, "the clock is 5 minutes ahead of the store's", [CLOCK])


def test_a_clock_for_which_the_store_refuses_is_a_ticket(stage, tmp_path):
    stage.begin()
    with clock_of_store(stage.bed.s3, 1200, status=403, code="RequestTimeTooSkewed"):
        is_seen = ahead(stage, 1200, pgbackrest_repo_up=0, pgbackrest_wal_listed=0)
        stage.tell("20 minutes", is_seen, 40, CLOCK, UNKNOWN_2)
    mend(stage)
    stage.conclude(tmp_path, "the clock is 20 minutes ahead of the store's, which refuses", [CLOCK, UNKNOWN_2])


def test_a_configuration_that_is_refused_is_a_ticket(stage, start_exporter, tmp_path):
    text = configuration(stage.bed, FAST)
    exporter = start_exporter(stage.bed, text=text)
    with stage.watched_by(exporter):
        stage.begin()
        for what, told, alerts in ((text + "repositorys: []\n", 0, [SERIES_MISSING]), (text, 1, [])):
            stage.bed.place.write(f"{exporter.process.name}.yml", what)
            exporter.process.signal(signal.SIGHUP)
            is_seen = lambda now, told=told: now.value("pgbackup_config_last_reload_successful") == told  # noqa: E731
            stage.tell(f"told: {told}", lambda now: is_seen(now) and is_whole(now) and stage.is_quiet(now), 30, *alerts)
    stage.conclude(tmp_path, "a new configuration is refused", [SERIES_MISSING])


@contextmanager
def moved(file):
    aside = file.with_suffix(".aside")
    file.rename(aside)
    try:
        yield
    finally:
        aside.rename(file)


def failing(metrics):
    return {has["collector"] for has, value in metrics["pgbackup_collector_success"] if value == 0}


def without_hurry(stage):
    """Repository 1 gets a full backup a day and no other."""
    return configuration(stage.bed, FAST).replace("incr: 2h, recovery-point: 15m,", "recovery-point: 15m,")


def is_out(metrics):
    return [metrics.value(name, repo_key="2") for name in (S3_UP, *SEEN)] == [0, 0, 0]


def test_credentials_that_are_gone_are_a_ticket_that_says_so(stage, start_exporter, tmp_path):
    gone = "the credentials file of repository 2 is gone, for longer than the objective of 2 hours"
    tickets, page = [S3_UNREACHABLE], UNREACHABLE_2
    with stage.watched_by(start_exporter(stage.bed, text=without_hurry(stage))):
        stage.begin()
        with moved(stage.bed.credentials_file):
            stage.tell("gone", lambda now: is_out(now) and stage.is_quiet(now), 150, *tickets, page, UNKNOWN_2, LATE_2)
    stage.conclude(tmp_path, gone, [*tickets, page], [UNKNOWN_2, LATE_2])


def sees_no_repository(metrics):
    failing = {(has["collector"], has["target"]) for has, value in metrics[SUCCESS] if value == 0}
    return failing == {(collector, f"main/repo{key}") for collector in ("backups", "wal") for key in "12"}


def test_a_pgbackrest_that_is_gone_is_a_ticket(stage, start_exporter, tmp_path):
    """Archiving goes on meanwhile, unseen."""
    program = stage.bed.place.path("bin", "pgbackrest")
    program.symlink_to(PGBACKREST)
    text = without_hurry(stage).replace(f"command: {PGBACKREST}", f"command: {program}").replace("incr: 2h, ", "")
    with stage.watched_by(start_exporter(stage.bed, text=text)):
        stage.begin()
        with moved(program):
            for minutes in (0, 40, 80):
                stage.archive()
                stage.tell(f"gone for {minutes} minutes", archived(sees_no_repository), 40, COLLECTOR_FAILING)
        stage.mend()
    stage.conclude(tmp_path, "the exporter cannot run pgbackrest", [COLLECTOR_FAILING])


class PlayedSpace(HangingSpace):
    def wait_for(self, condition, seconds):
        seen = []

        def holds():
            seen[:] = [self.metrics()]
            return condition(seen[0])

        wait_until(holds, seconds, "the metrics do not change as expected")
        return seen[0]


def stuck(stage, children, succeeds):
    """So many children hang, and whether the queue can be looked at."""
    return lambda now: (
        now.value("pgbackup_stuck_children") == children
        and now.value(SUCCESS, collector="queue") == succeeds
        and stage.is_quiet(now)
    )


@needs_fuse
@pytest.mark.parametrize(
    ("option", "folder", "fault", "succeeds", "alerts"),
    [
        ("spool-path", "spool", "the spool's file system hangs for the exporter", 1, [STUCK]),
        ("pg1-path", "data/postgres", "the file system of `pg_wal` hangs for the exporter", 0, [STUCK, COLLECTOR_FAILING]),
    ],
)
def test_a_file_system_that_hangs_is_a_ticket(stage, tmp_path, option, folder, fault, succeeds, alerts):
    with space_beside(stage.bed, PlayedSpace) as space:
        space.watch(stage.bed, option, stage.bed.root / folder)
        with played_by(stage, space, stuck(stage, 0, 1)):
            space.order("hang")
            stage.tell("hangs", stuck(stage, 1, succeeds), 40, *alerts)
            space.order("error 0")
            stage.tell("back", stuck(stage, 0, 1), 20)
    stage.conclude(tmp_path, fault, alerts)
