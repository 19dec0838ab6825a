"""Servers that are not a plain primary: a standby, a role without rights, a name that never resolves."""
import os
import shutil
import socket
import subprocess
import time

import pytest
from conftest import Metrics
from exporter import FAST, configuration
from postgres import STOP_STEPS
from process import Process, free_port, wait_until
from web import answers_ok, get


def up(metrics):
    return metrics.value("pgbackup_postgres_up") == 1


class Standby:
    """A streaming replica of the bed's server."""

    def __init__(self, bed, archive_mode):
        self.postgres = bed.postgres
        self.port = free_port()
        self.data = bed.place.path("data", f"standby-{archive_mode}")
        self.process = Process(bed.place, f"standby-{archive_mode}", STOP_STEPS)
        bed.place.run(
            [self.postgres.programs / "pg_basebackup", "-D", self.data, "-R", "-c", "fast", "-X", "stream"]
            + ["-h", self.postgres.socket, "-p", self.postgres.port]
        )
        with open(self.data / "postgresql.auto.conf", "a", encoding="utf-8") as settings:
            settings.write(f"port = {self.port}\narchive_mode = {archive_mode}\n")

    def start(self):
        self.process.start([self.postgres.programs / "postgres", "-D", self.data])
        ready = [self.postgres.programs / "pg_isready", "-q", "-h", self.postgres.socket, "-p", self.port]
        self.process.wait_ready(lambda: self.postgres.place.run(ready, check=False).returncode == 0, 30)

    def stop(self):
        self.process.stop()
        shutil.rmtree(self.data)

    @property
    def conninfo(self):
        return f"host={self.postgres.socket} port={self.port} dbname=postgres"


@pytest.fixture
def standby(bed, request):
    standby = Standby(bed, request.param)
    standby.start()
    yield standby
    standby.stop()


def with_conninfo(bed, conninfo):
    return configuration(bed, FAST).replace(bed.postgres.conninfo, conninfo)


@pytest.mark.parametrize("standby", ["on"], indirect=True)
def test_a_standby_is_quiet(bed, start_exporter, standby):
    """Its archiver does not run: nothing may look like a failing or a stalled one."""
    metrics = start_exporter(bed, text=with_conninfo(bed, standby.conninfo)).wait_for(up, 15)
    assert metrics.value("pg_in_recovery") == 1
    assert metrics.values("pg_archiver_failing") in ([], [0])
    assert metrics.values("pg_archiver_enabled") in ([], [0])
    assert metrics.values("pg_stat_archiver_last_archive_age") == []


@pytest.mark.parametrize("standby", ["always"], indirect=True)
def test_a_standby_that_archives_is_watched(bed, start_exporter, standby):
    metrics = start_exporter(bed, text=with_conninfo(bed, standby.conninfo)).wait_for(up, 15)
    assert metrics.value("pg_in_recovery") == 1
    assert metrics.value("pg_archiver_enabled") == 1
    assert metrics.value("pg_stat_archiver_archived_count") is not None


def test_a_role_without_rights_still_sees_the_archiver(bed, start_exporter):
    """pg_stat_archiver is open to all; what needs pg_monitor is left out, not guessed."""
    with open(bed.postgres.data / "pg_hba.conf", "r+", encoding="utf-8") as file:
        before = file.read()
        file.seek(0)
        file.write("local postgres powerless trust\n" + before)
    bed.postgres.sql("CREATE ROLE powerless LOGIN", "SELECT pg_reload_conf()")
    try:
        text = with_conninfo(bed, f"{bed.postgres.conninfo} user=powerless")
        metrics = start_exporter(bed, text=text).wait_for(up, 15)
        assert metrics.value("pg_stat_archiver_failed_count") is not None
        assert metrics.value("pg_archiver_enabled") == 1
        assert metrics.value("pgbackup_collector_success", collector="archiver") == 1
    finally:
        (bed.postgres.data / "pg_hba.conf").write_text(before)
        bed.postgres.sql("DROP ROLE powerless", "SELECT pg_reload_conf()")


def test_a_name_server_that_never_answers(bed, program_path, tmp_path):
    """getaddrinfo() cannot be interrupted: the exporter must neither hang with it nor end late."""
    if os.geteuid() != 0:
        pytest.skip("needs a mount namespace of its own to point resolv.conf at a dead name server: run as root")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind(("127.77.0.53", 53))
        resolver = tmp_path / "resolv.conf"
        resolver.write_text("nameserver 127.77.0.53\noptions timeout:30 attempts:3\n")
        port = free_port()
        text = with_conninfo(bed, "host=db.example.org dbname=postgres")
        file = bed.place.write("dns.yml", text)
        script = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
        program = bed.place.copy_program(program_path)
        words = [program, f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}"]
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script, "sh", resolver, *words],
            stderr=subprocess.DEVNULL,
            env=bed.place.environment(),
        )
        try:
            expect_dns_outage(port)
            begun = time.monotonic()
            process.terminate()
            assert process.wait(timeout=10) == 0
            assert time.monotonic() - begun < 2
        finally:
            process.kill()
            process.wait()


def expect_dns_outage(port):
    wait_until(lambda: answers_ok(port, "/metrics"), 10, "the exporter does not answer")

    def answer():
        metrics = Metrics.parse(get(port, "/metrics").text)
        return metrics if metrics.values("pgbackup_postgres_up") == [0] else None

    metrics = wait_until(answer, 20, "the dead name server is not noticed")
    assert metrics.value("pgbackup_postgres_error", reason="dns") == 1
    assert metrics.values("pgbackrest_repo_up") == [1, 1]
