"""What a drill could do to production and does not; what may go wrong in it, and what is told of that."""
import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager

import mounts
import pytest
import told
from bed import Bed
from drilling import STAGES, failed_at, production_untouched, proven
from pgbackrest import PROGRAM as PGBACKREST
from postgres import Postgres
from process import command_line, free_port, send_signal, wait_until

needs_mounts = pytest.mark.skipif(mounts.reason_against() is not None, reason=str(mounts.reason_against()))


@pytest.fixture(scope="module")
def bed():
    bed = Bed().start(alerting=False, backups=False)
    bed.postgres.stop()
    bed.place.run([bed.postgres.programs / "pg_checksums", "--enable", "--no-sync", "-D", bed.postgres.data])
    bed.postgres.start()
    bed.postgres.set("autovacuum", "off")  # production writes nothing by itself
    told.begin(bed.postgres)
    bed.pgbackrest.backup("full", 1)
    yield bed
    bed.stop()


def newest(bed):
    return bed.pgbackrest.info(1)["backup"][-1]


# ---- ended from outside ----


ALL_ENDS = [(stage, number) for stage in STAGES for number in (signal.SIGTERM, signal.SIGKILL)]
FIRST_ENDS = [(STAGES[0], signal.SIGKILL), (STAGES[1], signal.SIGTERM)]  # the others in the campaign


@pytest.mark.parametrize(
    ("stage", "number"),
    [end if end in FIRST_ENDS else pytest.param(*end, marks=pytest.mark.campaign) for end in ALL_ENDS],
)
def test_one_that_is_ended_tells_the_truth_and_the_next_one_works(drill, untouched, stage, number):
    with drill.held_at(stage) as process:
        process.send_signal(number)
        _, errors = process.communicate(timeout=70)
        record = drill.record(1)
    assert process.returncode == (1 if number == signal.SIGTERM else -number)
    assert (record["stage"], record["succeeded"]) == (stage, False)
    if number == signal.SIGTERM:
        assert f"FAILED at {stage}: " in errors
        assert record["error"].endswith(" to stop") and record["error"] in errors
        assert not drill.leftovers()
    else:
        assert "ended_ms" not in record
    wait_until(lambda: drill.processes() == [], 10, "a process is left")
    assert drill.status(1) == 0
    proven(drill.run(1))
    assert drill.leftovers() == []
    assert drill.status(1) == 1


def workers(drill):
    return [pid for pid in drill.processes() if "restore:local" in command_line(pid)]


@pytest.mark.campaign
def test_a_worker_of_pgbackrest_ends_with_a_drill_that_is_killed(drill, untouched):
    """By itself it would write its file to the end: the kernel ends our child, not what that has started."""
    process = drill.start(1)
    for pid in wait_until(lambda: workers(drill), 30, "no worker"):
        send_signal(pid, signal.SIGSTOP)
    assert process.poll() is None
    process.kill()
    process.communicate(timeout=10)
    wait_until(lambda: drill.processes() == [], 10, "a process is left")
    assert drill.record(1)["stage"] == "restoring"
    proven(drill.run(1))


@contextmanager
def held_lock(bed, path):
    """A lock as pgbackrest's restore holds it."""
    words = ["flock", str(path), "sleep", "600"]
    holder = subprocess.Popen(words, start_new_session=True, **bed.place.account.popen_arguments())
    try:
        wait_until(lambda: bed.place.run(["flock", "-n", path, "true"], check=False).returncode, 10, "no lock")
        yield
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()


@pytest.mark.parametrize("stage", ["restoring", "recovering"])
def test_one_that_gives_way_to_a_real_restore_leaves_nothing(bed, drill, untouched, stage):
    lock = bed.place.path("lock", "main-restore.lock")
    with drill.held_at(stage) as process, held_lock(bed, lock):
        _, errors = process.communicate(timeout=70)
    assert process.returncode == 1
    assert f"FAILED at {stage}: " in errors and "a real restore of this stanza is running" in errors
    assert drill.leftovers() == []
    wait_until(lambda: drill.processes() == [], 10, "a process is left")
    proven(drill.run(1))


# ---- what production is set to ----


