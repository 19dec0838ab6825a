"""The alerts as shipped: rules, routes, inhibition and runbooks, checked by Prometheus' own tools."""
import json
import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import faults_told
import pytest
import yaml
from alerting import AlertmanagerClient

ROOT = Path(__file__).resolve().parents[2]
RULES_FILE = ROOT / "alerts" / "pgbackup.rules.yml"
MIGRATION_FILE = ROOT / "alerts" / "migration.rules.yml"
RECORDING_FILE = ROOT / "alerts" / "recording.rules.yml"
ROUTES_FILE = ROOT / "alerts" / "alertmanager.yml"
UNIT_TESTS = sorted((ROOT / "alerts" / "tests").glob("*.yml"))
RUNBOOKS = ROOT / "docs" / "runbooks"
RUNBOOK_URL = "https://github.com/pgbackup-exporter/pgbackup_exporter/blob/main/docs/runbooks/"
RUNBOOK_PARTS = ["What it means", "Look", "Likely causes", "Mend", "Over when"]

RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES_FILE.read_text())["groups"]
    for rule in group["rules"]
}
PAGES = [name for name, rule in RULES.items() if rule["labels"]["severity"] == "page"]

# Made by Prometheus itself, so not in our list of metrics.
PROMETHEUS_OWN = {"up"}
PROMQL_WORDS = set(
    "and or unless on ignoring group_left group_right by without bool offset rate delta max min sum"
    " count time absent abs clamp_min min_over_time max_over_time count_over_time last_over_time changes"
    " increase deriv predict_linear label_replace".split()
)

# Rules that outlast the loss of the exporter by what they read, not by keep_firing_for.
LASTS_BY_ITSELF = {
    "PgWalArchivingFailing",  # looks back over 15 minutes, longer than the exporter's own alert takes
    "PgBackupExporterDown",  # the end of every chain: it reads what Prometheus makes itself
}

# Rules on what the exporter says after two looks into a repository, 5 minutes apart.
TAKES_TWO_LOOKS = {
    "PgBackRestNoRestorableRepository",
    "PgBackRestBackupNotRestorable",
    "PgBackRestWalMissing",
    "PgBackRestWalMissingOlder",
    "PgBackRestForeignTimeline",
    "PgBackRestRecoveryPointTooOld",
}

# The one way to ask for a reason: any of some, at any time of a window, and taken out of the labels.
# A changing reason then neither makes another alert nor begins `for` anew.
REASON_OF_A_WINDOW = r'max without \(reason\) \(max_over_time\(\w+_error\{reason=~"[\w|]+"\}\[\d+m\]\)\)'


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def metric_names(expression):
    """The metrics that an expression reads."""
    without_selectors = re.sub(
        r"\{[^}]*\}|\[[^]]*\]|\"[^\"]*\"|\b(on|by|without|ignoring|group_left) \([^)]*\)", " ", expression
    )
    return set(re.findall(r"\b[a-z][a-z0-9_]+\b", without_selectors)) - PROMQL_WORDS


def documented_metrics():
    """Name: how it is kept (state, fact, outcome, configured), from the tables of docs/metrics.md."""
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|[^|]*\| (\w+)", (ROOT / "docs" / "metrics.md").read_text(), re.M)
    return dict(rows)


def unit_tests():
    return [test for file in UNIT_TESTS for test in yaml.safe_load(file.read_text())["tests"]]


@pytest.mark.parametrize("file", [RULES_FILE, MIGRATION_FILE, RECORDING_FILE], ids=lambda file: file.stem)
def test_promtool_accepts_the_rules(file):
    run("promtool", "check", "rules", str(file))


def test_migration_reads_only_documented_metrics_and_records_none_of_them():
    rules = [rule for group in yaml.safe_load(MIGRATION_FILE.read_text())["groups"] for rule in group["rules"]]
    documented = set(documented_metrics())
    assert not {rule["record"] for rule in rules} & documented
    assert set().union(*[metric_names(rule["expr"]) for rule in rules]) <= documented


def test_the_document_of_migration_names_existing_rules():
    named = set(re.findall(r"\b(?:Pg|Nfs|S3|Restore)[A-Z][A-Za-z]+", (ROOT / "docs" / "migration.md").read_text()))
    assert named and named <= set(RULES)


@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: file.stem)
def test_rules_pass_their_unit_tests(file):
    run("promtool", "test", "rules", str(file))


@pytest.mark.parametrize("name", RULES)
def test_rule_is_complete(name):
    rule = RULES[name]
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"{RUNBOOK_URL}{name}.md"


@pytest.mark.parametrize("name", RULES)
def test_summary_says_what_is_concerned(name):
    labels = ["stanza", "target", "instance"]
    assert any(f"$labels.{label}" in RULES[name]["annotations"]["summary"] for label in labels)


