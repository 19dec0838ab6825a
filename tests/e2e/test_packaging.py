"""What is installed: the units of systemd, the manual page, the example, Debian's package."""
import gzip
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import REPOSITORY
from exporter import FAST, configuration
from place import Place
from process import Account

SOURCE = REPOSITORY / "packaging/systemd"
SERVICES = sorted(path.name for path in SOURCE.glob("pgbackup-*.service"))
TIMERS = sorted(path.name for path in SOURCE.glob("*.timer"))
ALL = sorted(path.name for path in SOURCE.iterdir() if path.is_file())
DROP_INS = sorted(SOURCE.glob("*.d/*.conf"), key=lambda path: path.name)

PROGRAM = "/usr/bin/pgbackup_exporter"
WORST_EXPOSURE = 2.0
PGBACKREST = "[global]\nrepo1-path={root}/repo1\n[main]\npg1-path={root}/data\npg1-socket-path={root}/socket\n"


def run(*words, **how):
    """Run a command to its end; what it printed."""
    how = {"capture_output": True, "encoding": "utf-8", "timeout": 120, "check": True, **how}
    return subprocess.run([str(word) for word in words], **how)


def make(program, *words):
    """make, with the program as it is: tests do not build it."""
    folder = Path(program).parent
    return run("make", "-s", "-C", REPOSITORY, "-o", program, f"BUILD={folder}", f"PROGRAM={program}", *words)


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if not path.is_dir())


@pytest.fixture(scope="module", name="place")
def new_place():
    place = Place(Path(tempfile.mkdtemp(prefix="pgbackup-packaging-")), Account.choose())
    place.create()
    yield place
    place.remove()


@pytest.fixture(scope="module", name="installed")
def install_below_a_prefix(place, program_path):
    """A prefix with everything in it, whose programs the servers' account may run."""
    prefix = place.path("prefix")
    make(program_path, "install", f"PREFIX={prefix}")
    return prefix


@pytest.fixture(scope="module", name="units")
def installed_units(installed):
    return installed / "lib/systemd/system"


# ---- units ----


def drop_ins_of(name):
    """In systemd's order: that of their names, whichever folder they are in."""
    unit = name.removesuffix(".service")
    return [file for file in DROP_INS if unit.startswith(file.parent.name.removesuffix(".service.d"))]


def settings_in(file):
    lines = file.read_text().splitlines()
    return [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]


def settings_of(name):
    """(name, value) of each setting of a unit; of two the later one counts, so drop-ins come last."""
    return [pair for file in [SOURCE / name, *drop_ins_of(name)] for pair in settings_in(file)]


def setting(name, key):
    """The last value counts; None when there is none."""
    return dict(settings_of(name)).get(key)


def command_of(name, key=1, **variables):
    """The words of ExecStart=, as systemd makes them for the instance `key`."""
    given = dict(value.split("=", 1) for setting, value in settings_of(name) if setting == "Environment")
    environment = {**given, **variables}
    words = setting(name, "ExecStart").split()
    expanded = [environment[word[1:]].split() if word.startswith("$") else [word] for word in words]
    return [word.replace("%i", str(key)) for part in expanded for word in part]


@pytest.mark.parametrize("name", ALL)
def test_a_unit_as_it_is_installed_is_one_that_systemd_understands(units, name):
    result = run("systemd-analyze", "verify", "--man=no", units / name, check=False)
    told = [line for line in result.stderr.splitlines() if "pgbackup" in line]
    assert (result.returncode, told) == (0, [])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_exposes_little(units, name):
    told = run("systemd-analyze", "security", "--offline=true", "--no-pager", units / name).stdout
    exposure = float(re.search(r"exposure level for .*: ([\d.]+)", told).group(1))
    assert exposure <= WORST_EXPOSURE, told


@pytest.mark.parametrize("name", SERVICES)
def test_the_program_understands_what_a_service_asks_of_it(place, installed, name):
    place.write("pgbackrest.conf", PGBACKREST.format(root=place.root))
    file = place.write("exporter.yml", f"pgbackrest: {{config: {place.root}/pgbackrest.conf}}\n")
    program, command, *words = command_of(name)
    assert program == PROGRAM
    look = "--print" if command == "run" else "--help"
    result = place.run([installed / "bin/pgbackup_exporter", f"--config.file={file}", command, look, *words])
    assert result.stdout.startswith("usage: " if look == "--help" else ("PGBACKREST_", "/", "pgbackrest")), result.stdout


