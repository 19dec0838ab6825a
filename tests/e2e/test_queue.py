"""WAL that waits to be archived, WAL that pgBackRest drops, and the room that is left."""
import signal
import time
from contextlib import contextmanager

import mounts
import pytest
from bed import Bed
from conftest import PROGRAM, Exporter, Metrics
from exporter import FAST, configuration
from pgbackrest import PROGRAM as PGBACKREST
from process import free_port, wait_until
from stage import Stage, archived, is_sound, lags
from web import get

FILES, BYTES = "pg_archive_queue_files", "pg_archive_queue_bytes"
OLDEST = "pg_archive_queue_oldest_timestamp_seconds"
DROPPED = "pgbackrest_archive_push_dropped_segments_total"
FAILING = "pgbackrest_archive_push_failing_segments"
QUEUE_MAX = "pgbackrest_archive_push_queue_max_bytes"
AVAIL = "pg_wal_filesystem_avail_bytes"
MISSING = "pgbackrest_wal_missing_segments"
SEGMENT = 16 << 20


@pytest.fixture(scope="module")
def bed():
    bed = Bed().start(alerting=False)
    yield bed
    bed.stop()


@pytest.fixture
def exporter(bed, start_exporter):
    return start_exporter(bed)


def configure(bed, **options):
    """Set options of [global]; None takes one away. What was there before is returned."""
    conf = bed.pgbackrest.configuration
    before = conf.read_text()
    lines = [line for line in before.splitlines() if line.partition("=")[0] not in options]
    added = [f"{name}={value}" for name, value in options.items() if value is not None]
    at = lines.index("[global]") + 1
    bed.place.write(conf.name, "\n".join(lines[:at] + added + lines[at:]) + "\n", 0o640)
    return before


@pytest.fixture
def repository_away(bed):
    bed.pgbackrest.move_repo1_away()
    yield
    bed.pgbackrest.move_repo1_back()
    bed.postgres.wait_archived(bed.postgres.switch_wal(), 90)


def is_empty(metrics):
    return metrics.value(FILES) == 0


def test_nothing_waits_while_archiving_works(bed, exporter):
    bed.postgres.wait_archived(bed.postgres.switch_wal())
    metrics = exporter.wait_for(is_empty, 15)
    assert metrics.value(BYTES) == 0
    assert metrics.value(OLDEST) is None
    assert metrics.value(FAILING, repo_key="1") == 0
    assert metrics.value(FAILING, repo_key="2") is None, "archive_command does not push there"


def test_the_room_of_pg_wal_is_told(bed, exporter):
    metrics = exporter.wait_for(lambda now: now.value("pg_wal_filesystem_size_bytes") is not None, 10)
    size = int(bed.place.run(["stat", "-f", "-c", "%b %S", bed.postgres.data]).stdout.split()[0])
    assert metrics.value("pg_wal_filesystem_size_bytes") > size
    assert 0 < metrics.value("pg_wal_filesystem_avail_bytes") < metrics.value("pg_wal_filesystem_size_bytes")


def test_wal_that_cannot_be_pushed_waits_and_says_since_when_and_why(bed, exporter, repository_away):
    begun = float(bed.postgres.sql("SELECT extract(epoch FROM clock_timestamp())"))
    for _ in range(3):
        bed.postgres.switch_wal()
    metrics = exporter.wait_for(
        lambda now: (now.value(FILES) or 0) >= 3 and (now.value(FAILING, repo_key="1") or 0) >= 3, 30
    )
    assert metrics.value(BYTES) == metrics.value(FILES) * SEGMENT
    assert begun - 1 <= metrics.value(OLDEST) <= begun + 10
    page = get(exporter.port, "/").text
    assert "unable to find a valid repository" in page


def test_what_the_server_cannot_say_while_it_is_down_does_not_hide_the_room(bed, exporter):
    exporter.wait_for(is_empty, 15)
    bed.postgres.stop()
    try:
        metrics = exporter.wait_for(lambda now: now.value("pgbackup_postgres_up") == 0, 15)
        metrics = exporter.wait_for(lambda now: now.value(FILES) is None, 15)
        assert metrics.value("pg_wal_filesystem_avail_bytes") > 0
    finally:
        bed.postgres.start()


