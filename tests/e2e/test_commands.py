"""The program as whoever starts it meets it: commands, arguments, and what it is started with."""
import os
import signal
import socket
import subprocess
from contextlib import contextmanager

import pytest
from conftest import Metrics
from exporter import FAST, configuration
from process import free_port, wait_until
from web import answers_ok, get


@pytest.fixture
def program(bed, program_path):
    return bed.place.copy_program(program_path)


@pytest.fixture
def file(bed):
    return bed.place.write("commands.yml", configuration(bed, FAST))


def refuse(bed, *words):
    """Run what must be refused; what it says."""
    result = bed.place.run(words, check=False, timeout=10)
    assert (result.returncode, result.stdout) == (2, "")
    return result.stderr


@contextmanager
def started(bed, program, file, prefix=(), account=None, **how):
    """Serving, started by way of the command `prefix`: the process and its port."""
    port = free_port()
    words = [*prefix, program, f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}"]
    account = bed.place.account.popen_arguments() if account is None else account
    process = subprocess.Popen(words, env=bed.place.environment(), cwd="/", **account, **how)
    try:
        wait_until(lambda: answers_ok(port, "/-/healthy"), 10, "the exporter does not answer")
        yield process, port
        process.terminate()
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()


def metrics_once(port, condition, what):
    def holds():
        metrics = Metrics.parse(get(port, "/metrics").text)
        return metrics if condition(metrics) else None

    return wait_until(holds, 15, what)


def test_an_unknown_command_is_refused(bed, program, file):
    assert refuse(bed, program, f"--config.file={file}", "chek-config") == (
        "pgbackup_exporter: unknown command chek-config (see --help)\n"
    )


@pytest.mark.parametrize("command", ["serve", "check-config"])
def test_a_command_takes_no_argument(bed, program, file, command):
    assert refuse(bed, program, f"--config.file={file}", command, "now") == (
        f"pgbackup_exporter: {command} takes no argument, got now\n"
    )


def test_check_config_refuses_what_serving_would(bed, program):
    file = bed.place.write("wrong.yml", "intervals: {archiver: fast}\n")
    assert "wrong.yml:1:23: intervals.archiver: " in refuse(bed, program, f"--config.file={file}", "check-config")


def test_check_config_warns_when_nothing_would_be_watched(bed, program):
    conf = bed.place.write("empty.conf", "[global]\nrepo1-path=/var/lib/pgbackrest\n")
    file = bed.place.write("empty.yml", f"pgbackrest: {{config: {conf}}}\n")
    said = bed.place.run([program, f"--config.file={file}", "check-config"]).stdout
    assert "warning:       no stanza is configured, so nothing will be watched\n" in said


def test_check_config_tells_a_repository_host(bed, program):
    text = f"pgbackrest: {{config: {bed.pgbackrest.configuration}}}\npostgres: []\n"
    file = bed.place.write("host.yml", text)
    said = bed.place.run([program, f"--config.file={file}", "check-config"]).stdout
    assert "stanza main: no PostgreSQL here (repository host)\n" in said
    assert "collector archiver:\n" in said


def test_a_page_that_does_not_exist_is_refused(bed, program):
    assert '"alerts" is not one of configuration, metrics' in refuse(bed, program, "--dump-docs=alerts")


def test_a_text_that_could_not_be_written_is_an_error(bed, program):
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = subprocess.run([program, "--version"], stdout=full, timeout=10, check=False,
                                **bed.place.account.popen_arguments())  # fmt: skip
    assert result.returncode == 1


def test_serve_can_be_named(bed, program, file):
    with started(bed, program, file, ["sh", "-c", 'exec "$@" serve', "sh"], stderr=subprocess.DEVNULL) as (_, port):
        assert get(port, "/").status == 200


def test_closed_standard_descriptors_are_not_given_to_anything_else(bed, program, file):
    with started(bed, program, file, ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]) as (process, _):
        descriptors = [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)]
    assert descriptors == ["/dev/null"] * 3


def test_an_ignored_end_of_children_is_heeded_again(bed, program, file):
    """Else no child could be waited for, and each look at a repository would fail."""
    with started(bed, program, file, ["env", "--ignore-signal=CHLD"], stderr=subprocess.DEVNULL) as (_, port):
        metrics_once(port, lambda m: m.values("pgbackrest_repo_up") == [1, 1], "the repositories are not seen")


def test_a_reader_of_the_log_that_is_gone_ends_nothing(bed, program, file):
    with started(bed, program, file, stderr=subprocess.PIPE) as (process, port):
        reloaded = "pgbackup_config_last_reload_success_timestamp_seconds"
        before = Metrics.parse(get(port, "/metrics").text).value(reloaded)
        process.stderr.close()
        process.send_signal(signal.SIGHUP)  # whose outcome is logged
        metrics_once(port, lambda m: m.value(reloaded) > before, "no reload")
        assert process.poll() is None


def test_whoever_starts_it_it_serves_as_the_account_of_the_servers(bed, program, file):
    with started(bed, program, file, account={}, stderr=subprocess.DEVNULL) as (process, _):
        assert os.stat(f"/proc/{process.pid}").st_uid == bed.place.account.uid
        with open(f"/proc/{process.pid}/status", encoding="utf-8") as status:
            uids = next(line.split()[1:] for line in status if line.startswith("Uid:"))
    assert set(uids) == {str(bed.place.account.uid)}


def test_a_file_that_only_root_can_read_is_refused_at_the_start(bed, program, file):
    """Not by the first reload, hours later."""
    if os.geteuid() == 0:
        os.chown(file, 0, 0)
    else:
        file.chmod(0)
    result = subprocess.run([program, f"--config.file={file}"], env=bed.place.environment(), capture_output=True,
                            text=True, timeout=10, check=False)  # fmt: skip
    assert result.returncode == 2
    assert f"cannot open {file}: Permission denied" in result.stderr


def test_it_is_ready_when_the_first_collection_has_ended(bed, start_exporter):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        conninfo = f"host=127.0.0.1 port={silent.getsockname()[1]}"
        text = configuration(bed, FAST).replace(bed.postgres.conninfo, conninfo)
        exporter = start_exporter(bed, text=text + "timeouts: {archiver: 3s}\n")
        before = exporter.get("/-/ready")
        assert (before.status, before.text) == (503, "the first collection has not ended yet\n")
        assert exporter.get("/-/healthy").text == "healthy\n"
        wait_until(lambda: exporter.get("/-/ready").status == 200, 15, "it does not become ready")
        assert exporter.get("/-/ready").text == "ready\n"
