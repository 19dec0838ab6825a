"""Many clients at once: busy ones, slow ones, and ten thousand that only take places.

usage: crowd.py --peers FOLDER [--program FILE] [--seconds N]

Prints Markdown. docs/benchmark.md tells the method.
"""
import argparse
import contextlib
import multiprocessing
import resource
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.dont_write_bytecode = True
REPOSITORY = Path(__file__).resolve().parents[2]
sys.path += [str(REPOSITORY / "tests" / name) for name in ("bed", "e2e")]

from bed import Bed  # noqa: E402 - the folders must be on the path first
from conftest import Exporter, Metrics  # noqa: E402
from exporter import FAST, configuration  # noqa: E402
from measure import PROMETHEUS_HEADERS, Wrk, memory, own_cpu  # noqa: E402
from process import free_port, wait_until  # noqa: E402
from web import get  # noqa: E402

BUSY_CONNECTIONS = 64
CROWD_SECONDS = 30
CROWDS = {  # how many, from how many addresses (each has a limit of its own), and what they send
    "200 that ask and never read": (200, 1, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
    "10,000 that take places, one address": (10000, 1, b"GET /metrics HTTP/1.1\r\nHost: x\r\n"),
    "10,000 that take places, 50 addresses": (10000, 50, b"GET /metrics HTTP/1.1\r\nHost: x\r\n"),
}
BETWEEN_LOOKS_S = 0.05
SPARE_DESCRIPTORS = 200


def crowd(port, count, addresses, text):
    """Connect, send, and never read; all stay until this process is ended."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + SPARE_DESCRIPTORS, hard), hard))
    clients = [connect(port, number % addresses) for number in range(count)]
    while True:
        time.sleep(0.5)
        for client in clients:
            with contextlib.suppress(OSError):  # not connected yet, or ended by the server
                client.send(text)
        text = b"X"


def connect(port, address):
    client = socket.socket()
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.bind((f"127.0.1.{1 + address}", 0))
    client.connect_ex(("127.0.0.1", port))
    return client


@dataclass
class Seen:
    """What another client met meanwhile, each time on a new connection."""

    healthy_ms: list = field(default_factory=list)
    scrape_ms: list = field(default_factory=list)
    refused: int = 0

    def look(self, port):
        for path, taken in (("/-/healthy", self.healthy_ms), ("/metrics", self.scrape_ms)):
            begun = time.perf_counter()
            try:
                get(port, path, PROMETHEUS_HEADERS)
            except OSError:
                self.refused += 1
                continue
            taken.append(1000 * (time.perf_counter() - begun))


def look_for(port, seconds, running):
    seen = Seen()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and running():
        seen.look(port)
        time.sleep(BETWEEN_LOOKS_S)
    return seen


def looks_of_pollers(exporter):
    """When each target was looked at last, and how many looks failed."""
    metrics = Metrics.parse(exporter.get("/metrics").text)
    attempts = metrics["pgbackup_collector_last_attempt_timestamp_seconds"]
    return (
        {(labels["collector"], labels["target"]): value for labels, value in attempts},
        sum(metrics.values("pgbackup_collector_failures_total")),
    )


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def latencies(values):
    return f"{quantile(values, 0.5):.1f} / {quantile(values, 0.99):.1f} / {quantile(values, 1):.1f}"


def row(name, exporter, work):
    """Do the work, which gives what was Seen, and tell how the program stood before and after."""
    attempts, failures = looks_of_pollers(exporter)
    before, cpu = memory(exporter.process.pid), own_cpu(exporter.process.pid)
    seen = work()
    during, cpu = memory(exporter.process.pid), own_cpu(exporter.process.pid) - cpu
    wait_until(lambda: get(exporter.port, "/-/healthy").status == 200, 30, "it does not recover")
    later, failures_later = looks_of_pollers(exporter)
    late = [target for target in attempts if later[target] <= attempts[target]]
    cells = [name, latencies(seen.healthy_ms), latencies(seen.scrape_ms), seen.refused, f"{cpu:.1f}"]
    cells += [f"{before.rss:.1f} / {before.anonymous:.1f}", f"{during.rss:.1f} / {during.anonymous:.1f}"]
    cells += [f"{int(failures_later - failures)} failed, {len(late)} late of {len(attempts)}"]
    print(f"| {' | '.join(str(cell) for cell in cells)} |", flush=True)


def beside(exporter, seconds, target, arguments):
    """What is Seen while that runs in a process of its own."""
    process = multiprocessing.Process(target=target, args=arguments, daemon=True)
    process.start()
    try:
        return look_for(exporter.port, seconds, process.is_alive)
    finally:
        process.terminate()
        process.join()


def run_wrk(results, wrk, port, seconds, headers):
    results.put(wrk.run(port, BUSY_CONNECTIONS, seconds, headers))


def busy(exporter, wrk, seconds, headers):
    results = multiprocessing.Queue()
    seen = beside(exporter, seconds + 5, run_wrk, (results, wrk, exporter.port, seconds, headers))
    return seen, results.get(timeout=10)


def measure(exporter, wrk, seconds):
    titles = ["meanwhile", "/-/healthy p50 / p99 / max ms", "scrape p50 / p99 / max ms", "refused", "own CPU s"]
    titles += ["RSS / anonymous before MiB", "after", "pollers"]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}", flush=True)
    row("nothing", exporter, lambda: look_for(exporter.port, CROWD_SECONDS, lambda: True))
    loads = {}
    for name, headers in {"plain": {}, "gzip": PROMETHEUS_HEADERS}.items():

        def work(headers=headers, name=name):
            seen, loads[name] = busy(exporter, wrk, seconds, headers)
            return seen

        row(f"wrk, {BUSY_CONNECTIONS} connections, {name}", exporter, work)
    for name, (count, addresses, text) in CROWDS.items():
        arguments = (exporter.port, count, addresses, text)
        row(name, exporter, lambda arguments=arguments: beside(exporter, CROWD_SECONDS, crowd, arguments))
    row("nothing again", exporter, lambda: look_for(exporter.port, CROWD_SECONDS, lambda: True))
    print("\n| wrk | scrapes/s | p50 ms | p99 ms |\n|---|---|---|---|")
    for name, load in loads.items():
        print(f"| {name} | {load.per_second:,.0f} | {load.p50_ms:.2f} | {load.p99_ms:.2f} |")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--peers", type=Path, required=True)
    arguments.add_argument("--program", type=Path, default=REPOSITORY / "build/release/pgbackup_exporter")
    arguments.add_argument("--seconds", type=int, default=60)
    asked = arguments.parse_args()
    bed = Bed().start(alerting=False)
    exporter = Exporter(bed, asked.program, free_port())
    try:
        exporter.start(configuration(bed, FAST))
        exporter.wait_for(lambda metrics: metrics.values("pgbackrest_repo_up") == [1, 1], 30)
        measure(exporter, Wrk(asked.peers), asked.seconds)
    finally:
        exporter.stop()
        bed.stop()


if __name__ == "__main__":
    main()