@pytest.mark.parametrize("file", [SOURCE / name for name in ALL] + DROP_INS, ids=lambda file: file.name)
def test_no_unit_says_what_a_repository_is(file):
    assert not re.search(r"--(repo|pg)\d+-|PGBACKREST_|s3-", file.read_text())


@pytest.mark.parametrize("name", SERVICES)
def test_no_drop_in_takes_back_what_a_service_says_of_itself(name):
    own = {key for key, _ in settings_in(SOURCE / name)} - {"Environment"}
    assert not [file.name for file in drop_ins_of(name) if own & dict(settings_in(file)).keys()]


def test_a_drill_may_give_files_their_owner_and_compile_queries():
    drill = "pgbackup-drill@.service"
    assert [value for key, value in settings_of(drill) if key == "SystemCallFilter"][-1] == "@chown"
    assert setting(drill, "MemoryDenyWriteExecute") == "no"
    assert setting(drill, "TimeoutStopSec") == "5min"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_as_the_repositorys_owner_with_credentials_from_systemd(name):
    assert setting(name, "User") == "postgres"
    assert setting(name, "LoadCredential") == "pgbackup.env"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_ends_in_some_time_and_is_tried_again_a_few_times_only(name):
    assert setting(name, "TimeoutStartSec")
    if setting(name, "Restart"):
        assert 1 < int(setting(name, "StartLimitBurst")) <= 12
        assert setting(name, "StartLimitIntervalSec") and setting(name, "RestartSec")


@pytest.mark.parametrize("name", [name for name in SERVICES if " run " in setting(name, "ExecStart")])
def test_what_needs_the_stanzas_lock_waits_for_it(name):
    assert "--lock-wait" in command_of(name)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_hides_neither_repositories_nor_locks_nor_takes_shared_memory(name):
    assert setting(name, "ProtectSystem") == "full"
    assert setting(name, "RemoveIPC") == "no"
    hiding = {"PrivateTmp", "PrivateUsers", "PrivateMounts", "InaccessiblePaths", "DynamicUser"}
    assert not hiding & dict(settings_of(name)).keys()


@pytest.mark.parametrize("name", TIMERS)
def test_a_timer_makes_up_for_what_was_missed_and_does_not_come_on_the_dot(name):
    assert setting(name, "Persistent") == "true"
    assert setting(name, "RandomizedDelaySec")
    assert name.replace(".timer", ".service") in SERVICES


def test_the_target_of_a_repository_wants_units_that_are_there():
    wanted = [unit for key, value in settings_of("pgbackup@.target") if key == "Wants" for unit in value.split()]
    assert {unit.replace("%i", "") for unit in wanted} <= set(ALL)
    assert {"pgbackup-full@%i.timer", "pgbackup-incr@%i.timer", "pgbackup-drill@%i.timer"} <= set(wanted)


def test_a_full_backup_is_made_at_two_and_an_incremental_one_each_hour():
    assert setting("pgbackup-full@.timer", "OnCalendar") == "*-*-* 02:00:00"
    assert setting("pgbackup-incr@.timer", "OnCalendar") == "*-*-* *:30:00"


@pytest.fixture
def as_systemd_does(own_bed, program_path):
    """as_systemd_does(unit, key): the command of a service, with credentials where systemd puts them."""
    place = own_bed.place
    program = place.copy_program(program_path)
    folder = own_bed.credentials_file.parent
    text = configuration(own_bed, FAST).replace(f"file: {folder}/", "file: $CREDENTIALS_DIRECTORY/")
    environment = {
        "PGBACKUP_EXPORTER_CONFIG_FILE": str(place.write("units.yml", text)),
        "CREDENTIALS_DIRECTORY": str(folder),
    }

    def begin(name, key, **variables):
        return place.run([program, *command_of(name, key, **variables)[1:]], environment).stdout

    return begin


