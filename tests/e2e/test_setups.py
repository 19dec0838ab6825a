"""Forms of set-up: where repositories are defined, several stanzas, two hosts, ciphers, database ids."""
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from exporter import FAST, configuration
from pgbackrest import CIPHER, PROGRAM
from process import children_of, command_line, read_words, wait_until

TYPES = ("full", "diff", "incr")


def all_up(metrics):
    return metrics.values("pgbackrest_repo_up") == [1, 1]


def only_pgbackrest_conf(conf, more=""):
    """A configuration file that leaves everything to pgbackrest.conf."""
    return f"pgbackrest: {{config: {conf}}}\nintervals: {{archiver: 1s, backups: 1s}}\n{more}"


def backups(metrics, **labels):
    return [metrics.value("pgbackrest_backups", backup_type=kind, **labels) for kind in TYPES]


def reason(metrics, **labels):
    """Why a repository is not well; None when it is."""
    reasons = [has["reason"] for has, _ in metrics.get("pgbackrest_repo_error", []) if labels.items() <= has.items()]
    assert len(reasons) <= 1
    return reasons[0] if reasons else None


# Where a repository is defined.


def test_both_repositories_may_stand_in_pgbackrest_conf(bed, start_exporter):
    conf = bed.pgbackrest.configuration_with_repo2("both.conf")
    metrics = start_exporter(bed, text=only_pgbackrest_conf(conf)).wait_for(all_up, 15)
    assert {labels["storage"] for labels, _ in metrics["pgbackrest_repo_info"]} == {"posix", "s3"}
    assert backups(metrics, repo_key="2") == [1, 0, 1]


def test_our_definition_goes_before_that_of_pgbackrest_conf(bed, start_exporter):
    wrong = bed.pgbackrest.configuration_with_repo2("wrong.conf", path="/elsewhere", s3_key_secret="not-the-secret")
    text = configuration(bed, FAST).replace(str(bed.pgbackrest.configuration), str(wrong))
    start_exporter(bed, text=text).wait_for(all_up, 15)


# Several stanzas, several exporters.


@pytest.fixture(scope="module")
def second(encrypted_bed):
    """A second cluster with a stanza of its own: a full backup in repository 1, none in repository 2."""
    cluster = encrypted_bed.add_cluster("second")
    cluster.start()
    encrypted_bed.pgbackrest.create_stanza("second")
    encrypted_bed.pgbackrest.backup("full", 1, "second")
    return cluster


def with_stanzas(bed, *stanzas):
    """The exporter's configuration for these stanzas; PostgreSQL is found by pgbackrest.conf."""
    text = configuration(bed, FAST).replace("stanzas: [main]", f"stanzas: [{', '.join(stanzas)}]")
    return text[text.index("pgbackrest:") :]


def test_two_stanzas_in_one_exporter_do_not_mix(encrypted_bed, second, start_exporter):
    exporter = start_exporter(encrypted_bed, text=with_stanzas(encrypted_bed, "main", "second"))
    metrics = exporter.wait_for(
        lambda m: m.values("pgbackrest_repo_up") == [1] * 4 and m.values("pgbackup_postgres_up") == [1, 1], 15
    )
    assert backups(metrics, stanza="second", repo_key="1") == [1, 0, 0]
    assert backups(metrics, stanza="second", repo_key="2") == [0, 0, 0]
    assert reason(metrics, stanza="second", repo_key="2") == "no_backup"
    assert backups(metrics, stanza="main", repo_key="2")[0] >= 1
    assert reason(metrics, stanza="main", repo_key="2") is None
    systems = {labels["stanza"]: labels["system_id"] for labels, _ in metrics["pgbackrest_stanza_info"]}
    question = "SELECT system_identifier FROM pg_control_system()"
    assert systems == {"main": encrypted_bed.postgres.sql(question), "second": second.sql(question)}


