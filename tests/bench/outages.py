"""What outages look like from outside, and what a scrape costs meanwhile.

usage: outages.py [PROGRAM]

For each outage, of PostgreSQL and last of repository 2's S3: what the page says after 1, 5 and
60 s, scrape latency throughout, and how long the exporter takes to end in the middle of it. It
makes a bed of its own and removes it.
"""
import re
import socket
import statistics
import sys
import time
from contextlib import ExitStack, contextmanager
from html import unescape
from pathlib import Path

sys.dont_write_bytecode = True
REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "bed"))

from bed import Bed  # noqa: E402 - the bed's folder must be on the path first
from exporter import Exporter, configuration  # noqa: E402
from process import free_port, wait_until  # noqa: E402
from web import get  # noqa: E402

LOOKS = (1, 5, 60)
DEFAULTS = {"archiver": "15s", "backups": "60s"}
WARM_UP_SCRAPES = 50


@contextmanager
def stopped(bed):
    bed.postgres.stop()
    try:
        yield bed.postgres.conninfo
    finally:
        bed.postgres.start()


@contextmanager
def hanging(bed):
    bed.postgres.pause()
    try:
        yield bed.postgres.conninfo
    finally:
        bed.postgres.resume()


@contextmanager
def healthy(bed):
    yield bed.postgres.conninfo


@contextmanager
def hanging_s3(bed):
    bed.s3.break_with(hang=True)
    try:
        yield
    finally:
        bed.s3.repair()


class Vanishing:
    """A way to the server that can be cut so that packets are never answered: a full queue."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.clients = []

    def cut(self):
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(self.listener.getsockname())
            self.clients.append(client)

    def close(self):
        for each in [*self.clients, self.listener]:
            each.close()


def scrape_ms(port):
    begun = time.perf_counter()
    answer = get(port, "/metrics")
    assert answer.status == 200
    return 1000 * (time.perf_counter() - begun), answer.text


def sample(text, pattern):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1) if found else "-"


def look(port):
    text = scrape_ms(port)[1]
    up = sample(text, r"^pgbackup_postgres_up\{[^}]*\} (\S+)")
    reason = sample(text, r'^pgbackup_postgres_error\{[^}]*reason="(\w+)"')
    repositories = sorted(re.findall(r'^pgbackrest_repo_up\{.*repo_key="(\d+)"\} (\d)', text, re.MULTILINE))
    page = get(port, "/").text
    words = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))
    headline = re.search(r"as of \S+ \S+ UTC (.{0,60})", words)
    shown = " ".join(f"{key}:{up}" for key, up in repositories)
    return f"up {up} reason {reason}, repositories {shown}; page: {headline.group(1).strip() if headline else '?'}"


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def watch(port, seconds):
    """Scrape all the time; what the page said at the times to look at, and every latency in ms."""
    said, latencies, begun = {}, [], time.monotonic()
    while time.monotonic() - begun < seconds + 0.5:
        latencies.append(scrape_ms(port)[0])
        for at in LOOKS:
            if at <= time.monotonic() - begun and at not in said:
                said[at] = look(port)
        time.sleep(0.01)
    return said, latencies


def measure(bed, name, outage, conninfo=None, intervals=None):
    text = configuration(bed, intervals or DEFAULTS)
    if conninfo:
        text = text.replace(bed.postgres.conninfo, conninfo)
    exporter = Exporter(bed, PROGRAM, free_port(), f"exporter-{name}")
    exporter.start(text)
    wait_until(lambda: get(exporter.port, "/-/ready").status == 200, 20, "not ready")
    for _ in range(WARM_UP_SCRAPES):
        scrape_ms(exporter.port)
    with outage(bed):
        said, latencies = watch(exporter.port, max(LOOKS))
        seconds = exporter.sigterm_seconds()
    exporter.stop()
    print(f"{name}: {len(latencies)} scrapes, p50 {statistics.median(latencies):.2f} ms, "
          f"p99 {quantile(latencies, 0.99):.2f} ms, max {max(latencies):.2f} ms, SIGTERM to exit {seconds:.2f} s")
    for at, words in said.items():
        print(f"  after {at:2} s: {words}")


def main():
    with ExitStack() as stack:
        bed = Bed().start(alerting=False)
        stack.callback(bed.stop)
        for name, outage in (("healthy", healthy), ("stopped", stopped), ("hanging", hanging)):
            measure(bed, name, outage)
        vanishing = Vanishing()
        stack.callback(vanishing.close)
        vanishing.cut()
        measure(bed, "vanished", healthy, f"host=127.0.0.1 port={vanishing.listener.getsockname()[1]} dbname=postgres")
        measure(bed, "hanging-s3", hanging_s3, intervals={"archiver": "15s", "backups": "10s"})


PROGRAM = Path(sys.argv[1] if len(sys.argv) > 1 else REPOSITORY / "build/release/pgbackup_exporter")
if __name__ == "__main__":
    main()
