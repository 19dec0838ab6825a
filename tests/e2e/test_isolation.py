"""One repository's trouble is its own: the other is measured as if nothing were wrong."""
import signal
import time
from contextlib import contextmanager

import pytest
from exporter import FAST, configuration

INTERVAL_SECONDS = 2
LAST_SUCCESS = "pgbackup_collector_last_success_timestamp_seconds"
ROUNDS = 3


def all_up(metrics):
    return metrics.values("pgbackrest_repo_up") == [1, 1]


def patient(text):
    """With intervals and deadlines in proportion to production's."""
    return text.split("intervals:")[0] + (
        f"intervals: {{archiver: {INTERVAL_SECONDS}s, backups: {INTERVAL_SECONDS}s}}\n"
        "timeouts: {archiver: 2s, backups: 5s}\n"
    )


@contextmanager
def hanging_s3(bed, hosts):
    bed.s3.break_with(hang=True)
    try:
        yield "2", "1"
    finally:
        bed.s3.repair()


@contextmanager
def hanging_repository_host(bed, hosts):
    """It takes connections and never answers."""
    hosts.repository.process.signal(signal.SIGSTOP)
    try:
        yield "1", "2"
    finally:
        hosts.repository.process.signal(signal.SIGCONT)


def facts(metrics, repo):
    """What was known of a repository's backups and does not change with time."""
    names = [name for name in metrics if name.startswith("pgbackrest_backup") and not name.endswith("_age_seconds")]
    return {
        (name, labels.get("backup_type")): value
        for name in names
        for labels, value in metrics[name]
        if labels.get("repo_key") == repo
    }


def age(metrics, repo):
    return metrics.value("pgbackrest_backup_age_seconds", repo_key=repo, backup_type="full")


def fresh_rounds(exporter, repo):
    """Wait for some polls of a repository one after the other; how far apart the pages saw them begin."""
    gaps = []
    last = exporter.metrics().value(LAST_SUCCESS, collector="backups", target=f"main/repo{repo}")
    for _ in range(ROUNDS):
        metrics = exporter.wait_for(
            lambda m: m.value(LAST_SUCCESS, collector="backups", target=f"main/repo{repo}") > last, 10
        )
        newest = metrics.value(LAST_SUCCESS, collector="backups", target=f"main/repo{repo}")
        gaps.append(newest - last)
        last = newest
    return gaps


@pytest.fixture
def exporter_between_hosts(encrypted_bed, hosts, start_exporter):
    """Repository 1 is behind its host, repository 2 on S3."""
    text = patient(configuration(encrypted_bed, FAST))
    text = text.replace(str(encrypted_bed.pgbackrest.configuration), str(hosts.postgres.configuration))
    exporter = start_exporter(encrypted_bed, text=text)
    exporter.wait_for(all_up, 20)
    return exporter


@pytest.mark.parametrize("hang", [hanging_s3, hanging_repository_host])
def test_a_repository_that_hangs_holds_up_nothing_but_itself(encrypted_bed, hosts, exporter_between_hosts, hang):
    exporter = exporter_between_hosts
    before = exporter.metrics()
    begun = time.time()
    with hang(encrypted_bed, hosts) as (broken, sound):
        metrics = exporter.wait_for(lambda m: m.value("pgbackrest_repo_up", repo_key=broken) == 0, 20)
        assert metrics.value("pgbackrest_repo_error", repo_key=broken, reason="timeout") == 1
        gaps = fresh_rounds(exporter, sound)
        # Jitter and a machine that is busy: still far from the deadline that the other one uses up.
        assert max(gaps) < INTERVAL_SECONDS + 3, gaps
        metrics = exporter.metrics()
        assert metrics.value("pgbackrest_repo_up", repo_key=sound) == 1
        assert metrics.value("pgbackup_postgres_up") == 1
        assert metrics.value("pgbackrest_repo_status", repo_key=broken) != 0
        assert facts(metrics, broken) == facts(before, broken) != {}
        assert abs(age(metrics, broken) - age(before, broken) - (time.time() - begun)) < 2
    exporter.wait_for(all_up, 30)


@pytest.mark.parametrize("missing", ["s3_key", "s3_bucket"])
def test_an_option_that_is_missing_in_pgbackrest_conf_hides_one_repository_only(bed, start_exporter, missing):
    """pgbackrest itself refuses every command of that configuration, also for repository 1."""
    conf = bed.pgbackrest.configuration_with_repo2("incomplete.conf", **{missing: None})
    exporter = start_exporter(bed, text=f"pgbackrest: {{config: {conf}}}\nintervals: {{backups: 1s}}\n")
    metrics = exporter.wait_for(lambda m: len(m.values("pgbackrest_repo_up")) == 2, 15)
    assert metrics.value("pgbackrest_repo_up", repo_key="1") == 1
    assert metrics.value("pgbackrest_backups", repo_key="1", backup_type="full") >= 1
    assert metrics.value("pgbackrest_repo_up", repo_key="2") == 0
    assert metrics.value("pgbackrest_repo_error", repo_key="2", reason="config") == 1
    assert f"repo2-{missing.replace('_', '-')}" in exporter.get("/").text
