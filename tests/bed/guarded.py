"""An exporter behind a web configuration, and the clients that come to it: curl and Prometheus."""
import json
import signal
import tempfile
from pathlib import Path
from urllib.parse import quote

from certificates import Authority
from place import Place
from process import Account, BedError, Process, free_port, wait_until
from web import answers_ok, get

START_SECONDS = 20
# It looks at its files every 5 s.
NOTICE_SECONDS = 30
NOTHING = "[global]\nrepo1-path=/nonexistent\n"

PROMETHEUS = """\
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
"""


class Site:
    """A private folder with an authority, its server and client, and a stranger that it does not know."""

    def __init__(self):
        self.place = Place(Path(tempfile.mkdtemp(prefix="pgbackup-web-")), Account.choose())
        self.authority = Authority(self.place)
        self.strangers = Authority(self.place, "strangers")

    def create(self):
        self.place.create()
        self.place.write("pgbackrest.conf", NOTHING)
        for authority in (self.authority, self.strangers):
            authority.create()
        for name in ("server", "client"):
            self.authority.sign(name)
        self.strangers.sign("stranger")

    def tls(self, name):
        return self.place.path("tls", name)

    def curl(self, url, *arguments):
        """What a client gets: a status ("200"), or "refused" when no answer came over that connection."""
        words = ["curl", "-sS", "--noproxy", "*", "--max-time", 60, "-o", "/dev/null", "-w", "%{http_code}"]
        result = self.place.run([*words, *arguments, url], check=False)
        return result.stdout if result.returncode == 0 else "refused"

    def remove(self):
        self.place.remove()


class Guarded:
    """An exporter that watches nothing, with SITE/NAME.web.yml as its web configuration."""

    def __init__(self, site, program, name):
        self.site = site
        self.name = name
        self.program = site.place.copy_program(program)
        self.port = free_port()
        self.process = Process(site.place, name)

    def words(self):
        text = f"pgbackrest: {{config: {self.site.place.path('pgbackrest.conf')}}}\n"
        file = self.site.place.write(f"{self.name}.yml", text)
        return [self.program, f"--config.file={file}", f"--web.config.file={self.file}"]

    @property
    def file(self):
        return self.site.place.path(f"{self.name}.web.yml")

    def configure(self, text):
        self.site.place.write(self.file.name, text)

    def start(self, text):
        self.configure(text)
        self.process.start([*self.words(), f"--web.listen-address=127.0.0.1:{self.port}"])
        self.process.wait_ready(lambda: "msg=listening" in self.log, START_SECONDS)

    def check_config(self, text):
        self.configure(text)
        return self.site.place.run([*self.words(), "check-config"], check=False)

    def reload(self, text=None):
        """Write it if there is one, ask for a reload, and wait until the log says what came of it."""
        said = self.log.count("web configuration")
        if text is not None:
            self.configure(text)
        self.process.signal(signal.SIGHUP)
        wait_until(lambda: self.log.count("web configuration") > said, START_SECONDS, "the reload is not logged")

    def wait_for_log(self, text):
        try:
            wait_until(lambda: text in self.log, NOTICE_SECONDS, f'the log does not say "{text}"')
        except BedError as error:
            raise BedError(f"{error}\n{self.process.log_tail()}") from None

    @property
    def log(self):
        return self.process.log_text()

    def http(self, *arguments, path="/metrics"):
        return self.site.curl(f"http://localhost:{self.port}{path}", *arguments)

    def https(self, *arguments, path="/metrics"):
        trust = ("--cacert", self.site.authority.certificate)
        return self.site.curl(f"https://localhost:{self.port}{path}", *trust, *arguments)

    def page(self, path, *arguments):
        """The body of an answer, by plain HTTP."""
        words = ["curl", "-sS", "--noproxy", "*", *arguments, f"http://localhost:{self.port}{path}"]
        return self.site.place.run(words).stdout

    def stop(self):
        self.process.stop()


class Scraper:
    """A Prometheus of its own. jobs: name -> (exporter, lines of its scrape configuration)."""

    def __init__(self, site):
        self.place = site.place
        self.port = free_port()
        self.process = Process(self.place, "scraper")

    def start(self, jobs):
        text = PROMETHEUS + "".join(self._job(name, *job) for name, job in jobs.items())
        file = self.place.write("scraper.yml", text)
        self.process.start(
            ["/usr/bin/prometheus", f"--config.file={file}", f"--web.listen-address=127.0.0.1:{self.port}"]
            + [f"--storage.tsdb.path={self.place.path('prometheus')}"]
        )
        self.process.wait_ready(lambda: answers_ok(self.port, "/-/ready"), 60)

    def _job(self, name, exporter, lines):
        rest = "".join(f"    {line}\n" for line in lines)
        return f'  - job_name: {name}\n    static_configs: [{{targets: ["localhost:{exporter.port}"]}}]\n{rest}'

    def up(self):
        """job -> whether its last scrape worked, for those scraped at least once."""
        answer = get(self.port, f"/api/v1/query?query={quote('up')}")
        return {one["metric"]["job"]: one["value"][1] == "1" for one in json.loads(answer.text)["data"]["result"]}

    def stop(self):
        self.process.stop()