@pytest.mark.parametrize("name", PAGES)
def test_page_answers_the_three_questions_in_order(name):
    description = re.sub(r"\{\{.*?\}\}", "", RULES[name]["annotations"]["description"])
    assert re.search(r"^Lost so far: .* Still restorable: .* Do now: [^.]+$", description, re.S)


@pytest.mark.parametrize("name", RULES)
def test_no_rule_names_a_host_a_stanza_a_repository_or_a_reason(name):
    expression = RULES[name]["expr"]
    assert not re.search(r"\b(instance|repo_key|target|name)\s*=", expression)
    assert not re.search(r'\bstanza\s*(=|=~)\s*"', expression)
    assert "reason" not in re.sub(REASON_OF_A_WINDOW, "", expression)


@pytest.mark.parametrize("name", RULES)
def test_rule_reads_only_documented_metrics(name):
    assert metric_names(RULES[name]["expr"]) - PROMETHEUS_OWN <= set(documented_metrics())


@pytest.mark.parametrize("name", RULES)
def test_unit_tests_see_the_rule_fire_word_for_word_and_not_fire(name):
    cases = [case for test in unit_tests() for case in test.get("alert_rule_test", []) if case["alertname"] == name]
    fired = [alert for case in cases for alert in case["exp_alerts"]]
    assert any(set(alert["exp_annotations"]) == set(RULES[name]["annotations"]) for alert in fired)
    assert any(not case["exp_alerts"] for case in cases)


def reads_a_state(name):
    keeps = documented_metrics()
    read = metric_names(RULES[name]["expr"]) - PROMETHEUS_OWN
    return any(keeps.get(metric) not in ("fact", "configured") for metric in read)


def successors():
    """Alert: the alerts that speak when it cannot, from the table of the runbooks."""
    rows = re.findall(r"^\| (\w+) \|(.*)\|$", (RUNBOOKS / "README.md").read_text(), re.M)
    return {row: set(re.findall(r"\b[A-Z]\w+", cells)) for row, cells in rows if row in RULES}


@pytest.mark.parametrize("name", sorted(set(RULES) - LASTS_BY_ITSELF))
def test_rule_outlasts_its_series_and_has_a_successor(name):
    """A fact, too, goes with its exporter, and comes back a while after a restart."""
    assert RULES[name]["keep_firing_for"] == ("10m" if name in TAKES_TWO_LOOKS else "5m")
    assert successors()[name] and successors()[name] <= set(RULES)
    if not reads_a_state(name):
        assert successors()[name] == {"PgBackupExporterDown"}


@pytest.mark.parametrize("name", RULES)
def test_hand_over_is_proven(name):
    assert name in (ROOT / "alerts" / "tests" / "handover.yml").read_text()


# ---- The table of faults ----

FAULTS = faults_told.rows()
NEVER_SILENCED = {"PgWalDropped", "PgArchiveQueueFilling", "PgWalDiskFilling"}


def test_each_rule_has_a_fault_that_makes_it_heard():
    assert {name for row in FAULTS.values() for name, _ in row.heard} == set(RULES)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_pages_once_unless_it_is_about_to_cost_more(fault):
    pages = {name for (name, _), (severity, _) in FAULTS[fault].heard.items() if severity == "page"}
    assert len(pages - NEVER_SILENCED) <= 1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_table_is_played_by_a_test(fault):
    played = "".join(file.read_text() for file in (ROOT / "tests" / "e2e").glob("**/*.py"))
    assert any(f'"{words}"' in played for words in (fault, re.sub("-- [a-z]+`", "-- {command}`", fault)))


# ---- Runbooks ----


def test_each_rule_has_a_runbook_and_each_runbook_a_rule():
    assert {file.stem for file in RUNBOOKS.glob("*.md")} - {"README"} == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_runbook_has_its_parts_in_order(name):
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", text, re.M) == RUNBOOK_PARTS


@pytest.mark.parametrize("name", RULES)
def test_runbook_says_in_one_sentence_what_it_means(name):
    text = (RUNBOOKS / f"{name}.md").read_text()
    meaning = re.search(r"^## What it means\n\n(.+?)\n\n## Look$", text, re.S | re.M).group(1)
    assert "\n" not in meaning and meaning.count(". ") == 0 and meaning.endswith(".")


@pytest.mark.parametrize("name", RULES)
def test_runbook_mends_each_cause(name):
    text = (RUNBOOKS / f"{name}.md").read_text()
    causes, mends = (
        re.findall(r"^(\d)\. ", re.search(rf"^## {part}\n(.*?)^## ", text, re.S | re.M).group(1), re.M)
        for part in ("Likely causes", "Mend")
    )
    assert causes and causes == mends