@contextmanager
def statements(bed, *pairs):
    """Run the first of each pair, then undo it by the second, the last one first."""
    done = []
    try:
        for statement, undo in pairs:
            bed.postgres.sql(statement)
            done.insert(0, undo)
        yield
    finally:
        for undo in done:
            bed.postgres.sql(undo)


def alter(setting, value):
    return f"ALTER SYSTEM SET {setting} = '{value}'", f"ALTER SYSTEM RESET {setting}"


HARMFUL = {
    "synchronous_standby_names": "nobody",
    "shared_preload_libraries": "not_on_this_host",
    "session_preload_libraries": "not_on_this_host",
    "local_preload_libraries": "not_on_this_host",
    "archive_command": "touch {root}/data/harm",
    "recovery_end_command": "touch {root}/data/harm",
    "archive_cleanup_command": "touch {root}/data/harm",
    "primary_conninfo": "host=/nowhere",
    "external_pid_file": "{root}/data/harm",
    "unix_socket_directories": "{root}/socket",
    "max_connections": "20",
    "ssl": "on",
    "huge_pages": "on",
}


def test_no_setting_of_production_stops_the_restored_server_or_does_harm(bed, drill):
    """They stand in its files, and are not in force: it would not start with some of them itself."""
    with statements(bed, *(alter(name, value.format(root=bed.root)) for name, value in HARMFUL.items())):
        bed.pgbackrest.backup("incr", 1)
        with production_untouched(bed):
            proven(drill.run(1))
    assert not bed.place.path("data", "harm").exists()


def test_what_a_database_or_a_role_has_set_for_itself_does_not_stop_it_either(bed, drill):
    with statements(
        bed,
        ("CREATE DATABASE particular", "DROP DATABASE particular"),
        ("ALTER DATABASE particular SET session_preload_libraries = 'not_on_this_host'", "SELECT 1"),
        ("ALTER DATABASE particular SET local_preload_libraries = 'nor_this'", "SELECT 1"),
        ("ALTER ROLE postgres IN DATABASE particular SET statement_timeout = '1ms'", "SELECT 1"),
        ("ALTER ROLE postgres IN DATABASE particular SET default_transaction_read_only = on", "SELECT 1"),
    ):
        bed.pgbackrest.backup("incr", 1)
        with production_untouched(bed):
            proven(drill.run(1, "--amcheck"))


def test_a_database_that_was_dropped_half_way_is_passed_over(bed, drill):
    """Recovery to a moment can end in the middle of it."""
    dropping = "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'doomed'"
    with statements(bed, ("CREATE DATABASE doomed", "DROP DATABASE doomed"), (dropping, "SELECT 1")):
        bed.pgbackrest.backup("incr", 1)
        with production_untouched(bed):
            assert "2 databases were read" in proven(drill.run(1))


@pytest.fixture
def publisher(bed):
    server = Postgres(bed.place, free_port(), "/bin/false", 60, "publisher")
    server.create()
    with open(server.data / "postgresql.conf", "a", encoding="utf-8") as file:
        file.write("wal_level = logical\nlog_connections = on\nlog_replication_commands = on\n")
    server.start()
    server.sql("CREATE TABLE news (n int)", "CREATE PUBLICATION news FOR TABLE news")
    yield server
    server.stop()


def connections(server):
    """By which anybody has come to it as a replica; those of psql are ours."""
    return re.findall(r"replication connection authorized.*", server.process.log_text())


def test_a_subscriber_never_connects_to_its_publisher(bed, drill, publisher):
    subscription = f"CREATE SUBSCRIPTION news CONNECTION '{publisher.conninfo}' PUBLICATION news"
    with statements(
        bed,
        ("CREATE TABLE news (n int)", "DROP TABLE news"),
        (subscription, "DROP SUBSCRIPTION news"),
    ):
        publisher.sql("INSERT INTO news VALUES (1)")
        wait_until(lambda: bed.postgres.sql("SELECT n FROM news") == "1", 60, "nothing is replicated")
        bed.pgbackrest.backup("incr", 1)
        bed.postgres.sql("ALTER SUBSCRIPTION news DISABLE")
        is_idle = "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'news'"
        wait_until(lambda: publisher.sql(is_idle) == "t", 30, "production's own worker goes on")
        publisher.sql("INSERT INTO news VALUES (2)")
        seen = connections(publisher)
        assert seen
        wanted = "SELECT pg_sleep(2), 1 / count(*) FROM pg_subscription WHERE subenabled;\n"
        sql = bed.place.write("data/look.sql", wanted)
        with production_untouched(bed):
            proven(drill.run(1, "--target=backup", "--sql", sql))
        assert connections(publisher) == seen
        bed.postgres.sql("ALTER SUBSCRIPTION news ENABLE")
        has_both = "SELECT count(*) = 2 FROM news"
        wait_until(lambda: bed.postgres.sql(has_both) == "t", 60, "what came meanwhile was taken away")


