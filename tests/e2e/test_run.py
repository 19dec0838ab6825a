"""pgBackRest's commands by way of `run`: the one definition of each repository, for people."""
import json
import shutil
import subprocess

import pytest
from exporter import FAST, configuration
from postgres import Postgres
from process import BedError, free_port, wait_until


@pytest.fixture(scope="module")
def run(bed, program_path):
    """run(*words): `run` with these words on the shared bed; check and environment as Place.run()."""
    program = bed.place.copy_program(program_path)
    file = bed.place.write("run.yml", configuration(bed, FAST))
    return lambda *words, **how: bed.place.run([program, f"--config.file={file}", "run", *words], **how)


def backups(output):
    """Repository key of each backup in the JSON that info printed."""
    return [backup["database"]["repo-key"] for backup in json.loads(output)[0]["backup"]]


@pytest.mark.parametrize(("words", "keys"), [(["--repo=1"], {1}), (["--repo", "2"], {2}), ([], {1, 2})])
def test_info_shows_the_repositories_that_are_asked_for(run, words, keys):
    assert set(backups(run(*words, "--", "info", "--output=json").stdout)) == keys


@pytest.mark.parametrize("repo", ["1", "2"])
def test_repo_ls_lists_either_repository(run, repo):
    assert "backup.info" in run("--repo", repo, "--", "repo-ls", "backup/main").stdout.split()


def test_check_works_on_the_repository_that_archive_command_feeds(run):
    assert run("--repo=1", "--", "check").returncode == 0


def test_archive_get_fetches_a_segment_and_says_when_there_is_none(bed, run):
    first = bed.pgbackrest.info(1)["archive"][0]["min"]
    target = bed.place.path("data", "segment")
    assert run("--repo=1", "--", "archive-get", first, str(target)).returncode == 0
    assert target.stat().st_size == 16 << 20
    target.unlink()
    assert run("--repo=1", "--", "archive-get", "0000000100000000000000EE", str(target), check=False).returncode == 1
    assert not target.exists()


@pytest.fixture
def elsewhere(bed):
    """Room for a copy of the bed's server, in a folder and on a port of its own."""
    server = Postgres(bed.place, free_port(), "/bin/false", 60, "restored")
    server.data.mkdir(mode=0o700)
    bed.place.account.own(server.data)
    yield server
    server.stop()
    shutil.rmtree(server.data)


def restore(bed, server, repo, restore_command):
    options = [f"--pg1-path={server.data}", "--no-delta", "--archive-mode=off"]
    options += [f"--recovery-option=restore_command={restore_command}"]
    bed.pgbackrest.run("restore", *options, repo=repo)
    with open(server.data / "postgresql.conf", "a", encoding="utf-8") as file:
        file.write(f"port = {server.port}\n")
    server.start()


# Repository 2 holds no WAL: without --repo the other one gives it.
@pytest.mark.parametrize(("repo", "words"), [(1, "--repo 1"), (2, "")])
def test_a_server_restored_elsewhere_gets_all_its_wal(bed, run, program_path, elsewhere, repo, words):
    bed.postgres.wait_archived(bed.postgres.switch_wal())
    program, file = bed.place.copy_program(program_path), bed.place.path("run.yml")
    get = f"archive-get --pg1-path={elsewhere.data} --no-archive-async"
    restore(bed, elsewhere, repo, f'{program} --config.file={file} run {words} -- {get} %f "%p"')
    wait_until(lambda: elsewhere.sql("SELECT pg_is_in_recovery()") == "f", 30, "recovery does not end")
    newest = "SELECT max(at) FROM written"
    assert elsewhere.sql(newest) == bed.postgres.sql(newest) != ""


def test_a_restored_server_is_not_promoted_while_run_cannot_get_its_wal(bed, program_path, elsewhere):
    """To PostgreSQL a status up to 125 is the end of the archive: it would lose all that is behind."""
    bed.postgres.wait_archived(bed.postgres.switch_wal())
    command = f'{bed.place.copy_program(program_path)} --config.file=/nowhere.yml run -- archive-get %f "%p"'
    with pytest.raises(BedError):
        restore(bed, elsewhere, 1, command)
    assert "FATAL:  could not restore file" in elsewhere.process.log_tail()


@pytest.mark.usefixtures("run")
def test_a_restored_server_is_not_promoted_while_its_repository_is_out_of_reach(bed, program_path, elsewhere):
    program, file = bed.place.copy_program(program_path), bed.place.path("run.yml")
    get = f"archive-get --pg1-path={elsewhere.data} --no-archive-async --io-timeout=5"
    bed.s3.stop()
    try:
        with pytest.raises(BedError):
            restore(bed, elsewhere, 1, f'{program} --config.file={file} run --repo 2 -- {get} %f "%p"')
    finally:
        bed.s3.start()
    assert "FATAL:  could not restore file" in elsewhere.process.log_tail()


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(("signal_file", "status"), [("recovery.signal", 126), ("standby.signal", 32)])
def test_a_standby_is_told_the_status_of_pgbackrest_and_asks_again(bed, program_path, elsewhere, signal_file, status):
    (elsewhere.data / signal_file).touch()
    program, file = bed.place.copy_program(program_path), bed.place.path("run.yml")
    get = f"{program} --config.file={file} run --repo 1 -- archive-get --log-level-console=never x y"
    done = bed.place.run(["sh", "-c", f"cd {elsewhere.data} && {get}"], check=False)
    assert done.returncode == status, done.stdout + done.stderr


def test_a_failure_to_get_wal_is_told_from_wal_that_is_not_there(bed, run):
    away = bed.credentials_file.with_suffix(".away")
    bed.credentials_file.rename(away)
    try:
        assert run("--repo=2", "--", "archive-get", "x", "y", check=False).returncode == 126
        assert run("--repo=2", "--", "info", check=False).returncode == 2
    finally:
        away.rename(bed.credentials_file)


