"""Real faults of repositories and their stores: exactly the alerts that they are to cause."""
from contextlib import contextmanager

import pytest
from exporter import FAST, configuration
from missing import away, backup_folder, wal_folder
from stage import begun, is_whole, played_by, waiting

pytestmark = pytest.mark.campaign

UP = "pgbackrest_repo_up"
LISTED = "pgbackrest_wal_listed"
S3_UP = "pgbackup_s3_up"
LATE = [("PgBackRestBackupLate", key) for key in "12"]
TOO_OLD = [("PgBackRestBackupTooOld", key) for key in "12"]
LATE_2 = LATE[1]
UNREACHABLE_2 = ("PgBackRestRepoUnreachable", "2")
UNKNOWN_1 = ("PgBackRestRestorabilityUnknown", "1")
UNKNOWN_2 = ("PgBackRestRestorabilityUnknown", "2")


@pytest.fixture(scope="module")
def stage(request):
    return begun(request)


def without_hurry(stage):
    """Repository 1 gets a full backup a day and no other."""
    return configuration(stage.bed, FAST).replace("incr: 2h, recovery-point: 15m,", "recovery-point: 15m,")


def gone(bed):
    return away(bed, bed.pgbackrest.repo1)


@contextmanager
def closed(folder):
    folder.chmod(0)
    try:
        yield
    finally:
        folder.chmod(0o750)


def wal_closed(bed):
    return closed(wal_folder(bed))


@pytest.mark.parametrize(
    ("make", "fault"),
    [(gone, "the folder of repository 1 is gone"), (wal_closed, "the folder of its WAL cannot be read")],
)
def test_a_repository_whose_folder_is_gone_or_closed_pages_once(stage, tmp_path, make, fault):
    stage.begin()
    unreachable = ("PgBackRestRepoUnreachable", "1")
    is_seen = lambda now: [now.value(name, repo_key="1") for name in (UP, LISTED)] == [0, 0] and waiting(now) < 1  # noqa: E731
    with make(stage.bed):
        stage.tell("broken", is_seen, 40, unreachable, UNKNOWN_1)
    stage.mend()
    stage.conclude(tmp_path, fault, [unreachable], [UNKNOWN_1])


def test_a_backup_whose_folder_is_closed_is_a_ticket(stage, start_exporter, tmp_path):
    text = configuration(stage.bed, {**FAST, "wal-verify": "1s"})
    with played_by(stage, start_exporter(stage.bed, text=text)):
        with closed(backup_folder(stage.bed, -1)):
            is_seen = lambda now: now.value(LISTED, repo_key="1") == 0 and now.values(UP) == [1, 1]  # noqa: E731
            stage.tell("closed", lambda now: is_seen(now) and stage.is_quiet(now), 60, UNKNOWN_1)
        stage.mend()
    stage.conclude(tmp_path, "the folder of a backup in repository 1 cannot be read", [UNKNOWN_1])


@contextmanager
def refused(s3):
    s3.break_with(status=403, code="AccessDenied")
    try:
        yield
    finally:
        s3.repair()


@contextmanager
def stopped(s3):
    s3.stop()
    try:
        yield
    finally:
        s3.start()


def is_out(metrics):
    return metrics.values(S3_UP) == [0] and [metrics.value(name, repo_key="2") for name in (UP, LISTED)] == [0, 0]


@pytest.mark.parametrize(
    ("make", "alert", "fault"),
    [
        (refused, "S3CredentialsRejected", "the store answers 403, for longer than the objective of 2 hours"),
        (stopped, "S3Unreachable", "the store is gone, for longer than the objective of 2 hours"),
    ],
)
def test_a_store_that_does_not_serve_is_a_ticket_first_and_a_page_when_the_backup_is_late(
    stage, start_exporter, tmp_path, make, alert, fault
):
    with played_by(stage, start_exporter(stage.bed, text=without_hurry(stage))):
        with make(stage.bed.s3):
            is_seen = lambda now: is_out(now) and stage.is_quiet(now)  # noqa: E731
            stage.tell("at once", is_seen, 40, (alert, "2"), UNKNOWN_2)
            stage.tell("hours later", is_seen, 110, (alert, "2"), UNKNOWN_2, UNREACHABLE_2, LATE_2)
        is_back = lambda now: now.values(S3_UP) == [1] and is_whole(now) and stage.is_quiet(now)  # noqa: E731
        stage.tell("back, and no backup was made yet", is_back, 20, LATE_2)
    stage.conclude(tmp_path, fault, [(alert, "2"), UNREACHABLE_2], [UNKNOWN_2, LATE_2])


