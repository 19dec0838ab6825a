"""Backups in a repository that archive_command does not feed, made restorable: proven by restoring them."""
import signal
import subprocess

import pytest
from exporter import FAST, configuration
from process import BedError, wait_until
from restored import Restored

RESTORABLE = "pgbackrest_backups_restorable"
NO_WAL = "could not locate required checkpoint record"


@pytest.fixture(scope="module")
def place(request):
    """A bed of its own, whose repository 2 has backups and no WAL."""
    from bed import Bed

    bed = Bed().start(alerting=False, backups=False)
    request.addfinalizer(bed.stop)
    bed.postgres.sql("CREATE TABLE before_backup AS SELECT generate_series(1, 1000) AS number")
    for kind in ("full", "incr"):
        for repo in (1, 2):
            bed.pgbackrest.backup(kind, repo)
    return bed


def command(bed, program, *words):
    file = bed.place.write("complete.yml", configuration(bed, FAST))
    return [bed.place.copy_program(program), f"--config.file={file}", *words]


@pytest.fixture
def complete(place, program_path):
    """complete(*words): complete-wal of repository 2; check and environment as Place.run()."""
    words = ("complete-wal", "--repo=2")
    return lambda *more, **how: place.place.run(command(place, program_path, *words, *more), **how)


@pytest.fixture
def run(place, program_path):
    return lambda *words, **how: place.place.run(command(place, program_path, "run", *words), **how)


def stored(bed, pattern):
    """The objects of repository 2's archive, as the S3 server keeps them."""
    return [path for path in bed.place.path("s3").glob(f"*/pgbackrest/archive/main/{pattern}") if path.is_file()]


def segments(bed):
    """The names of the segments in repository 2."""
    return {path.name[:24] for path in stored(bed, "*/*/*._S3rver_object")}


def forget_wal(bed):
    """Repository 2 without WAL again, as if nothing had ever been copied."""
    for path in stored(bed, "*/*/*"):
        path.unlink()


def write_rows(bed):
    bed.postgres.wait_archived(bed.postgres.switch_wal())
    return bed.postgres.sql("SELECT max(at) FROM written")


def test_the_backups_become_restorable_and_really_restore(place, complete, start_exporter):
    exporter = start_exporter(place)
    exporter.wait_for(lambda now: now.value(RESTORABLE, repo_key="2") == 0, 25)
    with pytest.raises(BedError, match=NO_WAL), Restored(place, 2):
        pass
    done = complete()
    assert "are missing" in done.stdout and "0 are missing" in done.stdout
    exporter.wait_for(lambda now: now.value(RESTORABLE, repo_key="2") == 2, 25)
    with Restored(place, 2) as server:
        assert server.sql("SELECT sum(number) FROM before_backup") == "500500"
        assert "consistent recovery state reached" in server.log
    assert complete().stdout.rstrip().endswith("0 are missing: nothing to do")


def test_nothing_but_what_the_backups_need_is_copied(place, complete):
    write_rows(place)
    forget_wal(place)
    complete()
    backups = place.pgbackrest.info(2)["backup"]
    ranges = [(backup["archive"]["start"], backup["archive"]["stop"]) for backup in backups]
    assert all(any(start <= name <= stop for start, stop in ranges) for name in segments(place))
    assert {name for ends in ranges for name in ends} <= segments(place)


def test_a_dry_run_says_all_and_changes_nothing(place, complete):
    forget_wal(place)
    result = complete("--dry-run")
    assert result.returncode == 0 and "would be copied from" in result.stdout
    assert segments(place) == set()


def test_what_pg_wal_has_no_more_comes_from_another_repository(place, complete):
    forget_wal(place)
    for _ in range(3):
        write_rows(place)
    place.postgres.sql("CHECKPOINT")
    wal = place.postgres.data / "pg_wal"
    needed = place.pgbackrest.info(2)["backup"][0]["archive"]["start"]
    (wal / needed).unlink(missing_ok=True)
    assert f"{needed}: copied from repository 1 (nas)" in complete().stdout


