"""Real faults of WAL that waits: a queue that fills, drains, exceeds its limit; a disk of pg_wal that fills."""
import itertools
import time
from contextlib import contextmanager

import mounts
import pytest
from missing import away
from process import BedError, wait_until
from stage import SEEN, Played, begun, is_archived, waiting
from test_queue import AVAIL, DROPPED, FILES, HOLE, MISSING, archived_by, configure, configured
from wal_disk import WalDisk

pytestmark = pytest.mark.campaign

FAILING = ("PgWalArchivingFailing", "")
STALLED = ("PgWalArchivingStalled", "")
QUEUE_FILLING = ("PgArchiveQueueFilling", "")
DISK_FILLING = ("PgWalDiskFilling", "")
WAL_DROPPED = ("PgWalDropped", "")
DOWN = ("PostgresUnreachable", "")
UNREACHABLE = ("PgBackRestRepoUnreachable", "1")
UNKNOWN = ("PgBackRestRestorabilityUnknown", "1")
WAL_MISSING = ("PgBackRestWalMissing", "1")
WAL_MISSING_OLDER = ("PgBackRestWalMissingOlder", "1")
RECOVERY_POINT = ("PgBackRestRecoveryPointTooOld", "1")
LOOKED = "pgbackup_collector_last_success_timestamp_seconds"
LIMIT = 20  # segments
NO_MOUNT = mounts.reason_against()
needs_mount = pytest.mark.skipif(NO_MOUNT is not None, reason=str(NO_MOUNT))


@pytest.fixture
def stage(request):
    """archive-push drops WAL when more than LIMIT segments wait."""
    stage = begun(request)
    configure(stage.bed, **{"archive-push-queue-max": f"{16 * LIMIT}MB"})
    return stage


class SlowLink:
    """archive_command stores a segment when it is let, and only then."""

    def __init__(self, bed):
        self.bed = bed
        self.permit = self.bed.place.path("data", "permit")

    @contextmanager
    def used(self):
        usual = self.bed.postgres.archive_command
        with configured(self.bed, archive_async="n"):
            with archived_by(self.bed, f"until rm {self.permit} 2>/dev/null; do sleep 0.1; done; {usual}"):
                yield
            self.bed.place.run(["touch", self.permit])

    def store(self, segments):
        for _ in range(segments):
            self._store()

    def _store(self):
        before = self._archived()
        self.bed.place.run(["touch", self.permit])
        wait_until(lambda: self._archived() > before, 20, "the segment is not archived")

    def _archived(self):
        return int(self.bed.postgres.sql("SELECT archived_count FROM pg_stat_archiver"))


def waits(segments):
    return lambda now: now.value(FILES) == segments


def test_a_queue_that_fills_because_pushing_is_slow_pages_until_it_drains(stage, tmp_path):
    stage.begin()
    link = SlowLink(stage.bed)
    with link.used():
        for segments in range(2, 14, 2):
            stage.write(3)
            link.store(1)
            stage.pass_by(f"{segments} wait", waits(segments), 2)
        stage.write(1)
        stage.tell("13 wait", waits(13), 2, QUEUE_FILLING)
        for segments in (11, 9, 7):
            link.store(2)
            stage.pass_by(f"{segments} wait", waits(segments), 3)
        link.store(2)
        stage.tell("5 wait", waits(5), 4)
    stage.mend()
    stage.conclude(tmp_path, "WAL is written faster than it is pushed", [QUEUE_FILLING])


def test_a_long_queue_that_drains_is_silent(stage, tmp_path):
    link = SlowLink(stage.bed)
    with link.used():
        stage.write(13)
        stage.recording = Played()
        stage.tell("before", waits(13), 1)
        for segments in range(12, 4, -1):
            link.store(1)
            stage.tell(f"{segments} wait", waits(segments), 3)
    stage.mend()
    stage.conclude(tmp_path, "a long archive queue drains")


def is_away(metrics):
    return [metrics.value(name, repo_key="1") for name in SEEN] == [0, 0] and metrics.value("pg_archiver_failing") == 1


def fails_with(segments):
    return lambda now: now.value(FILES) == segments and is_away(now)


def write_until_dropped(bed):
    """All that waits is dropped once the limit is exceeded, and PostgreSQL told that it is archived."""
    with archived_by(bed, ""):
        last = [bed.postgres.switch_wal() for _ in range(LIMIT)][-1]
    bed.postgres.wait_archived(last, 90)


def is_dropped(metrics):
    return metrics.value(DROPPED) > 0 and metrics.value(FILES) == 0 and waiting(metrics) < 1


def has_hole(metrics):
    return (metrics.value(MISSING, **HOLE) or 0) > 0 and waiting(metrics) < 1