def test_a_certificate_with_seven_days_left_is_a_ticket(stage, tmp_path):
    stage.begin()
    for days, alerts in ((7, [("S3CertificateExpiring", "2")]), (30, [])):
        stage.bed.s3.create_certificate(days)
        stage.bed.s3.stop()
        stage.bed.s3.start()
        limit = stage.bed.place.run(["date", "-d", f"{days - 1} days", "+%s"]).stdout
        is_seen = lambda now, limit=float(limit): (  # noqa: E731
            0 < now.value("pgbackup_s3_tls_certificate_expiry_timestamp_seconds") - limit < 2 * 86400
        )
        stage.tell(f"{days} days", is_seen, 10, *alerts)
    stage.conclude(tmp_path, "the store's certificate ends in 7 days (told from 14 days on)", [("S3CertificateExpiring", "2")])


@pytest.fixture
def nobody_backs_up(stage, start_exporter):
    """A recording to which phases are told while the backups, of which one is due every 30 minutes, grow old."""
    text = configuration(stage.bed, FAST).replace("incr: 2h", "incr: 30m")
    with played_by(stage, start_exporter(stage.bed, text=text)):
        yield stage


def test_backups_that_nobody_makes_are_late(nobody_backs_up, tmp_path):
    nobody_backs_up.tell("late", nobody_backs_up.is_quiet, 40, *LATE)
    nobody_backs_up.conclude(tmp_path, "nobody makes backups, one is due every 30 minutes", LATE)


def test_backups_that_nobody_makes_page_beyond_twice_their_objective(nobody_backs_up, tmp_path):
    nobody_backs_up.tell("late", nobody_backs_up.is_quiet, 40, *LATE)
    nobody_backs_up.tell("too old", nobody_backs_up.is_quiet, 40, *TOO_OLD)
    nobody_backs_up.conclude(tmp_path, "the same, for an hour and longer", TOO_OLD, LATE)


def test_a_drill_that_never_ran_is_a_ticket_after_a_day(stage, start_exporter, tmp_path):
    text = configuration(stage.bed, FAST).replace("full: 27h, incr: 2h, ", "").replace("recovery-point: 15m, ", "")
    with played_by(stage, start_exporter(stage.bed, text=text)):
        never = [("RestoreDrillOverdue", key) for key in "12"]
        stage.tell("a day", stage.is_quiet, 1500, *never)
    stage.conclude(tmp_path, "no drill ever ran", never)


def test_an_idle_night_is_silent(stage, start_exporter, tmp_path):
    text = configuration(stage.bed, FAST).replace("incr: 2h, ", "")
    with played_by(stage, start_exporter(stage.bed, text=text)):
        stage.tell("night", stage.is_quiet, 600)
    stage.conclude(tmp_path, "an idle night")


def test_a_repository_that_vanishes_from_the_configuration_is_a_ticket(stage, start_exporter, tmp_path):
    stage.begin()
    text = configuration(stage.bed, FAST)
    without = text[: text.index("  - key: 2")] + text[text.index("state-directory") :]
    with stage.watched_by(start_exporter(stage.bed, text=without)):
        is_seen = lambda now: now.values(UP) == [1] and stage.is_quiet(now)  # noqa: E731
        stage.tell("dropped", is_seen, 30, ("PgBackupExpectedSeriesMissing", "2"))
    stage.mend()
    fault = "a repository vanishes from the configuration"
    stage.conclude(tmp_path, fault, [("PgBackupExpectedSeriesMissing", "2")])


def test_an_exporter_that_does_not_answer_is_a_ticket(stage, tmp_path):
    stage.begin()
    down = ("PgBackupExporterDown", "")
    stage.recording.add_silence("gone", 30, down)
    stage.tell("back", stage.is_quiet, 20)
    stage.conclude(tmp_path, "the exporter does not answer", [down])


def test_a_stanza_without_any_backup_pages_for_each_repository(stage, start_exporter, tmp_path):
    bed = stage.bed
    bed.add_cluster("second").start()
    bed.pgbackrest.create_stanza("second")
    text = configuration(bed, FAST).replace("stanzas: [main]", "stanzas: [second]")
    exporter = start_exporter(bed, text=text[text.index("pgbackrest:") :])
    is_seen = lambda now: (  # noqa: E731
        now.values("pgbackrest_backups", backup_type="full") == [0, 0]
        and now.value("pgbackrest_backups_restorable", repo_key="1") == 0
    )
    with played_by(stage, exporter, is_seen):
        none = [("PgBackRestNoFullBackup", key) for key in "12"]
        stage.tell("none", is_seen, 40, *none, ("PgBackRestRecoveryPointTooOld", "1"))
    stage.conclude(tmp_path, "a stanza without any backup", none, [("PgBackRestRecoveryPointTooOld", "1")])
