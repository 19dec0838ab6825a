"""A private PostgreSQL that archives its WAL with pgBackRest."""
import os
import re
import signal
from pathlib import Path

from process import BedError, Process, children_of, send_signal, wait_until

STOP_STEPS = ((signal.SIGINT, 20), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))

CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{socket}'
archive_mode = on
archive_command = '{archive_command}'
archive_timeout = '{archive_timeout}s'
fsync = off
shared_buffers = 16MB
max_connections = 50
dynamic_shared_memory_type = mmap
log_line_prefix = '%m [%p] '
log_timezone = 'UTC'
timezone = 'UTC'
"""


def program_folder():
    """The newest PostgreSQL that Debian's packages installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    if not folders:
        raise BedError("PostgreSQL is not installed: make deps")
    return folders[-1]


class Postgres:
    def __init__(self, place, port, archive_command, archive_timeout_s, name="postgres"):
        self.place = place
        self.port = port
        self.data = place.path("data", name)
        self.socket = place.path("socket")
        self.archive_command = archive_command
        self.archive_timeout_s = archive_timeout_s
        self.programs = program_folder()
        self.first_wal = None  # the name of the segment that a new cluster begins with
        self.environment = {}  # more that it starts with, and archive_command after it
        self.process = Process(place, name, STOP_STEPS)

    @property
    def conninfo(self):
        return f"host={self.socket} port={self.port} dbname=postgres"

    def create(self):
        self.place.run(
            [
                self.programs / "initdb", "--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C",
                "--auth-local=peer", "--auth-host=reject", "-D", self.data,
            ]
        )  # fmt: skip
        if self.first_wal:
            self.place.run([self.programs / "pg_resetwal", "-l", self.first_wal, "-D", self.data])
        settings = CONFIGURATION.format(
            port=self.port,
            socket=self.socket,
            archive_command=self.archive_command,
            archive_timeout=self.archive_timeout_s,
        )
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(settings)

    def start(self):
        self.process.start([self.programs / "postgres", "-D", self.data], self.environment)
        self.process.wait_ready(self.accepts_connections, 60)

    def accepts_connections(self):
        ready = [self.programs / "pg_isready", "-q", "-h", self.socket, "-p", self.port]
        return self.place.run(ready, check=False).returncode == 0

    def stop(self):
        self.resume()
        try:
            self.process.stop()
        finally:
            self._remove_shared_memory()

    def restart(self):
        self.stop()
        self.start()

    def shared_memory_id(self):
        """Of the System V segment by which it guards its data folder; None while it is not running."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        return int(lines[6].split()[1]) if len(lines) > 6 else None

    def _remove_shared_memory(self):
        """What a postmaster that was killed leaves; one that ends by itself removes its pid file."""
        segment = self.shared_memory_id()
        if segment is not None:
            self.place.run(["ipcrm", "--shmem-id", segment], check=False)
            os.unlink(self.data / "postmaster.pid")

    def pids(self):
        """The postmaster and its children, each of which leads a session of its own."""
        postmaster = self.process.pid
        return [] if postmaster is None else [postmaster, *children_of(postmaster)]

    def pause(self):
        """Stop every process with SIGSTOP: connections are accepted by the kernel and never answered."""
        for pid in self.pids():
            send_signal(pid, signal.SIGSTOP)

    def resume(self):
        for pid in self.pids():
            send_signal(pid, signal.SIGCONT)

    def sql(self, *statements):
        """Run statements, each in a transaction of its own; the output of all, unaligned."""
        words = [word for statement in statements for word in ("-c", statement)]
        psql = [self.programs / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo, *words]
        return self.place.run(psql).stdout.strip()

    def set(self, name, value):
        if not re.fullmatch(r"[a-z_]+", name):
            raise BedError(f"{name!r} is not the name of a setting")
        quoted = "'" + str(value).replace("'", "''") + "'"
        self.sql(f"ALTER SYSTEM SET {name} = {quoted}", "SELECT pg_reload_conf()")

    def reset(self, name):
        self.sql(f"ALTER SYSTEM RESET {name}", "SELECT pg_reload_conf()")

    def switch_wal(self):
        """Write something and end the WAL segment; the segment's name."""
        return self.sql(
            "CREATE TABLE IF NOT EXISTS written (at timestamptz)",
            "INSERT INTO written VALUES (now())",
            "SELECT pg_walfile_name(pg_switch_wal())",
        )

    def wait_archived(self, segment, seconds=30):
        question = f"SELECT last_archived_wal >= '{segment}' FROM pg_stat_archiver"
        wait_until(lambda: self.sql(question) == "t", seconds, f"{segment} is not archived")
