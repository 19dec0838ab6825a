"""As a service of systemd: what it is told, the sockets it hands over, the unit it reads."""
import http.client
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from conftest import REPOSITORY
from place import Place
from process import Account, free_port, wait_until
from service import FrozenThread, NotifySocket, Service
from web import answers_ok, ask, connect, get

UNIT = REPOSITORY / "packaging/systemd/pgbackup_exporter.service"
WATCHDOG_SECONDS = 2

# A stanza whose server is not there: enough to have threads that look at something.
PGBACKREST = "[global]\nrepo1-path={root}/repo1\n[main]\npg1-path={root}/data\npg1-socket-path={root}/socket\n"
CONFIGURATION = """\
pgbackrest: {{config: {root}/pgbackrest.conf}}
collector: {{backups: false, wal: false, archive_config: false, queue: false}}
intervals: {{archiver: 1s}}
"""

JUDGED = "WAL archiving of main: PostgreSQL could not be asked"


@pytest.fixture(name="place")
def new_place():
    place = Place(Path(tempfile.mkdtemp(prefix="pgbackup-service-")), Account.choose())
    place.create()
    place.write("pgbackrest.conf", PGBACKREST.format(root=place.root))
    place.write("exporter.yml", CONFIGURATION.format(root=place.root))
    yield place
    place.remove()


@pytest.fixture(name="notes")
def new_notify_socket():
    notes = NotifySocket()
    yield notes
    notes.close()


@pytest.fixture(name="start")
def start_services(place, program_path):
    """start(*flags, before=[...], **environment): the program, run by the words of `before`."""
    program = place.copy_program(program_path)
    started = []

    def start(*flags, before=(), **environment):
        argv = [*before, program, f"--config.file={place.root}/exporter.yml", *flags]
        started.append(Service(place, argv, environment))
        return started[-1]

    yield start
    for service in started:
        service.stop()


@pytest.fixture(name="service")
def start_told_service(start, notes):
    service = start(f"--web.listen-address=127.0.0.1:{free_port()}", **notes.environment)
    notes.wait_for("READY=1")
    return service


# ---- what it tells ----


def test_it_is_ready_when_it_serves(start, notes):
    port = free_port()
    start(f"--web.listen-address=127.0.0.1:{port}", **notes.environment)
    notes.wait_for("READY=1")
    assert get(port, "/-/healthy").status == 200


def test_its_status_is_the_worst_that_it_found(service, notes):
    index = notes.wait_for(JUDGED, 20)
    assert re.match(r"STATUS=Unknown( \(\d+\))?: main, ", notes.receive()[index][0])


def test_its_status_is_told_again_only_when_it_changes(service, notes):
    notes.wait_for(JUDGED, 20)
    told = [lines[0] for lines in notes.receive() if lines[0].startswith("STATUS=")]
    assert all(one != other for one, other in zip(told, told[1:]))


def test_a_reload_is_told_with_its_time_and_its_end(service, notes):
    before = len(notes.receive())
    begun = time.monotonic()
    service.signal(signal.SIGHUP)
    index = notes.wait_for("RELOADING=1", after=before)
    microseconds = int(notes.receive()[index][1].removeprefix("MONOTONIC_USEC="))
    assert begun <= microseconds / 1e6 <= time.monotonic()
    notes.wait_for("READY=1", after=index)


def test_a_reload_that_fails_is_over_too_and_its_status_says_so(place, service, notes):
    before = len(notes.receive())
    place.write("exporter.yml", "nonsense: 1\n")
    service.signal(signal.SIGHUP)
    index = notes.wait_for("STATUS=Configuration not reloaded", after=before)
    notes.wait_for("READY=1", after=index)
    assert "nonsense: unknown key" in service.said


def test_a_web_configuration_that_is_not_reloaded_is_told_too_and_the_page_says_so(place, start, notes):
    port = free_port()
    web = place.write("web.yml", "{}\n")
    service = start(f"--web.listen-address=127.0.0.1:{port}", f"--web.config.file={web}", **notes.environment)
    notes.wait_for("READY=1")
    assert "not reloaded" not in get(port, "/").text
    place.write("web.yml", "nonsense: 1\n")
    service.signal(signal.SIGHUP)
    notes.wait_for("STATUS=Configuration not reloaded")
    assert "The configuration was not reloaded" in get(port, "/").text


def test_the_end_is_told(service, notes):
    assert service.stop() == 0
    notes.wait_for("STOPPING=1")


def test_a_start_that_fails_tells_why(start, notes):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        service = start(f"--web.listen-address={address}", **notes.environment)
        assert service.process.wait(10) == 1
    notes.wait_for(f"STATUS=cannot listen on {address}: Address already in use")
    assert not any(lines[0] == "READY=1" for lines in notes.receive())