def test_the_services_back_up_into_both_repositories_and_prove_them(own_bed, as_systemd_does):
    for key in (1, 2):
        for name in ("stanza-create", "baseline", "incr", "full", "expire", "complete-wal"):
            as_systemd_does(f"pgbackup-{name}@.service", key)
        types = [backup["type"] for backup in own_bed.pgbackrest.info(key)["backup"]]
        assert types[-3:] == ["full", "incr", "full"]
        proven = as_systemd_does("pgbackup-drill@.service", key, DRILL="--allow-same-filesystem")
        assert f"of repository {key}" in proven and "PROVEN" in proven


# ---- manual page ----


@pytest.fixture(scope="module", name="manual")
def manual_page(installed):
    return installed / "share/man/man8/pgbackup_exporter.8"


def test_mandoc_has_nothing_to_say_of_the_manual_page(manual):
    told = run("mandoc", "-T", "lint", "-W", "style", manual, check=False).stdout.splitlines()
    assert [line for line in told if manual.name in line] == []


def test_groff_has_nothing_to_say_of_the_manual_page(manual):
    result = run("groff", "-ww", "-mdoc", "-Tutf8", "-z", manual)
    assert (result.stdout, result.stderr) == ("", "")


def readable(manual):
    """As a terminal shows it, without line breaks."""
    shown = run("mandoc", "-T", "ascii", "-O", "width=400", manual).stdout
    return re.sub(r"\s+", " ", re.sub(r".\x08", "", shown))


def test_the_manual_page_has_every_flag_and_command_of_the_help(place, installed, manual):
    text = readable(manual)
    told = place.run([installed / "bin/pgbackup_exporter", "--help"]).stdout
    for flag in re.findall(r"^ +(?:-\w, +)?(--\S+)$", told, re.MULTILINE):
        assert f" {flag} " in text
    for command in re.findall(r"^  ([a-z-]+)(?: .*)?$", told.split("\nCommands:\n")[1], re.MULTILINE):
        assert re.search(rf"^\.Ss {command}$", manual.read_text(), re.MULTILINE)


def commands_with_arguments(place, program):
    """The names of those that the help shows with arguments: they have a help of their own."""
    listed = place.run([program, "--help"]).stdout.split("\nCommands:\n")[1]
    return re.findall(r"^  ([a-z-]+) .+$", listed, re.MULTILINE)


def test_the_manual_page_has_every_option_of_every_command(place, installed, manual):
    text = readable(manual)
    program = installed / "bin/pgbackup_exporter"
    commands = commands_with_arguments(place, program)
    assert {"once", "run", "complete-wal", "drill"} <= set(commands)
    for command in commands:
        told = place.run([program, command, "--help"]).stdout
        options = re.findall(r"^ +(?:-\w, +)?(--[a-z-]+)", told, re.MULTILINE)
        assert options, command
        assert not [option for option in options if f" {option}" not in text], command


def test_the_page_is_made_where_nobody_owns_repositories(tmp_path, program_path):
    """In a container that builds packages, as root."""
    file = tmp_path / "exporter.yml"
    file.write_text("pgbackrest: {user: nobody-of-this-name}\n")
    environment = {**os.environ, "PGBACKUP_EXPORTER_CONFIG_FILE": str(file)}
    page = run(REPOSITORY / "packaging/man/build", program_path, "2026-01-31", env=environment).stdout
    assert "allow-same-filesystem" in page


def test_no_page_is_made_from_a_program_that_fails(tmp_path):
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\n[ "$2" != --help ] || exit 2\nprintf "\\nCommands:\\n  drill --repo KEY\\n"\n')
    program.chmod(0o755)
    assert run(REPOSITORY / "packaging/man/build", program, "2026-01-31", check=False).returncode == 2


def test_the_manual_page_has_every_key_of_the_configuration(manual):
    keys = re.findall(r"^\| `([a-z][a-z0-9-]*)` \|", (REPOSITORY / "docs/configuration.md").read_text(), re.MULTILINE)
    page = manual.read_text()
    assert len(keys) > 20
    assert not [key for key in keys if f"\n.It Ic \\&{key}\n" not in page]


# ---- installation ----


