"""The configuration of archive_command, judged before any WAL segment fails."""
import pytest
from exporter import FAST, configuration
from pgbackrest import PROGRAM
from process import wait_until
from test_paging import pages, scraped

VALID = "pgbackrest_archive_config_valid"
ERROR = "pgbackrest_archive_config_error"
SECRETS = {"s3_key": None, "s3_key_secret": None}  # left out of pgbackrest.conf


def becomes(value):
    return lambda metrics: metrics.value(VALID) == value


def looked(metrics):
    return metrics.value("pgbackup_collector_success", collector="archive_config") == 1


def failures(bed):
    return int(bed.postgres.sql("SELECT failed_count FROM pg_stat_archiver"))


def put_repo2_into_pgbackrest_conf(bed, **changes):
    """As an owner does who forgets where archive_command runs. Returns what the file was before."""
    conf = bed.pgbackrest.configuration
    sound = conf.read_text()
    text = bed.pgbackrest.configuration_with_repo2("both.conf", **changes).read_text()
    bed.place.write(conf.name, text, 0o640)
    return sound


def test_a_sound_configuration_is_valid(bed, exporter):
    metrics = exporter.wait_for(becomes(1), 15)
    assert ERROR not in metrics
    assert "archive-push accepts the configuration" in exporter.get("/").text


def test_a_key_that_archive_command_lacks_is_known_before_any_wal_fails_and_pages_after(
    own_alerting_bed, start_exporter
):
    bed = own_alerting_bed
    bed.postgres.set("archive_timeout", 0)  # an idle database archives nothing
    exporter = start_exporter(bed, port=bed.ports["exporter"])
    exporter.wait_for(lambda m: becomes(1)(m) and m.value("pgbackrest_repo_up", repo_key="1") == 1, 15)
    wait_until(lambda: scraped(bed, "pg_stat_archiver_failed_count"), 15, "Prometheus has no sample")
    before = failures(bed)

    sound = put_repo2_into_pgbackrest_conf(bed, s3_key=None)
    metrics = exporter.wait_for(becomes(0), 15)
    assert metrics.value(ERROR, reason="config") == 1
    assert metrics.value("pgbackrest_repo_up", repo_key="1") == 1
    assert failures(bed) == before
    page = exporter.get("/").text
    assert "archive-push command requires option: repo2-s3-key" in page
    assert "PGBACKREST_REPO2_S3_KEY in the environment" in page
    assert "archive_command cannot archive" in exporter.log

    bed.postgres.switch_wal()
    wait_until(lambda: failures(bed) > before, 30, "no segment fails")
    wait_until(lambda: pages(bed, "firing"), 60, "no page arrived")
    metrics = exporter.metrics()
    assert (metrics.value(VALID), metrics.value("pgbackrest_repo_up", repo_key="1")) == (0, 1)

    bed.place.write(bed.pgbackrest.configuration.name, sound, 0o640)
    metrics = exporter.wait_for(becomes(1), 15)
    assert ERROR not in metrics


def test_credentials_in_the_servers_own_environment_are_enough(own_bed, start_exporter):
    bed = own_bed
    put_repo2_into_pgbackrest_conf(bed, **SECRETS)
    exporter = start_exporter(bed)
    exporter.wait_for(becomes(0), 15)
    bed.postgres.environment = bed.pgbackrest.repo2_environment()
    bed.postgres.restart()
    exporter.wait_for(becomes(1), 30)
    bed.postgres.wait_archived(bed.postgres.switch_wal())
    for secret in bed.pgbackrest.repo2_secrets().values():
        assert secret not in exporter.get("/").text + exporter.get("/metrics").text + exporter.log


def test_a_file_may_stand_for_the_servers_environment(bed, start_exporter):
    conf = bed.pgbackrest.configuration_with_repo2("without_keys.conf", **SECRETS)
    lines = "".join(f"{name}={value}\n" for name, value in bed.pgbackrest.repo2_environment().items())
    file = bed.place.write("server.env", lines)
    line = f'    conninfo: "{bed.postgres.conninfo}"\n'
    text = configuration(bed, FAST).replace(line, f"{line}    archive-environment: {file}\n")
    assert str(file) in text
    bed.postgres.set("archive_command", f"{PROGRAM} --config={conf} --stanza=main archive-push %p")
    try:
        without = start_exporter(bed)
        without.wait_for(becomes(0), 15)
        start_exporter(bed, text=text).wait_for(becomes(1), 15)
    finally:
        bed.postgres.reset("archive_command")


@pytest.fixture
def wrapper(bed):
    """archive_command is a script that calls pgbackrest."""
    call = bed.postgres.archive_command.replace("%p", '"$1"')
    script = bed.place.write("archive.sh", f"#!/bin/sh\nexec {call}\n", 0o755)
    bed.postgres.set("archive_command", f"{script} %p")
    yield script
    bed.postgres.reset("archive_command")


def test_a_wrapper_is_not_judged(exporter, wrapper):
    metrics = exporter.wait_for(lambda m: looked(m) and VALID not in m, 15)
    assert ERROR not in metrics
    wait_until(lambda: f"is a call of {wrapper.name}, not of pgbackrest" in exporter.get("/").text, 15, "the page")


def test_a_server_that_is_down_is_no_invalid_configuration(own_bed, start_exporter):
    exporter = start_exporter(own_bed)
    exporter.wait_for(becomes(1), 15)
    own_bed.postgres.stop()
    metrics = exporter.wait_for(lambda m: m.value("pgbackup_postgres_up") == 0 and VALID not in m, 15)
    assert ERROR not in metrics
    assert looked(metrics)