def test_a_role_without_the_right_is_told_which_one(bed, start_exporter):
    bed.postgres.sql("CREATE ROLE watcher LOGIN SUPERUSER", "ALTER ROLE watcher NOSUPERUSER")
    hba = bed.postgres.data / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text("local all watcher trust\n" + before)
    bed.postgres.sql("SELECT pg_reload_conf()")
    try:
        text = configuration(bed, FAST).replace(bed.postgres.conninfo, f"{bed.postgres.conninfo} user=watcher")
        exporter = start_exporter(bed, text=text)
        metrics = exporter.wait_for(lambda now: now.value("pgbackup_collector_success", collector="queue") == 1, 10)
        assert metrics.value(FILES) is None
        assert "GRANT pg_monitor" in get(exporter.port, "/").text
    finally:
        hba.write_text(before)
        bed.postgres.sql("SELECT pg_reload_conf()", "DROP ROLE watcher")


def test_the_limit_is_read_as_archive_push_reads_it(bed, start_exporter):
    before = configure(bed, **{"archive-push-queue-max": "3GiB"})
    try:
        exporter = start_exporter(bed)
        metrics = exporter.wait_for(
            lambda now: now.value("pgbackrest_archive_push_queue_max_bytes") is not None, 10
        )
        assert metrics.value("pgbackrest_archive_push_queue_max_bytes") == 3 << 30
        assert metrics.value(DROPPED) == 0
    finally:
        bed.place.write(bed.pgbackrest.configuration.name, before, 0o640)


def test_wal_dropped_behind_the_archivers_back_is_counted_and_leaves_a_gap(bed):
    """PostgreSQL sees success: only the drop and the gap tell that recovery ends here."""
    before = configure(bed, **{"archive-push-queue-max": "32MB"})
    exporter = Exporter(bed, PROGRAM, free_port(), "exporter-dropped")
    exporter.start(configuration(bed, FAST))
    try:
        exporter.wait_for(lambda now: now.value(DROPPED) == 0, 15)
        bed.pgbackrest.move_repo1_away()
        failed = None
        try:
            for _ in range(6):
                last = bed.postgres.switch_wal()
            bed.postgres.wait_archived(last, 60)
            failed = exporter.metrics().value("pg_stat_archiver_failed_count")
        finally:
            bed.pgbackrest.move_repo1_back()
        metrics = exporter.wait_for(lambda now: (now.value(DROPPED) or 0) > 0, 20)
        dropped = metrics.value(DROPPED)
        assert "WAL segments were dropped" in get(exporter.port, "/").text
        bed.postgres.wait_archived(bed.postgres.switch_wal(), 60)
        metrics = exporter.wait_for(
            lambda now: (now.value(MISSING, repo_key="1", scope="since_last_backup") or 0) >= dropped, 40
        )
        assert metrics.value("pg_archiver_failing") == 0
        assert metrics.value("pg_stat_archiver_failed_count") - failed <= 3
        survives_a_reload(bed, exporter, dropped)
    finally:
        exporter.stop()
        bed.place.write(bed.pgbackrest.configuration.name, before, 0o640)


def survives_a_reload(bed, exporter, dropped):
    reloaded = exporter.metrics().value("pgbackup_config_last_reload_success_timestamp_seconds")
    exporter.process.signal(signal.SIGHUP)
    metrics = exporter.wait_for(
        lambda now: now.value("pgbackup_config_last_reload_success_timestamp_seconds") > reloaded, 15
    )
    assert metrics.value(DROPPED) >= dropped


@contextmanager
def configured(bed, **options):
    """With these options of [global]."""
    before = configure(bed, **{name.replace("_", "-"): value for name, value in options.items()})
    try:
        yield
    finally:
        bed.place.write(bed.pgbackrest.configuration.name, before, 0o640)


@contextmanager
def archived_by(bed, command):
    bed.postgres.set("archive_command", command)
    try:
        yield
    finally:
        bed.postgres.reset("archive_command")


def push(configuration, *options):
    return " ".join([PGBACKREST, f"--config={configuration}", "--stanza=main", *options, "archive-push %p"])