# ---- room ----


def small_disk(bed, size):
    """Words that run a command with a file system of its own for its scratch folders; its folder."""
    folder = bed.place.path("data", "small")
    folder.mkdir(exist_ok=True)
    account = bed.place.account
    mount = f'mount -t tmpfs -o size={size},mode=700,uid={account.uid},gid={account.gid} drill "{folder}"'
    become = f'setpriv --reuid={account.uid} --regid={account.gid} --init-groups "$@"'
    return folder, ["unshare", "--mount", "--propagation", "private", "sh", "-c", f"{mount} && exec {become}", "sh"]


@needs_mounts
def test_a_scratch_folder_that_is_too_small_is_refused_before_anything_is_restored(bed, drill, untouched):
    folder, before = small_disk(bed, "8m")
    process = drill.start(1, f"--scratch={folder}", before=before)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "restoring" not in said
    refused = r"FAILED at making room: no room in .*: the cluster takes \d+ MiB, .* and [78] MiB are"
    assert re.search(refused, errors), errors
    assert drill.record(1)["stage"] == "making room"
    assert drill.status(1) == 0


@needs_mounts
@pytest.mark.parametrize("stage", ["restoring", "recovering"])
def test_a_disk_that_fills_meanwhile_ends_it(bed, drill, untouched, stage):
    folder, before = small_disk(bed, "400m")
    with drill.held_at(stage, f"--scratch={folder}", before=before) as process:
        seen = f"/proc/{process.pid}/root{folder}"
        with open(f"{seen}/filler", "wb") as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(1 << 20))
                file.flush()
        _, errors = process.communicate(timeout=70)
    assert process.returncode == 1
    assert f"FAILED at {stage}: " in errors
    assert "is nearly full: " in errors and "MiB must stay free" in errors
    assert "is nearly full: " in drill.record(1)["error"]
    wait_until(lambda: drill.processes() == [], 10, "a process is left")
    proven(drill.run(1))


# ---- what is wrong in the repository ----


@contextmanager
def away(path):
    hidden = path.with_name(f"{path.name}.away")
    path.rename(hidden)
    try:
        yield
    finally:
        hidden.rename(path)


def stored(bed, segment):
    [file] = bed.pgbackrest.repo1.glob(f"archive/main/*/{segment[:16]}/{segment}-*")
    return file


def test_wal_of_the_backup_that_is_missing_is_named(bed, drill, untouched):
    with away(stored(bed, newest(bed)["archive"]["stop"])):
        error = failed_at(drill.run(1, "--target=backup"), "recovering")
        assert "WAL ends before end of online backup" in error or "checkpoint record" in error
        assert drill.record(1)["error"] in error
    assert drill.leftovers() == []
    proven(drill.run(1, "--target=backup"))


def test_wal_that_is_missing_behind_the_backup_is_found(bed, drill):
    """PostgreSQL takes it for the end of the archive and starts without a word."""
    first, _, last = (told.write(bed.postgres) for _ in range(3))
    bed.postgres.wait_archived(last)
    with production_untouched(bed), away(stored(bed, first)):
        error = failed_at(drill.run(1), "reading every catalogue")
        assert f"though the repository lists WAL up to {last}: a segment between is missing" in error
        assert drill.status(1) == 0
        proven(drill.run(1, "--target=backup"))
    with production_untouched(bed):
        proven(drill.run(1))