@pytest.mark.parametrize("file", sorted(RUNBOOKS.glob("*.md")), ids=lambda file: file.stem)
def test_runbook_commands_are_valid_shell_and_its_links_lead_somewhere(file):
    text = file.read_text()
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, re.S | re.M):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, timeout=10)
        assert done.returncode == 0, done.stderr
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (file.parent / target).exists(), target


def test_runbooks_read_only_documented_metrics():
    known = documented_metrics()
    for file in RUNBOOKS.glob("*.md"):
        for name in re.findall(r"`(pg(?:backup|backrest)?_\w+)`", file.read_text()):
            assert name in known or name in ("pg_wal", "pg_upgrade", "pg_monitor"), f"{file.name}: {name}"


# ---- A fleet ----

# Two jobs scrape the first host; every host has the same stanzas, every stanza the same repositories.
FLEET = [
    {"job": job, "instance": instance, "stanza": stanza}
    for job, instance in (("pgbackup", "db1"), ("pgbackup-again", "db1"), ("pgbackup", "db2"))
    for stanza in ("main", "other")
]
MINUTES = 420
REPOSITORY_INFO = {"storage": "posix", "cipher": "none"}


def fleet_of_stanza(labels, broken):
    """(metric, labels, values) of one stanza and its exporter, without its repositories."""
    for metric, values in {
        "up": "1",
        "pgbackup_exporter_build_info": "1",
        "pgbackup_stuck_children": "0",
        "pgbackup_config_last_reload_successful": "1",
    }.items():
        yield metric, {label: labels[label] for label in ("job", "instance")}, values
    for metric, values in {
        "pgbackup_postgres_up": "1",
        "pg_in_recovery": "0",
        "pg_archiver_enabled": "1",
        "pg_stat_archiver_failed_count": "3",
        "pg_wal_lsn_bytes": "0+16777216",
        "pg_wal_last_archived_lsn_bytes": "0+16777216",
        "pg_wal_segment_size_bytes": "16777216",
        "pg_stat_archiver_last_archived_timestamp_seconds": "0+60",
        "pgbackrest_archive_config_valid": "0" if broken else "1",
        "pgbackrest_archive_push_dropped_segments_total": "0+1" if broken else "0",
        "pgbackrest_archive_push_queue_max_bytes": "1000",
        "pg_archive_queue_bytes": "950" if broken else "400",
        "pg_wal_filesystem_size_bytes": "1000",
        "pg_wal_filesystem_avail_bytes": "40" if broken else "300",
        "pgbackrest_backup_lock_held": "1" if broken else "0",
    }.items():
        yield metric, labels, values


def fleet_of_repository(labels, broken):
    for metric, values in {
        "pgbackrest_repo_up": "0" if broken else "1",
        "pgbackrest_repo_last_up_timestamp_seconds": "600" if broken else "0+60",
        "pgbackrest_repo_stored_bytes": "1000",
        "pgbackrest_backups_with_errors": "1" if broken else "0",
        "pgbackrest_recovery_point_objective_seconds": "900",
    }.items():
        yield metric, labels, values
    yield from fleet_of_restorability(labels, broken)
    yield from fleet_of_commands(labels, broken)
    for backup_type, objective in (("full", "97200"), ("diff", "86400"), ("incr", "7200")):
        typed = {**labels, "backup_type": backup_type}
        yield "pgbackrest_backups", typed, "0" if broken and backup_type == "full" else "3"
        yield "pgbackrest_backup_last_duration_seconds", typed, "600"
        if labels["instance"] == "db2" or labels["repo_key"] == "1":  # the others go by the defaults
            yield "pgbackrest_backup_objective_seconds", typed, objective
        if not (broken and backup_type == "full"):
            ends = "0" if broken or backup_type == "full" else "0+60"
            yield "pgbackrest_backup_last_completion_timestamp_seconds", typed, ends


def fleet_of_restorability(labels, broken):
    for metric, values in {
        "pgbackrest_backups_restorable": "1" if broken else "9",
        "pgbackrest_backup_last_restorable_timestamp_seconds": "0" if broken else "0+60",
        "pgbackrest_recovery_window_end_timestamp_seconds": "0" if broken else "0+60",
        "pgbackrest_recovery_point_age_seconds": "0+60" if broken else "0",
        "pgbackrest_wal_last_timestamp_seconds": "0" if broken else "0+60",
        "pgbackrest_wal_behind_segments": "1" if broken else "0",
        "pgbackrest_wal_unarchived_bytes": "16777216",
        "pgbackrest_wal_foreign_timelines": "1" if broken else "0",
    }.items():
        yield metric, labels, values
    for scope in ("since_last_backup", "older"):
        yield "pgbackrest_wal_missing_segments", {**labels, "scope": scope}, "1" if broken else "0"
    if broken:
        yield "pgbackrest_backup_last_unrestorable_timestamp_seconds", labels, "0+60"


