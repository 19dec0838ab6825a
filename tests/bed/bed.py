"""The real bed: PostgreSQL, pgBackRest with two repositories, S3, Prometheus and Alertmanager.

Everything lives in one private folder and listens on 127.0.0.1 and ports that were free. As root
the servers run as the user postgres, else as the caller. stop() leaves nothing behind.
"""
import json
import tempfile
from pathlib import Path

from alerting import Alertmanager, Prometheus, Webhook
from pgbackrest import PROGRAM, STANZA, Credentials, PgBackRest
from place import Place
from postgres import Postgres
from process import Account, Process, free_port
from s3 import S3

SERVERS = ("postgres", "s3", "prometheus", "alertmanager", "webhook", "exporter")


class Bed:
    """`start()` it, break it, `stop()` it; or `Bed.open(root)` one that runs already."""

    def __init__(self, root=None, archive_timeout_s=60, scrape_interval="1s", encrypted=False):
        root = Path(root or tempfile.mkdtemp(prefix="pgbackup-bed-"))
        settings = {
            "ports": {name: free_port() for name in SERVERS},
            "archive_timeout_s": archive_timeout_s,
            "scrape_interval": scrape_interval,
            "encrypted": encrypted,
        }
        self._assemble(root, settings, Credentials.new())

    @classmethod
    def open(cls, root):
        bed = cls.__new__(cls)
        settings = json.loads((Path(root) / "bed.json").read_text())
        bed._assemble(Path(root), settings, Credentials.read(Path(root) / "credentials.env"))
        return bed

    def _assemble(self, root, settings, credentials):
        self.root = root
        self.settings = settings
        self.ports = settings["ports"]
        self.place = Place(root, Account.choose())
        self.credentials_file = root / "credentials.env"
        self.clusters = {}
        self.postgres = self._cluster("postgres", STANZA, self.ports["postgres"])
        self.s3 = S3(self.place, self.ports["s3"], credentials)
        self.pgbackrest = PgBackRest(self.place, self.postgres, self.s3, settings["encrypted"])
        self._assemble_alerting()

    def _cluster(self, name, stanza, port):
        archive = f"{PROGRAM} --config={self.root}/pgbackrest.conf --stanza={stanza} archive-push %p"
        self.clusters[name] = Postgres(self.place, port, archive, self.settings["archive_timeout_s"], name)
        return self.clusters[name]

    def _assemble_alerting(self):
        ports, interval = self.ports, self.settings["scrape_interval"]
        self.webhook = Webhook(self.place, ports["webhook"])
        self.alertmanager = Alertmanager(self.place, ports["alertmanager"], ports["webhook"])
        self.prometheus = Prometheus(
            self.place, ports["prometheus"], ports["alertmanager"], ports["exporter"], interval
        )

    def start(self, alerting=True, backups=True):
        """Up and archiving, with a full and an incremental backup in each repository."""
        try:
            self._create()
            self._start(alerting)
            self.pgbackrest.create_stanza()
            if backups:
                self._back_up()
        except BaseException:
            self.stop()
            raise
        return self

    def _create(self):
        self.place.create()
        self.place.write("bed.json", json.dumps(self.settings))
        self.place.write(self.credentials_file.name, self.s3.credentials.text())
        self.pgbackrest.create()
        self.s3.create()

    def _start(self, alerting):
        others = [self.s3, *([self.webhook, self.alertmanager, self.prometheus] if alerting else [])]
        for server in others:
            server.launch()
        self.postgres.create()
        self.postgres.start()
        for server in others:
            server.wait_ready()

    def _back_up(self):
        for kind in ("full", "incr"):
            for repo in (1, 2):
                self.pgbackrest.backup(kind, repo)

    def add_cluster(self, stanza):
        """One more cluster of its own, known to pgbackrest.conf as this stanza; neither started nor backed up."""
        cluster = self._cluster(stanza, stanza, free_port())
        cluster.create()
        self.pgbackrest.add_section(stanza, cluster)
        return cluster

    def processes(self):
        """Every process that was started here and not stopped, the newest first."""
        files = sorted((self.root / "run").glob("*.json"), key=newest_first)
        return [Process(self.place, file.stem) for file in files]

    def stop(self):
        """Stop all in reverse order, end what they left behind, delete the folder."""
        for process in self.processes():
            self._stop(process)
        self.place.remove()

    def _stop(self, process):
        self.clusters.get(process.name, process).stop()


def newest_first(path):
    return -path.stat().st_mtime_ns