def test_a_segment_that_nobody_has_is_named_and_the_rest_is_done(place, complete):
    forget_wal(place)
    backups = place.pgbackrest.info(2)["backup"]
    lost = backups[0]["archive"]["start"]
    (place.postgres.data / "pg_wal" / lost).unlink(missing_ok=True)
    file = next(place.pgbackrest.repo1.glob(f"archive/main/*/*/{lost}-*"))
    hidden = file.rename(place.root / "hidden")
    try:
        result = complete(check=False)
        assert result.returncode == 1
        assert f"WAL segment {lost}, which backup {backups[0]['label']} needs, could not be got" in result.stderr
        assert backups[1]["archive"]["start"] in segments(place)
    finally:
        hidden.rename(file)
    assert complete().returncode == 0


@pytest.mark.parametrize(("number", "left"), [(signal.SIGKILL, 1), (signal.SIGTERM, 0)])
def test_ended_at_any_moment_it_can_be_run_again_and_nothing_stays(place, complete, program_path, number, left):
    forget_wal(place)
    temporary = place.place.path("data", "tmp")
    temporary.mkdir(mode=0o700, exist_ok=True)
    place.place.account.own(temporary)
    environment = {**place.place.environment(), "TMPDIR": str(temporary)}
    place.s3.break_with(delay_ms=400)
    child = subprocess.Popen(
        [str(word) for word in command(place, program_path, "complete-wal", "--repo=2")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd="/", start_new_session=True,
        **place.place.account.popen_arguments(),
    )  # fmt: skip
    try:
        wait_until(lambda: list(temporary.glob("*/*")), 30, "no segment is on its way")
    finally:
        child.send_signal(number)
        child.wait()
        place.s3.repair()
    assert len(list(temporary.iterdir())) == left
    complete(environment={"TMPDIR": str(temporary)})
    assert list(temporary.iterdir()) == []
    assert place.pgbackrest.info(2)["backup"][0]["archive"]["start"] in segments(place)


def test_pgbackrest_stop_is_obeyed_and_named(place, complete):
    forget_wal(place)
    place.pgbackrest.run("stop")
    try:
        result = complete(check=False)
        assert result.returncode == 1 and "stop file exists for stanza main" in result.stderr
        assert segments(place) == set()
    finally:
        place.pgbackrest.run("start")
    complete()


def test_a_dead_repository_1_is_told_and_is_no_hindrance(place, complete):
    forget_wal(place)
    place.postgres.wait_archived(place.postgres.switch_wal())
    place.pgbackrest.backup("full", 2)
    place.pgbackrest.move_repo1_away()
    try:
        result = complete(check=False)
        stop = place.pgbackrest.info(2)["backup"][-1]["archive"]["stop"]
        assert "repository 1 (nas)" in result.stderr
        assert f"{stop}: copied from pg_wal" in result.stdout
    finally:
        place.pgbackrest.move_repo1_back()
    complete()


def test_expire_leaves_a_completed_repository_whole(place, complete, run):
    run("--repo=2", "--", "backup", "--type=full")
    run("--repo=2", "--", "expire", "--repo2-retention-full=1")
    assert len(place.pgbackrest.info(2)["backup"]) == 1
    assert complete().stdout.rstrip().endswith("0 are missing: nothing to do")
    with Restored(place, 2):
        pass


def test_a_backup_with_repository_1_dead_really_restores(place, run):
    place.postgres.wait_archived(place.postgres.switch_wal())
    place.pgbackrest.move_repo1_away()
    try:
        newest = place.postgres.sql("INSERT INTO written VALUES (now()) RETURNING at")
        done = run("--repo", "2", "--", "backup", "--type=full")
        assert "0 are missing" in done.stdout
        with Restored(place, 2) as server:
            assert server.sql("SELECT max(at) FROM written") == newest
    finally:
        place.pgbackrest.move_repo1_back()


def test_a_failed_backup_keeps_pgbackrests_status_and_nothing_is_copied(place, run):
    result = run("--repo=2", "--", "backup", "--type=nonsense", check=False)
    assert result.returncode == 32 and "copied" not in result.stdout


def test_without_repo_the_backup_goes_to_the_first_repository_as_ever(place, run):
    before = len(place.pgbackrest.info(2)["backup"])
    result = run("--", "backup", "--type=incr")
    assert "copied" not in result.stdout
    assert len(place.pgbackrest.info(2)["backup"]) == before


def test_the_printed_lines_are_the_backup_and_its_completing(place, run):
    first, second = run("--repo=2", "--print", "--", "backup", "--type=full").stdout.splitlines()
    assert "backup --type=full --no-archive-check" in first
    assert second.startswith("pgbackup_exporter --config.file=") and "complete-wal --stanza=main --repo=2" in second
    assert "archive-check" not in run("--repo=1", "--print", "--", "backup").stdout


def complete_with(bed, program, stand_in=None, conf=None):
    """complete-wal with another pgbackrest, or another pgbackrest.conf."""
    text = configuration(bed, FAST)
    text = text.replace("/usr/bin/pgbackrest", str(stand_in or "/usr/bin/pgbackrest"))
    text = text.replace(str(bed.pgbackrest.configuration), str(conf or bed.pgbackrest.configuration))
    file = bed.place.write("other.yml", text)
    return bed.place.run([bed.place.copy_program(program), f"--config.file={file}", "complete-wal", "--repo=2"], check=False)


STAND_IN = """#!/bin/sh
case "$*" in *{file}*--no-config*) [ "$1" = archive-push ] && {does} ;; esac
exec /usr/bin/pgbackrest "$@"
"""


def test_a_push_is_believed_when_the_segment_is_seen(place, program_path):
    forget_wal(place)
    lost = place.pgbackrest.info(2)["backup"][-1]["archive"]["stop"]
    stand_in = place.place.write("blind", STAND_IN.format(file=lost, does="exit 0"), 0o755)
    result = complete_with(place, program_path, stand_in)
    assert result.returncode == 1
    assert f"WAL segment {lost}, which backup " in result.stderr


def test_other_content_under_the_name_is_told_and_the_rest_is_done(place, program_path):
    forget_wal(place)
    lost = place.pgbackrest.info(2)["backup"][-1]["archive"]["stop"]
    does = "{ echo 'ERROR: [045]: already exists' >&2; exit 45; }"
    stand_in = place.place.write("differs", STAND_IN.format(file=lost, does=does), 0o755)
    result = complete_with(place, program_path, stand_in)
    assert result.returncode == 1
    assert f"WAL segment {lost}, which backup " in result.stderr
    assert "needs: other content than that of " in result.stderr
    assert lost not in segments(place) and segments(place) != set()


def test_a_limit_of_the_archive_queue_drops_nothing(place, program_path):
    forget_wal(place)
    text = place.pgbackrest.configuration.read_text().replace("[global]", "[global]\narchive-push-queue-max=1MB", 1)
    conf = place.place.write("limited.conf", text, 0o640)
    assert complete_with(place, program_path, conf=conf).returncode == 0


@pytest.fixture
def unfinished(place):
    """The newest segment of repository 2's backups as if PostgreSQL had not ended it: path of its mark, moved away."""
    place.pgbackrest.backup("full", 2)
    name = place.pgbackrest.info(2)["backup"][-1]["archive"]["stop"]
    place.postgres.wait_archived(name)
    mark = place.postgres.data / "pg_wal" / "archive_status" / f"{name}.done"
    wait_until(mark.exists, 10, f"{name} is not marked as archived")
    away = mark.rename(place.root / "mark")
    stored_one = next(place.pgbackrest.repo1.glob(f"archive/main/*/*/{name}-*"))
    hidden = stored_one.rename(place.root / "hidden-unfinished")
    text = configuration(place, FAST).replace(f"port={place.postgres.port}", "port=1")
    file = place.place.write("unfinished.yml", text)
    yield name, mark, away, file
    hidden.rename(stored_one)
    if away.exists():
        away.rename(mark)


def test_a_segment_that_postgres_has_not_finished_is_waited_for(place, program_path, unfinished):
    name, mark, away, file = unfinished
    words = [place.place.copy_program(program_path), f"--config.file={file}", "complete-wal", "--repo=2"]
    with subprocess.Popen(
        [str(word) for word in words], stdout=subprocess.PIPE, encoding="utf-8", env=place.place.environment(),
        cwd="/", start_new_session=True, **place.place.account.popen_arguments(),
    ) as child:  # fmt: skip
        for line in child.stdout:
            if line == "waiting until PostgreSQL has finished 1 WAL segments\n":
                away.rename(mark)
        assert child.wait() == 0
    assert mark.exists()
    assert name in segments(place)


def test_what_is_not_finished_in_time_is_named(place, program_path, unfinished):
    name, _, _, file = unfinished
    words = [place.place.copy_program(program_path), f"--config.file={file}", "complete-wal", "--repo=2"]
    result = place.place.run([*words, "--timeout=6s"], check=False)
    assert result.returncode == 1
    assert f"WAL segment {name}, which backup " in result.stderr
    assert "needs, is not finished by PostgreSQL yet" in result.stderr


def test_a_repository_host_is_refused(place, program_path):
    text = place.pgbackrest.configuration.read_text() + "pg1-host=db.example.net\n"
    result = complete_with(place, program_path, conf=place.place.write("host.conf", text, 0o640))
    assert result.returncode == 2
    assert "PostgreSQL of stanza main is on db.example.net (pg1-host)" in result.stderr


def test_another_clusters_wal_is_refused(place, program_path):
    other = place.add_cluster("other")
    text = place.pgbackrest.configuration.read_text()
    conf = place.place.write("swapped.conf", text.replace(str(place.postgres.data), str(other.data)), 0o640)
    result = complete_with(place, program_path, conf=conf)
    assert result.returncode == 2
    assert "repository 2 (r2): its newest database has system id " in result.stderr
    assert "backups of another database cannot be completed" in result.stderr


def test_secrets_are_in_no_output(place, complete):
    forget_wal(place)
    result = complete()
    assert place.s3.credentials.secret not in result.stdout + result.stderr


def test_an_encrypted_repository_is_completed_too(program_path, request):
    from bed import Bed

    bed = Bed(encrypted=True).start(alerting=False)
    request.addfinalizer(bed.stop)
    bed.place.run(command(bed, program_path, "complete-wal", "--repo=2"))
    with Restored(bed, 2) as server:
        assert "consistent recovery state reached" in server.log


@pytest.fixture(scope="module")
def promoted(place):
    """The same bed's server on timeline 2, its history file archived."""
    place.postgres.stop()
    signal_file = place.postgres.data / "standby.signal"
    signal_file.touch()
    place.place.account.own(signal_file)
    place.postgres.start()
    assert place.postgres.sql("SELECT pg_promote()") == "t"
    place.postgres.wait_archived(place.postgres.switch_wal())
    return place


def histories(bed):
    return {path.name[:16] for path in stored(bed, "*/*.history._S3rver_object")}


def test_history_files_go_along(promoted, run):
    run("--repo=2", "--", "backup", "--type=full")
    assert histories(promoted) == {"00000002.history"}
    with Restored(promoted, 2) as server:
        assert server.sql("SELECT timeline_id FROM pg_control_checkpoint()") == "3"


def test_a_corrupted_history_is_not_copied_and_named(promoted, complete):
    for path in stored(promoted, "*/*.history*"):
        path.unlink()
    good = promoted.postgres.data / "pg_wal" / "00000002.history"
    hidden = good.rename(promoted.root / "hidden.history")
    stored_one = next(promoted.pgbackrest.repo1.glob("archive/main/*/00000002.history"))
    content = stored_one.read_bytes()
    stored_one.write_text("rubbish\n")
    try:
        result = complete()
        assert "00000002.history of repository 1 (nas) is not copied: " in result.stderr
        assert histories(promoted) == set()
    finally:
        stored_one.write_bytes(content)
        hidden.rename(good)
    complete()
    assert histories(promoted) == {"00000002.history"}


def test_the_history_of_a_foreign_timeline_is_left_out_and_the_repository_restores(promoted, complete):
    """PostgreSQL would try the newest timeline that it finds, and refuse a backup that is not on its way."""
    archive = next(promoted.pgbackrest.repo1.glob("archive/main/*/00000002.history")).parent
    history = (archive / "00000002.history").read_text()
    switch = history.split("\t")[1]
    foreign = archive / "00000003.history"
    foreign.write_text(f"{history}\n2\t{switch.split('/')[0]}/{int(switch.split('/')[1], 16) + 8192:X}\tforeign\n")
    promoted.place.account.own(foreign)
    try:
        result = complete()
        assert "00000003.history of repository 1 (nas) is not copied: production is on timeline 2" in result.stderr
        assert histories(promoted) == {"00000002.history"}
        with Restored(promoted, 2):
            pass
    finally:
        foreign.unlink()