def test_the_exit_status_is_pgbackrests_own(run):
    assert run("--repo=1", "--", "repo-get", "no/such/file", check=False).returncode == 55
    assert run("--repo=1", "--", "info", "--output=xml", check=False).returncode == 32


def test_another_repositorys_missing_key_is_no_hindrance(bed, run, program_path):
    text = configuration(bed, FAST).replace(str(bed.pgbackrest.configuration), "@")
    broken = bed.pgbackrest.configuration.read_text().replace(
        "[global]", "[global]\nrepo3-type=s3\nrepo3-path=/x\nrepo3-s3-bucket=b", 1
    )
    conf = bed.place.write("broken.conf", broken)
    file = bed.place.write("broken.yml", text.replace("@", str(conf)))
    program = bed.place.copy_program(program_path)
    command = [program, f"--config.file={file}", "run", "--repo=1", "--", "info", "--output=json"]
    assert set(backups(bed.place.run(command).stdout)) == {1}


def test_missing_credentials_are_named_with_a_way_round(bed, run):
    away = bed.credentials_file.with_suffix(".away")
    bed.credentials_file.rename(away)
    try:
        result = run("--", "info", check=False)
        assert result.returncode == 2 and result.stdout == ""
        assert f"repository 2 (r2) (with --repo the others go without it): credentials file {away.with_suffix('.env')}" in (
            result.stderr
        )
        assert set(backups(run("--repo=1", "--", "info", "--output=json").stdout)) == {1}
    finally:
        away.rename(bed.credentials_file)


def test_sections_of_the_command_count(bed, run, program_path):
    conf = bed.place.write(
        "sections.conf", bed.pgbackrest.configuration.read_text() + "\n[main:repo-ls]\nrepo1-path=/nowhere\n"
    )
    text = configuration(bed, FAST).replace(str(bed.pgbackrest.configuration), str(conf))
    file = bed.place.write("sections.yml", text)
    command = [bed.place.copy_program(program_path), f"--config.file={file}", "run", "--repo=1", "--"]
    assert set(backups(bed.place.run([*command, "info", "--output=json"]).stdout)) == {1}
    assert bed.place.run([*command, "repo-ls", "backup/main"]).stdout == ""


@pytest.mark.parametrize("words", [["--repo=1"], ["--repo=2"], []])
def test_the_printed_line_does_the_same_without_us_and_shows_no_secret(bed, run, words):
    line = run(*words, "--print", "--", "info", "--output=json").stdout
    secrets = bed.s3.credentials
    assert secrets.key not in line and secrets.secret not in line
    plain = bed.place.run(["sh", "-c", line])
    assert json.loads(plain.stdout) == json.loads(run(*words, "--", "info", "--output=json").stdout)


def test_secrets_travel_in_the_environment_only(bed, program_path):
    """A stand-in for pgbackrest shows how it was called."""
    stand_in = bed.place.write("show", "#!/bin/sh\ntr '\\0' '\\n' </proc/$$/cmdline\nenv\n", 0o755)
    text = configuration(bed, FAST).replace("/usr/bin/pgbackrest", str(stand_in))
    file = bed.place.write("show.yml", text)
    shown = bed.place.run([bed.place.copy_program(program_path), f"--config.file={file}", "run", "--repo=2", "info"])
    arguments, environment = shown.stdout.split("PGBACKREST_", 1)
    assert bed.s3.credentials.secret not in arguments and "--no-config" in arguments
    assert bed.s3.credentials.secret in environment and "REPO1" not in environment


def test_a_command_that_cannot_be_run_is_an_error(bed, program_path):
    text = configuration(bed, FAST).replace("/usr/bin/pgbackrest", "/nowhere/pgbackrest")
    file = bed.place.write("nowhere.yml", text)
    command = [bed.place.copy_program(program_path), f"--config.file={file}", "run", "--repo=1", "info"]
    result = bed.place.run(command, check=False)
    assert result.returncode == 2
    assert "cannot run /nowhere/pgbackrest (pgbackrest.command): No such file or directory" in result.stderr


def test_version_asks_for_no_stanza_and_no_credentials(bed, program_path):
    conf = bed.place.write("two.conf", "[a]\npg1-path=/a\n[b]\npg1-path=/b\n")
    file = bed.place.write("two.yml", f"pgbackrest: {{config: {conf}}}\n")
    command = [bed.place.copy_program(program_path), f"--config.file={file}", "run"]
    assert bed.place.run([*command, "version"]).stdout.startswith("pgBackRest ")
    assert "Say --stanza with one of a, b" in bed.place.run([*command, "info"], check=False).stderr


def test_a_printed_check_says_when_it_goes_to_other_repositories_too(run):
    """pgbackrest.conf names repository 1 alone, and pgBackRest's check takes no --repo."""
    assert run("--repo=1", "--print", "--", "check").stderr == ""
    printed = run("--repo=2", "--print", "--", "check")
    assert "--repo=" not in printed.stdout
    assert "check takes no --repo: as a plain line it goes to every repository" in printed.stderr


def test_help_tells_how_it_is_used(run):
    assert run("--help").stdout.startswith("usage: pgbackup_exporter [FLAGS] run ")


def test_a_pipe_that_closes_early_ends_it_as_any_command(bed, run, program_path):
    program, file = bed.place.copy_program(program_path), bed.place.path("run.yml")
    line = f"{program} --config.file={file} run --repo=1 -- repo-ls --recurse archive/main | head -c 1"
    assert subprocess.run(["sh", "-c", line], capture_output=True, timeout=30, check=True,
                          **bed.place.account.popen_arguments()).stderr == b""  # fmt: skip