def test_an_outage_of_one_stanzas_server_is_not_that_of_another(encrypted_bed, second, start_exporter):
    exporter = start_exporter(encrypted_bed, text=with_stanzas(encrypted_bed, "main", "second"))
    exporter.wait_for(lambda m: m.values("pgbackup_postgres_up") == [1, 1], 15)
    second.stop()
    try:
        metrics = exporter.wait_for(lambda m: m.value("pgbackup_postgres_up", stanza="second") == 0, 10)
        assert metrics.value("pgbackup_postgres_up", stanza="main") == 1
        assert metrics.value("pg_archiver_enabled", stanza="main") == 1
        assert metrics.value("pg_archiver_enabled", stanza="second") is None
    finally:
        second.start()


@pytest.fixture
def two_called_main(bed, encrypted_bed, start_exporter):
    """Two clusters that know nothing of each other, both stanza main, in one Prometheus."""
    exporters = [start_exporter(each) for each in (bed, encrypted_bed)]
    bed.prometheus.scrape(*(exporter.port for exporter in exporters))
    yield {f"127.0.0.1:{exporter.port}": each for exporter, each in zip(exporters, (bed, encrypted_bed))}
    bed.prometheus.scrape(bed.ports["exporter"])


def test_two_clusters_called_main_do_not_mix_in_one_prometheus(bed, two_called_main):
    def systems():
        samples = bed.prometheus.query('pgbackrest_stanza_info{stanza="main"}')
        found = {(s["metric"]["instance"], s["metric"]["system_id"]) for s in samples}
        return {instance: system for instance, system in found if instance in two_called_main}

    wait_until(lambda: len(systems()) == 2, 20, "Prometheus has not seen both")
    question = "SELECT system_identifier FROM pg_control_system()"
    assert systems() == {instance: each.postgres.sql(question) for instance, each in two_called_main.items()}


def wait_for_both(bed, two, expression, seconds):
    def instances():
        return {sample["metric"]["instance"] for sample in bed.prometheus.query(expression)}

    wait_until(lambda: instances() >= set(two), seconds, f"not both have {expression}")


def test_no_rule_stumbles_over_two_clusters_called_main(bed, two_called_main):
    """While both fail to archive and repository 2 of both is away, so that the rules have something to join."""
    wait_for_both(bed, two_called_main, "pg_stat_archiver_failed_count", 20)
    for each in two_called_main.values():
        each.postgres.set("archive_command", "false")
        each.postgres.switch_wal()
        each.s3.break_with(status=403, code="AccessDenied")
    try:
        wait_for_both(bed, two_called_main, 'ALERTS{alertname="PgWalArchivingFailing",alertstate="firing"}', 40)
        wait_for_both(bed, two_called_main, "pgbackrest_repo_up == 0", 20)
        seen = max(rule["lastEvaluation"] for rule in bed.prometheus.rules())
        wait_until(lambda: min(r["lastEvaluation"] for r in bed.prometheus.rules()) > seen, 20, "no evaluation")
        assert {r["name"]: r.get("lastError", "") for r in bed.prometheus.rules() if r["health"] != "ok"} == {}
    finally:
        for each in two_called_main.values():
            each.s3.repair()
            each.postgres.reset("archive_command")


# PostgreSQL and the repository on two hosts.


def expect_no_postgres(bed, exporter, program_path):
    metrics = exporter.metrics()
    assert not [name for name in metrics if name.startswith("pg_") or name.startswith("pgbackup_postgres_")]
    assert "not here (repository host)" in exporter.get("/").text
    file = bed.place.path(f"{exporter.process.name}.yml")
    said = bed.place.run([bed.place.copy_program(program_path), f"--config.file={file}", "check-config"]).stdout
    assert "stanza main: no PostgreSQL here (repository host)\n" in said


def test_a_repository_host_measures_backups_and_invents_no_server(encrypted_bed, hosts, start_exporter, program_path):
    exporter = start_exporter(encrypted_bed, text=only_pgbackrest_conf(hosts.repository.configuration))
    exporter.wait_for(lambda m: m.values("pgbackrest_repo_up") == [1], 15)
    before = backups(exporter.wait_for(lambda m: "pgbackrest_backups" in m, 5), repo_key="1")
    hosts.repository.run("backup", "--type=incr")
    exporter.wait_for(lambda m: backups(m, repo_key="1") == [before[0], 0, before[2] + 1], 15)
    expect_no_postgres(encrypted_bed, exporter, program_path)