def fleet_of_commands(labels, broken):
    for command in ("backup", "expire"):
        yield "pgbackrest_command_last_exit_status", {**labels, "command": command}, "82" if broken else "0"
    for metric, values in {
        "pgbackrest_repo_retention_full": "3",
        "pgbackrest_restore_drill_status": "0" if broken else "1",
        "pgbackrest_restore_drill_objective_seconds": "7200",
        "pgbackrest_restore_drill_last_success_timestamp_seconds": "0" if broken else "0+60",
    }.items():
        yield metric, labels, values


def fleet_of_mount(labels, broken):
    for metric, values in {
        "pgbackup_mount_mounted": "1",
        "pgbackup_mount_responding": "0" if broken else "1",
        "pgbackup_mount_readonly": "1" if broken else "0",
        "pgbackup_mount_size_bytes": "1000",
        "pgbackup_mount_avail_bytes": "99" if broken else "400",
        "pgbackup_mount_files": "1000",
        "pgbackup_mount_files_free": "99" if broken else "400",
        "pgbackup_nfs_lease_expired_seconds": "0",
        "pgbackup_nfs_requests_total": "0+100",
        "pgbackup_nfs_retransmissions_total": "0+10" if broken else "0",
        "pgbackup_nfs_major_timeouts_total": "0",
        "pgbackup_nfs_transport_connects_total": "1",
    }.items():
        yield metric, labels, values
    info = {"filesystem": "nfs4", "source": "nas:/export", "version": "4.2", "hard": "true"}
    yield "pgbackup_mount_info", {**labels, **info}, "1"


def fleet_of_object_store(labels, broken):
    for metric, values in {
        "pgbackup_s3_up": "0" if broken else "1",
        "pgbackup_s3_tls_certificate_expiry_timestamp_seconds": "1000" if broken else "9000000",
    }.items():
        yield metric, labels, values
    yield "pgbackup_clock_skew_seconds", {**labels, "source": "s3"}, "-61" if broken else "60"
    if broken:
        yield "pgbackup_s3_error", {**labels, "reason": "auth"}, "1"


def mount_of(stanza, key):
    return f"/mnt/{stanza}/{key}"


def fleet_of_storage(labels, broken):
    """Of no real repository: each is both a file system and an object store."""
    host = {label: labels[label] for label in ("job", "instance")}
    yield from fleet_of_mount({**host, "path": mount_of(labels["stanza"], labels["repo_key"])}, broken)
    yield from fleet_of_object_store(labels, broken)


def fleet(broken_instance):
    """Everything; on the instance named, stanza main and its repository 2 are broken in every way."""
    for labels in FLEET:
        broken = labels["instance"] == broken_instance and labels["stanza"] == "main"
        yield from fleet_of_stanza(labels, broken)
        for key, names in (("1", ["nas"]), ("2", ["r2"] if broken else ["r2", "r2-before"])):
            repository = {**labels, "repo_key": key}
            yield from fleet_of_repository(repository, broken and key == "2")
            yield from fleet_of_storage(repository, broken and key == "2")
            info = {**repository, **REPOSITORY_INFO, "mount": mount_of(labels["stanza"], key)}
            for name in names:  # two while a repository was just given another name
                yield "pgbackrest_repo_info", {**info, "name": name}, "1"


def selector(metric, labels):
    return metric + json.dumps(labels).replace('": ', "=").replace(', "', ", ").replace('{"', "{")


def run_fleet(tmp_path, broken_instance, expected):
    """promtool fails, too, when a rule cannot be evaluated ("many-to-many")."""
    input_series = {selector(m, labels): f"{values}x{MINUTES}" for m, labels, values in fleet(broken_instance)}
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in input_series.items()],
        "promql_expr_test": [
            {
                "expr": 'count without (severity, alertstate) (ALERTS{alertstate="firing"})',
                "eval_time": "400m",
                "exp_samples": [{"labels": selector("", labels), "value": 1} for labels in expected],
            }
        ],
    }
    file = tmp_path / "fleet.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES_FILE)], "evaluation_interval": "1m", "tests": [test]}))
    run("promtool", "test", "rules", str(file))


def test_a_healthy_fleet_is_silent_and_every_rule_can_match_its_series(tmp_path):
    run_fleet(tmp_path, None, [])


