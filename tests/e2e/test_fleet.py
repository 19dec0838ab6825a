"""Many hosts, all with a stanza main: an agent finds and reads them, another Prometheus judges them."""
import re
import subprocess

import pytest
import yaml
from conftest import REPOSITORY
from fleet import SITE, Agent, Receiver
from process import free_port, wait_until

pytestmark = pytest.mark.campaign

HOSTS = ("db1.example.net", "db2.example.net")
PAGE = REPOSITORY / "docs" / "fleet.md"
FAILING = "PgWalArchivingFailing"


def target(exporter, host):
    return {"targets": [f"127.0.0.1:{exporter.port}"], "labels": {"instance": host, "team": "forge"}}


@pytest.fixture(name="fleet")
def start_fleet(own_bed, start_exporter):
    """(bed, agent, receiver, targets): two exporters, and what watches them from afar."""
    bed = own_bed
    targets = [target(start_exporter(bed), host) for host in HOSTS]
    receiver = Receiver(bed.place, bed.ports["prometheus"], bed.ports["alertmanager"], "1s")
    agent = Agent(bed.place, free_port(), receiver.port, "1s")
    for server in (bed.webhook, bed.alertmanager, receiver):
        server.launch()
        server.wait_ready()
    agent.launch(targets)
    agent.wait_ready()
    return bed, agent, receiver, targets


def hosts_of(samples):
    return sorted(sample["metric"]["instance"] for sample in samples)


def wait_hosts(receiver, expression, hosts):
    """The samples, when they are of these hosts and no others."""
    found = []

    def arrived():
        found[:] = receiver.query(expression)
        return hosts_of(found) == sorted(hosts)

    wait_until(arrived, 60, f"not of {hosts}: {expression}")
    return [sample["metric"] for sample in found]


def notified(bed):
    """The notifications of the failing archive, each a group of its own."""
    found = [entry["notification"] for entry in bed.webhook.notifications()]
    return [each for each in found if each["groupLabels"]["alertname"] == FAILING]


def test_a_fault_of_hosts_behind_an_agent_fires_in_the_prometheus_that_it_writes_to(fleet):
    bed, _, receiver, _ = fleet
    arrived = wait_hosts(receiver, 'pgbackrest_repo_up{repo_key="1"} == 1', HOSTS)
    assert {(m["job"], m["stanza"], m["team"], m["site"]) for m in arrived} == {("pgbackup", "main", "forge", SITE)}
    assert receiver.query('ALERTS{alertstate="firing"}') == []
    # Counted before anything fails: rate() needs two samples.
    wait_hosts(receiver, "count_over_time(pg_stat_archiver_failed_count[1m]) > 2", HOSTS)
    bed.postgres.set("archive_command", "/bin/false")
    bed.postgres.switch_wal()
    firing = wait_hosts(receiver, f'ALERTS{{alertname="{FAILING}", alertstate="firing"}}', HOSTS)
    assert {(m["stanza"], m["team"], m["site"]) for m in firing} == {("main", "forge", SITE)}
    wait_until(lambda: len(notified(bed)) >= 2, 60, "not notified")
    assert sorted({each["groupLabels"]["instance"] for each in notified(bed)}) == list(HOSTS)
    assert all(len(each["alerts"]) == 1 for each in notified(bed))


def test_every_rule_can_be_evaluated_on_what_is_written_from_afar(fleet):
    _, _, receiver, _ = fleet
    wait_hosts(receiver, 'pgbackrest_repo_up{repo_key="1"} == 1', HOSTS)
    wait_until(lambda: all(rule["health"] == "ok" for rule in receiver.rules()), 60, "a rule fails")


def test_a_host_that_leaves_the_file_of_targets_leaves_the_other_prometheus_at_once(fleet):
    _, agent, receiver, targets = fleet
    wait_hosts(receiver, "pgbackup_exporter_build_info", HOSTS)
    agent.tell(targets[:1])
    wait_hosts(receiver, "pgbackup_exporter_build_info", HOSTS[:1])


# ---- the rule of the page ----

SILENT = """\
rule_files: [silent.rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'up{job="pgbackup", instance="db1", site="branch"}', values: 1x120}
      - {series: 'up{job="pgbackup", instance="db2", site="branch"}', values: 1x20 _x100}
      - {series: 'up{job="node", instance="db2:9100", site="branch"}', values: 1x20 _x100}
    alert_rule_test:
      - {eval_time: 25m, alertname: PgBackupHostSilent, exp_alerts: []}
      - eval_time: 32m
        alertname: PgBackupHostSilent
        exp_alerts: [{exp_labels: {severity: ticket, job: pgbackup, instance: db2, site: branch}}]
"""


def rule_of_the_page():
    (block,) = re.findall(r"^```yaml\n(groups:\n.*?)^```", PAGE.read_text(), re.M | re.S)
    return yaml.safe_load(block)


def test_the_rule_of_the_page_names_a_host_whose_agent_is_silent_and_no_other(tmp_path):
    rules = rule_of_the_page()
    # What it says is prose; promtool would want it letter by letter.
    del rules["groups"][0]["rules"][0]["annotations"]
    (tmp_path / "silent.rules.yml").write_text(yaml.safe_dump(rules))
    (tmp_path / "test.yml").write_text(SILENT)
    done = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