def limit_is(value):
    return lambda metrics: metrics.value(QUEUE_MAX) == value and metrics.value(FILES) is not None


def test_a_limit_in_archive_command_counts_more_than_that_of_the_file(bed, start_exporter):
    with configured(bed, archive_push_queue_max="3GiB"):
        exporter = start_exporter(bed)
        exporter.wait_for(limit_is(3 << 30), 15)
        with archived_by(bed, push(bed.pgbackrest.configuration, "--archive-push-queue-max=5GiB")):
            exporter.wait_for(limit_is(5 << 30), 15)
        exporter.wait_for(limit_is(3 << 30), 15)


def test_a_limit_in_the_servers_environment_counts_more_than_that_of_the_file(bed, start_exporter):
    with configured(bed, archive_push_queue_max="3GiB"):
        exporter = start_exporter(bed)
        bed.postgres.environment = {"PGBACKREST_ARCHIVE_PUSH_QUEUE_MAX": "7GiB"}
        bed.postgres.restart()
        try:
            exporter.wait_for(limit_is(7 << 30), 15)
        finally:
            bed.postgres.environment = {}
            bed.postgres.restart()


def test_of_another_configuration_that_archive_command_reads_nothing_is_guessed(bed, start_exporter):
    other = bed.place.write("other.conf", bed.pgbackrest.configuration.read_text(), 0o640)
    with configured(bed, archive_push_queue_max="3GiB"), archived_by(bed, push(other)):
        exporter = start_exporter(bed)
        metrics = exporter.wait_for(lambda now: now.value(FILES) is not None, 15)
        assert metrics.value(QUEUE_MAX) is None
        assert metrics.value(DROPPED) is None
        assert metrics.value(FAILING, repo_key="1") is None
        assert f"archive_command reads {other}" in get(exporter.port, "/").text


HOLE = {"repo_key": "1", "scope": "since_last_backup"}


def drop_wal(bed):
    """The queue exceeds its limit while repository 1 is away; it is back, and a segment behind the hole is stored."""
    bed.pgbackrest.move_repo1_away()
    try:
        with archived_by(bed, ""):  # all waits, so that the first look at the queue finds it too long
            names = [bed.postgres.switch_wal() for _ in range(6)]
        bed.postgres.wait_archived(names[-3], 90)  # without archive-async what is within the limit waits on
    finally:
        bed.pgbackrest.move_repo1_back()
    bed.postgres.wait_archived(bed.postgres.switch_wal(), 90)


def has_hole(metrics):
    return is_empty(metrics) and (metrics.value(MISSING, **HOLE) or 0) > 0


def failures(metrics):
    return metrics.value("pg_stat_archiver_failed_count")


def test_without_archive_async_only_the_hole_tells_of_a_drop(own_bed, start_exporter):
    configure(own_bed, **{"archive-async": "n", "archive-push-queue-max": "32MB"})
    exporter = start_exporter(own_bed)
    exporter.wait_for(is_empty, 15)
    drop_wal(own_bed)
    metrics = exporter.wait_for(has_hole, 40)
    assert metrics.value(DROPPED) is None
    assert metrics.value("pg_archiver_failing") == 0
    assert "without archive-async only PostgreSQL" in get(exporter.port, "/").text


def test_a_drop_pages_until_a_backup_ends_what_it_broke(own_bed, start_exporter, tmp_path):
    configure(own_bed, **{"archive-push-queue-max": "32MB"})
    stage = Stage(own_bed, lambda bed, text: start_exporter(bed, text=text), configuration(own_bed, FAST))
    dropped, older = ("PgWalDropped", ""), ("PgBackRestWalMissingOlder", "1")
    silenced = [("PgBackRestWalMissing", "1"), ("PgBackRestRecoveryPointTooOld", "1")]
    before = stage.begin(archived(lambda now: is_sound(now) and now.value(DROPPED) == 0))
    drop_wal(own_bed)
    is_seen = archived(lambda now: now.value(DROPPED) > 0 and has_hole(now))
    assert failures(stage.tell("dropped", is_seen, 40, dropped, *silenced)) == failures(before)
    own_bed.pgbackrest.backup("incr", 1)
    stage.archive()
    scope = {"repo_key": "1", "scope": "older"}
    is_seen = archived(lambda now: now.value(MISSING, **HOLE) == 0 and now.value(MISSING, **scope) > 0 and not lags(now))
    stage.tell("backed up", is_seen, 30, older)
    what = "WAL is dropped beyond `archive-push-queue-max`; a backup after 40 minutes"
    stage.conclude(tmp_path, what, [dropped, older], silenced)