def test_what_is_broken_on_one_repository_of_a_fleet_is_told_of_that_one_only(tmp_path):
    stanza = {"job": "pgbackup", "instance": "db2", "stanza": "main"}
    repository = {**stanza, "repo_key": "2"}
    mount = {**repository, "path": mount_of("main", "2")}
    expected = [
        {"alertname": "PgWalDropped", **stanza},
        {"alertname": "PgArchiveQueueFilling", **stanza},
        {"alertname": "PgWalDiskFilling", **stanza},
        {"alertname": "PgBackRestArchiveConfigInvalid", **stanza},
        {"alertname": "PgBackRestBackupStuck", **stanza},
        {"alertname": "PgBackRestRepoUnreachable", **repository},
        {"alertname": "PgBackRestPageChecksumErrors", **repository},
        {"alertname": "PgBackRestNoFullBackup", **repository, "backup_type": "full"},
        {"alertname": "PgBackRestBackupTooOld", **repository, "backup_type": "incr"},
        {"alertname": "PgBackRestBackupNotRestorable", **repository},
        {"alertname": "PgBackRestWalMissing", **repository, "scope": "since_last_backup"},
        {"alertname": "PgBackRestWalMissingOlder", **repository, "scope": "older"},
        {"alertname": "PgBackRestForeignTimeline", **repository},
        {"alertname": "PgBackRestRecoveryPointTooOld", **repository},
        {"alertname": "PgBackRestCommandFailed", **repository, "command": "backup"},
        {"alertname": "PgBackRestExpireNotWorking", **repository},
        {"alertname": "RestoreDrillFailed", **repository},
        {"alertname": "RestoreDrillOverdue", **repository},
        {"alertname": "NfsMountNotResponding", **mount},
        {"alertname": "NfsMountReadOnly", **mount},
        {"alertname": "NfsMountFilling", **mount},
        {"alertname": "NfsRetransmitting", **mount},
        {"alertname": "S3CredentialsRejected", **repository},
        {"alertname": "S3CertificateExpiring", **repository},
        {"alertname": "PgBackupClockSkew", "job": "pgbackup", "instance": "db2"},
    ]
    run_fleet(tmp_path, "db2", expected)


# ---- Alertmanager ----


def test_amtool_accepts_the_routes():
    run("amtool", "check-config", str(ROUTES_FILE))


@pytest.mark.parametrize("severity, receiver", [("page", "page"), ("ticket", "ticket"), ("unheard-of", "ticket")])
def test_severity_decides_the_receiver(severity, receiver):
    routed = run("amtool", "config", "routes", "test", f"--config.file={ROUTES_FILE}", f"severity={severity}")
    assert routed.strip() == receiver


def test_a_page_waits_for_what_silences_it_and_no_longer():
    page = next(r for r in yaml.safe_load(ROUTES_FILE.read_text())["route"]["routes"] if r["receiver"] == "page")
    assert page["group_wait"] == "30s"


def inhibitions():
    """(sources, targets, equal labels) of each rule of inhibition."""
    for rule in yaml.safe_load(ROUTES_FILE.read_text())["inhibit_rules"]:
        sources, targets = (
            set(re.findall(r"[A-Z]\w+", " ".join(rule[side]))) for side in ("source_matchers", "target_matchers")
        )
        yield sources, targets, rule["equal"]


def test_inhibition_names_existing_rules_and_never_a_page_by_a_ticket():
    for sources, targets, equal in inhibitions():
        assert sources | targets <= set(RULES)
        assert "instance" in equal
        if targets & set(PAGES):
            assert sources <= set(PAGES)


def test_archiving_is_muted_by_archiving_and_by_a_mount_that_it_writes_to_alone():
    archiving = {"PgWalArchivingFailing", "PgWalArchivingStalled", "PgArchivingDisabled"}
    written_to = []
    for rule in yaml.safe_load(ROUTES_FILE.read_text())["inhibit_rules"]:
        if archiving & set(re.findall(r"\w+", " ".join(rule["target_matchers"]))):
            sources = set(re.findall(r"[A-Z]\w+", rule["source_matchers"][0]))
            if sources <= archiving:
                continue
            assert sources == {"NfsMountMissing", "NfsMountNotResponding"}
            written_to.append(rule["source_matchers"][1:])
    assert written_to == [['continuous_wal="true"']]


def test_what_soon_loses_wal_or_stops_the_server_is_never_muted():
    muted = {target for _, targets, _ in inhibitions() for target in targets}
    assert not muted & NEVER_SILENCED


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_ready(process, port):
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, "Alertmanager has ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline, "Alertmanager is not ready after 30 s"
            time.sleep(0.1)


@pytest.fixture
def alertmanager(tmp_path):
    """A real one with the shipped file; its notifications go to a port where nobody listens."""
    nobody = f"http://127.0.0.1:{free_port()}"
    config = tmp_path / "alertmanager.yml"
    config.write_text(ROUTES_FILE.read_text().replace("http://127.0.0.1:9095", nobody))
    port = free_port()
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={tmp_path / 'data'}"]
            + [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="],
            stdout=log,
            stderr=log,
        )
    try:
        wait_ready(process, port)
        yield AlertmanagerClient(port)
    finally:
        process.kill()
        process.wait(timeout=10)


