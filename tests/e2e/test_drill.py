"""Drills: a restore that is tried on the host that production runs on, and cannot touch it."""
import json
import signal
import time
from pathlib import Path

import pytest
from drilling import ALLOWED, failed_at, production_untouched, proven
from process import wait_until


@pytest.fixture(scope="module")
def bed():
    from bed import Bed

    bed = Bed().start(alerting=False)
    bed.postgres.set("autovacuum", "off")  # production writes nothing by itself
    yield bed
    bed.stop()


def test_a_repository_with_continuous_wal_is_proven(bed, drill, untouched):
    said = proven(drill.run(1))
    record = drill.record(1)
    assert record["backup"] in said
    assert record["succeeded"] and record["success_ended_ms"] == record["ended_ms"]
    assert record["recovered_ms"] >= bed.pgbackrest.info(1)["backup"][-1]["timestamp"]["stop"] * 1000
    assert drill.leftovers() == []


def test_a_repository_without_its_wal_fails_at_recovering_and_that_is_recorded(drill, untouched):
    error = failed_at(drill.run(2), "recovering")
    assert "could not locate required checkpoint record" in error
    record = drill.record(2)
    assert not record["succeeded"]
    assert record["stage"] == "recovering"
    assert "could not locate required checkpoint record" in record["error"]
    assert drill.leftovers() == []


def test_the_exporter_tells_of_both(bed, drill, start_exporter):
    drill.run(1)
    drill.run(2)
    exporter = start_exporter(bed)
    metrics = exporter.wait_for(
        lambda now: now.value("pgbackrest_restore_drill_status", repo_key="2") is not None
        and now.value("pgbackrest_restore_drill_status", repo_key="1") is not None,
        10,
    )
    assert metrics.value("pgbackrest_restore_drill_status", repo_key="1") == 1
    assert metrics.value("pgbackrest_restore_drill_status", repo_key="2") == 0
    assert metrics.value("pgbackrest_restore_drill_last_success_timestamp_seconds", repo_key="2") is None
    ended = drill.record(1)["success_ended_ms"] / 1000
    assert metrics.value("pgbackrest_restore_drill_last_success_timestamp_seconds", repo_key="1") == ended


def test_a_backup_can_be_named(bed, drill):
    full = bed.pgbackrest.info(1)["backup"][0]["label"]
    assert f"backup {full} of repository 1" in proven(drill.run(1, "--set", full, "--target=backup"))


def test_a_backup_that_is_not_there_is_named(drill):
    error = failed_at(drill.run(1, "--set=20200101-000000F"), "looking for a backup")
    assert "no backup 20200101-000000F: it is not listed" in error


def test_sql_of_ones_own_decides_too(bed, drill):
    sound = bed.place.write("data/sound.sql", "SELECT count(*) FROM pg_class;\n")
    broken = bed.place.write("data/broken.sql", "SELECT 1/0;\n")
    proven(drill.run(1, "--sql", sound))
    assert "division by zero" in failed_at(drill.run(1, "--sql", broken), "running the SQL given")


def test_tables_and_indexes_are_checked_when_asked(drill):
    assert "checking tables and indexes\n" in proven(drill.run(1, "--amcheck"))


def test_a_part_is_never_a_success(bed, drill):
    bed.postgres.sql("CREATE DATABASE other")
    bed.pgbackrest.backup("incr", 1)
    result = drill.run(1, "--db-include=other", "--target=backup")
    assert result.returncode == 0, result.stderr
    assert "PARTIAL, proves nothing of the rest: " in result.stdout
    assert not drill.record(1)["succeeded"]
    assert drill.record(1)["partial"]


def test_it_refuses_the_file_system_of_production(bed, drill):
    words = [word for word in drill.words(1) if word != ALLOWED]
    result = bed.place.run(words, check=False, timeout=60)
    assert "is on the file system of PGDATA" in failed_at(result, "making room")


def test_two_drills_of_one_repository_do_not_run_at_once(drill):
    first = drill.start(1)
    drill.wait_for_stage(first, "restoring")
    second = drill.run(1)
    assert (second.returncode, second.stderr) == (
        2,
        "pgbackup_exporter: another drill of this repository is running\n",
    )
    first.communicate(timeout=60)
    assert first.returncode == 0


@pytest.mark.parametrize("stage", ["making room", "restoring", "recovering", "reading every catalogue", "stopping it"])
def test_one_that_is_killed_has_failed_and_the_next_one_clears_up(bed, drill, untouched, stage):
    process = drill.start(1)
    drill.wait_for_stage(process, stage)
    process.kill()
    process.communicate(timeout=10)
    record = drill.record(1)
    assert "ended_ms" not in record
    assert not record["succeeded"]
    proven(drill.run(1))
    assert drill.leftovers() == []
    assert drill.processes() == []


@pytest.mark.parametrize("stage", ["restoring", "recovering"])
def test_one_that_is_told_to_stop_leaves_nothing(drill, stage):
    process = drill.start(1)
    drill.wait_for_stage(process, stage)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=70)
    assert process.returncode in (0, 1)
    if process.returncode == 1:
        assert "told to stop" in errors
        assert drill.record(1)["error"].endswith("told to stop")
    assert drill.leftovers() == []
    wait_until(lambda: drill.processes() == [], 10, "a process is left")


