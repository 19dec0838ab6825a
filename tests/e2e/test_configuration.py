"""Start, refusal to start, and reload, as an operator meets them."""
import json
import signal
import subprocess
import time

import pytest
from conftest import REPOSITORY
from exporter import FAST, configuration
from process import free_port

DEBIAN_DEFAULT = """\
[global]
repo1-path=/var/lib/pgbackrest
#repo1-retention-full=2

#[main]
#pg1-path=/var/lib/postgresql/13/main
"""


def well(metrics):
    return metrics.value("pgbackup_postgres_up") == 1 and metrics.values("pgbackrest_repo_up") == [1, 1]


def refuse(bed, start_exporter_program, text, *flags):
    """Run it with a file that must be refused; what it says, without the file's folder."""
    file = bed.place.write("refused.yml", text)
    result = bed.place.run([start_exporter_program, f"--config.file={file}", *flags], check=False, timeout=10)
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    return result.stderr.replace(f"{bed.root}/", "")


@pytest.fixture
def program(bed, program_path):
    return bed.place.copy_program(program_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("pgbackrst: {}\n", "refused.yml:1:1: pgbackrst: unknown key"),
        ("intervals: {archiver: fast}\n", "refused.yml:1:23: intervals.archiver: "),
        ("intervals: {archiver: 0s}\n", "refused.yml:1:23: intervals.archiver: "),
        ("repositories: 7\n", "refused.yml:1:15: repositories: "),
        ("repositories: [{key: 1}, {key: 1}]\n", "refused.yml:1:"),
        ("a: [\n", "refused.yml:"),
    ],
    ids=["unknown key", "wrong type", "out of range", "not a list", "duplicate key", "not YAML"],
)
def test_a_bad_file_is_refused_with_its_place(bed, program, text, complaint):
    said = refuse(bed, program, text)
    assert complaint in said


def test_a_file_that_was_named_must_be_there(bed, program):
    result = bed.place.run([program, f"--config.file={bed.root}/absent.yml"], check=False, timeout=10)
    assert result.returncode == 2
    assert "absent.yml" in result.stderr


def test_a_taken_port_is_a_clear_error(bed, exporter, program):
    file = bed.place.write("second.yml", configuration(bed, FAST))
    listen = f"--web.listen-address=127.0.0.1:{exporter.port}"
    result = bed.place.run([program, f"--config.file={file}", listen], check=False, timeout=10)
    assert result.returncode == 1, "a new try may work, so it is no error of the configuration"
    assert f"127.0.0.1:{exporter.port}" in result.stderr and "Address already in use" in result.stderr


def test_check_config_says_how_it_was_understood(bed, program):
    file = bed.place.write("checked.yml", configuration(bed, FAST))
    said = bed.place.run([program, f"--config.file={file}", "check-config"]).stdout
    assert "stanza main: with PostgreSQL" in said
    assert "repository 1 (nas): posix" in said
    assert "repository 2 (r2): s3" in said
    assert "collector backups: main/repo1 main/repo2" in said


def test_debians_default_configuration_is_not_an_empty_green_page(bed, start_exporter):
    conf = bed.place.write("debian.conf", DEBIAN_DEFAULT)
    exporter = start_exporter(bed, text=f"pgbackrest: {{config: {conf}}}\n")
    page = exporter.get("/").text
    assert "No stanza is configured" in page and str(conf) in page
    assert "no stanza is configured" in exporter.log
    assert exporter.get("/-/ready").status == 200


def test_it_needs_no_file_of_its_own(bed, start_exporter):
    """pgbackrest.conf alone: stanza, repository 1 and PostgreSQL's socket are found."""
    text = f"pgbackrest: {{config: {bed.pgbackrest.configuration}}}\nintervals: {{archiver: 1s, backups: 1s}}\n"
    exporter = start_exporter(bed, text=text)
    metrics = exporter.wait_for(lambda m: m.values("pgbackrest_repo_up") == [1], 15)
    metrics = exporter.wait_for(lambda m: m.value("pgbackup_postgres_up") == 1, 15)
    assert metrics.value("pgbackrest_backups", stanza="main", repo_key="1", backup_type="full") >= 1


def reloads(metrics):
    return metrics.value("pgbackup_config_last_reload_success_timestamp_seconds")


