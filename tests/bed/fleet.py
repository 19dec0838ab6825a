"""A Prometheus in agent mode, and a second one elsewhere that is written to and knows the rules."""
import json

from alerting import READY_SECONDS, Prometheus
from process import Process
from web import answers_ok

AGENT = """\
global:
  scrape_interval: {interval}
  scrape_timeout: {interval}
  external_labels: {{site: {site}}}
remote_write: [{{url: "http://127.0.0.1:{receiver}/api/v1/write"}}]
scrape_configs:
  - job_name: pgbackup
    file_sd_configs: [{{files: [{targets}]}}]
"""
SITE = "branch"


class Receiver(Prometheus):
    """Scrapes nothing; has the rules as shipped, and takes what agents write."""

    def __init__(self, place, port, alertmanager_port, interval):
        super().__init__(place, port, alertmanager_port, None, interval)
        self.exporter_ports = []

    def launch(self):
        self.process.start(
            [self.program, f"--config.file={self._configure()}", f"--web.listen-address=127.0.0.1:{self.port}"]
            + [f"--storage.tsdb.path={self.place.path('prometheus')}", "--web.enable-remote-write-receiver"]
        )


class Agent:
    """Finds its targets in a file: dicts of targets and labels, as file_sd has them."""

    # In a folder that it may list: where it may not, it sees a change after minutes only.
    targets = "data/targets.json"

    def __init__(self, place, port, receiver_port, interval):
        self.place = place
        self.port = port
        self.receiver_port = receiver_port
        self.interval = interval
        self.process = Process(place, "agent")

    def launch(self, targets):
        self.tell(targets)
        self.process.start(
            [Prometheus.program, "--enable-feature=agent", f"--config.file={self._configure()}"]
            + [f"--storage.agent.path={self.place.path('data', 'agent')}"]
            + [f"--web.listen-address=127.0.0.1:{self.port}"]
        )

    def tell(self, targets):
        """From now on these targets; it needs no signal."""
        self.place.write(self.targets, json.dumps(targets))

    def _configure(self):
        targets = self.place.path(self.targets)
        text = AGENT.format(interval=self.interval, site=SITE, receiver=self.receiver_port, targets=targets)
        return self.place.write("agent.yml", text)

    def wait_ready(self):
        self.process.wait_ready(lambda: answers_ok(self.port, "/-/ready"), READY_SECONDS)
