"""`run` stays with the commands that matter: it records them, waits for their lock, and restores."""
import json
import signal
import subprocess
import time

import pytest
from exporter import FAST, configuration
from process import wait_until
from restored import Restored

STATUS = "pgbackrest_command_last_exit_status"
END = "pgbackrest_command_last_end_timestamp_seconds"


@pytest.fixture(scope="module")
def bed():
    from bed import Bed

    bed = Bed().start(alerting=False)
    yield bed
    bed.stop()


@pytest.fixture(scope="module")
def words(bed, program_path):
    """words(*words): the whole command line of `run`."""
    program = bed.place.copy_program(program_path)
    file = bed.place.write("run.yml", configuration(bed, FAST))
    return lambda *words: [str(program), f"--config.file={file}", "run", *words]


@pytest.fixture(scope="module")
def run(bed, words):
    return lambda *given, **how: bed.place.run(words(*given), **how)


@pytest.fixture
def begin(bed, words):
    """begin(*words): the process of a `run` that goes on; it is ended with the test."""
    begun = []

    def begin(*given):
        begun.append(
            subprocess.Popen(words(*given), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/",
                             env=bed.place.environment(), **bed.place.account.popen_arguments())
        )  # fmt: skip
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def exporter(bed, start_exporter):
    return start_exporter(bed)


def record(bed, repo, command):
    return json.loads(bed.place.path("data", "state", "command", f"main.repo{repo}.{command}.json").read_text())


class Lock:
    """The stanza's lock, held by a process of the servers' account as pgBackRest does."""

    def __init__(self, bed):
        self.bed = bed
        self.process = None

    def __enter__(self):
        path = self.bed.place.path("lock") / "main-backup.lock"
        self.bed.place.run(["touch", path])
        self.process = subprocess.Popen(
            ["flock", str(path), "sleep", "600"], start_new_session=True, **self.bed.place.account.popen_arguments()
        )
        wait_until(lambda: self.bed.place.run(["flock", "-n", path, "true"], check=False).returncode, 10, "no lock")
        return self

    def release(self):
        self.bed.place.run(["kill", "--", f"-{self.process.pid}"], check=False)
        self.process.wait()

    def __exit__(self, *_):
        self.release()


def test_how_commands_end_is_recorded_and_told(bed, run, exporter):
    before = time.time()
    run("--repo=1", "--", "expire")
    assert run("--repo=2", "--", "check", "--archive-timeout=1", check=False).returncode == 82
    metrics = exporter.wait_for(lambda now: now.value(STATUS, repo_key="2", command="check") == 82, 20)
    assert metrics.value(STATUS, repo_key="1", command="expire") == 0
    assert before <= metrics.value(END, repo_key="1", command="expire") <= time.time()
    assert metrics.value(STATUS, repo_key="1", command="check") is None


def test_a_command_that_cannot_begin_is_recorded_as_failed(bed, run):
    away = bed.credentials_file.with_suffix(".away")
    bed.credentials_file.rename(away)
    try:
        assert run("--repo=2", "--", "expire", check=False).returncode == 2
    finally:
        away.rename(bed.credentials_file)
    assert record(bed, 2, "expire")["exit_status"] == 2
    run("--repo=2", "--", "expire")
    assert record(bed, 2, "expire")["exit_status"] == 0


def test_a_command_without_a_repository_is_recorded_for_all_and_a_backup_for_the_one_it_goes_to(bed, run):
    run("--", "stanza-create")
    assert record(bed, 1, "stanza-create")["exit_status"] == record(bed, 2, "stanza-create")["exit_status"] == 0
    run("--", "backup", "--type=incr")
    assert record(bed, 1, "backup")["exit_status"] == 0
    with pytest.raises(FileNotFoundError):
        record(bed, 2, "backup")


def test_a_backup_that_fails_keeps_pgbackrests_status(bed, run):
    assert run("--repo=1", "--", "backup", "--type=nonsense", check=False).returncode == 32
    assert record(bed, 1, "backup")["exit_status"] == 32


def test_a_supervisor_that_is_killed_has_failed(bed, run, begin, exporter):
    with Lock(bed):
        waiting = begin("--repo=1", "--lock-wait=10m", "--", "expire")
        assert "held by process" in waiting.stderr.readline()
        waiting.kill()
        waiting.wait()
        exporter.wait_for(lambda now: now.value(STATUS, repo_key="1", command="expire") == 137, 20)
    run("--repo=1", "--", "expire")
    exporter.wait_for(lambda now: now.value(STATUS, repo_key="1", command="expire") == 0, 20)


def test_a_state_folder_that_cannot_be_written_hinders_no_command(bed, program_path):
    text = configuration(bed, FAST).replace(str(bed.place.path("data", "state")), "/proc/nowhere")
    file = bed.place.write("stateless.yml", text)
    program = bed.place.copy_program(program_path)
    result = bed.place.run([program, f"--config.file={file}", "run", "--repo=1", "--", "expire"])
    assert result.stderr.count("pgbackup_exporter: not recorded: cannot make the folder") == 1


# ---- The lock ----


