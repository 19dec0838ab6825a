"""What /metrics says of two real repositories and a real server."""
import json
import subprocess
import time

import pytest
from process import wait_until
from web import get

TYPES = ("full", "diff", "incr")
# Counters without _total: the names are PostgreSQL's own, and what everybody's rules use.
POSTGRES_NAMES = {"pg_stat_archiver_archived_count", "pg_stat_archiver_failed_count"}


def settled(metrics):
    return metrics.value("pgbackup_postgres_up") == 1 and metrics.values("pgbackrest_repo_up") == [1, 1]


def test_archiving_is_counted(bed, exporter):
    first = exporter.wait_for(settled, 10)
    before = first.value("pg_stat_archiver_archived_count", stanza="main")
    failed = first.value("pg_stat_archiver_failed_count", stanza="main")
    bed.postgres.wait_archived(bed.postgres.switch_wal())
    metrics = exporter.wait_for(lambda m: m.value("pg_stat_archiver_archived_count") > before, 10)
    assert metrics.value("pg_stat_archiver_failed_count", stanza="main") == failed
    assert metrics.value("pg_archiver_failing") == 0
    assert metrics.value("pg_archiver_enabled") == 1
    assert 0 <= metrics.value("pg_stat_archiver_last_archive_age") < 30
    assert metrics.value("pg_wal_lsn_bytes") >= metrics.value("pg_wal_last_archived_lsn_bytes") > 0


@pytest.mark.parametrize("repo", [1, 2])
def test_each_repository_tells_its_own_backups(bed, exporter, repo):
    metrics = exporter.wait_for(settled, 10)
    labels = {"stanza": "main", "repo_key": str(repo)}
    stops = {b["type"]: b["timestamp"]["stop"] for b in bed.pgbackrest.info(repo)["backup"]}
    assert set(stops) == {"full", "incr"}
    for kind, stop in stops.items():
        age = metrics.value("pgbackrest_backup_age_seconds", backup_type=kind, **labels)
        assert metrics.value("pgbackrest_backups", backup_type=kind, **labels) == 1
        assert metrics.value("pgbackrest_backup_last_completion_timestamp_seconds", backup_type=kind, **labels) == stop
        assert abs(age - (time.time() - stop)) < 3


def test_a_type_never_stands_for_another_type(exporter):
    metrics = exporter.wait_for(settled, 10)
    assert metrics.values("pgbackrest_backups", backup_type="diff") == [0, 0]
    assert metrics.values("pgbackrest_backup_age_seconds", backup_type="diff") == []


def test_ages_grow_between_polls(bed, start_exporter):
    exporter = start_exporter(bed, intervals={"archiver": "1h", "backups": "1h"})
    first = exporter.wait_for(settled, 10).value("pgbackrest_backup_age_seconds", repo_key="1", backup_type="full")
    time.sleep(1.1)
    second = exporter.metrics().value("pgbackrest_backup_age_seconds", repo_key="1", backup_type="full")
    assert 1 <= second - first < 3


def test_the_repositories_are_named(exporter):
    metrics = exporter.wait_for(settled, 10)
    info = {labels["repo_key"]: labels for labels, _ in metrics["pgbackrest_repo_info"]}
    told = ("name", "storage", "continuous_wal")
    assert [info["1"][label] for label in told] == ["nas", "posix", "true"]
    assert [info["2"][label] for label in told] == ["r2", "s3", "false"]


def test_every_type_is_said_of_every_repository(exporter):
    metrics = exporter.wait_for(settled, 10)
    said = {(labels["repo_key"], labels["backup_type"]) for labels, _ in metrics["pgbackrest_backups"]}
    assert said == {(repo, kind) for repo in "12" for kind in TYPES}


def test_the_stanza_is_well_when_all_its_repositories_are(exporter):
    metrics = exporter.wait_for(settled, 10)
    assert exporter.wait_for(lambda m: m.value("pgbackrest_stanza_status", stanza="main") == 0, 10)
    assert metrics.value("pgbackup_exporter_build_info") == 1


def test_promtool_finds_nothing_but_the_two_names(exporter):
    exporter.wait_for(settled, 10)
    text = exporter.get("/metrics").text
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    complaints = {line.split(" ", 1)[0] for line in (result.stdout + result.stderr).splitlines() if line.strip()}
    assert complaints <= POSTGRES_NAMES, result.stdout + result.stderr


def test_prometheus_says_the_target_is_up(bed, exporter):
    def target():
        answer = json.loads(get(bed.prometheus.port, "/api/v1/targets?state=active").text)
        return [t for t in answer["data"]["activeTargets"] if t["health"] == "up"]

    found = wait_until(target, 20, "Prometheus does not scrape the exporter")
    assert found[0]["scrapeUrl"].endswith(f":{exporter.port}/metrics")


def test_no_secret_is_anywhere(bed, exporter):
    exporter.wait_for(settled, 10)
    bed.s3.break_with(status=403, code="InvalidAccessKeyId")
    try:
        exporter.wait_for(lambda m: m.value("pgbackrest_repo_error", repo_key="2", reason="auth") == 1, 30)
        shown = exporter.get("/metrics").text + exporter.get("/").text + exporter.log
        own = bed.s3.credentials
        assert own.secret not in shown
        assert own.key not in shown
    finally:
        bed.s3.repair()