class HangingSpace(mounts.MountSpace):
    """The bed's exporter in a mount namespace of its own, where something lies on a file system that may hang."""

    def watch(self, bed, option, path):
        """`option` is what pgbackrest.conf says of that path: in its place is the file system."""
        fuse = self.folder("fuse")
        self.fuse(fuse)
        conf = bed.pgbackrest.configuration.read_text().replace(f"{option}={path}\n", f"{option}={fuse}\n")
        assert str(fuse) in conf
        ours = bed.place.write("hanging.conf", conf, 0o640)
        text = configuration(bed, FAST).replace(str(bed.pgbackrest.configuration), str(ours))
        (self.root / "exporter.yml").write_text(text + "timeouts: {queue: 2s}\n")
        self.start_exporter(flags=())

    def metrics(self):
        begun = time.monotonic()
        metrics = Metrics.parse(get(self.port, "/metrics").text)
        assert time.monotonic() - begun < 5, "a scrape waits for what hangs"
        return metrics

    def wait_for(self, condition, what):
        wait_until(lambda: condition(self.metrics()), 20, what)


NO_FUSE = mounts.reason_against() or mounts.reason_against_fuse()
needs_fuse = pytest.mark.skipif(NO_FUSE is not None, reason=str(NO_FUSE))
ATTEMPT = "pgbackup_collector_last_attempt_timestamp_seconds"


@contextmanager
def space_beside(bed, kind=HangingSpace):
    """There archive_command is a wrapper, which does not tell that it reads another configuration."""
    call = bed.postgres.archive_command.replace("%p", "$1")
    script = bed.place.write("push.sh", f"#!/bin/sh\nexec {call}\n", 0o755)
    space = kind(PROGRAM, free_port())
    try:
        with archived_by(bed, f"{script} %p"):
            yield space
    finally:
        space.close()


@pytest.fixture
def space(bed):
    with space_beside(bed) as space:
        yield space


@needs_fuse
def test_a_spool_that_hangs_keeps_one_child_and_hides_nothing_else(bed, space):
    space.watch(bed, "spool-path", bed.root / "spool")
    space.wait_for(lambda now: now.value(FILES) is not None, "the queue is not told")
    space.order("hang")
    space.wait_for(lambda now: now.value("pgbackup_stuck_children") == 1, "nothing is stuck")
    tried = space.metrics().value(ATTEMPT, collector="queue")
    space.wait_for(lambda now: now.value(ATTEMPT, collector="queue") > tried + 2, "the queue is not looked at any more")
    metrics = space.metrics()
    assert metrics.value("pgbackup_collector_success", collector="queue") == 1
    assert metrics.value(FILES) is not None
    assert metrics.value(AVAIL) > 0
    assert metrics.value("pgbackup_stuck_children") == 1
    assert "not everything could be looked at" in get(space.port, "/").text
    space.order("error 0")
    space.wait_for(lambda now: now.value("pgbackup_stuck_children") == 0, "it stays stuck")


@needs_fuse
def test_a_disk_of_pg_wal_that_hangs_is_a_failure_of_the_look(bed, space):
    """So that the alert on a full disk does not end unheard."""
    space.watch(bed, "pg1-path", bed.postgres.data)
    space.wait_for(lambda now: now.value("pgbackup_collector_success", collector="queue") == 1, "the queue is not told")
    space.order("hang")
    space.wait_for(lambda now: now.value("pgbackup_collector_success", collector="queue") == 0, "nothing fails")
    space.order("error 0")
    space.wait_for(lambda now: now.value("pgbackup_collector_success", collector="queue") == 1, "it stays failed")