def test_without_a_wait_a_held_lock_is_pgbackrests_own_failure(run, bed):
    with Lock(bed):
        result = run("--repo=1", "--", "expire", check=False)
    assert result.returncode == 50 and "unable to acquire lock" in result.stderr
    assert record(bed, 1, "expire")["exit_status"] == 50


def test_the_wait_tells_who_holds_the_lock_and_ends_with_it(bed, begin):
    with Lock(bed) as lock:
        waiting = begin("--repo=1", "--lock-wait=10m", "--", "expire")
        told = waiting.stderr.readline()
        assert "main-backup.lock, held by process" in told and "sleep 600" in told
        lock.release()
        assert waiting.wait(30) == 0


def test_a_wait_that_is_over_ends_as_pgbackrest_does(bed, run):
    with Lock(bed):
        assert run("--repo=1", "--lock-wait=1s", "--", "expire", check=False).returncode == 50


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_at_once(bed, begin, number):
    with Lock(bed):
        waiting = begin("--repo=1", "--lock-wait=10m", "--", "expire")
        waiting.stderr.readline()
        waiting.send_signal(number)
        assert waiting.wait(10) == 128 + number
    assert record(bed, 1, "expire") | {"ended": True, "exit_status": 128 + number} == record(bed, 1, "expire")


def test_a_signal_reaches_the_command(bed, begin):
    bed.s3.break_with(delay_ms=3000)
    try:
        backup = begin("--repo=2", "--", "backup", "--type=full")
        wait_until(lambda: bed.place.run(["flock", "-n", bed.place.path("lock") / "main-backup.lock", "true"],
                                         check=False).returncode, 30, "the backup does not begin")  # fmt: skip
        backup.send_signal(signal.SIGTERM)
        assert backup.wait(60) == 63
    finally:
        bed.s3.repair()
    assert record(bed, 2, "backup")["exit_status"] == 63


def test_all_commands_of_two_in_the_morning_work_one_after_the_other(bed, begin):
    wait = "--lock-wait=5m"
    everything = [
        begin("--repo=1", wait, "--", "backup", "--type=full"),
        begin("--repo=2", wait, "--", "backup", "--type=full"),
        begin("--repo=1", wait, "--", "backup", "--type=incr"),
        begin("--repo=1", wait, "--", "expire"),
    ]
    ends = [process.communicate(timeout=180) for process in everything]
    assert [process.returncode for process in everything] == [0, 0, 0, 0], ends
    assert record(bed, 1, "backup")["exit_status"] == record(bed, 2, "backup")["exit_status"] == 0


# ---- Restoring ----


class RestoredByRun(Restored):
    """By `run -- restore`, or by the plain line that it prints; the server's environment has no credentials."""

    def __init__(self, bed, repo, restore):
        super().__init__(bed, repo)
        self.server.environment = {}
        self.restore = restore

    def _restore(self):
        self.server.data.mkdir(mode=0o700)
        self.bed.place.account.own(self.server.data)
        self.restore(f"--repo={self.repo}", [f"--pg1-path={self.server.data}", "--no-delta", "--archive-mode=off"])
        with open(self.server.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(f"port = {self.server.port}\n{self.settings}")


@pytest.fixture(scope="module")
def complete(bed, run):
    """Both repositories restore 1000 rows, repository 2 by the WAL that was copied for its backup."""
    bed.postgres.sql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    run("--repo=2", "--", "backup", "--type=incr")
    bed.postgres.wait_archived(bed.postgres.switch_wal())


def has_all(server):
    return server.sql("SELECT sum(number) FROM kept") == "500500"


@pytest.mark.parametrize("repo", [1, 2])
def test_a_restored_server_gets_its_wal_without_credentials_of_its_own(bed, run, complete, repo):
    with RestoredByRun(bed, repo, lambda which, options: run(which, "--", "restore", *options)) as server:
        assert has_all(server)
        assert f"run --stanza main --repo {repo} -- archive-get --no-archive-async --pg1-path=" in (
            server.server.data / "postgresql.auto.conf"
        ).read_text()


@pytest.mark.parametrize("repo", [1, 2])
def test_the_printed_line_restores_the_same_without_us(bed, run, complete, repo):
    def restore(which, options):
        line = run(which, "--print", "--", "restore", *options).stdout
        assert bed.s3.credentials.secret not in line and "pgbackup_exporter" not in line.replace(str(bed.root), "")
        bed.place.run(["sh", "-c", line])

    with RestoredByRun(bed, repo, restore) as server:
        assert has_all(server)


def test_a_configuration_file_with_odd_characters_in_its_name_works_in_the_restored_server(bed, program_path, complete):
    file = bed.place.write("it's 100%p \\run.yml", configuration(bed, FAST))
    program = bed.place.copy_program(program_path)

    def restore(which, options):
        bed.place.run([program, f"--config.file={file}", "run", which, "--", "restore", *options])

    with RestoredByRun(bed, 2, restore) as server:
        assert has_all(server)


def test_a_restore_without_recovery_gets_no_restore_command(bed, run, complete):
    data = bed.place.path("data", "unrecovered")
    data.mkdir(mode=0o700)
    bed.place.account.own(data)
    run("--repo=1", "--", "restore", f"--pg1-path={data}", "--no-delta", "--type=none")
    assert "restore_command" not in (data / "postgresql.auto.conf").read_text()