def is_mended(metrics):
    behind = metrics.value(MISSING, **HOLE) == 0 and (metrics.value(MISSING, repo_key="1", scope="older") or 0) > 0
    return behind and metrics.values("pgbackrest_backups", backup_type="incr") == [2, 2]


def test_a_repository_away_until_its_wal_is_dropped_pages_until_a_backup(stage, tmp_path):
    stage.begin()
    with away(stage.bed, stage.bed.pgbackrest.repo1):
        for segments in range(2, 14, 2):
            stage.write(2)
            stage.pass_by(f"{segments} wait", fails_with(segments), 4)
        stage.write(1)
        stage.tell("13 wait", fails_with(13), 4, FAILING, QUEUE_FILLING, STALLED, UNREACHABLE)
        write_until_dropped(stage.bed)
        stage.tell("dropped", is_dropped, 20, WAL_DROPPED, UNREACHABLE, UNKNOWN)
    stage.archive()
    stage.tell("back", has_hole, 25, WAL_DROPPED, WAL_MISSING, RECOVERY_POINT)
    for repo in (1, 2):
        stage.bed.pgbackrest.backup("incr", repo)
    stage.archive()
    is_seen = lambda now: is_mended(now) and stage.is_quiet(now)  # noqa: E731
    stage.tell("backed up", is_seen, 70, WAL_MISSING_OLDER)
    gone = "repository 1 is gone while WAL is written, and the queue fills"
    dropped = "the same, and what waits is dropped, so that archiving fails no longer"
    back = "the same, and it is back after WAL was dropped; a backup 25 minutes later"
    stage.conclude_all(
        tmp_path,
        (gone, [FAILING, QUEUE_FILLING], [STALLED, UNREACHABLE]),
        (dropped, [WAL_DROPPED, UNREACHABLE], [UNKNOWN]),
        (back, [WAL_DROPPED, WAL_MISSING_OLDER], [WAL_MISSING, RECOVERY_POINT]),
    )


# ---- The disk of pg_wal ----

def looked_again(is_seen):
    """The same condition, seen when pg_wal was looked at after now."""
    now = time.time()
    return lambda metrics: is_seen(metrics) and metrics.value(LOOKED, collector="queue") > now


def share_left(metrics):
    return metrics.value(AVAIL) / metrics.value("pg_wal_filesystem_size_bytes")


@contextmanager
def slot_forgotten(postgres):
    """A replication slot that keeps WAL and that nobody reads."""
    postgres.sql("SELECT pg_create_physical_replication_slot('forgotten', true)")
    try:
        yield
    finally:
        postgres.sql("SELECT pg_drop_replication_slot('forgotten')", "CHECKPOINT")


@needs_mount
def test_a_slot_that_nobody_reads_fills_the_disk_of_pg_wal(request, tmp_path):
    stage = begun(request)
    with WalDisk(stage.bed, "320m"):
        stage.begin()
        with slot_forgotten(stage.bed.postgres):
            left = 1
            while left > 0.3:
                stage.write(1)
                stage.archive()
                left = share_left(stage.pass_by(f"{left:.0%} left", looked_again(is_archived), 2))
            stage.tell("nearly full", is_archived, 5, DISK_FILLING)
        stage.mend(40)
    stage.conclude(tmp_path, "the disk of `pg_wal` fills, all WAL is archived", [DISK_FILLING])


def write_until_it_stops(stage):
    """A segment in every minute, for as long as the server takes it."""
    for segments in itertools.count(1):
        try:
            stage.write(1)
        except BedError:
            return
        stage.pass_by(f"{segments} wait", looked_again(fails_with(segments)), 1)


def is_down(metrics):
    return metrics.value("pgbackup_postgres_up") == 0


@needs_mount
def test_a_disk_of_pg_wal_that_is_full_stops_the_server(request, tmp_path):
    stage = begun(request)
    bed = stage.bed
    with WalDisk(bed, "260m") as disk:
        stage.begin()
        with away(bed, bed.pgbackrest.repo1):
            write_until_it_stops(stage)
            stopped = [DISK_FILLING, DOWN, UNREACHABLE]
            stage.tell("stopped", looked_again(is_down), 3, FAILING, STALLED, *stopped)
            stage.tell("a quarter of an hour later", is_down, 17, UNKNOWN, *stopped)
        disk.grow("1g")
        bed.postgres.restart()
        stage.mend(30)
    full = "repository 1 is gone and the disk of `pg_wal` fills until the server stops"
    later = "the same, a quarter of an hour later"
    stage.conclude_all(
        tmp_path,
        (full, [FAILING, DISK_FILLING, DOWN], [STALLED, UNREACHABLE]),
        (later, [UNREACHABLE, DISK_FILLING, DOWN], [UNKNOWN]),
    )