def alert(name, **labels):
    return {"alertname": name, "severity": RULES[name]["labels"]["severity"], **labels}


@pytest.mark.parametrize("cause", ["PgWalArchivingFailing", "PgArchivingDisabled"])
def test_a_known_cause_mutes_the_standstill_of_its_own_server_only(alertmanager, cause):
    alertmanager.post(
        alert(cause, instance="db1", stanza="main"),
        alert("PgWalArchivingStalled", instance="db1", stanza="main"),
        alert("PgWalArchivingStalled", instance="db1", stanza="other"),
        alert("PgWalArchivingStalled", instance="db2", stanza="main"),
    )
    alertmanager.wait_muted(alertname="PgWalArchivingStalled", instance="db1", stanza="main")
    assert not alertmanager.muted(alertname="PgWalArchivingStalled", instance="db1", stanza="other")
    assert not alertmanager.muted(alertname="PgWalArchivingStalled", instance="db2", stanza="main")
    assert not alertmanager.muted(alertname=cause)


def test_a_hanging_collector_mutes_its_own_failure_only(alertmanager):
    alertmanager.post(
        alert("PgBackupCollectorStuck", instance="db1", collector="backups", target="main/repo1"),
        alert("PgBackupCollectorFailing", instance="db1", collector="backups", target="main/repo1"),
        alert("PgBackupCollectorFailing", instance="db1", collector="backups", target="main/repo2"),
    )
    alertmanager.wait_muted(alertname="PgBackupCollectorFailing", target="main/repo1")
    assert not alertmanager.muted(alertname="PgBackupCollectorFailing", target="main/repo2")


def test_stuck_children_and_a_dead_exporter_mute_nothing(alertmanager):
    alertmanager.post(
        alert("PgBackupCollectorStuck", instance="db1"),
        alert("PgBackupExporterDown", instance="db1"),
        alert("PostgresUnreachable", instance="db1", stanza="main"),
        alert("PgWalArchivingFailing", instance="db1", stanza="main"),
        alert("PgBackupCollectorFailing", instance="db1", collector="backups", target="main/repo1"),
        alert("PgWalArchivingStalled", instance="db1", stanza="main"),
    )
    alertmanager.wait_muted(alertname="PgWalArchivingStalled")  # inhibition is at work
    for name in ("PostgresUnreachable", "PgWalArchivingFailing", "PgBackupCollectorFailing"):
        assert not alertmanager.muted(alertname=name)


@pytest.mark.parametrize(
    "cause, consequence",
    [
        ("PgBackRestRepoUnreachable", "PgBackRestBackupLate"),
        ("PgBackRestRepoUnreachable", "PgBackRestBackupTooOld"),
        ("PgBackRestRepoUnreachable", "PgBackRestRestorabilityUnknown"),
        ("NfsMountMissing", "PgBackRestRestorabilityUnknown"),
        ("NfsMountNotResponding", "PgBackRestRestorabilityUnknown"),
        ("S3Unreachable", "PgBackRestRestorabilityUnknown"),
        ("S3CredentialsRejected", "PgBackRestRestorabilityUnknown"),
        ("PgBackRestNoFullBackup", "PgBackRestBackupLate"),
        ("PgBackRestNoFullBackup", "PgBackRestBackupTooOld"),
        ("PgBackRestBackupTooOld", "PgBackRestBackupLate"),
        ("NfsMountMissing", "PgBackRestRepoUnreachable"),
        ("NfsMountMissing", "PgBackRestBackupLate"),
        ("NfsMountMissing", "PgBackRestBackupTooOld"),
        ("NfsMountNotResponding", "PgBackRestRepoUnreachable"),
        ("NfsMountNotResponding", "PgBackRestBackupLate"),
        ("NfsMountNotResponding", "PgBackRestBackupTooOld"),
        ("NfsMountMissing", "NfsMountReadOnly"),
        ("NfsMountNotResponding", "NfsMountFilling"),
        ("NfsMountNotResponding", "NfsRetransmitting"),
        ("S3Unreachable", "PgBackRestBackupLate"),
        ("S3CredentialsRejected", "PgBackRestBackupLate"),
        ("PgBackRestBackupNotRestorable", "PgBackRestWalMissing"),
        ("PgBackRestBackupNotRestorable", "PgBackRestWalMissingOlder"),
        ("PgBackRestBackupNotRestorable", "PgBackRestRecoveryPointTooOld"),
        ("PgBackRestWalMissing", "PgBackRestRecoveryPointTooOld"),
        ("PgBackRestNoFullBackup", "PgBackRestRecoveryPointTooOld"),
        ("PgBackRestRepoUnreachable", "PgBackRestRecoveryPointTooOld"),
        ("NfsMountMissing", "PgBackRestRecoveryPointTooOld"),
        ("NfsMountNotResponding", "PgBackRestRecoveryPointTooOld"),
    ],
)
def test_a_repository_mutes_its_own_consequences_and_never_those_of_another(alertmanager, cause, consequence):
    here = {"instance": "db1", "stanza": "main", "repo_key": "1"}
    others = [{**here, "repo_key": "2"}, {**here, "stanza": "other"}, {**here, "instance": "db2"}]
    alertmanager.post(
        alert(cause, backup_type="full", **here),
        *[alert(consequence, backup_type="incr", **labels) for labels in [here, *others]],
    )
    alertmanager.wait_muted(alertname=consequence, **here)
    for labels in others:
        assert not alertmanager.muted(alertname=consequence, **labels)
    assert not alertmanager.muted(alertname=cause)