# ---- the watchdog ----


def feeds_within(notes, seconds):
    before = len(notes.receive())
    time.sleep(seconds)
    return sum(lines[0] == "WATCHDOG=1" for lines in notes.receive()[before:])


def test_the_watchdog_is_fed_twice_in_its_time_and_not_while_a_thread_hangs(start, notes):
    port = free_port()
    service = start(
        f"--web.listen-address=127.0.0.1:{port}",
        WATCHDOG_USEC=str(WATCHDOG_SECONDS * 1000000),
        **notes.environment,
    )
    notes.wait_for("READY=1")
    assert feeds_within(notes, 3 * WATCHDOG_SECONDS) >= 4
    with FrozenThread(service.thread("archiver")):
        wait_until(lambda: "a thread hangs" in service.said, 10 * WATCHDOG_SECONDS, "nobody noticed the hang")
        assert feeds_within(notes, 2 * WATCHDOG_SECONDS) == 0
        assert get(port, "/-/healthy").status == 200
    notes.wait_for("WATCHDOG=1", after=len(notes.receive()))


def test_without_a_watchdog_nobody_feeds_one(service, notes):
    notes.wait_for(JUDGED, 20)
    assert not any(lines[0] == "WATCHDOG=1" for lines in notes.receive())


# ---- the sockets it is handed ----


def activate(start, address):
    return start("--web.systemd-socket", before=["systemd-socket-activate", "-l", address])


def test_the_first_client_of_a_socket_of_systemd_starts_it_and_is_answered(start):
    port = free_port()
    service = activate(start, f"127.0.0.1:{port}")
    wait_until(lambda: "Listening on" in service.said, 10, "systemd-socket-activate does not listen")
    wait_until(lambda: answers_ok(port, "/-/healthy"), 10, "the first client was not answered")
    assert answers_ok(port, "/metrics")
    assert "listening on systemd's sockets" in service.said


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def test_a_unix_socket_of_systemd_is_served_as_well(place, start):
    path = place.path("socket", "http")
    service = activate(start, path)
    wait_until(lambda: "Listening on" in service.said, 10, "systemd-socket-activate does not listen")
    status, _, body = ask(UnixConnection(path), "/-/healthy")
    assert (status, body) == (200, b"healthy\n")


def test_every_socket_of_systemd_is_served_and_no_address(start):
    first, second = free_port(), free_port()
    service = start(
        "--web.systemd-socket",
        before=["systemd-socket-activate", "-l", f"127.0.0.1:{first}", "-l", f"[::1]:{second}"],
    )
    wait_until(lambda: service.said.count("Listening on") == 2, 10, "systemd-socket-activate does not listen")
    wait_until(lambda: answers_ok(first, "/-/healthy"), 10, "the first socket is not served")
    assert ask(connect(second, "::1"), "/-/healthy")[0] == 200
    assert "msg=listening address" not in service.said


def test_systemds_sockets_must_be_there_when_they_are_asked_for(start):
    service = start("--web.systemd-socket")
    assert service.process.wait(10) == 2
    assert "systemd handed no socket over" in service.said


# ---- the unit ----


def unit_settings():
    lines = (line for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_the_unit_is_one_that_systemd_understands(tmp_path, program_path):
    """Verified with a program that is there; systemd would complain of one that is not installed."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/bin/pgbackup_exporter", str(program_path)))
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, encoding="utf-8", timeout=30, check=False
    )
    assert (result.returncode, UNIT.name in result.stderr) == (0, False), result.stderr


def test_the_unit_exposes_little():
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
        capture_output=True, encoding="utf-8", timeout=30, check=True,
    )  # fmt: skip
    exposure = float(re.search(r"exposure level for .*: ([\d.]+)", result.stdout).group(1))
    assert exposure <= 2.0, result.stdout


def test_the_unit_hides_nothing_that_is_watched():
    """Each of these would let a sound repository look read-only or empty, or its lock unheld."""
    settings = unit_settings()
    assert settings["ProtectSystem"] == "full"
    assert not {"PrivateTmp", "PrivateUsers", "ProcSubset", "PrivateMounts", "InaccessiblePaths"} & settings.keys()
    assert settings["ProtectProc"] in ("default", "invisible")


def test_the_unit_leaves_postgresqls_shared_memory_alone():
    """RemoveIPC= would take what belongs to the unit's user: PostgreSQL's too."""
    assert unit_settings()["RemoveIPC"] == "no"


def test_the_unit_ends_a_program_that_does_not_feed_its_watchdog():
    settings = unit_settings()
    assert settings["Type"] == "notify"
    assert float(settings["WatchdogSec"]) > 0
    assert settings["Restart"] in ("on-failure", "always", "on-watchdog")
