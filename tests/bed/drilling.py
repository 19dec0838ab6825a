"""Drills on a bed: the command, held at a stage where that is wanted, and what must stay as it was."""
import hashlib
import json
import os
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path

from exporter import FAST, configuration
from pgbackrest import PROGRAM as PGBACKREST
from process import BedError, all_pids, command_line, read_words, wait_until

ALLOWED = "--allow-same-filesystem"

# pgbackrest, but a command waits for as long as the file of its name is there.
HELD = """\
#!/bin/sh
for gate in "{folder}"/gate-*; do
    for word; do
        while [ "$word" = "${{gate##*/gate-}}" ] && [ -e "$gate" ]; do
            touch "$gate.reached"
            sleep 0.05
        done
    done
done
exec {pgbackrest} "$@"
"""

# The command of pgbackrest that a stage waits for.
COMMANDS = {"looking for a backup": "info", "restoring": "restore", "recovering": "archive-get"}
SQL_STAGE = "running the SQL given"
STAGES = (*COMMANDS, SQL_STAGE)


class Drill:
    """The command on the bed's repositories."""

    def __init__(self, bed, program):
        self.bed = bed
        self.folder = bed.place.path("data")
        self.state = bed.place.path("data", "state")
        self.program = bed.place.copy_program(program)
        self.configure(self.script("held", HELD.format(folder=self.folder, pgbackrest=PGBACKREST)))

    def script(self, name, text):
        return self.bed.place.write(f"data/{name}", text, 0o700)

    def configure(self, pgbackrest):
        """Let the configuration name another program for pgbackrest."""
        text = configuration(self.bed, FAST).replace(f"command: {PGBACKREST}", f"command: {pgbackrest}")
        self.file = self.bed.place.write("drill.yml", text)

    def words(self, repo, *arguments):
        return [self.program, f"--config.file={self.file}", "drill", "--repo", str(repo), ALLOWED, *arguments]

    def run(self, repo, *arguments):
        return self.bed.place.run(self.words(repo, *arguments), check=False, timeout=120)

    def start(self, repo, *arguments, before=()):
        """`before`: words that lead to another place or account, as unshare does."""
        account = {} if before else self.bed.place.account.popen_arguments()
        return subprocess.Popen(
            [str(word) for word in (*before, *self.words(repo, *arguments))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env=self.bed.place.environment(),
            **account,
        )

    def wait_for_stage(self, process, stage):
        for line in process.stdout:
            if line == f"{stage}\n":
                return
        raise BedError(f"never at {stage}: {process.stderr.read()}")

    @contextmanager
    def held_at(self, stage, *arguments, before=()):
        """The process of a drill of repository 1 that goes no further than that stage."""
        gate = self.folder / f"gate-{COMMANDS.get(stage, 'nothing')}"
        reached = Path(f"{gate}.reached")
        sleep = self.bed.place.write("data/sleep.sql", "SELECT pg_sleep(600);\n")
        more = ("--sql", sleep) if stage == SQL_STAGE else ()
        gate.touch()
        process = self.start(1, *more, *arguments, before=before)
        try:
            self.wait_for_stage(process, stage)
            wait_until(lambda: stage == SQL_STAGE or reached.exists(), 30, f"nothing waits at {gate.name}")
            yield process
        finally:
            gate.unlink()
            process.kill()
            process.communicate()
            reached.unlink(missing_ok=True)

    def record(self, repo):
        return json.loads((self.state / "drill" / f"main.repo{repo}.json").read_text())

    def status(self, repo):
        """What the exporter tells of it."""
        page = self.bed.place.run([self.program, f"--config.file={self.file}", "once"], check=False).stdout
        sample = rf'^pgbackrest_restore_drill_status{{[^}}]*repo_key="{repo}"[^}}]*}} (\S+)$'
        found = re.search(sample, page, re.MULTILINE)
        return found and float(found[1])

    def leftovers(self):
        return [entry.name for entry in (self.state / "scratch").glob("*")]

    def processes(self):
        """Whatever works in a scratch folder or was told of it, as a worker of pgbackrest by its environment."""
        return [pid for pid in all_pids() if self._is_of_a_drill(pid)]

    def _is_of_a_drill(self, pid):
        text = " ".join([working_folder(pid), *command_line(pid), *read_words(f"/proc/{pid}/environ")])
        return str(self.bed.root) in text and "/drill-main.repo" in text


def working_folder(pid):
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def proven(result):
    assert result.returncode == 0, result.stdout + result.stderr
    assert "PROVEN: backup " in result.stdout
    return result.stdout


def failed_at(result, stage):
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"FAILED at {stage}: " in result.stderr
    return result.stderr


def checksums(folder, names=("",)):
    """SHA-256 of each file below, links to folders followed, of which the path begins with one of the names."""
    sums = {}
    for place, _, files in os.walk(folder, followlinks=True):
        for file in files:
            path = os.path.join(place, file)
            if os.path.relpath(path, folder).startswith(names) and not file.startswith("pg_internal"):
                sums[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return sums


# What changes by itself: counters of statistics, WAL, control files with the time of a checkpoint.
OF_DATA = ("base/", "global/1", "global/2", "pg_tblspc/", "PG_VERSION", "postgresql.auto.conf", "postgresql.conf")

SERVER = (
    "SELECT system_identifier FROM pg_control_system()",
    "SELECT timeline_id FROM pg_control_checkpoint()",
    "SELECT pg_postmaster_start_time()",
    "SELECT oid, relname, relfilenode FROM pg_class ORDER BY oid",
    "SELECT slot_name, restart_lsn FROM pg_replication_slots ORDER BY slot_name",
)


def production(bed):
    """What a drill must not change: the server's files, what it says of itself, and the backups in the repository."""
    said = bed.postgres.sql(*SERVER)  # first: who reads a row may mark it as committed
    bed.postgres.sql("CHECKPOINT")
    files = checksums(bed.postgres.data, OF_DATA)
    return said, files, checksums(bed.pgbackrest.repo1 / "backup")


@contextmanager
def production_untouched(bed):
    bed.postgres.sql("VACUUM")
    before = production(bed)
    yield
    assert production(bed) == before
    assert bed.postgres.accepts_connections()