def test_a_live_tablespace_is_safe_from_delta_and_from_what_a_killed_drill_left(bed, drill):
    folder = bed.place.path("data", "tablespace")
    folder.mkdir()
    bed.place.account.own(folder)
    bed.postgres.sql(f"CREATE TABLESPACE apart LOCATION '{folder}'")
    bed.postgres.sql("CREATE TABLE precious TABLESPACE apart AS SELECT generate_series(1, 1000) AS n")
    bed.pgbackrest.backup("full", 1)
    conf = bed.pgbackrest.configuration
    text = conf.read_text()
    bed.place.write(conf.name, text.replace("[global]\n", "[global]\ndelta=y\nlink-all=y\n", 1))
    try:
        with production_untouched(bed):
            with drill.held_at("recovering") as process:
                process.kill()
                process.communicate(timeout=10)
            proven(drill.run(1))
    finally:
        bed.place.write(conf.name, text)
    bed.postgres.restart()
    assert bed.postgres.sql("SELECT count(*) FROM precious") == "1000"


def test_what_keeps_a_restored_server_from_starting_is_left_out(bed, drill):
    bed.postgres.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    bed.postgres.sql("ALTER SYSTEM SET max_connections = 200")
    try:
        bed.pgbackrest.backup("incr", 1)
        auto = bed.postgres.data / "postgresql.auto.conf"
        assert "synchronous_standby_names" in auto.read_text()
        proven(drill.run(1, "--target=backup"))
    finally:
        bed.postgres.sql("ALTER SYSTEM RESET ALL")


@pytest.fixture
def prepared_transaction(bed):
    """One that production neither ends nor forgets."""
    bed.postgres.sql("ALTER SYSTEM SET max_prepared_transactions = 5")
    bed.postgres.restart()
    bed.postgres.sql("BEGIN; CREATE TABLE pending (id int); PREPARE TRANSACTION 'pending'")
    yield
    bed.postgres.sql("ROLLBACK PREPARED 'pending'")
    bed.postgres.sql("ALTER SYSTEM RESET ALL")
    bed.postgres.restart()


def test_a_prepared_transaction_does_not_keep_the_restored_server_from_starting(bed, drill, prepared_transaction):
    bed.pgbackrest.backup("incr", 1)
    proven(drill.run(1, "--target=backup"))


def test_a_file_that_is_corrupt_in_the_repository_fails(bed, drill):
    folder = bed.pgbackrest.repo1 / "backup" / "main"
    bed.pgbackrest.backup("full", 1)
    base = folder / bed.pgbackrest.info(1)["backup"][-1]["label"] / "pg_data" / "base"
    file = max(filter(Path.is_file, base.rglob("*")), key=lambda path: path.stat().st_size)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    try:
        failed_at(drill.run(1), "restoring")
    finally:
        file.write_bytes(content)
    proven(drill.run(1))


def test_credentials_that_are_gone_are_named_and_recorded(bed, drill):
    hidden = bed.credentials_file.with_suffix(".away")
    bed.credentials_file.rename(hidden)
    try:
        error = failed_at(drill.run(2), "looking for a backup")
        assert str(bed.credentials_file) in error
        assert not drill.record(2)["succeeded"]
    finally:
        hidden.rename(bed.credentials_file)


def test_a_version_that_is_not_installed_is_named(bed, drill):
    result = drill.run(1, "--postgres-bin=/usr/bin")
    assert "/usr/bin/postgres is no PostgreSQL " in failed_at(result, "looking for a backup")


def test_no_secret_is_in_what_it_says_or_records(bed, drill):
    bed.s3.break_with(status=403)
    try:
        result = drill.run(2)
    finally:
        bed.s3.repair()
    failed_at(result, "looking for a backup")
    said = result.stdout + result.stderr + json.dumps(drill.record(2))
    assert not [secret for secret in bed.pgbackrest.repo2_secrets().values() if secret in said]


def test_the_wrong_target_is_refused(bed, drill):
    result = drill.run(1, "--target=yesterday")
    assert (result.returncode, result.stderr) == (
        2,
        "pgbackup_exporter: --target takes latest, backup, random or a time, not yesterday\n",
    )


def test_a_moment_between_is_reached(bed, drill):
    bed.postgres.sql("CREATE TABLE moments (n int)")
    bed.postgres.sql("INSERT INTO moments VALUES (1)")
    moment = bed.postgres.sql("SELECT clock_timestamp()")
    time.sleep(1.1)
    bed.postgres.sql("INSERT INTO moments VALUES (2)")
    bed.postgres.wait_archived(bed.postgres.switch_wal())
    sql = bed.place.write(
        "data/moments.sql",
        "DO $$ BEGIN IF (SELECT array_agg(n) FROM moments) <> '{1}' THEN RAISE 'another moment'; END IF; END $$;\n",
    )
    proven(drill.run(1, "--target", moment, "--sql", sql))
