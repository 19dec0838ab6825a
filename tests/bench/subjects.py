"""What is measured, each started on the bed as its own documentation says."""
import re
import subprocess

from exporter import Exporter, configuration
from measure import BenchError
from pgbackrest import PROGRAM as PGBACKREST, STANZA
from process import Process, free_port, wait_until
from stanzas import catalogue
from web import get

READY_SECONDS = 30
# What both peers do together. The verdict adds no call and no query.
WORK_OF_THE_PEERS = ("archiver", "backups", "verdict")

# exec: the shell adds about 1 ms to each call, on every side.
COUNTING = """\
#!/bin/sh
echo "$*" >>{calls}
exec {pgbackrest} "$@"
"""

# One process, which keeps its command line, so that the bed knows it as its own.
NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
master_process off;
events {{ worker_connections 64; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=8;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder};
        default_type "text/plain; version=0.0.4; charset=utf-8";
    }}
}}
"""


# All that an exporter takes of a child's output, but for what one backup more or less is.
LARGE_BYTES = 16 * 1024 * 1024 * 0.99
SAMPLE_BACKUPS = 1000
LARGE_STAND_IN = """\
#!/bin/sh
case "$*" in
*--repo=1*info* | *info*--repo=1*) exec cat {catalogue} ;;
esac
exec {pgbackrest} "$@"
"""


class Counter:
    """A pgbackrest that notes each call and becomes the real one, in a folder for PATH."""

    def __init__(self, place, name):
        self.folder = place.path("bin", f"for-{name}")
        self.folder.mkdir()
        self.calls_file = place.write(f"{name}.calls", "")
        text = COUNTING.format(calls=self.calls_file, pgbackrest=PGBACKREST)
        self.program = place.write(f"bin/for-{name}/pgbackrest", text, 0o755)

    def calls(self):
        """The commands so far, in order: info, version, repo-ls, ..."""
        lines = self.calls_file.read_text().splitlines()
        return [next(word for word in line.split() if not word.startswith("-")) for line in lines]


class Subject:
    infos_of_a_look = 1

    def __init__(self, bed, name):
        self.name = name
        self.place = bed.place
        self.port = free_port()
        self.process = Process(bed.place, name)
        self.counter = Counter(bed.place, name)

    @property
    def pid(self):
        pid = self.process.pid
        if pid is None:
            raise BenchError(f"{self.name} has ended\n{self.process.log_tail()}")
        return pid

    def page(self, headers=None):
        return get(self.port, "/metrics", headers).text

    def wait_for(self, pattern):
        self.process.wait_ready(lambda: self._page_has(pattern), READY_SECONDS)

    def _page_has(self, pattern):
        try:
            return re.search(pattern, self.page(), re.MULTILINE)
        except OSError:
            return None

    def samples(self):
        return sum(1 for line in self.page().splitlines() if line and not line.startswith("#"))

    def stop(self):
        self.process.stop()


class Ours(Subject):
    """As installed; `intervals` as in the configuration file."""

    infos_of_a_look = 2  # one for each repository, so that none hides another
    flags = ()

    def __init__(self, bed, name, program, intervals=None):
        super().__init__(bed, name)
        self.exporter = Exporter(bed, program, self.port, name)
        self.process = self.exporter.process
        self.text = self.with_command(configuration(bed, intervals or {}))

    def with_command(self, text):
        return text.replace(f"command: {PGBACKREST}\n", f"command: {self.counter.program}\n")

    def start(self):
        self.exporter.start(self.text, self.flags)
        self.process.wait_ready(lambda: get(self.port, "/-/ready").status == 200, READY_SECONDS)
        self.wait_for(r'^pgbackrest_backups\{.*repo_key="2"')
        return self


class OursForPeersWork(Ours):
    """Only what both peers do together."""

    def __init__(self, bed, name, program, intervals):
        super().__init__(bed, name, program, intervals)
        usage = subprocess.run([program, "--help"], stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
        every = re.findall(r"--(?:\[no-\]|no-)collector\.(\w+)\b(?!\.)", usage)
        self.flags = [f"--no-collector.{each}" for each in every if each not in WORK_OF_THE_PEERS]


class Large(Ours):
    """Repository 1 answers `info` with 16 MiB, from a file instead of a pgbackrest."""

    def with_command(self, text):
        content = largest_catalogue(STANZA)
        self.count = content.count('"label"')
        file = self.place.write(f"{self.name}.json", content, 0o644)
        stand_in = LARGE_STAND_IN.format(catalogue=file, pgbackrest=PGBACKREST)
        command = self.place.write(f"bin/{self.name}", stand_in, 0o755)
        return text.replace(f"command: {PGBACKREST}\n", f"command: {command}\n")

    def wait_taken(self):
        wait_until(self.is_taken, READY_SECONDS, f"{self.name} does not take {self.count} backups")

    def is_taken(self):
        counts = re.findall(r'^pgbackrest_backups\{.*repo_key="1".*\} (\d+)', self.page(), re.MULTILINE)
        return sum(map(int, counts)) == self.count


def largest_catalogue(stanza):
    """As many backups as fit into what an exporter takes of a child's output."""
    each = len(catalogue(SAMPLE_BACKUPS)) / SAMPLE_BACKUPS
    return catalogue(int(LARGE_BYTES / each)).replace("@STANZA@", stanza)


class PgBackRestExporter(Subject):
    def __init__(self, bed, name, peers, interval_s):
        super().__init__(bed, name)
        self.program = peers / "usr/bin/prometheus-pgbackrest-exporter"
        self.interval_s = interval_s
        self.configuration = bed.pgbackrest.configuration_with_repo2(f"{name}.conf")

    def start(self):
        self.process.start(
            [self.place.copy_program(self.program), f"--web.listen-address=127.0.0.1:{self.port}"]
            + [f"--collect.interval={self.interval_s}", f"--backrest.config={self.configuration}"],
            {"PATH": f"{self.counter.folder}:{self.place.environment()['PATH']}"},
        )
        self.wait_for(r'^pgbackrest_backup_info\{.*repo_key="2"')
        return self


class PostgresExporter(Subject):
    def __init__(self, bed, name, peers):
        super().__init__(bed, name)
        self.program = peers / "usr/bin/prometheus-postgres-exporter"
        self.conninfo = f"{bed.postgres.conninfo} user={bed.place.account.name} sslmode=disable"

    def start(self):
        self.process.start(
            [self.place.copy_program(self.program), f"--web.listen-address=127.0.0.1:{self.port}"],
            {"DATA_SOURCE_NAME": self.conninfo},
        )
        self.wait_for(r"^pg_stat_archiver_archived_count\b")
        return self


class Nginx(Subject):
    """The limit: the same bytes from a file."""

    def __init__(self, bed, name, peers, page):
        super().__init__(bed, name)
        self.program = peers / "usr/sbin/nginx"
        self.content = page

    def start(self):
        folder = self.place.path("data", self.name)
        folder.mkdir()
        self.place.account.own(folder)
        self.place.write(f"data/{self.name}/metrics", self.content)
        text = NGINX.format(folder=folder, port=self.port)
        file = self.place.write(f"{self.name}.conf", text)
        self.process.start([self.place.copy_program(self.program), "-p", folder, "-c", file])
        self.wait_for(r"^# HELP")
        return self