def test_an_empty_list_of_servers_makes_a_repository_host(encrypted_bed, start_exporter, program_path):
    text = only_pgbackrest_conf(encrypted_bed.pgbackrest.configuration, "postgres: []\n")
    exporter = start_exporter(encrypted_bed, text=text.replace("{config:", "{stanzas: [main], config:"))
    exporter.wait_for(lambda m: m.values("pgbackrest_repo_up") == [1], 15)
    expect_no_postgres(encrypted_bed, exporter, program_path)


def test_backups_are_measured_through_the_repository_host(encrypted_bed, hosts, start_exporter):
    """The database's host does not know where the repository lies, nor its passphrase."""
    exporter = start_exporter(encrypted_bed, text=only_pgbackrest_conf(hosts.postgres.configuration))
    metrics = exporter.wait_for(
        lambda m: m.values("pgbackrest_repo_up") == [1] and m.value("pgbackup_postgres_up") == 1, 15
    )
    listed = encrypted_bed.pgbackrest.info(1)["backup"]
    assert backups(metrics, repo_key="1") == [sum(b["type"] == kind for b in listed) for kind in TYPES]
    info = metrics["pgbackrest_repo_info"][0][0]
    assert (info["storage"], info["cipher"]) == ("remote", "unknown")
    assert "repository host" not in exporter.get("/").text


# Encrypted repositories.


def own_options(bed):
    """Repository 2 with its passphrase among our options."""
    mapped = ", cipher-pass: REPO2_CIPHER_PASS"
    line = f"      type: \"s3\"\n      cipher-pass: \"{bed.s3.credentials.repo2_passphrase}\"\n"
    text = configuration(bed, FAST)
    assert mapped in text
    return text.replace(mapped, "").replace('      type: "s3"\n', line)


def mapped_credentials(bed):
    return configuration(bed, FAST)


def all_in_pgbackrest_conf(bed):
    conf = bed.pgbackrest.configuration_with_repo2("encrypted.conf")
    return only_pgbackrest_conf(conf).replace("{config:", "{stanzas: [main], config:")


def children_with_secrets(exporter, secret):
    """Command lines of its pgbackrest children that have this secret in their environment."""
    children = children_of(exporter.process.pid)
    return [command_line(pid) for pid in children if any(secret in word for word in read_words(f"/proc/{pid}/environ"))]


@pytest.mark.parametrize("write", [own_options, mapped_credentials, all_in_pgbackrest_conf])
def test_encrypted_repositories_are_measured_and_tell_no_passphrase(encrypted_bed, start_exporter, write):
    bed = encrypted_bed
    exporter = start_exporter(bed, text=write(bed))
    metrics = exporter.wait_for(all_up, 15)
    assert [labels["cipher"] for labels, _ in metrics["pgbackrest_repo_info"]] == [CIPHER, CIPHER]
    for repo in (1, 2):
        assert metrics.value("pgbackrest_backups", repo_key=str(repo), backup_type="full") >= 1
    bed.s3.break_with(delay_ms=200)  # or its child is too short-lived to be seen
    try:
        secret = bed.s3.credentials.repo2_passphrase
        shown = wait_until(lambda: children_with_secrets(exporter, secret), 15, "no child has the passphrase")
    finally:
        bed.s3.repair()
    shown = f"{shown}{exporter.get('/metrics').text}{exporter.get('/').text}{exporter.log}"
    assert secret not in shown
    assert bed.s3.credentials.repo1_passphrase not in shown


