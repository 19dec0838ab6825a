"""One outage of each kind: what is withheld, what stays, how it ends."""
import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest
from conftest import Metrics
from exporter import FAST, configuration
from process import free_port, wait_until
from web import answers_ok, get

STOP_LIMIT_SECONDS = 2


def up(metrics):
    return metrics.value("pgbackup_postgres_up") == 1


def down(metrics):
    return metrics.value("pgbackup_postgres_up") == 0


def well(metrics):
    return up(metrics) and metrics.values("pgbackrest_repo_up") == [1, 1]


def expect_only_facts_of_postgres(metrics):
    """The server is down: what was true only then is gone, what stays true is there."""
    assert metrics.value("pgbackup_postgres_up") == 0
    assert metrics.values("pg_in_recovery") == []
    assert metrics.values("pg_archiver_enabled") == []
    assert metrics.value("pg_stat_archiver_archived_count") is not None
    assert metrics.value("pg_stat_archiver_last_archive_age") >= 0
    assert metrics.value("pgbackup_collector_success", collector="archiver") == 1


def test_postgres_stopped_and_started(bed, exporter):
    exporter.wait_for(well, 15)
    bed.postgres.stop()
    try:
        metrics = exporter.wait_for(down, 10)
        expect_only_facts_of_postgres(metrics)
        assert metrics.values("pgbackrest_repo_up") == [1, 1], "the repositories are no concern of the server's"
    finally:
        bed.postgres.start()
    exporter.wait_for(well, 15)


def test_postgres_restarted_between_two_polls_is_not_down(bed, start_exporter):
    exporter = start_exporter(bed, intervals={"archiver": "4s"})
    first = exporter.wait_for(up, 10)
    bed.postgres.restart()
    attempt = first.value("pgbackup_collector_last_attempt_timestamp_seconds", collector="archiver")
    later = exporter.wait_for(
        lambda m: m.value("pgbackup_collector_last_attempt_timestamp_seconds", collector="archiver") > attempt, 15
    )
    assert up(later)
    assert "collector=archiver" not in exporter.log  # the others may have looked in that moment


def test_postgres_that_hangs_is_a_timeout(bed, exporter):
    exporter.wait_for(well, 15)
    bed.postgres.pause()
    try:
        metrics = exporter.wait_for(down, 20)
        expect_only_facts_of_postgres(metrics)
        assert metrics.value("pgbackup_postgres_error", reason="timeout") == 1
        assert metrics.values("pgbackrest_repo_up") == [1, 1]
    finally:
        bed.postgres.resume()
    exporter.wait_for(well, 15)