@pytest.mark.parametrize(
    "cause, consequence",
    [
        ("PgBackRestNoRestorableRepository", "PgBackRestBackupNotRestorable"),
        ("PgBackRestNoRestorableRepository", "PgBackRestWalMissing"),
        ("PgBackRestNoRestorableRepository", "PgBackRestWalMissingOlder"),
        ("PgBackRestNoRestorableRepository", "PgBackRestRecoveryPointTooOld"),
        ("PgWalArchivingFailing", "PgBackRestRecoveryPointTooOld"),
        ("PgWalArchivingStalled", "PgBackRestRecoveryPointTooOld"),
        ("PgArchivingDisabled", "PgBackRestRecoveryPointTooOld"),
    ],
)
def test_what_concerns_a_whole_stanza_mutes_its_consequence_in_each_repository(alertmanager, cause, consequence):
    server = {"instance": "db1", "stanza": "main"}
    here = [{**server, "repo_key": key} for key in ("1", "2")]
    others = [{**here[0], "stanza": "other"}, {**here[0], "instance": "db2"}]
    alertmanager.post(alert(cause, **server), *[alert(consequence, **labels) for labels in [*here, *others]])
    for labels in here:
        alertmanager.wait_muted(alertname=consequence, **labels)
    assert not any(alertmanager.muted(alertname=consequence, **labels) for labels in others)


def test_a_foreign_timeline_is_heard_whatever_else_is_wrong(alertmanager):
    server = {"instance": "db1", "stanza": "main"}
    here = {**server, "repo_key": "1"}
    alertmanager.post(
        alert("PgBackRestNoRestorableRepository", **server),
        *[alert(name, **here) for name in ("PgBackRestBackupNotRestorable", "PgBackRestForeignTimeline")],
    )
    alertmanager.wait_loud(("PgBackRestNoRestorableRepository", ""), ("PgBackRestForeignTimeline", "1"))


def test_a_missing_segment_is_one_page_and_the_repository_beside_it_another(alertmanager):
    server = {"instance": "db1", "stanza": "main"}
    nas, r2 = {**server, "repo_key": "1"}, {**server, "repo_key": "2"}
    narrower = ["PgBackRestWalMissing", "PgBackRestWalMissingOlder", "PgBackRestRecoveryPointTooOld"]
    alertmanager.post(
        alert("PgBackRestBackupNotRestorable", **nas),
        *[alert(name, **nas) for name in narrower],
        alert("PgBackRestWalMissing", scope="since_last_backup", **r2),
        alert("PgBackRestRecoveryPointTooOld", **r2),
    )
    alertmanager.wait_loud(("PgBackRestBackupNotRestorable", "1"), ("PgBackRestWalMissing", "2"))


def test_an_unreachable_repository_mutes_nothing_that_is_not_its_consequence(alertmanager):
    here = {"instance": "db1", "stanza": "main", "repo_key": "1"}
    spoken = ["PgBackRestNoFullBackup", "PgBackRestPageChecksumErrors", "PgBackRestRepoGrowing"]
    alertmanager.post(
        alert("PgBackRestRepoUnreachable", **here),
        alert("PgBackRestBackupLate", **here),
        alert("PgWalArchivingFailing", instance="db1", stanza="main"),
        *[alert(name, **here) for name in spoken],
    )
    alertmanager.wait_muted(alertname="PgBackRestBackupLate")  # inhibition is at work
    for name in [*spoken, "PgWalArchivingFailing"]:
        assert not alertmanager.muted(alertname=name)


def test_a_dead_mount_and_refused_credentials_are_one_notification_each(alertmanager):
    server = {"instance": "db1", "stanza": "main"}
    nas, r2 = {**server, "repo_key": "1"}, {**server, "repo_key": "2"}
    alertmanager.post(
        alert("NfsMountNotResponding", path="/mnt/nas", **nas),
        alert("NfsRetransmitting", path="/mnt/nas", **nas),
        alert("PgBackRestRepoUnreachable", **nas),
        alert("PgBackRestBackupTooOld", backup_type="incr", **nas),
        alert("S3CredentialsRejected", **r2),
        alert("PgBackRestBackupLate", backup_type="incr", **r2),
    )
    alertmanager.wait_loud(("NfsMountNotResponding", "1"), ("S3CredentialsRejected", "2"))


