"""The bed itself: what the other tests stand on."""
import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
from bed import Bed
from pgbackrest import Credentials
from process import BedError, stat_of, wait_until
from web import get


@pytest.mark.parametrize("repo", [1, 2])
def test_each_repository_has_a_full_and_an_incremental_backup(bed, repo):
    info = bed.pgbackrest.info(repo)
    assert info["status"]["code"] == 0
    assert [backup["type"] for backup in info["backup"]] == ["full", "incr"]
    assert {backup["database"]["repo-key"] for backup in info["backup"]} == {repo}


def test_archive_command_knows_repository_1_only(bed):
    segment = bed.postgres.switch_wal()
    bed.postgres.wait_archived(segment)
    assert bed.pgbackrest.info(1)["archive"][0]["max"] >= segment
    assert bed.pgbackrest.info(2)["archive"][0]["max"] is None


def test_s3_refuses_a_request_without_a_signature(bed):
    assert bed.s3.anonymous_status() == 403


@pytest.mark.parametrize(
    "forged",
    [
        lambda own: Credentials(own.key, "not-the-secret"),
        lambda own: Credentials("AKIAUNKNOWN", own.secret),
        lambda own: Credentials("S3RVER", "S3RVER"),
    ],
    ids=["wrong secret", "unknown key", "the server's built-in pair"],
)
def test_s3_refuses_forged_credentials(bed, forged):
    status = bed.pgbackrest.info(2, forged(bed.s3.credentials))["repo"][0]["status"]
    assert status["code"] == 99
    assert "403 (Forbidden)" in status["message"]


def s3_list(bed, query):
    own = bed.s3.credentials
    url = f"https://localhost:{bed.s3.port}/bed/?{query}"
    curl = ["curl", "-sS", "--fail", "--cacert", bed.s3.authority, "--aws-sigv4", "aws:amz:auto:s3"]
    curl += ["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-u", f"{own.key}:{own.secret}", url]
    return bed.place.run(curl).stdout


def test_s3_tells_a_common_prefix_whose_objects_lie_deep_below(bed):
    answer = s3_list(bed, "delimiter=%2F&list-type=2&prefix=pgbackrest%2Fbackup%2Fmain%2Fbackup.history%2F")
    assert re.findall(r"<Prefix>pgbackrest/backup/main/backup.history/(\d+/)</Prefix>", answer)
    top = s3_list(bed, "delimiter=%2F&list-type=2&prefix=")
    assert "<CommonPrefixes><Prefix>pgbackrest/</Prefix></CommonPrefixes>" in top


def test_s3_lists_the_same_keys_page_by_page(bed):
    keys = re.findall(r"<Key>([^<]+)</Key>", s3_list(bed, "list-type=2"))
    paged, last = [], ""
    while last is not None:
        page = s3_list(bed, f"list-type=2&max-keys=2&start-after={last.replace('/', '%2F')}")
        found = re.findall(r"<Key>([^<]+)</Key>", page)
        paged += found
        last = found[-1] if "<IsTruncated>true" in page else None
    assert len(keys) > 4
    assert paged == keys == sorted(keys)


@pytest.mark.parametrize(
    "fault, complaint",
    [
        ({"status": 503}, r"\[503\]|503"),
        ({"status": 403, "code": "RequestTimeTooSkewed"}, "RequestTimeTooSkewed"),
        ({"hang": True}, "timeout"),
    ],
    ids=["status", "code", "hang"],
)
def test_s3_faults_reach_pgbackrest(bed, fault, complaint):
    bed.s3.break_with(**fault)
    try:
        options = ("--output=json", "--io-timeout=0.5")
        output = bed.pgbackrest.run("info", *options, repo=2, check=False)
    finally:
        bed.s3.repair()
    assert re.search(complaint, output.stdout + output.stderr), output
    assert bed.pgbackrest.info(2)["status"]["code"] == 0


def test_an_s3_fault_hits_only_the_requests_it_names(bed):
    bed.s3.break_with(status=503, match="^PUT ")
    try:
        assert bed.pgbackrest.info(2)["status"]["code"] == 0
    finally:
        bed.s3.repair()


