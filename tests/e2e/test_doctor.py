"""The doctor on broken set-ups: its first failure names the cause, and the next step mends it."""
import json
import os
import pwd
import re
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import jsonschema
import missing
import mounts
import pytest
from bed import Bed
from conftest import REPOSITORY
from exporter import FAST, configuration
from process import wait_until
from typed import SUDO

SCHEMA = json.loads((REPOSITORY / "docs/api.schema.json").read_text())


@dataclass
class Finding:
    text: str
    sentences: list = field(default_factory=list)
    commands: list = field(default_factory=list)


def findings(sheet, section):
    """What stands below FAILED, WARNING, ... of the doctor's text."""
    found, current = [], None
    for line in sheet.splitlines():
        if line and not line.startswith(" "):
            current = line
        elif current == section and line.startswith("  * "):
            found.append(Finding(line.removeprefix("  * ")))
        elif current == section and line.startswith("      next: "):
            found[-1].sentences.append(line.removeprefix("      next: "))
        elif current == section and line.startswith("        $ "):
            found[-1].commands.append(line.removeprefix("        $ "))
    return found


class Clinic:
    """The doctor on a bed of its own, and the hands that do what it says."""

    def __init__(self, bed, program):
        self.bed = bed
        self.program = bed.place.copy_program(program)
        bed.place.write("bin/sudo", SUDO, 0o755)
        self.configure(lambda text: text)

    def configure(self, change):
        """Without drills, whose lack is a warning; `change` gets the text of the configuration."""
        text = change(configuration(self.bed, FAST).replace(", drill: 9d", ""))
        self.file = self.bed.place.write("doctor.yml", text)

    def words(self, *words):
        return [self.program, f"--config.file={self.file}", *words]

    def look(self, *words):
        return self.bed.place.run(self.words("doctor", *words), check=False, timeout=100)

    def first_failure(self, *words):
        result = self.look(*words)
        failed = findings(result.stdout, "FAILED")
        assert failed and result.returncode == 2, result.stdout + result.stderr
        return failed[0]

    def do(self, command):
        """What a person types, with sudo, at this server."""
        path = f"{self.bed.place.path('bin')}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        server = {"PGHOST": str(self.bed.postgres.socket), "PGPORT": str(self.bed.postgres.port)}
        environment = {**self.bed.place.environment(), **server, "PATH": path}
        done = subprocess.run(
            ["sh", "-c", command], env=environment, cwd="/", capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def assert_sound(self):
        result = self.look()
        assert not findings(result.stdout, "FAILED"), result.stdout
        assert result.returncode in (0, 1), result.stderr


@contextmanager
def sound_clinic(program):
    """Sound: repository 2 has the WAL that its backups need."""
    bed = Bed().start(alerting=False)
    try:
        clinic = Clinic(bed, program)
        bed.place.run(clinic.words("complete-wal", "--repo=2"))
        yield clinic
    finally:
        bed.stop()


@pytest.fixture(scope="module")
def clinic(program_path):
    with sound_clinic(program_path) as clinic:
        yield clinic


def archive_once(bed):
    """A failure of the archiver is over with the next success."""
    bed.postgres.wait_archived(bed.postgres.switch_wal(), 90)


# ---- the set-ups: each breaks something, yields what to do where the step is a sentence, and repairs it ----


def nothing(_):
    """The step's command does it all."""


@contextmanager
def repository_of_another_user(clinic):
    folder = clinic.bed.pgbackrest.repo1
    os.chown(folder, 0, 0)
    try:
        yield nothing
    finally:
        clinic.bed.place.account.own(folder)


@contextmanager
def backup_of_another_user(clinic):
    newest = max((clinic.bed.pgbackrest.repo1 / "backup" / "main").glob("2*"))
    os.chown(newest, 0, 0)
    try:
        yield nothing
    finally:
        clinic.bed.place.account.own(newest)


@contextmanager
def credentials_gone(clinic):
    file = clinic.bed.credentials_file
    text = file.read_text()
    file.unlink()
    try:
        yield lambda _: file.write_text(text)
    finally:
        clinic.bed.place.write(file.name, text)


@contextmanager
def credentials_of_another_user(clinic):
    os.chown(clinic.bed.credentials_file, 0, 0)
    try:
        yield nothing
    finally:
        clinic.bed.place.account.own(clinic.bed.credentials_file)


@contextmanager
def credentials_for_all_to_read(clinic):
    clinic.bed.credentials_file.chmod(0o644)
    try:
        yield nothing
    finally:
        clinic.bed.credentials_file.chmod(0o600)


@contextmanager
def credentials_without_a_key(clinic):
    file = clinic.bed.credentials_file
    text = file.read_text()
    file.write_text(text.replace("AWS_SECRET_ACCESS_KEY=", "AWS_SECRET="))
    try:
        yield lambda _: file.write_text(text)
    finally:
        file.write_text(text)


@contextmanager
def archive_configuration_without_a_key(clinic):
    bed = clinic.bed
    bed.pgbackrest.configuration_with_repo2("fed.conf", s3_key=None)
    bed.postgres.set("archive_command", bed.postgres.archive_command.replace("pgbackrest.conf", "fed.conf"))
    try:
        yield lambda _: bed.pgbackrest.configuration_with_repo2("fed.conf")
    finally:
        bed.postgres.reset("archive_command")
        archive_once(bed)


@contextmanager
def archive_mode_off(clinic):
    postgres = clinic.bed.postgres
    postgres.set("archive_mode", "off")
    postgres.restart()
    try:
        yield lambda _: postgres.restart()
    finally:
        postgres.reset("archive_mode")
        postgres.restart()


@contextmanager
def server_down(clinic):
    clinic.bed.postgres.stop()
    try:
        yield lambda _: clinic.bed.postgres.start()
    finally:
        if not clinic.bed.postgres.accepts_connections():
            clinic.bed.postgres.start()


@contextmanager
def role_without_pg_monitor(clinic):
    postgres = clinic.bed.postgres
    rules = postgres.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("local all watcher trust\n" + before)
    postgres.sql("CREATE ROLE watcher LOGIN", "SELECT pg_reload_conf()")
    clinic.configure(lambda text: text.replace("dbname=postgres", "dbname=postgres user=watcher"))
    try:
        yield nothing
    finally:
        clinic.configure(lambda text: text)
        rules.write_text(before)
        postgres.sql("DROP ROLE watcher", "SELECT pg_reload_conf()")


@contextmanager
def object_store_refuses(clinic):
    clinic.bed.s3.break_with(status=403, code="AccessDenied")
    try:
        yield lambda _: clinic.bed.s3.repair()
    finally:
        clinic.bed.s3.repair()


@contextmanager
def object_store_down(clinic):
    clinic.bed.s3.stop()
    try:
        yield lambda _: clinic.bed.s3.start()
    finally:
        if not clinic.bed.s3.answers():
            clinic.bed.s3.start()


@contextmanager
def backup_without_its_wal(clinic):
    clinic.bed.pgbackrest.backup("incr", 2)
    time.sleep(1)  # a listing within the second of its end tells nothing of it
    yield nothing


@contextmanager
def gap_behind_the_newest_backup(clinic):
    for _ in range(3):
        archive_once(clinic.bed)
    missing.behind_newest_backup(clinic.bed)[-2].unlink()
    yield nothing


# Stands for the mount point's line in /etc/fstab.
MOUNT = """\
#!/bin/sh
exec /bin/mount --bind "$1" "$1"
"""


@contextmanager
def repository_not_mounted(clinic):
    if mounts.reason_against():
        pytest.skip(mounts.reason_against())
    folder = clinic.bed.pgbackrest.repo1
    clinic.bed.place.write("bin/mount", MOUNT, 0o755)
    clinic.configure(lambda text: text.replace("name: nas\n", f"name: nas\n    mount: {{path: {folder}}}\n"))
    try:
        yield nothing
    finally:
        if f" {folder} " in Path("/proc/self/mounts").read_text():
            subprocess.run(["umount", folder], check=True)
        clinic.configure(lambda text: text)


SETUPS = [
    (repository_of_another_user, "user postgres may not read repository 1 (nas)"),
    (backup_of_another_user, "user postgres may not read repository 1 (nas)"),
    (credentials_gone, "credentials.env: cannot be opened: No such file or directory"),
    (credentials_of_another_user, "credentials.env: cannot be opened: Permission denied"),
    (credentials_for_all_to_read, "every user of this host may read"),
    (credentials_without_a_key, "does not name AWS_SECRET_ACCESS_KEY"),
    (archive_configuration_without_a_key, "requires option: repo2-s3-key"),
    (archive_mode_off, "archive_mode = off"),
    (server_down, "PostgreSQL of main cannot be asked"),
    (role_without_pg_monitor, "role watcher lacks pg_monitor"),
    (object_store_refuses, "Object store of repository 2 (r2): cannot be used: a permission is missing"),
    (object_store_down, "Object store of repository 2 (r2): cannot be used: the connection was refused"),
    (backup_without_its_wal, "Restore from repository 2 (r2): the newest backup is NOT restorable"),
    (gap_behind_the_newest_backup, "1 WAL segment is missing behind the newest backup"),
    (repository_not_mounted, "NOT mounted: nothing is mounted on "),
]
# Only looks on: what it says next is for a person.
LOOKS = re.compile(r"pg_lsclusters|ps |sudo -u postgres psql .*FROM pg_settings")


@pytest.mark.parametrize(("setup", "cause"), SETUPS, ids=[setup.__name__ for setup, _ in SETUPS])
def test_the_first_failure_names_the_cause_and_its_step_mends_it(clinic, setup, cause):
    with setup(clinic) as by_hand:
        failure = clinic.first_failure()
        assert cause in failure.text
        assert failure.sentences
        for command in failure.commands:
            if not LOOKS.match(command):
                clinic.do(command)
        by_hand(failure)
        assert cause not in "".join(finding.text for finding in findings(clinic.look().stdout, "FAILED"))
    clinic.assert_sound()


# ---- set-ups that take more than one step, or a file ----


FLAGS = """\
#!/bin/sh
# as it was before --repo2-path=/elsewhere
exec pgbackrest --stanza=main --repo2-type=s3 --repo2-s3-bucket=old-bucket --repo2-s3-key=$KEY --repo=2 backup
"""


def test_flags_of_a_script_that_differ_are_named_with_their_line_and_mended(clinic):
    script = clinic.bed.place.write("backup.sh", FLAGS, 0o755)
    failure = clinic.first_failure(script)
    bucket = clinic.bed.pgbackrest.repo2_options()["s3-bucket"]
    assert f"line 3: repo2-s3-bucket is old-bucket, the definition says {bucket}" in failure.text
    clinic.do(failure.commands[0])
    assert f"--repo2-s3-bucket={bucket} " in script.read_text()
    assert "its --repoN- flags say what the definition says" in clinic.look(script).stdout


def test_a_secret_in_a_script_is_not_repeated(clinic):
    secret = "Zm9yZ290dGVuIGtleQ"
    script = clinic.bed.place.write("leaks.sh", f"pgbackrest --repo2-s3-key-secret={secret} info\n")
    result = clinic.look(script)
    assert "a secret belongs into no script" in result.stdout
    assert secret not in result.stdout + result.stderr


def test_a_stanza_that_was_never_created_is_created(clinic):
    options = clinic.bed.pgbackrest.repo2_options()
    clinic.configure(lambda text: text.replace(f'path: "{options["path"]}"', 'path: "/new"'))
    try:
        failure = clinic.first_failure()
        assert failure.text.startswith("Repository 2 (r2) of main: ")
        clinic.do(failure.commands[0])
        assert "no backup" in clinic.first_failure().text
        clinic.do(clinic.first_failure().commands[0])
        clinic.assert_sound()
    finally:
        clinic.configure(lambda text: text)


def test_a_user_without_rights_is_the_first_failure(clinic):
    nobody = pwd.getpwnam("nobody")
    words = ["setpriv", "--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid), "--clear-groups"]
    clinic.file.chmod(0o644)
    clinic.bed.pgbackrest.configuration.chmod(0o644)
    result = subprocess.run(
        [*words, *map(str, clinic.words("doctor"))], cwd="/", capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 2, result.stderr
    failure = findings(result.stdout, "FAILED")[0]
    assert failure.text.startswith("Rights of nobody: user nobody may not read repository 1 (nas)")
    clinic.do(f"{failure.commands[0]} || [ $? -eq 1 ]")  # no failure: a warning at most


def test_a_database_that_was_made_anew_is_told_to_the_repositories(program_path):
    with sound_clinic(program_path) as clinic:
        postgres = clinic.bed.postgres
        postgres.stop()
        postgres.data.rename(postgres.data.with_suffix(".former"))
        postgres.create()
        postgres.start()
        for repository in ("1 (nas)", "2 (r2)"):
            failure = clinic.first_failure()
            assert failure.text.startswith(f"Database of repository {repository}: it knows another database")
            for command in failure.commands:
                clinic.do(command)
        clinic.assert_sound()


@pytest.fixture
def drills_wanted(clinic):
    """Of repository 1; drills have a file system of their own."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="pgbackup-drills-") as state:
        clinic.bed.place.account.own(Path(state))
        wanted = "recovery-point: 15m, drill: 9d"
        clinic.configure(
            lambda text: re.sub("state-directory: .*", f"state-directory: {state}", text).replace(
                "recovery-point: 15m", wanted
            )
        )
        yield
        clinic.configure(lambda text: text)


def about_drills(clinic, section):
    return [finding for finding in findings(clinic.look().stdout, section) if "drill" in finding.text]


def test_a_drill_that_was_never_made_is_made(clinic, drills_wanted):
    never = about_drills(clinic, "WARNING")
    assert "no restore from it was ever proven by a drill" in never[0].text
    clinic.do(never[0].commands[0])
    assert not about_drills(clinic, "WARNING")


def test_a_drill_that_failed_is_told_with_where_it_failed(clinic, drills_wanted):
    checks = clinic.bed.place.write("checks.sql", "SELECT 1 / 0;\n")
    clinic.bed.place.run(clinic.words("drill", "--repo=1", f"--sql={checks}"), check=False, timeout=120)
    failed = about_drills(clinic, "FAILED")
    assert "The last restore drill failed at running the SQL given: " in failed[0].text
    assert failed[0].sentences


# ---- what it promises ----


def test_a_dead_object_store_and_a_dead_server_do_not_make_it_wait_longer_than_its_timeout(clinic):
    bed = clinic.bed
    bed.s3.process.signal(signal.SIGSTOP)
    bed.postgres.pause()
    try:
        begun = time.monotonic()
        result = clinic.look("--timeout=20s")
        assert time.monotonic() - begun < 21
        assert result.returncode == 2, result.stderr
        assert "Repository 1 (nas)" in result.stdout
    finally:
        bed.s3.process.signal(signal.SIGCONT)
        bed.postgres.resume()


def test_nothing_of_production_is_touched_without_active(clinic):
    def archived():
        return int(clinic.bed.postgres.sql("SELECT archived_count FROM pg_stat_archiver"))

    clinic.bed.postgres.set("archive_timeout", 0)
    archive_once(clinic.bed)
    clinic.bed.postgres.sql("INSERT INTO written VALUES (now())")
    before = archived()
    assert clinic.look().returncode in (0, 1)
    assert archived() == before
    assert "a WAL segment was ended and arrived" in clinic.look("--active").stdout
    wait_until(lambda: archived() > before, 30, "nothing was archived")
    clinic.bed.postgres.reset("archive_timeout")


def test_no_secret_is_shown(clinic):
    secrets = clinic.bed.pgbackrest.repo2_secrets().values()
    for output in ("text", "json", "runbook"):
        result = clinic.look(f"--output={output}")
        assert not [secret for secret in secrets if secret in result.stdout + result.stderr]


def test_as_json_it_is_the_document_of_the_api(clinic):
    document = json.loads(clinic.look("--output=json").stdout)
    jsonschema.validate(document, SCHEMA)
    assert {"rights", "credentials"} <= {target["target"] for target in document["targets"]}


def test_colours_are_for_terminals_only(clinic):
    assert "\033" not in clinic.look().stdout
    assert "\033[1;32mOK\033[0m" in on_terminal(clinic, {"TERM": "xterm"})
    assert "\033" not in on_terminal(clinic, {"TERM": "xterm", "NO_COLOR": "1"})


def on_terminal(clinic, environment):
    ours, its = os.openpty()
    process = subprocess.Popen(
        [str(word) for word in clinic.words("doctor")],
        stdout=its,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env={**clinic.bed.place.environment(), **environment},
        cwd="/",
        **clinic.bed.place.account.popen_arguments(),
    )
    os.close(its)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:
        pass  # how a terminal says that nobody writes to it any more
    process.wait(60)
    os.close(ours)
    return shown.decode()


def test_an_unknown_form_of_output_is_refused(clinic):
    result = clinic.look("--output=xml")
    assert result.returncode == 2
    assert "--output" in result.stderr
