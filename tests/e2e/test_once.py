"""The command that looks once: its page, its file, and what it does when something hangs."""
import signal
import socket
import stat
import subprocess

import pytest
from conftest import Metrics
from exporter import FAST, configuration


@pytest.fixture
def once(bed, program_path):
    """once(*arguments): the words of the command on the shared bed."""
    program = bed.place.copy_program(program_path)
    file = bed.place.write("once.yml", configuration(bed, FAST))
    return lambda *arguments: [program, f"--config.file={file}", "once", *arguments]


def has_settled(metrics):
    return all(
        metrics.value("pgbackrest_backups_restorable", repo_key=key) is not None
        and metrics.value("pgbackrest_wal_foreign_timelines", repo_key=key) is not None
        for key in ("1", "2")
    )


def test_it_writes_what_a_scrape_says(bed, exporter, once):
    served = exporter.wait_for(has_settled, 25)
    written = Metrics.parse(bed.place.run(once(), timeout=60).stdout)
    assert set(served) == set(written)
    for name in (
        "pgbackrest_backups",
        "pgbackrest_backups_restorable",
        "pgbackrest_wal_missing_segments",
        "pgbackrest_recovery_window_start_timestamp_seconds",
    ):
        assert written[name] == served[name]


def test_its_verdict_is_that_of_two_looks(bed, once):
    written = Metrics.parse(bed.place.run(once(), timeout=60).stdout)
    assert written.value("pgbackrest_backups_restorable", repo_key="2") == 0
    assert written.value("pgbackrest_wal_missing_segments", repo_key="1", scope="since_last_backup") == 0


def test_a_file_is_written_whole_and_for_all_to_read(bed, once):
    folder = bed.place.path("data", "textfile")
    folder.mkdir()
    bed.place.account.own(folder)
    page = folder / "pgbackup.prom"
    result = bed.place.run(once("--output-file", page), timeout=60)
    assert (result.stdout, result.stderr) == ("", "")
    assert stat.S_IMODE(page.stat().st_mode) == 0o644
    assert Metrics.parse(page.read_text()).value("pgbackup_postgres_up") == 1
    assert list(folder.iterdir()) == [page]


def test_a_file_that_cannot_be_written_is_named(bed, once):
    result = bed.place.run(once("--output-file=/nowhere/page.prom"), check=False, timeout=60)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.endswith("pgbackup_exporter: cannot write /nowhere/page.prom: No such file or directory\n")


def test_what_hangs_is_named_and_all_else_is_written(bed, once):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = configuration(bed, FAST).replace(
            bed.postgres.conninfo, f"host=127.0.0.1 port={silent.getsockname()[1]}"
        )
        file = bed.place.write("once-hangs.yml", text + "timeouts: {archiver: 60s}\n")
        program, _, *words = once("--timeout=5s")
        result = bed.place.run([program, f"--config.file={file}", *words], check=False, timeout=60)
    assert result.returncode == 1
    assert "collector archiver, target main: no answer in time" in result.stderr
    assert Metrics.parse(result.stdout).value("pgbackrest_backups", repo_key="1", backup_type="full") == 1


def test_it_ends_when_it_is_told_to(bed, once):
    account = bed.place.account.popen_arguments()
    process = subprocess.Popen(once(), stdout=subprocess.PIPE, env=bed.place.environment(), **account)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=10)[0] == b""
    assert process.returncode in (1, -signal.SIGTERM)  # before it takes signals the system ends it