def test_a_broken_archive_command_is_counted_and_mended(bed):
    failed = "SELECT failed_count FROM pg_stat_archiver"
    before = int(bed.postgres.sql(failed))
    bed.postgres.set("archive_command", "false")
    try:
        bed.postgres.switch_wal()
        wait_until(lambda: int(bed.postgres.sql(failed)) > before, 10, "nothing fails")
    finally:
        bed.postgres.reset("archive_command")
    bed.postgres.wait_archived(bed.postgres.switch_wal())


def test_a_dripping_answer_outlasts_the_clients_own_timeout(bed):
    bed.s3.break_with(drip=100)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            bed.pgbackrest.run("info", "--io-timeout=0.5", repo=2, timeout=4)
    finally:
        bed.s3.repair()


def test_a_paused_postgres_answers_nothing_and_comes_back(bed):
    question = [bed.postgres.programs / "psql", "-Xc", "SELECT 1", "-d", bed.postgres.conninfo]
    bed.postgres.pause()
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            bed.place.run(question, timeout=1)
    finally:
        bed.postgres.resume()
    assert bed.postgres.sql("SELECT 1") == "1"


def test_repository_1_can_be_moved_away_and_back(bed):
    bed.pgbackrest.move_repo1_away()
    try:
        assert bed.pgbackrest.info(1)["status"]["code"] == 1
        assert bed.pgbackrest.info(2)["status"]["code"] == 0
    finally:
        bed.pgbackrest.move_repo1_back()
    assert bed.pgbackrest.info(1)["status"]["code"] == 0


def test_prometheus_has_the_shipped_rules_and_knows_alertmanager(bed):
    rules = json.loads(get(bed.ports["prometheus"], "/api/v1/rules").text)["data"]["groups"]
    names = {rule["name"] for group in rules for rule in group["rules"]}
    assert "PgWalArchivingFailing" in names
    found = json.loads(get(bed.ports["prometheus"], "/api/v1/alertmanagers").text)["data"]
    assert str(bed.ports["alertmanager"]) in found["activeAlertmanagers"][0]["url"]


def test_alertmanager_is_ready_and_all_its_receivers_are_the_beds(bed):
    assert get(bed.ports["alertmanager"], "/-/ready").status == 200
    urls = re.findall(r"url: (\S+)", bed.alertmanager.configuration())
    assert urls
    assert all(url.startswith(f"http://127.0.0.1:{bed.ports['webhook']}/") for url in urls)


def shared_memory_ids():
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {int(line.split()[1]) for line in lines}


def test_stop_leaves_nothing_behind():
    bed = Bed().start(backups=False)
    segment = bed.postgres.shared_memory_id()
    pids = [process.pid for process in bed.processes()] + bed.postgres.pids()
    assert all(pids) and len(pids) > 10
    assert segment in shared_memory_ids()
    Bed.open(bed.root).stop()  # as another shell would
    assert not bed.root.exists()
    assert not bed.place.leftovers()
    assert [pid for pid in pids if (stat_of(pid) or "Z")[0] != "Z"] == []
    assert segment not in shared_memory_ids()


def test_a_killed_postgres_leaves_no_shared_memory():
    bed = Bed().start(alerting=False, backups=False)
    segment = bed.postgres.shared_memory_id()
    bed.postgres.process.signal(signal.SIGKILL)
    wait_until(lambda: not bed.postgres.process.alive(), 5, "SIGKILL does not end it")
    bed.stop()
    assert segment not in shared_memory_ids()


def test_a_process_with_a_reused_id_is_not_stopped():
    bed = Bed().start(alerting=False, backups=False)
    try:
        known = json.loads(bed.s3.process.pidfile.read_text())
        bed.s3.process.pidfile.write_text(json.dumps({**known, "started": known["started"] - 1}))
        Bed.open(bed.root).s3.stop()
        assert stat_of(known["pid"])[0] != "Z"
        bed.s3.process.pidfile.write_text(json.dumps(known))
    finally:
        bed.stop()


def test_a_program_that_cannot_start_is_told_with_the_end_of_its_log():
    bed = Bed(scrape_interval="never")
    with pytest.raises(BedError, match="(?s)prometheus ended at once.*not a valid duration"):
        bed.start(backups=False)
    assert not bed.root.exists()
    assert not bed.place.leftovers()
