"""The day it is all for: repository 1 and the data directory are gone, repository 2 is what is left."""
import re
import shutil

import pytest
from bed import Bed
from conftest import REPOSITORY
from exporter import FAST, configuration
from process import wait_until

ROWS = "SELECT count(*), sum(number) FROM promised"
EXPECTED = "1000|500500"


class Disaster:
    """Backups of both repositories are made by `run`; then the server and repository 1 are lost."""

    def __init__(self, bed, program):
        self.bed = bed
        self.file = bed.place.write("disaster.yml", configuration(bed, FAST))
        self.program = bed.place.copy_program(program)

    def command(self, *words):
        return self.bed.place.run([self.program, f"--config.file={self.file}", *words], timeout=300)

    def prepare(self):
        self.bed.postgres.sql("CREATE TABLE promised AS SELECT generate_series(1, 1000) AS number")
        for repo in (1, 2):
            self.command("run", f"--repo={repo}", "--", "backup", "--type=full")

    def strike(self):
        data = self.bed.postgres.data
        self.bed.postgres.stop()
        shutil.rmtree(data)
        data.mkdir(mode=0o700)
        self.bed.place.account.own(data)
        self.bed.pgbackrest.move_repo1_away()

    def start(self):
        """What the service manager does; the rows."""
        self.bed.postgres.start()
        wait_until(lambda: self.bed.postgres.sql("SELECT pg_is_in_recovery()") == "f", 60, "recovery does not end")
        return self.bed.postgres.sql(ROWS)


@pytest.fixture(name="disaster")
def new_disaster(program_path):
    bed = Bed().start(alerting=False, backups=False)
    try:
        disaster = Disaster(bed, program_path)
        disaster.prepare()
        yield disaster
    finally:
        bed.stop()


def restore_lines(sheet, repo):
    """What a person copies from the sheet: the lines below "Restore:" of that repository."""
    part = sheet.split(f"### Repository {repo} ")[1].split("\nRestore:\n", 1)[1]
    return re.match(r"\n```sh\n(.*?)```", part, re.DOTALL).group(1).splitlines()


def test_one_command_restores_the_server_from_what_is_left(disaster):
    disaster.strike()
    disaster.command("run", "--repo=2", "--", "restore")
    assert disaster.start() == EXPECTED


@pytest.mark.parametrize("repo", [pytest.param(1, marks=pytest.mark.campaign), 2])
def test_the_sheet_restores_it_by_one_line_without_this_program(disaster, repo):
    sheet = disaster.command("doctor", "--output=runbook").stdout
    disaster.strike()
    if repo == 1:
        disaster.bed.pgbackrest.move_repo1_back()
    disaster.program.unlink()
    (line,) = restore_lines(sheet, repo)
    disaster.bed.place.run(["sh", "-c", line], timeout=300)
    assert disaster.start() == EXPECTED


# ---- the document ----


def documented():
    """What docs/disaster-recovery.md has in its column "new", but for a restore, which the others play."""
    rows = re.findall(r"^\| .*", (REPOSITORY / "docs/disaster-recovery.md").read_text(), re.MULTILINE)
    commands = [command for row in rows for command in re.findall(r"`pgbackup_exporter (.*?)`", row.split(" | ")[-1])]
    return sorted({command for command in commands if not command.endswith((" restore", "*.sh"))})


@pytest.fixture(name="peace", scope="module")
def before_any_disaster(program_path):
    """A bed of its own: these commands back up and expire."""
    bed = Bed().start(alerting=False)
    try:
        yield Disaster(bed, program_path)
    finally:
        bed.stop()


@pytest.mark.parametrize("command", documented())
def test_a_documented_command_works_as_it_is_written(peace, command):
    words = [peace.program, f"--config.file={peace.file}", *command.split()]
    status = peace.bed.place.run(words, check=False, timeout=150).returncode
    assert status in ((0, 1, 2) if command.startswith("doctor") else (0,))  # repository 2 lacks WAL at first