@pytest.mark.parametrize("repo", ["1", "2"])
def test_a_wrong_passphrase_is_called_one(encrypted_bed, start_exporter, repo):
    own = encrypted_bed.s3.credentials
    right = {"1": own.repo1_passphrase, "2": own.repo2_passphrase}[repo]
    conf = encrypted_bed.pgbackrest.configuration_with_repo2(f"wrong-{repo}.conf")
    encrypted_bed.place.write(conf.name, conf.read_text().replace(right, "mistyped-passphrase"), 0o640)
    text = only_pgbackrest_conf(conf).replace("{config:", "{stanzas: [main], config:")
    exporter = start_exporter(encrypted_bed, text=text)
    metrics = exporter.wait_for(lambda m: len(m.values("pgbackrest_repo_up")) == 2, 15)
    assert metrics.value("pgbackrest_repo_up", repo_key=repo) == 0
    assert reason(metrics, repo_key=repo) == "crypto"
    assert sorted(metrics.values("pgbackrest_repo_up")) == [0, 1]
    assert "mistyped-passphrase" not in exporter.get("/").text + exporter.log


# A running backup, with locks where no default looks.


def test_the_lock_of_a_running_backup_is_seen_while_it_runs(encrypted_bed, start_exporter):
    bed = encrypted_bed
    exporter = start_exporter(bed, text=configuration(bed, FAST))
    metrics = exporter.wait_for(lambda m: all_up(m) and m.value("pgbackrest_backup_lock_held") == 0, 15)
    before = metrics.value("pgbackrest_backups", repo_key="2", backup_type="incr")
    bed.s3.break_with(delay_ms=1000, match="^(PUT|POST) ")
    with ThreadPoolExecutor(1) as pool:
        backup = pool.submit(bed.pgbackrest.backup, "incr", 2)
        try:
            exporter.wait_for(lambda m: m.value("pgbackrest_backup_lock_held") == 1, 30)
            assert not backup.done()
        finally:
            bed.s3.repair()
        backup.result()
    exporter.wait_for(lambda m: m.value("pgbackrest_backup_lock_held") == 0, 15)
    exporter.wait_for(lambda m: m.value("pgbackrest_backups", repo_key="2", backup_type="incr") == before + 1, 15)


# Stanzas that are not there yet, and databases that are no longer.


@pytest.fixture
def offline(encrypted_bed):
    """A cluster that never runs, with a stanza in repository 1 only."""
    cluster = encrypted_bed.add_cluster("offline")
    create = [PROGRAM, f"--config={encrypted_bed.pgbackrest.configuration}", "--stanza=offline"]
    encrypted_bed.place.run([*create, "--no-online", "stanza-create"])
    return cluster


def test_a_stanza_from_its_creation_to_an_upgrade(encrypted_bed, offline, start_exporter):
    """After stanza-upgrade pgbackrest still says ok: of backups that are the former database's."""
    bed = encrypted_bed
    exporter = start_exporter(bed, text=with_stanzas(bed, "offline"))
    metrics = exporter.wait_for(lambda m: len(m.values("pgbackrest_repo_up")) == 2, 15)
    assert metrics.values("pgbackrest_repo_up", repo_key="1") == [1]
    assert (reason(metrics, repo_key="1"), reason(metrics, repo_key="2")) == ("no_backup", "missing_stanza_path")

    bed.pgbackrest.run("stanza-create", "--no-online", stanza="offline")
    bed.pgbackrest.run("backup", "--no-online", "--type=full", repo=1, stanza="offline")
    metrics = exporter.wait_for(lambda m: all_up(m) and backups(m, repo_key="1") == [1, 0, 0], 15)
    assert (reason(metrics, repo_key="1"), reason(metrics, repo_key="2")) == (None, "no_backup")

    shutil.rmtree(offline.data)
    offline.create()  # another system identifier
    bed.pgbackrest.run("stanza-upgrade", "--no-online", stanza="offline")
    metrics = exporter.wait_for(lambda m: backups(m, repo_key="1") == [0, 0, 0], 15)
    assert metrics.values("pgbackrest_backup_last_completion_timestamp_seconds", repo_key="1") == []
    assert metrics.value("pgbackrest_repo_stored_bytes", repo_key="1") > 0
    said = "none of 2 repositories can be read and holds a backup"
    wait_until(lambda: said in exporter.get("/").text, 5, "the page does not know")
