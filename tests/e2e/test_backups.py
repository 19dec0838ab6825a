"""The collector backups on the real bed: promises, faults of S3 and of the file system, rotation."""
import re
import signal
from contextlib import contextmanager

import pytest
from exporter import FAST, configuration
from pgbackrest import Credentials

REPO1 = {"stanza": "main", "repo_key": "1"}
REPO2 = {"stanza": "main", "repo_key": "2"}
SHORT = "timeouts: {backups: 4s}\n"


def both_up(metrics):
    return metrics.values("pgbackrest_repo_up") == [1, 1]


def repo2_fails_with(reason):
    return lambda metrics: metrics.value("pgbackrest_repo_error", reason=reason, **REPO2) == 1


def expect_facts_and_promises(metrics, labels):
    assert metrics.value("pgbackrest_backup_age_seconds", backup_type="full", **labels) > 0
    assert metrics.value("pgbackrest_repo_last_up_timestamp_seconds", **labels) > 0
    assert metrics.value("pgbackrest_backup_objective_seconds", backup_type="full", **labels) == 97200
    assert metrics.values("pgbackrest_repo_info", **labels) == [1]


def test_what_is_promised_is_told_with_the_labels_of_what_it_limits(exporter):
    metrics = exporter.wait_for(both_up, 15)
    assert metrics.value("pgbackrest_backup_objective_seconds", backup_type="incr", **REPO1) == 7200
    assert metrics.value("pgbackrest_backup_objective_seconds", backup_type="diff", **REPO1) is None
    assert metrics.value("pgbackrest_recovery_point_objective_seconds", **REPO1) == 900
    assert metrics.value("pgbackrest_recovery_point_objective_seconds", **REPO2) is None
    assert metrics.value("pgbackrest_restore_drill_objective_seconds", **REPO2) == 9 * 86400
    assert metrics.value("pgbackrest_restore_time_objective_seconds", **REPO1) == 7200
    assert "full 27h" in exporter.get("/").text


def test_a_changed_promise_takes_effect_at_a_reload_and_is_held_against_the_backups(bed, start_exporter):
    text = configuration(bed, FAST)
    exporter = start_exporter(bed, text=text)
    exporter.wait_for(both_up, 15)
    assert "late: " not in exporter.get("/").text and "too old: " not in exporter.get("/").text
    bed.place.write(f"{exporter.process.name}.yml", text.replace("full: 27h", "full: 1s"))
    exporter.process.signal(signal.SIGHUP)
    exporter.wait_for(lambda m: m.values("pgbackrest_backup_objective_seconds", backup_type="full") == [1, 1], 15)
    exporter.wait_for(both_up, 15)
    assert re.search(r"too old: last full backup .{10} .{5} UTC, promised every 1s", exporter.get("/").text)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"hang": True}, "timeout"),
        ({"drip": 200}, "timeout"),
        ({"status": 403, "code": "AccessDenied"}, "permission"),
    ],
    ids=["hanging", "dripping", "403"],
)
def test_a_fault_of_s3_is_repository_2s_alone_and_leaves_what_is_known(bed, start_exporter, fault, reason):
    exporter = start_exporter(bed, text=configuration(bed, FAST) + SHORT)
    exporter.wait_for(both_up, 15)
    bed.s3.break_with(**fault)
    try:
        metrics = exporter.wait_for(repo2_fails_with(reason), 30)
        assert metrics.value("pgbackrest_repo_up", **REPO1) == 1
        expect_facts_and_promises(metrics, REPO2)
    finally:
        bed.s3.repair()
    exporter.wait_for(both_up, 30)


def test_s3_that_answers_503_is_down(bed, start_exporter):
    exporter = start_exporter(bed, text=configuration(bed, FAST) + SHORT)
    exporter.wait_for(both_up, 15)
    bed.s3.break_with(status=503, code="SlowDown")
    try:
        # pgbackrest tries again and again: whether it gives up before our deadline depends on the version
        metrics = exporter.wait_for(lambda m: m.value("pgbackrest_repo_up", **REPO2) == 0, 30)
        expect_facts_and_promises(metrics, REPO2)
    finally:
        bed.s3.repair()


def test_s3_that_refuses_connections(bed, start_exporter):
    exporter = start_exporter(bed, text=configuration(bed, FAST) + SHORT)
    exporter.wait_for(both_up, 15)
    bed.s3.stop()
    try:
        metrics = exporter.wait_for(lambda m: m.value("pgbackrest_repo_up", **REPO2) == 0, 30)
        assert metrics.values("pgbackrest_repo_error", **REPO2) == [1]
        expect_facts_and_promises(metrics, REPO2)
    finally:
        bed.s3.start()
    exporter.wait_for(both_up, 30)


