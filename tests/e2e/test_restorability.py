"""What is said of real repositories in which something is missing that pgbackrest info does not miss."""
import pytest
from missing import away, backup_folder, behind_newest_backup, first_segment
from web import get

MISSING = "pgbackrest_wal_missing_segments"
RESTORABLE = "pgbackrest_backups_restorable"


@pytest.fixture(scope="module")
def place(request, watch):
    """A bed of its own, with WAL behind the newest backup, and its exporter."""
    from bed import Bed

    bed = Bed().start(alerting=False)
    request.addfinalizer(bed.stop)
    for _ in range(4):
        bed.postgres.wait_archived(bed.postgres.switch_wal())
    return bed, watch(bed)


def wait(place, condition):
    return place[1].wait_for(condition, 25)


def page(place):
    return get(place[1].port, "/").text


def is_sound(metrics):
    return (
        metrics.value(RESTORABLE, repo_key="1") == 2
        and metrics.value(MISSING, repo_key="1", scope="since_last_backup") == 0
        and metrics.value(MISSING, repo_key="1", scope="older") == 0
    )


def test_a_repository_with_continuous_wal_looks_restorable(place):
    metrics = wait(place, is_sound)
    start = metrics.value("pgbackrest_recovery_window_start_timestamp_seconds", repo_key="1")
    end = metrics.value("pgbackrest_recovery_window_end_timestamp_seconds", repo_key="1")
    assert start == metrics.value("pgbackrest_backup_oldest_completion_timestamp_seconds", repo_key="1")
    assert end >= metrics.value("pgbackrest_backup_last_restorable_timestamp_seconds", repo_key="1") > start
    assert metrics.value("pgbackrest_wal_foreign_timelines", repo_key="1") == 0


def test_a_repository_without_its_backups_wal_is_not_restorable_though_info_says_ok(place):
    metrics = wait(place, lambda now: now.value(RESTORABLE, repo_key="2") == 0)
    assert metrics.value("pgbackrest_repo_status", repo_key="2") == 0
    assert metrics.value("pgbackrest_recovery_window_end_timestamp_seconds", repo_key="2") is None
    assert "NOT restorable: backup " in page(place)


def test_a_segment_gone_behind_the_newest_backup_ends_the_window_before_it(place):
    wait(place, is_sound)
    gone = behind_newest_backup(place[0])[1]
    with away(place[0], gone):
        metrics = wait(place, lambda now: now.value(MISSING, repo_key="1", scope="since_last_backup") == 1)
        assert metrics.value(RESTORABLE, repo_key="1") == 2
        assert metrics.value("pgbackrest_repo_status", repo_key="1") == 0
        assert "1 WAL segment is missing behind the newest backup" in page(place)
    wait(place, is_sound)


def test_a_segment_that_a_backup_needs_makes_that_one_unrestorable(place):
    wait(place, is_sound)
    bed = place[0]
    needed = first_segment(bed, -1)
    with away(bed, needed):
        metrics = wait(place, lambda now: now.value(RESTORABLE, repo_key="1") == 1)
        assert metrics.value(MISSING, repo_key="1", scope="older") >= 1
        assert f"needs WAL {needed.name[:24]}, which is not in this repository" in page(place)
    wait(place, is_sound)


def test_a_backups_folder_that_is_gone_takes_those_that_build_on_it_along(place):
    wait(place, is_sound)
    bed = place[0]
    full = backup_folder(bed, 0)
    with away(bed, full):
        metrics = wait(place, lambda now: now.value(RESTORABLE, repo_key="1") == 0)
        assert metrics.value("pgbackrest_backups", repo_key="1", backup_type="full") == 1
        assert f"needs {full.name}, whose folder or manifest is gone" in page(place)
    wait(place, is_sound)


def test_an_empty_segment_is_none(place):
    wait(place, is_sound)
    gone = behind_newest_backup(place[0])[0]
    content = gone.read_bytes()
    gone.write_bytes(b"")
    wait(place, lambda now: now.value(MISSING, repo_key="1", scope="since_last_backup") == 1)
    gone.write_bytes(content)
    wait(place, is_sound)


def test_copied_wal_makes_the_other_repository_restorable(place):
    bed = place[0]
    for backup in bed.pgbackrest.info(2)["backup"]:
        first, last = (int(backup["archive"][end][16:], 16) for end in ("start", "stop"))
        for number in range(first, last + 1):
            copy(bed, f"{'00000001':0<16}{number:08X}")
    metrics = wait(place, lambda now: now.value(RESTORABLE, repo_key="2") == 2)
    assert metrics.value("pgbackrest_recovery_window_end_timestamp_seconds", repo_key="2") == metrics.value(
        "pgbackrest_backup_last_restorable_timestamp_seconds", repo_key="2"
    )
    assert "only to the end of a backup" in page(place)


def copy(bed, segment):
    """One segment of repository 1 into repository 2, which alone is known to the second command."""
    target = bed.place.path("data", segment)
    pgbackrest = ["/usr/bin/pgbackrest", "--stanza=main"]
    conf = f"--config={bed.pgbackrest.configuration}"
    bed.place.run([*pgbackrest, conf, "--repo=1", "--no-archive-async", "archive-get", segment, target])
    folders = [f"--lock-path={bed.root}/lock", f"--log-path={bed.root}/pgbackrest-log"]
    push = [*pgbackrest, "--no-config", f"--pg1-path={bed.postgres.data}", *folders, "archive-push", target]
    bed.place.run(push, bed.pgbackrest.repo2_environment())
    target.unlink()


def test_what_is_known_stays_while_the_repository_is_down(place):
    metrics = wait(place, is_sound)
    end = metrics.value("pgbackrest_recovery_window_end_timestamp_seconds", repo_key="1")
    bed = place[0]
    bed.pgbackrest.repo1.chmod(0)
    try:
        metrics = wait(place, lambda now: now.value("pgbackrest_wal_listed", repo_key="1") == 0)
        assert metrics.value("pgbackrest_recovery_window_end_timestamp_seconds", repo_key="1") == end
        assert metrics.value(RESTORABLE, repo_key="1") == 2
    finally:
        bed.pgbackrest.repo1.chmod(0o750)
    wait(place, is_sound)