def test_a_page_that_was_damaged_before_it_was_backed_up_is_found(bed, drill):
    with statements(
        bed,
        ("CREATE TABLE worn AS SELECT generate_series(1, 1000) AS n", "DROP TABLE worn"),
    ):
        file = bed.postgres.data / bed.postgres.sql("CHECKPOINT", "SELECT pg_relation_filepath('worn')")
        with open(file, "r+b") as page:
            page.seek(8000)
            page.write(b"worn out")
        bed.pgbackrest.backup("full", 1)
        with production_untouched(bed):
            error = failed_at(drill.run(1), "verifying page checksums")
        assert f'in file "{drill.state}' in error and "checksum verification failed" in error
        assert drill.leftovers() == []
    bed.pgbackrest.backup("full", 1)
    assert "verifying page checksums\n" in proven(drill.run(1))


def test_a_major_version_that_is_not_on_this_host_is_named(bed, drill, untouched):
    now = bed.postgres.programs.parent.name
    other = f"""\
#!/bin/sh
{PGBACKREST} "$@" | sed 's/"version":"{now}"/"version":"11"/g'
"""
    drill.configure(drill.script("other", other))
    error = failed_at(drill.run(1), "looking for a backup")
    assert "no PostgreSQL 11, which the backup is of, is installed here: looked in /usr/lib/postgresql/11/bin " in error
    assert drill.status(1) == 0


# ---- a moment by chance ----


@pytest.fixture(scope="module")
def history(bed):
    """Two backups with rows, each a second apart, before, between and behind them."""
    told.tell(bed.postgres, 2)
    bed.pgbackrest.backup("incr", 1)
    told.tell(bed.postgres, 4)
    bed.pgbackrest.backup("incr", 1)
    told.tell(bed.postgres, 4)


def chance(said):
    """Backup and moment as a drill tells them."""
    [found] = re.findall(r'^a moment by chance: --set (\S+) --target "([^"]+)"$', said, re.MULTILINE)
    return found


def test_a_moment_by_chance_is_told_and_reached_and_not_passed(bed, drill, history):
    file = bed.place.path("data", "rows")
    sql = bed.place.write("data/rows.sql", f"COPY (SELECT number FROM told ORDER BY 1) TO '{file}';\n")
    chosen = set()
    for _ in range(3):
        with production_untouched(bed):
            said = proven(drill.run(1, "--target=random", "--sql", sql))
        label, moment = chance(said)
        chosen.add(moment)
        assert drill.record(1)["backup"] == label
        assert re.search(r"^recovery stopped before (commit|abort) of transaction \d+, time ", said, re.MULTILINE), said
        restored = [int(number) for number in file.read_text().split()]
        written = "SELECT number FROM told WHERE at < timestamptz '{}' - interval '{} ms' ORDER BY 1"
        # A row is written shortly before its transaction ends.
        expected = [bed.postgres.sql(written.format(moment, ms)).split() for ms in (0, 100)]
        assert restored in [[int(number) for number in numbers] for numbers in expected]
    assert len(chosen) > 1


def test_a_moment_by_chance_can_be_tried_again(drill, history, untouched):
    label, moment = chance(proven(drill.run(1, "--target=random")))
    said = proven(drill.run(1, "--set", label, "--target", moment))
    assert f"PROVEN: backup {label} " in said and "recovery stopped before " in said


def test_a_moment_by_chance_is_sought_behind_the_backup_that_is_named(bed, drill, history, untouched):
    backup = newest(bed)
    label, moment = chance(proven(drill.run(1, "--target=random", "--set", backup["label"])))
    assert label == backup["label"]
    stop = backup["timestamp"]["stop"]
    assert bed.postgres.sql(f"SELECT timestamptz '{moment}' > to_timestamp({stop})") == "t"


def test_without_a_transaction_behind_the_backup_recovery_goes_to_the_end(bed, drill, history):
    bed.pgbackrest.backup("incr", 1)
    with production_untouched(bed):
        said = proven(drill.run(1, "--target=random", "--set", newest(bed)["label"]))
    assert "no transaction of late behind the backup: recovering to the end of the WAL\n" in said


def test_there_is_no_moment_by_chance_without_wal(bed, drill, untouched):
    bed.pgbackrest.backup("full", 2)
    error = failed_at(drill.run(2, "--target=random"), "looking for a backup")
    assert "repository 2 (r2) has no backup that WAL leads on from" in error


def test_a_moment_that_no_wal_reaches_is_no_success(bed, drill, untouched):
    moment = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(time.time() + 3600))
    error = failed_at(drill.run(1, "--target", moment), "recovering")
    assert "recovery ended before configured recovery target was reached" in error
