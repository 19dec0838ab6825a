"""Processes of the bed: started in a session of their own, found again and stopped by id.

Each process leaves BED/run/NAME.json with its id, start time and command line, so that another
shell can stop it later, and so that nobody else's process is stopped when ids are reused.
"""
import json
import os
import pwd
import random
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TAIL_LINES = 25
# Below the range the kernel hands out for outgoing connections.
PORTS = range(20000, 32000)
MARK = "PGBACKUP_BED"

_given_ports = set()


class BedError(Exception):
    """The bed cannot do what was asked; the text is for the person who asked."""


@dataclass(frozen=True)
class Account:
    """Who runs the servers: PostgreSQL and pgBackRest refuse root."""

    name: str
    uid: int
    gid: int

    @classmethod
    def choose(cls):
        if os.geteuid() == 0:
            return cls.of(pwd.getpwnam("postgres"))
        return cls.of(pwd.getpwuid(os.geteuid()))

    @classmethod
    def of(cls, entry):
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    def popen_arguments(self):
        if os.geteuid() != 0:
            return {}
        groups = os.getgrouplist(self.name, self.gid)
        return {"user": self.uid, "group": self.gid, "extra_groups": groups}

    def own(self, path):
        os.chown(path, self.uid, self.gid)


def free_port():
    while True:
        port = random.choice(PORTS)
        if port not in _given_ports and _can_listen(port):
            _given_ports.add(port)
            return port


def _can_listen(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_until(condition, seconds, what):
    """The first true answer of condition(); a BedError that says `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise BedError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def stat_of(pid):
    """State, parent and start time (clock ticks since boot) of a process; None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], int(fields[1]), int(fields[19])


def read_words(path):
    """The NUL-separated words of a file in /proc; none when we may not or cannot read it."""
    try:
        return Path(path).read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


def command_line(pid):
    return read_words(f"/proc/{pid}/cmdline")


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children_of(parent):
    stats = ((pid, stat_of(pid)) for pid in all_pids())
    return [pid for pid, stat in stats if stat and stat[1] == parent]


def send_signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Process:
    """One server of the bed. All methods also work from another shell than the one that started it."""

    stop_steps = ((signal.SIGTERM, 10), (signal.SIGKILL, 5))

    def __init__(self, place, name, stop_steps=None):
        self.place = place
        self.name = name
        self.log = place.root / "log" / f"{name}.log"
        self.pidfile = place.root / "run" / f"{name}.json"
        self.stop_steps = stop_steps or self.stop_steps
        self._popen = None

    def start(self, argv, extra_environment=None):
        argv = [str(word) for word in argv]
        if self.alive():
            raise BedError(f"{self.name} runs already")
        with open(self.log, "ab") as log:
            self._popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self.place.environment(), **(extra_environment or {})},
                cwd="/",
                start_new_session=True,
                **self.place.account.popen_arguments(),
            )
        self._remember()

    def _remember(self):
        pid = self._popen.pid
        # Popen returns while exec is still at work: the command line comes a moment later.
        wait_until(lambda: any(command_line(pid)) or self._popen.poll() is not None, 5, self.name)
        stat = stat_of(pid)
        known = {"pid": pid, "started": stat[2] if stat else 0, "argv": command_line(pid)}
        self.pidfile.write_text(json.dumps(known))

    def _known(self):
        try:
            return json.loads(self.pidfile.read_text())
        except FileNotFoundError:
            return None

    @property
    def pid(self):
        """Its id while it runs, else None."""
        known = self._known()
        if known is None:
            return None
        if self._popen is not None:
            self._popen.poll()  # a child that ended must not look alive as a zombie
        stat = stat_of(known["pid"])
        same = stat is not None and stat[0] != "Z" and stat[2] == known["started"]
        same = same and command_line(known["pid"]) == known["argv"]
        return known["pid"] if same else None

    def alive(self):
        return self.pid is not None

    @property
    def exit_status(self):
        """As subprocess tells it; None while it runs or when another shell started it."""
        return None if self._popen is None else self._popen.poll()

    def signal(self, number):
        pid = self.pid
        if pid is not None:
            send_signal(pid, number)

    def wait_ready(self, condition, seconds):
        try:
            wait_until(lambda: condition() or not self.alive(), seconds, f"{self.name} is not ready")
        except BedError as error:
            raise BedError(f"{error}\n{self.log_tail()}") from None
        if not self.alive():
            raise BedError(f"{self.name} ended at once\n{self.log_tail()}")

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_tail(self):
        lines = self.log_text().splitlines()[-TAIL_LINES:]
        return "\n".join([f"the end of {self.log}:", *lines])

    def stop(self):
        self.signal(signal.SIGCONT)
        for number, seconds in self.stop_steps:
            self.signal(number)
            if self._ended_within(seconds):
                break
        else:
            raise BedError(f"{self.name} (process {self.pid}) cannot be stopped")
        self.pidfile.unlink(missing_ok=True)

    def _ended_within(self, seconds):
        try:
            return wait_until(lambda: not self.alive(), seconds, self.name)
        except BedError:
            return False