def test_a_reload_takes_a_new_file(bed, exporter):
    exporter.wait_for(well, 15)
    before = reloads(exporter.metrics())
    bed.place.write(f"{exporter.process.name}.yml", configuration(bed, FAST).replace("name: nas", "name: attic"))
    exporter.process.signal(signal.SIGHUP)
    metrics = exporter.wait_for(lambda m: reloads(m) > before, 10)
    metrics = exporter.wait_for(lambda m: "attic" in {labels["name"] for labels, _ in m["pgbackrest_repo_info"]}, 10)
    assert metrics.value("pgbackup_config_last_reload_successful") == 1


def test_a_reload_leaves_what_did_not_change(bed, start_exporter):
    exporter = start_exporter(bed, intervals={"archiver": "1h", "backups": "1h"})
    first = exporter.wait_for(well, 15)
    exporter.process.signal(signal.SIGHUP)
    later = exporter.wait_for(lambda m: reloads(m) > reloads(first), 10)
    attempts = "pgbackup_collector_last_attempt_timestamp_seconds"
    for collector in ("archiver", "backups"):
        assert later.values(attempts, collector=collector) == first.values(attempts, collector=collector)


def test_a_reload_with_a_bad_file_keeps_the_old_one(bed, exporter):
    exporter.wait_for(well, 15)
    bed.place.write(f"{exporter.process.name}.yml", "nonsense: [\n")
    exporter.process.signal(signal.SIGHUP)
    metrics = exporter.wait_for(lambda m: m.value("pgbackup_config_last_reload_successful") == 0, 10)
    assert well(metrics)
    assert "configuration not reloaded" in exporter.log
    bed.place.write(f"{exporter.process.name}.yml", configuration(bed, FAST))
    exporter.wait_for(lambda m: m.value("pgbackup_config_last_reload_successful") == 1, 20)


def test_a_change_of_pgbackrest_conf_is_noticed(bed, start_exporter):
    conf = bed.place.write("changing.conf", DEBIAN_DEFAULT)
    exporter = start_exporter(bed, text=f"pgbackrest: {{config: {conf}}}\nintervals: {{backups: 1s}}\n")
    bed.place.write("changing.conf", bed.pgbackrest.configuration.read_text())
    exporter.wait_for(lambda m: m.values("pgbackrest_repo_up") == [1], 20)
    assert "No stanza is configured" not in exporter.get("/").text


def test_a_collector_can_be_switched_off(bed, start_exporter):
    exporter = start_exporter(bed, flags=["--no-collector.archiver"])
    metrics = exporter.wait_for(lambda m: m.values("pgbackrest_repo_up") == [1, 1], 15)
    assert not [name for name in metrics if name.startswith("pg_stat_archiver_")]


def test_help_version_and_reference_pages(program, bed):
    def say(*words):
        return bed.place.run([program, *words]).stdout

    assert say("--version").startswith("pgbackup_exporter ")
    for word in ("--config.file", "--web.listen-address", "--no-collector.archiver", "check-config"):
        assert word in say("--help").replace("[no-]", "no-")
    assert "pg_stat_archiver_failed_count" in say("--dump-docs=metrics")
    assert "repositories" in say("--dump-docs=configuration")


@pytest.mark.parametrize("page", ["configuration", "metrics"])
def test_the_reference_pages_do_not_lag_behind(program, bed, page):
    written = (REPOSITORY / "docs" / f"{page}.md").read_text()
    assert written == bed.place.run([program, f"--dump-docs={page}"]).stdout, "run make docs"


@pytest.mark.parametrize("flag", ["--web.no-such=/x", "--no-such-flag", "--log.level=loud"])
def test_an_unknown_flag_is_refused(program, bed, flag):
    result = bed.place.run([program, flag], check=False, timeout=10)
    assert result.returncode == 2
    assert flag.split("=", maxsplit=1)[0] in result.stderr


def test_json_logs_are_json(bed, start_exporter):
    exporter = start_exporter(bed, flags=["--log.format=json"])
    exporter.wait_for(well, 15)
    lines = [json.loads(line) for line in exporter.log.splitlines()]
    assert "listening" in {line["msg"] for line in lines}


def test_the_environment_stands_in_for_flags(bed, program):
    port = free_port()
    file = bed.place.write("environment.yml", configuration(bed, FAST))
    variables = {
        "PGBACKUP_EXPORTER_WEB_LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "PGBACKUP_EXPORTER_CONFIG_FILE": str(file),
    }
    process = subprocess.Popen(
        [program], env={**bed.place.environment(), **variables}, stderr=subprocess.PIPE, text=True,
        **bed.place.account.popen_arguments(),
    )  # fmt: skip
    try:
        time.sleep(1)
        assert process.poll() is None
    finally:
        process.terminate()
        said = process.communicate(timeout=10)[1]
    assert f"port={port}" in said