@contextmanager
def vanished_host():
    """A port whose connections are never answered, like those of a host that is gone: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            waiting.append(client)
        time.sleep(0.2)
        try:
            yield listener.getsockname()[1]
        finally:
            for client in waiting:
                client.close()


def with_conninfo(bed, conninfo, intervals=FAST):
    return configuration(bed, intervals).replace(bed.postgres.conninfo, conninfo)


def test_postgres_on_a_host_that_vanished(bed, start_exporter):
    with vanished_host() as port:
        text = with_conninfo(bed, f"host=127.0.0.1 port={port} dbname=postgres")
        exporter = start_exporter(bed, text=text)
        metrics = exporter.wait_for(down, 20)
        assert metrics.value("pgbackup_postgres_error", reason="timeout") == 1
        assert "did not answer within" in exporter.get("/").text
        assert exporter.sigterm_seconds() < STOP_LIMIT_SECONDS


def test_postgres_that_refuses(bed, start_exporter):
    text = with_conninfo(bed, f"host=127.0.0.1 port={free_port()} dbname=postgres")
    metrics = start_exporter(bed, text=text).wait_for(down, 10)
    assert metrics.value("pgbackup_postgres_error", reason="connect") == 1


def test_a_database_that_does_not_exist_is_not_called_an_outage_of_the_network(bed, start_exporter):
    text = with_conninfo(bed, bed.postgres.conninfo.replace("dbname=postgres", "dbname=nowhere"))
    metrics = start_exporter(bed, text=text).wait_for(down, 10)
    assert metrics.value("pgbackup_postgres_error", reason="auth") == 1


@pytest.mark.parametrize("state", ["healthy", "stopped", "hanging"])
def test_sigterm_ends_it_in_time_whatever_postgres_does(bed, start_exporter, state):
    exporter = start_exporter(bed)
    exporter.wait_for(up, 15)
    if state == "stopped":
        bed.postgres.stop()
    if state == "hanging":
        bed.postgres.pause()
    try:
        time.sleep(1.5)  # in the middle of a poll
        assert exporter.sigterm_seconds() < STOP_LIMIT_SECONDS
    finally:
        bed.postgres.resume()
        if state == "stopped":
            bed.postgres.start()


def test_s3_that_hangs_touches_repository_2_only(bed, start_exporter):
    text = configuration(bed, FAST) + "timeouts: {backups: 4s}\n"
    exporter = start_exporter(bed, text=text)
    exporter.wait_for(well, 15)
    bed.s3.break_with(hang=True)
    try:
        metrics = exporter.wait_for(lambda m: m.value("pgbackrest_repo_up", repo_key="2") == 0, 30)
        assert metrics.value("pgbackrest_repo_error", repo_key="2", reason="timeout") == 1
        assert metrics.value("pgbackrest_repo_up", repo_key="1") == 1
        assert metrics.value("pgbackrest_backup_age_seconds", repo_key="2", backup_type="full") > 0
        first = metrics.value("pgbackup_collector_last_success_timestamp_seconds", collector="backups", target="main/repo1")
        exporter.wait_for(
            lambda m: m.value("pgbackup_collector_last_success_timestamp_seconds", collector="backups", target="main/repo1") > first, 5
        )
        assert exporter.sigterm_seconds() < STOP_LIMIT_SECONDS
    finally:
        bed.s3.repair()


def test_a_repository_path_that_is_gone(bed, exporter):
    exporter.wait_for(well, 15)
    bed.pgbackrest.move_repo1_away()
    try:
        metrics = exporter.wait_for(lambda m: m.value("pgbackrest_repo_up", repo_key="1") == 0, 10)
        assert metrics.value("pgbackrest_repo_error", repo_key="1", reason="missing_stanza_path") == 1
        assert metrics.value("pgbackrest_backup_age_seconds", repo_key="1", backup_type="full") > 0
        assert metrics.value("pgbackrest_repo_up", repo_key="2") == 1
    finally:
        bed.pgbackrest.move_repo1_back()
    exporter.wait_for(well, 15)


def test_a_credentials_file_that_is_gone_and_rotated(bed, exporter):
    exporter.wait_for(well, 15)
    text = bed.credentials_file.read_text()
    bed.credentials_file.unlink()
    try:
        metrics = exporter.wait_for(lambda m: m.value("pgbackrest_repo_error", repo_key="2", reason="config") == 1, 10)
        assert metrics.value("pgbackrest_backup_age_seconds", repo_key="2", backup_type="full") > 0
        assert metrics.value("pgbackrest_repo_up", repo_key="1") == 1
    finally:
        bed.place.write(bed.credentials_file.name, text)
    exporter.wait_for(well, 20)


def pgbackrest_children(exporter):
    """State, seconds since the start and the command line of each."""
    words = ["ps", "--ppid", str(exporter.process.pid), "-o", "stat=,etimes=,args="]
    listing = subprocess.run(words, capture_output=True, text=True)
    return [(line.split()[0], int(line.split()[1]), line.split(maxsplit=2)[2]) for line in listing.stdout.splitlines()]


def test_no_child_and_no_zombie_is_left(bed, start_exporter):
    exporter = start_exporter(bed, text=configuration(bed, FAST) + "timeouts: {backups: 2s, wal: 2s}\n")
    exporter.wait_for(well, 15)
    bed.s3.break_with(hang=True)
    try:
        exporter.wait_for(lambda m: m.value("pgbackrest_repo_up", repo_key="2") == 0, 20)
        hung = 0
        for _ in range(25):
            children = pgbackrest_children(exporter)
            asked = [words for state, _, words in children if not state.startswith("Z")]
            assert len(asked) == len(set(asked)) <= 4, "two collectors ask two repositories, each one thing at a time"
            assert not [child for child in children if child[1] > 4], "a child or a zombie outlived its deadline"
            hung += any(seconds >= 1 for _, seconds, _ in children)
            time.sleep(0.2)
        assert hung, "no child waited for the store"
    finally:
        bed.s3.repair()


def test_a_stopped_exporter_process_loses_nothing(bed, exporter):
    exporter.wait_for(well, 15)
    exporter.process.signal(signal.SIGSTOP)
    time.sleep(2)
    exporter.process.signal(signal.SIGCONT)
    exporter.wait_for(well, 15)


def test_what_is_too_old_is_withheld(bed, start_exporter):
    """A collection that hangs past its deadline must not leave yesterday's states on the page."""
    exporter = start_exporter(bed, text=configuration(bed, FAST) + "timeouts: {archiver: 8s}\n")
    exporter.wait_for(up, 15)
    bed.postgres.pause()
    try:
        # interval 1 s, deadline 8 s: the first outcome comes after 8, before states are too old
        metrics = exporter.wait_for(down, 20)
        expect_only_facts_of_postgres(metrics)
    finally:
        bed.postgres.resume()
    wait_until(lambda: up(exporter.metrics()), 20, "PostgreSQL is not seen again")


def test_a_log_that_nobody_reads_hides_nothing(bed, program_path):
    """A full pipe behind stderr: the outage is still seen, and SIGTERM still obeyed."""
    port = free_port()
    file = bed.place.write("mute.yml", configuration(bed, FAST))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    process = subprocess.Popen(
        [bed.place.copy_program(program_path), f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}"],
        stderr=writer, env=bed.place.environment(), **bed.place.account.popen_arguments(),
    )  # fmt: skip

    def postgres_up():
        return Metrics.parse(get(port, "/metrics").text).value("pgbackup_postgres_up")

    try:
        wait_until(lambda: answers_ok(port, "/metrics") and postgres_up() == 1, 20, "PostgreSQL is not seen")
        bed.postgres.stop()
        wait_until(lambda: postgres_up() == 0, 20, "the outage is not seen")
        begun = time.monotonic()
        process.terminate()
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - begun < STOP_LIMIT_SECONDS
    finally:
        process.kill()
        process.wait()
        os.close(reader)
        os.close(writer)
        bed.postgres.resume()
        if not bed.postgres.accepts_connections():
            bed.postgres.start()
