"""WAL that waits to be archived, WAL that pgBackRest drops, and the room that is left."""
import pytest
from conftest import PROGRAM, Exporter
from exporter import FAST, configuration
from process import free_port
from web import get

FILES, BYTES = "pg_archive_queue_files", "pg_archive_queue_bytes"
OLDEST = "pg_archive_queue_oldest_timestamp_seconds"
DROPPED = "pgbackrest_archive_push_dropped_segments_total"
FAILING = "pgbackrest_archive_push_failing_segments"
MISSING = "pgbackrest_wal_missing_segments"
SEGMENT = 16 << 20


@pytest.fixture(scope="module")
def bed():
    from bed import Bed

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
    import signal

    reloaded = exporter.metrics().value("pgbackup_config_last_reload_success_timestamp_seconds")
    exporter.process.signal(signal.SIGHUP)
    metrics = exporter.wait_for(
        lambda now: now.value("pgbackup_config_last_reload_success_timestamp_seconds") > reloaded, 15
    )
    assert metrics.value(DROPPED) >= dropped