def test_uninstall_removes_all_that_install_put_there(tmp_path, program_path):
    make(program_path, "install", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    assert "usr/bin/pgbackup_exporter" in files_below(tmp_path)
    make(program_path, "uninstall", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    assert files_below(tmp_path) == []
    assert not list(tmp_path.rglob("*pgbackup*"))


def test_what_is_installed_names_no_path_outside_its_prefix(units):
    for file in files_below(units):
        assert not re.search(r"/usr/(bin|share)/", (units / file).read_text()), file


def test_the_example_changes_nothing_as_it_is(place, installed):
    file = installed / "share/doc/pgbackup_exporter/pgbackup_exporter.yml"
    assert all(not line or line.startswith("#") for line in file.read_text().splitlines())
    place.write("pgbackrest.conf", PGBACKREST.format(root=place.root))
    place.run([installed / "bin/pgbackup_exporter", f"--config.file={file}", "check-config"])


def test_the_example_is_understood_when_its_lines_are_taken_out_of_their_comments(place, installed):
    text = (installed / "share/doc/pgbackup_exporter/pgbackup_exporter.yml").read_text()
    example = re.sub(r"(?m)^# ?", "", text[text.index("# repositories:\n") :])
    place.write("pgbackrest.conf", PGBACKREST.format(root=place.root))
    file = place.write("example.yml", f"pgbackrest: {{config: {place.root}/pgbackrest.conf}}\n{example}")
    told = place.run([installed / "bin/pgbackup_exporter", f"--config.file={file}", "check-config"]).stdout
    assert "offsite" in told


# ---- Debian's package ----


@pytest.fixture(scope="module", name="package")
def debian_package(place, program_path):
    """The package, made into a folder of the test's own."""
    make(program_path, "deb", f"DEB_FOLDER={place.path('package')}")
    return next(place.path("package").glob("pgbackup-exporter_*.deb"))


@pytest.fixture(scope="module", name="unpacked")
def unpacked_package(place, package):
    run("dpkg-deb", "-x", package, place.path("unpacked"))
    return place.path("unpacked")


def test_the_package_has_what_install_installs_where_debian_wants_it(unpacked, installed):
    moved = {
        "share/doc/pgbackup_exporter/pgbackup_exporter.yml": "etc/pgbackup_exporter.yml",
        "share/man/man8/pgbackup_exporter.8": "usr/share/man/man8/pgbackup_exporter.8.gz",
    }
    expected = {moved.get(file, f"usr/{file}") for file in files_below(installed)}
    own = {f"usr/share/doc/pgbackup-exporter/{name}" for name in ("changelog.gz", "copyright")}
    assert set(files_below(unpacked)) == expected | own


def test_the_units_of_the_package_are_those_of_the_checkout(unpacked):
    for name in ALL:
        assert (unpacked / "usr/lib/systemd/system" / name).read_text() == (SOURCE / name).read_text()


def test_the_packages_manual_page_is_compressed_without_name_and_time(unpacked):
    page = (unpacked / "usr/share/man/man8/pgbackup_exporter.8.gz").read_bytes()
    assert page[3] & 0x08 == 0 and page[4:8] == b"\0\0\0\0"
    assert gzip.decompress(page).startswith(b".\\\"")


def test_all_files_of_the_package_belong_to_root_and_nobody_else_writes_them(package):
    for line in run("dpkg-deb", "-c", package).stdout.splitlines():
        mode, owner = line.split()[:2]
        assert owner == "root/root" and "w" not in mode[5:], line


def test_only_the_configuration_is_yours_to_change(package):
    assert run("dpkg-deb", "-I", package, "conffiles").stdout == "/etc/pgbackup_exporter.yml\n"


def test_the_package_depends_on_the_libraries_that_the_program_is_linked_with(package):
    depends = run("dpkg-deb", "-f", package, "Depends").stdout
    for name in ("libmicrohttpd12", "libpq5", "libjansson4", "libfyaml0", "pgbackrest", "postgresql-common"):
        assert re.search(rf"\b{name}\b", depends), depends


def test_the_same_sources_make_the_same_package(tmp_path, program_path, package):
    make(program_path, "deb", f"DEB_FOLDER={tmp_path}")
    assert (tmp_path / package.name).read_bytes() == package.read_bytes()
