"""Real faults of what lies in the repositories, of commands and of drills: exactly the alerts that they are to cause."""
from contextlib import contextmanager

import exporter as bed_exporter
import pytest
from conftest import PROGRAM
from missing import archive_in_s3, away, backup_folder, behind_newest_backup, first_segment
from pgbackrest import PROGRAM as PGBACKREST
from restored import Restored
from stage import FOREIGN, MISSING, SEEN_SECONDS, UNRESTORABLE, Stage, archived, begun, is_sound, lags, nothing_waits

RECOVERY_POINT = ("PgBackRestRecoveryPointTooOld", "1")
OLDER = ("PgBackRestWalMissingOlder", "1")
NOT_RESTORABLE = ("PgBackRestBackupNotRestorable", "1")


@pytest.fixture(scope="module")
def shared(request):
    return begun(request)


@pytest.fixture
def expect(shared, tmp_path):
    """expect(what, fault, is_seen, heard, *muted): these after 40 minutes of it, none before it or when it is mended."""

    def expect(what, fault, is_seen, heard, *muted):
        shared.begin(archived(is_sound))
        with fault:
            shared.tell("broken", archived(is_seen), 40, *heard, *muted)
        shared.tell("mended", archived(is_sound), 20)
        shared.conclude(tmp_path, what, heard, muted)

    return expect


def broken(*keys):
    return lambda metrics: [labels["repo_key"] for labels, _ in metrics.get(UNRESTORABLE, [])] == list(keys)


def test_a_segment_gone_behind_the_newest_backup(shared, expect):
    expect(
        "a segment is missing behind the newest backup",
        away(shared.bed, behind_newest_backup(shared.bed)[1]),
        lambda now: now.value(MISSING, repo_key="1", scope="since_last_backup") == 1,
        [("PgBackRestWalMissing", "1")],
        RECOVERY_POINT,
    )


def test_a_segment_gone_that_an_older_backup_needs_is_a_ticket(shared, expect):
    fault = away(shared.bed, first_segment(shared.bed, 0))
    expect("a segment is missing that an older backup needs", fault, broken("1"), [OLDER])


def test_a_segment_gone_that_the_newest_backup_needs(shared, expect):
    fault = away(shared.bed, first_segment(shared.bed, -1))
    what = "a segment is missing that the newest backup needs"
    expect(what, fault, broken("1"), [NOT_RESTORABLE], OLDER, RECOVERY_POINT)


def test_a_full_backups_folder_gone_takes_the_newest_backup_along(shared, expect):
    fault = away(shared.bed, backup_folder(shared.bed, 0))
    expect("the folder of the full backup is gone", fault, broken("1"), [NOT_RESTORABLE], RECOVERY_POINT)


def test_a_repository_without_the_wal_of_its_backups_though_info_says_ok(shared, expect):
    fault = away(shared.bed, archive_in_s3(shared.bed))
    expect("repository 2 has no WAL", fault, broken("2"), [("PgBackRestBackupNotRestorable", "2")])


@contextmanager
def both_broken(bed):
    with away(bed, archive_in_s3(bed)), away(bed, backup_folder(bed, 0)):
        yield


def test_both_repositories_broken(shared, expect):
    expect(
        "no backup of either repository can be restored",
        both_broken(shared.bed),
        broken("1", "2"),
        [("PgBackRestNoRestorableRepository", "")],
        NOT_RESTORABLE,
        ("PgBackRestBackupNotRestorable", "2"),
        RECOVERY_POINT,
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
        "a promoted copy archives into repository 1",
        promoted_copy(shared.bed),
        lambda now: now.value(FOREIGN, repo_key="1") == 1,
        [("PgBackRestForeignTimeline", "1")],
    )


def test_wal_thrown_away_pages_until_a_backup_begins_a_new_window(own_bed, start_exporter, tmp_path):
    text = bed_exporter.configuration(own_bed, bed_exporter.FAST).replace("recovery-point: 15m", "recovery-point: 5s")
    stage = Stage(own_bed, lambda bed, text: start_exporter(bed, text=text), text)
    missing = ("PgBackRestWalMissing", "1")
    stage.begin(archived(is_sound))
    own_bed.postgres.set("archive_command", "/bin/true")
    thrown_away = archived(lambda now: lags(now) or not own_bed.postgres.switch_wal())
    stage.tell("thrown away", thrown_away, 40, RECOVERY_POINT)
    stage.conclude(tmp_path, "`archive_command` throws WAL away", [RECOVERY_POINT])
    own_bed.postgres.reset("archive_command")
    stage.archive()
    gap = {"repo_key": "1", "scope": "since_last_backup"}
    stage.tell("archived again", archived(lambda now: now.value(MISSING, **gap) > 0), 20, missing, RECOVERY_POINT)
    own_bed.pgbackrest.backup("incr", 1)
    # Else the last file that was archived may be the backup's label, which names an older segment.
    stage.archive()
    older = {"repo_key": "1", "scope": "older"}
    stage.tell("backed up", archived(lambda now: now.value(MISSING, **older) > 0 and not lags(now)), 20, OLDER)
    what = "the same for 40 minutes, then it archives again; a backup 20 minutes later"
    stage.conclude(tmp_path, what, [missing, OLDER], [RECOVERY_POINT])


# ---- Commands and drills ----

STATUS = "pgbackrest_command_last_exit_status"
DRILL = "pgbackrest_restore_drill_status"


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
    is_seen = lambda now: status(now) == 32 and nothing_waits(shared.bed, now)  # noqa: E731
    expect(f"`run -- {command}` fails", fault, is_seen, [(alert, "1")])


def test_a_drill_that_fails(shared, expect):
    words = ["drill", "--repo=1", "--allow-same-filesystem"]

    def status(metrics):
        return metrics.value(DRILL, repo_key="1")

    fault = failed(shared, [*words, "--set=20000101-000000F"], words, lambda now: status(now) == 1)
    is_seen = lambda now: status(now) == 0 and nothing_waits(shared.bed, now)  # noqa: E731
    expect("a drill fails", fault, is_seen, [("RestoreDrillFailed", "1")])