def test_a_certificate_of_an_unknown_authority_is_a_matter_of_tls(bed, start_exporter):
    text = configuration(bed, FAST).replace(str(bed.s3.authority), "/etc/ssl/certs/ca-certificates.crt")
    exporter = start_exporter(bed, text=text)
    metrics = exporter.wait_for(repo2_fails_with("tls"), 30)
    assert metrics.value("pgbackrest_repo_last_up_timestamp_seconds", **REPO2) is None
    assert metrics.value("pgbackrest_backup_objective_seconds", backup_type="full", **REPO2) == 97200


def test_a_missing_pgbackrest_from_the_very_first_look_leaves_what_is_configured(bed, start_exporter):
    text = configuration(bed, FAST).replace("/usr/bin/pgbackrest", "/nowhere/pgbackrest")
    exporter = start_exporter(bed, text=text)
    metrics = exporter.wait_for(lambda m: m.values("pgbackup_collector_success", collector="backups") == [0, 0], 15)
    assert metrics.values("pgbackrest_repo_info") == [1, 1]
    assert metrics.value("pgbackrest_backup_objective_seconds", backup_type="full", **REPO1) == 97200
    assert metrics.values("pgbackrest_repo_up") == []


@contextmanager
def credentials_file(bed, text, mode=0o600):
    before = bed.credentials_file.read_text()
    bed.place.write(bed.credentials_file.name, text, mode)
    try:
        yield
    finally:
        bed.place.write(bed.credentials_file.name, before)


def test_a_malformed_credentials_file_is_refused_without_a_word_of_it(bed, exporter):
    exporter.wait_for(both_up, 15)
    with credentials_file(bed, 'AWS_ACCESS_KEY_ID="neverclosed\n'):
        exporter.wait_for(repo2_fails_with("config"), 15)
        assert "neverclosed" not in exporter.get("/").text + exporter.log
    exporter.wait_for(both_up, 20)


def test_a_credentials_file_that_all_may_read_is_warned_of(bed, exporter):
    exporter.wait_for(both_up, 15)
    with credentials_file(bed, bed.credentials_file.read_text(), 0o644):
        at = exporter.metrics().value("pgbackrest_repo_last_up_timestamp_seconds", **REPO2)
        exporter.wait_for(lambda m: m.value("pgbackrest_repo_last_up_timestamp_seconds", **REPO2) > at + 1, 15)
        assert "every user of this host can read its credentials file" in exporter.get("/").text


def test_a_key_rotated_on_both_sides_needs_no_reload(own_bed, start_exporter):
    exporter = start_exporter(own_bed)
    exporter.wait_for(both_up, 15)
    new = Credentials.new()
    own_bed.s3.stop()
    own_bed.s3.credentials = new
    own_bed.s3.start()
    exporter.wait_for(repo2_fails_with("auth"), 30)
    own_bed.place.write(own_bed.credentials_file.name, new.text())
    exporter.wait_for(both_up, 30)


def test_a_repository_that_cannot_be_entered_is_a_matter_of_permission(bed, start_exporter):
    exporter = start_exporter(bed)
    exporter.wait_for(both_up, 15)
    stanza = bed.pgbackrest.repo1 / "backup" / "main"
    mode = stanza.stat().st_mode
    stanza.chmod(0)
    try:
        metrics = exporter.wait_for(
            lambda m: m.value("pgbackrest_repo_error", reason="permission", **REPO1) == 1, 15
        )
        expect_facts_and_promises(metrics, REPO1)
    finally:
        stanza.chmod(mode)
    exporter.wait_for(both_up, 15)


def test_pgbackrest_stop_hides_no_backup(own_bed, start_exporter):
    """`stop` forbids backups and archiving; reading goes on, so the repository is up."""
    exporter = start_exporter(own_bed)
    exporter.wait_for(both_up, 15)
    own_bed.pgbackrest.run("stop")
    at = exporter.metrics().value("pgbackrest_repo_last_up_timestamp_seconds", **REPO1)
    metrics = exporter.wait_for(
        lambda m: m.value("pgbackrest_repo_last_up_timestamp_seconds", **REPO1) > at + 1, 15
    )
    assert both_up(metrics)


def test_each_backup_has_its_series_when_asked_for(bed, start_exporter):
    exporter = start_exporter(bed, flags=["--collector.backups.per-backup"])
    metrics = exporter.wait_for(both_up, 15)
    backups = bed.pgbackrest.info(1)["backup"]
    for backup in [each for each in backups if each["database"]["repo-key"] == 1]:
        found = {"backup_name": backup["label"], "backup_type": backup["type"], **REPO1}
        assert metrics.value("pgbackrest_backup_size_bytes", **found) == backup["info"]["size"]
        assert metrics.values("pgbackrest_backup_info", wal_start=backup["archive"]["start"], **found) == [1]
        assert metrics.value("pgbackrest_backup_error_status", **found) == 0