def test_an_object_store_is_a_ticket_beside_the_page_on_its_repository(alertmanager):
    r2 = {"instance": "db1", "stanza": "main", "repo_key": "2"}
    for cause in ("S3Unreachable", "S3CredentialsRejected"):
        alertmanager.post(alert(cause, **r2), alert("PgBackRestRepoUnreachable", **r2))
    alertmanager.post(alert("PgBackRestBackupLate", **r2))
    alertmanager.wait_loud(("PgBackRestRepoUnreachable", "2"), ("S3CredentialsRejected", "2"), ("S3Unreachable", "2"))


@pytest.mark.parametrize("cause", ["NfsMountMissing", "NfsMountNotResponding"])
def test_a_mount_mutes_no_lasting_fault_no_object_store_and_no_archiving_to_elsewhere(alertmanager, cause):
    server = {"instance": "db1", "stanza": "main"}
    here = {**server, "repo_key": "1"}
    spoken = ["PgBackRestNoFullBackup", "PgBackRestPageChecksumErrors", "PgBackRestRepoGrowing"]
    spoken += ["S3Unreachable", "S3CredentialsRejected", "S3CertificateExpiring"]
    alertmanager.post(
        alert(cause, path="/mnt/nas", continuous_wal="false", **here),
        alert("PgBackRestRepoUnreachable", continuous_wal="false", **here),
        *[alert(name, **here) for name in spoken],
        alert("PgWalArchivingStalled", **server),
        alert("PgBackupCollectorStuck", instance="db1"),
    )
    alertmanager.wait_muted(alertname="PgBackRestRepoUnreachable")  # inhibition is at work
    for name in [*spoken, "PgWalArchivingStalled", "PgBackupCollectorStuck", cause]:
        assert not alertmanager.muted(alertname=name)


@pytest.mark.parametrize("cause", ["NfsMountMissing", "NfsMountNotResponding"])
@pytest.mark.parametrize("consequence", ["PgWalArchivingFailing", "PgWalArchivingStalled"])
def test_a_mount_that_archive_command_writes_to_mutes_archiving_of_its_own_server(alertmanager, cause, consequence):
    here, other = {"instance": "db1", "stanza": "main"}, {"instance": "db2", "stanza": "main"}
    never = ["PgArchivingDisabled", "PgWalDropped", "PgArchiveQueueFilling", "PgWalDiskFilling"]
    alertmanager.post(
        alert(cause, path="/mnt/nas", repo_key="1", continuous_wal="true", **here),
        *[alert(name, **here) for name in (consequence, *never)],
        alert(consequence, **other),
    )
    alertmanager.wait_muted(alertname=consequence, **here)
    assert not alertmanager.muted(alertname=consequence, **other)
    assert not any(alertmanager.muted(alertname=name) for name in (cause, *never))


@pytest.mark.parametrize("cause", ["PgWalArchivingFailing", "PgWalArchivingStalled"])
def test_failing_archiving_mutes_a_repository_that_it_writes_to_and_no_other(alertmanager, cause):
    server = {"instance": "db1", "stanza": "main"}
    fed, other = ({"repo_key": key, "continuous_wal": fed} for key, fed in (("1", "true"), ("2", "false")))
    alertmanager.post(
        alert(cause, **server),
        *[alert("PgBackRestRepoUnreachable", **labels, **server) for labels in (fed, other)],
        alert("PgBackRestRepoUnreachable", **fed, **{**server, "instance": "db2"}),
    )
    alertmanager.wait_muted(alertname="PgBackRestRepoUnreachable", instance="db1", repo_key="1")
    assert not alertmanager.muted(alertname="PgBackRestRepoUnreachable", repo_key="2")
    assert not alertmanager.muted(alertname="PgBackRestRepoUnreachable", instance="db2")


def test_a_mount_that_no_repository_names_mutes_itself_only(alertmanager):
    alertmanager.post(
        alert("NfsMountNotResponding", instance="db1", path="/mnt/unnamed"),
        alert("NfsMountReadOnly", instance="db1", path="/mnt/unnamed"),
        alert("NfsMountReadOnly", instance="db1", path="/mnt/another"),
        alert("NfsMountReadOnly", instance="db1", stanza="main", repo_key="1", path="/mnt/unnamed"),
        alert("PgBackRestRepoUnreachable", instance="db1", stanza="main", repo_key="1"),
    )
    alertmanager.wait_loud(
        ("NfsMountNotResponding", ""),
        ("NfsMountReadOnly", ""),
        ("NfsMountReadOnly", "1"),
        ("PgBackRestRepoUnreachable", "1"),
    )
