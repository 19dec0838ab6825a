"""What the runbooks and the pages tell a person to type is typed, at a server that is well."""
import re
import shutil

import exporter as bed_exporter
import pytest
import yaml
from bed import Bed
from conftest import REPOSITORY
from test_alerts import documented_metrics
from typed import Terminal

pytestmark = pytest.mark.campaign

RUNBOOKS = REPOSITORY / "docs/runbooks"
RULES = yaml.safe_load((REPOSITORY / "alerts/pgbackup.rules.yml").read_text())["groups"]
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.S | re.M)
SQL = re.compile(r"(SELECT|SHOW|ALTER SYSTEM|GRANT|REINDEX) .*\)|ALTER SYSTEM SET .*")
# Not what is only named: `pgbackup_exporter run`, `pgbackrest info`.
OURS = re.compile(r"sudo -u postgres (env -i \S+ )?(pgbackup_exporter|pgbackrest|psql) |pgbackup_exporter (?!run$)")

# What a person puts in, and what makes a command good for a bed that stays as it is.
FILLED_IN = {
    "--set=LABEL": "--set=20000101-000000F --dry-run",
    "SELECT pg_drop_replication_slot('NAME')": "SELECT pg_drop_replication_slot((pg_create_physical_replication_slot('typed')).slot_name)",
    " drill --stanza": " drill --allow-same-filesystem --stanza",
}

# Where success is not status 0.
SAYS = {
    r"archive-push$": r"\[043\]",  # the configuration is sound, and no segment is named
    r"stanza-upgrade$": r"completed successfully|\[050\]",  # an archive-push may hold the lock just now
    r"grep -A 1 error": r"^$",  # of no backup that has errors
    r"exporter doctor$": r"\n\d+ failed, \d+ warning, ",  # what it finds is its own matter
}

# Of packages that a bed has no use for.
FOUND_ELSEWHERE = set("chronyc resolvectl smartctl gdb exportfs showmount nfsstat nfsiostat openssl nstat iostat".split())


# ---- What is told ----


def of_a_runbook(file):
    """Lines of its blocks of shell, and what stands in its text between backquotes."""
    text = file.read_text()
    lines = [line.strip() for kind, block in BLOCK.findall(text) if kind == "sh" for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")], re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))


def of_the_pages():
    """What stands behind "Do now", for stanza main and repository 1: with a query that answers, and with one that does not."""
    descriptions = [rule["annotations"]["description"] for group in RULES for rule in group["rules"]]
    told = [text.split("Do now: ")[1].strip() for text in descriptions if "Do now: " in text]
    return [rendered(text, branch) for text in told for branch in (1, 2)]


def rendered(text, branch):
    text = re.sub(r"\{\{ with .*? \}\}(.*?)\{\{ else \}\}(.*?)\{\{ end \}\}", lambda found: found[branch], text)
    text = re.sub(r"\{\{ with .*?\}\}(.*?)\{\{ else \}\}(.*?)\{\{ end \}\}", lambda found: found[branch], text)
    text = text.replace("{{ . | first | label \"repo_key\" }}", "1")
    for label, value in {"stanza": "main", "repo_key": "1", "backup_type": "incr", "path": "/mnt/nas-postgresql"}.items():
        text = text.replace(f"{{{{ $labels.{label} }}}}", value)
    assert "{{" not in text, text
    return text


def everything():
    """All that is shell, and all that stands between backquotes."""
    of_runbooks = [of_a_runbook(file) for file in sorted(RUNBOOKS.glob("*.md"))]
    shell = [line for lines, _ in of_runbooks for line in lines] + of_the_pages()
    return sorted(set(shell)), sorted({words for _, quoted in of_runbooks for words in quoted})


SHELL, QUOTED = everything()
TYPED = sorted({line for line in (*SHELL, *QUOTED) if OURS.match(line)})
STATEMENTS = [f'sudo -u postgres psql -Xc "{words}"' for words in QUOTED if SQL.fullmatch(words)]
# What changes the server comes last, and is taken back.
CHANGES = [command for command in (*TYPED, *STATEMENTS) if "ALTER SYSTEM" in command]
LOOKS = [command for command in (*TYPED, *STATEMENTS) if command not in CHANGES]


# ---- Typed ----


@pytest.fixture(name="terminal", scope="module")
def new_terminal(program_path):
    bed = Bed().start(alerting=False)
    try:
        text = bed_exporter.configuration(bed, bed_exporter.FAST)
        yield Terminal(bed, bed.place.copy_program(program_path), bed.place.write("typed.yml", text))
    finally:
        bed.stop()


def filled_in(command):
    for documented, here in FILLED_IN.items():
        command = command.replace(documented, here)
    return command


def assert_works(terminal, documented):
    command = filled_in(documented)
    done = terminal.type(command)
    said = [text for words, text in SAYS.items() if re.search(words, command)]
    if said:
        assert re.search(said[0], done.stdout), done.stdout
    else:
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("command", LOOKS)
def test_a_told_command_works_as_it_is_written(terminal, command):
    assert_works(terminal, command)


@pytest.mark.parametrize("command", CHANGES)
def test_a_told_change_is_accepted_by_the_server(terminal, command):
    try:
        assert_works(terminal, command)
    finally:
        terminal.bed.postgres.sql("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")


# ---- Read ----


def expanded(pattern):
    """Every beginning that a pattern of nothing but names, ( | ) and ? can match."""
    group = re.search(r"\(([^()]*)\)(\??)", pattern)
    if not group:
        return pattern.replace("^", "").split("|")
    parts = group[1].split("|") + ([""] if group[2] else [])
    return [name for part in parts for name in expanded(pattern[: group.start()] + part + pattern[group.end() :])]


def looked_for():
    """(line, beginning of a metric's name) of each grep in what the exporter tells."""
    found = [(line, re.search(r"(?:/metrics|exporter once) \| grep (?:-E )?'([^']+)'", line)) for line in SHELL]
    return sorted({(line, name) for line, pattern in found if pattern for name in expanded(pattern[1])})


@pytest.mark.parametrize(("line", "name"), looked_for())
def test_what_is_looked_for_is_the_name_of_a_metric(line, name):
    assert any(metric.startswith(name) for metric in documented_metrics()), line


def test_each_line_that_asks_for_metrics_is_read():
    asks = {line for line in SHELL if "/metrics" in line and "grep" in line or "exporter once" in line}
    assert asks == {line for line, _ in looked_for()}


PREFIX = re.compile(r"(sudo( -u \w+)?|timeout( -s KILL)? \d+|env -i \S+|xargs|exec) ")


def programs(line):
    """The first word of each command of a line; what is quoted is no command, but for $( ) in it."""
    inner = [part for part in re.findall(r"\$\(([^()]*)", line)]
    outer = re.sub(r"'[^']*'|\"[^\"]*\"", "quoted", re.sub(r"\$\([^()]*(\([^()]*\)[^()]*)*\)", "inner", line))
    commands = [part.strip() for text in (outer, *inner) for part in re.split(r"\|\||&&|\||;", text)]
    while any(map(PREFIX.match, commands)):
        commands = [PREFIX.sub("", command, count=1) if PREFIX.match(command) else command for command in commands]
    return {command.split()[0] for command in commands}


@pytest.mark.parametrize("line", [*SHELL, *filter(re.compile("sudo ").match, QUOTED)])
def test_each_program_of_a_line_exists(line):
    unknown = {name for name in programs(line) if not shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")}
    assert unknown <= FOUND_ELSEWHERE | {"pgbackup_exporter"}, line
