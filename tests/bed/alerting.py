"""Prometheus, Alertmanager and a receiver for its notifications, with the rules as shipped."""
import json
import re
import shutil
import signal
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

from process import Process
from web import answers_ok, get

ALERTS = Path(__file__).resolve().parents[2] / "alerts"
RULES = "pgbackup.rules.yml"
RECORDING = "recording.rules.yml"
READY_SECONDS = 60

PROMETHEUS = """\
global:
  scrape_interval: {interval}
  evaluation_interval: {interval}
  scrape_timeout: {interval}
rule_files: [{rules}, {recording}]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]
scrape_configs:
  - job_name: pgbackup
    static_configs: [{{targets: [{exporters}]}}]
"""


class Webhook:
    def __init__(self, place, port):
        self.place = place
        self.port = port
        self.file = place.path("webhook", "notifications.jsonl")
        self.process = Process(place, "webhook")

    def launch(self):
        program = shutil.copy(Path(__file__).with_name("webhook.py"), self.place.path("bin"))
        self.process.start(["/usr/bin/python3", "-B", program, self.port, self.file])

    def wait_ready(self):
        self.process.wait_ready(lambda: answers_ok(self.port, "/"), READY_SECONDS)

    def notifications(self):
        """All so far: dicts of arrived (seconds since 1970), path and notification."""
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def alerts(self):
        """Every alert of every notification so far."""
        return [alert for entry in self.notifications() for alert in entry["notification"]["alerts"]]


class Alertmanager:
    def __init__(self, place, port, webhook_port):
        self.place = place
        self.port = port
        self.webhook_port = webhook_port
        self.process = Process(place, "alertmanager")

    def launch(self):
        configuration = self.place.write("alertmanager.yml", self.configuration())
        self.process.start(
            ["/usr/bin/prometheus-alertmanager", f"--config.file={configuration}", "--cluster.listen-address="]
            + [f"--storage.path={self.place.path('alertmanager')}", f"--web.listen-address=127.0.0.1:{self.port}"]
        )

    def configuration(self):
        """As shipped, but every notification goes to the bed's receiver."""
        shipped = (ALERTS / "alertmanager.yml").read_text()
        receiver = f"http://127.0.0.1:{self.webhook_port}"
        return re.sub(r"(\burl:\s*['\"]?)https?://[^/\s'\"]+", rf"\g<1>{receiver}", shipped)

    def wait_ready(self):
        self.process.wait_ready(lambda: answers_ok(self.port, "/-/ready"), READY_SECONDS)


class AlertmanagerClient:
    """Asks an Alertmanager which alerts it would keep quiet."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/api/v2/alerts"

    def post(self, *alerts):
        body = json.dumps([{"labels": labels} for labels in alerts]).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5):
            pass

    def alerts(self):
        with urllib.request.urlopen(self.url, timeout=5) as answer:
            return json.load(answer)

    def muted(self, **labels):
        """Whether the alert with these labels is inhibited; it must be there."""
        (alert,) = [a for a in self.alerts() if labels.items() <= a["labels"].items()]
        return bool(alert["status"]["inhibitedBy"])

    def loud(self, **labels):
        """(alert, repository) of each with these labels that is not inhibited."""
        loud = [a["labels"] for a in self.alerts() if not a["status"]["inhibitedBy"]]
        return sorted((has["alertname"], has.get("repo_key", "")) for has in loud if labels.items() <= has.items())

    def wait_loud(self, *expected, **labels):
        """Until of those with these labels these and no others are not inhibited."""
        deadline = time.monotonic() + 10
        while self.loud(**labels) != sorted(expected):
            assert time.monotonic() < deadline, self.loud(**labels)
            time.sleep(0.1)

    def wait_muted(self, **labels):
        deadline = time.monotonic() + 10
        while not self.muted(**labels):
            assert time.monotonic() < deadline, f"{labels} is not inhibited"
            time.sleep(0.1)


class Prometheus:
    program = "/usr/bin/prometheus"

    def __init__(self, place, port, alertmanager_port, exporter_port, interval):
        self.place = place
        self.port = port
        self.alertmanager_port = alertmanager_port
        self.exporter_ports = [exporter_port]
        self.interval = interval
        self.process = Process(place, "prometheus")

    def launch(self):
        configuration = self._configure()
        self.process.start(
            [self.program, f"--config.file={configuration}", f"--web.listen-address=127.0.0.1:{self.port}"]
            + [f"--storage.tsdb.path={self.place.path('prometheus')}", "--storage.tsdb.retention.time=1d"]
        )

    def _write_rules(self):
        self.place.write(RULES, (ALERTS / RULES).read_text())
        # Recorded as often as is scraped: what a test sees is seconds old.
        recording = (ALERTS / RECORDING).read_text().replace("interval: 1m", f"interval: {self.interval}")
        self.place.write(RECORDING, recording)

    def _configure(self):
        self._write_rules()
        text = PROMETHEUS.format(
            interval=self.interval,
            rules=self.place.path(RULES),
            recording=self.place.path(RECORDING),
            alertmanager=self.alertmanager_port,
            exporters=", ".join(f'"127.0.0.1:{port}"' for port in self.exporter_ports),
        )
        return self.place.write("prometheus.yml", text)

    def scrape(self, *exporter_ports):
        """From now on these exporters and no other."""
        self.exporter_ports = exporter_ports
        self._configure()
        self.process.signal(signal.SIGHUP)

    def query(self, expression):
        """The samples that a query gives now, as Prometheus tells them."""
        answer = get(self.port, f"/api/v1/query?query={quote(expression)}")
        return json.loads(answer.text)["data"]["result"]

    def rules(self):
        """Every rule, with its health and last error."""
        groups = json.loads(get(self.port, "/api/v1/rules").text)["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def wait_ready(self):
        self.process.wait_ready(lambda: answers_ok(self.port, "/-/ready"), READY_SECONDS)
