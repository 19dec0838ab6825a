"""The day it is all for: the data directory is gone, and repository 1 with it; and what was done before that day."""
import re
import shutil

import pytest
from bed import Bed
from conftest import REPOSITORY, Metrics
from exporter import FAST, configuration
from process import read_words, wait_until

ROWS = "SELECT count(*), sum(number) FROM promised"
AT_BACKUP = "1000|500500"
AT_LAST = "1001|501501"
# archive_command feeds repository 1 alone: repository 2 restores to the end of its backup.
PROMISED = {1: AT_LAST, 2: AT_BACKUP}
in_campaign = pytest.mark.campaign


class Disaster:
    """Backups of both repositories are made by `run`, and then one more row; what is lost after that, a test says."""

    def __init__(self, bed, program):
        self.bed = bed
        self.file = bed.place.write("disaster.yml", configuration(bed, FAST))
        self.program = bed.place.copy_program(program)

    def command(self, *words, check=True):
        return self.bed.place.run([self.program, f"--config.file={self.file}", *words], check=check, timeout=300)

    def prepare(self):
        self.bed.postgres.sql("CREATE TABLE promised AS SELECT generate_series(1, 1000) AS number")
        for repo in (1, 2):
            self.command("run", f"--repo={repo}", "--", "backup", "--type=full")
        self.bed.postgres.sql("INSERT INTO promised VALUES (1001)")
        self.bed.postgres.wait_archived(self.bed.postgres.switch_wal())

    def lose_data(self):
        data = self.bed.postgres.data
        self.bed.postgres.stop()
        wait_until(lambda: not self.archiving(), 60, "archive-push does not end")
        shutil.rmtree(data)
        data.mkdir(mode=0o700)
        self.bed.place.account.own(data)

    def archiving(self):
        """What outlives the server and holds the lock that archive-get of the restored one waits for, in vain."""
        return [pid for pid in self.bed.place.leftovers() if "archive-push" in "".join(read_words(f"/proc/{pid}/cmdline"))]

    def strike(self, repo):
        """The data are gone, and so is repository 1 when it is `repo` 2 that shall save them."""
        self.lose_data()
        if repo == 2:
            self.bed.pgbackrest.move_repo1_away()

    def start(self):
        """What the service manager does; the rows."""
        self.bed.postgres.start()
        wait_until(lambda: self.bed.postgres.sql("SELECT pg_is_in_recovery()") == "f", 60, "recovery does not end")
        return self.bed.postgres.sql(ROWS)


def prepared(program_path):
    bed = Bed().start(alerting=False, backups=False)
    try:
        disaster = Disaster(bed, program_path)
        disaster.prepare()
        yield disaster
    finally:
        bed.stop()


@pytest.fixture(name="disaster")
def new_disaster(program_path):
    yield from prepared(program_path)


@pytest.fixture(name="day_before", scope="module")
def new_day_before(program_path):
    """The same with nothing lost, for tests that change nothing."""
    yield from prepared(program_path)


# ---- The day before ----


@in_campaign
def test_complete_wal_finds_nothing_that_the_backups_of_run_lack(day_before):
    assert day_before.command("complete-wal", "--repo=2").stdout.endswith("0 are missing: nothing to do\n")


@in_campaign
def test_both_backups_are_called_restorable(day_before):
    metrics = Metrics.parse(day_before.command("once").stdout)
    assert metrics.values("pgbackrest_backups_restorable", stanza="main") == [1, 1]


@in_campaign
@pytest.mark.parametrize("repo", [1, 2])
def test_a_drill_proves_it(day_before, repo):
    said = day_before.command("drill", f"--repo={repo}", "--allow-same-filesystem").stdout
    assert "PROVEN: backup " in said


@in_campaign
def test_doctor_finds_no_failure(day_before):
    said = day_before.command("doctor", check=False)
    assert said.returncode in (0, 1) and "\n0 failed, " in said.stdout, said.stdout + said.stderr


# ---- The day ----


@pytest.mark.parametrize("repo", [pytest.param(1, marks=in_campaign), 2])
def test_one_command_restores_the_server_from_what_is_left(disaster, repo):
    disaster.strike(repo)
    disaster.command("run", f"--repo={repo}", "--", "restore")
    assert disaster.start() == PROMISED[repo]


def line_of_the_sheet(disaster, repo):
    """What a person copies from the sheet: the line below "Restore:" of that repository."""
    sheet = disaster.command("doctor", "--output=runbook").stdout
    part = sheet.split(f"### Repository {repo} ")[1].split("\nRestore:\n", 1)[1]
    (line,) = re.match(r"\n```sh\n(.*?)```", part, re.DOTALL).group(1).splitlines()
    return line


def line_that_run_prints(disaster, repo):
    (line,) = disaster.command("run", f"--repo={repo}", "--print", "--", "restore").stdout.splitlines()
    return line


@pytest.mark.parametrize(
    ("line_of", "repo"),
    [
        (line_of_the_sheet, 2),
        pytest.param(line_of_the_sheet, 1, marks=in_campaign),
        pytest.param(line_that_run_prints, 2, marks=in_campaign),
        pytest.param(line_that_run_prints, 1, marks=in_campaign),
    ],
)
def test_one_line_kept_elsewhere_restores_it_without_this_program(disaster, line_of, repo):
    line = line_of(disaster, repo)
    disaster.strike(repo)
    disaster.program.unlink()
    disaster.bed.place.run(["sh", "-c", line], timeout=300)
    assert disaster.start() == PROMISED[repo]


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
    done = peace.bed.place.run(words, check=False, timeout=150)
    if command.startswith("doctor"):  # repository 2 lacks WAL at first, which is a failure it is to tell
        assert re.search(r"\n\d+ failed, \d+ warning, ", done.stdout), done.stderr
    else:
        assert done.returncode == 0, done.stdout + done.stderr
