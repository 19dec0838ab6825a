"""Side by side with pgbackrest_exporter, postgres_exporter and nginx on one bed: `make bench`.

usage: bench.py --peers FOLDER [--program FILE] [--seconds N] [--load-seconds N]

Prints Markdown. --seconds: how long CPU is counted at each one's own schedule; --load-seconds: how
long each run of wrk takes. docs/benchmark.md tells what is measured and how.
"""
import argparse
import collections
import os
import platform
import re
import signal
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True
REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "bed"))

from bed import Bed  # noqa: E402 - the bed's folder must be on the path first
from measure import (  # noqa: E402
    PROMETHEUS_HEADERS, BenchError, Cpu, Load, Memory, Wrk, cpu, memory, peak_rss, scrape_many,
)  # fmt: skip
from process import BedError  # noqa: E402
from report import Figures, print_aims, print_table  # noqa: E402
from subjects import (  # noqa: E402
    Large, Nginx, Ours, OursForPeersWork, PgBackRestExporter, PostgresExporter,
)  # fmt: skip

SCRAPES = 1000
CONNECTIONS = 4
SCRAPE_INTERVAL_S = 15
SECONDS_PER_HOUR = 3600
FAST_S, SLOW_S = 60, 600
DENSE_S, DENSE_SECONDS = 2, 40


@dataclass(frozen=True)
class Served:
    """What one subject does with scrapes, and what they leave in its memory."""

    samples: int
    size: int
    alone: Load
    alone_gzip: Load
    busy: Load
    busy_gzip: Load
    cpu_per_scrape_us: float
    at_start: Memory
    after_scrapes: Memory


@dataclass(frozen=True)
class Worked:
    """An hour at one schedule: CPU seconds, and how often each pgbackrest command was called."""

    hour: Cpu
    calls: collections.Counter
    memory: Memory

    def at_interval(self, idle, share):
        """The same with only `share` of its looks; `idle` is one that had none at all."""
        if idle.calls:
            raise BenchError(f"within the window of the longer interval pgbackrest was called: {dict(idle.calls)}")
        calls = collections.Counter({name: count * share for name, count in self.calls.items()})
        return Worked(idle.hour.towards(self.hour, share), calls, idle.memory)


@contextmanager
def running(subject):
    try:
        yield subject.start()
    finally:
        subject.stop()


def measure_serving(subject, wrk, seconds):
    with running(subject):
        at_start = memory(subject.pid)
        scrape_many(subject.port, SCRAPES)
        after_scrapes = memory(subject.pid)
        before = cpu(subject.pid)
        alone = wrk.run(subject.port, 1, seconds, {})
        used = cpu(subject.pid) - before
        return Served(
            samples=subject.samples(),
            size=len(subject.page().encode()),
            alone=alone,
            alone_gzip=wrk.run(subject.port, 1, seconds, PROMETHEUS_HEADERS),
            busy=wrk.run(subject.port, CONNECTIONS, seconds, {}),
            busy_gzip=wrk.run(subject.port, CONNECTIONS, seconds, PROMETHEUS_HEADERS),
            cpu_per_scrape_us=1e6 * used.own / alone.scrapes,
            at_start=at_start,
            after_scrapes=after_scrapes,
        )


def scrape_on_schedule(subjects, seconds):
    """Each subject every 15 s, as Prometheus does; how long it really took."""
    begun = time.monotonic()
    for tick in range(1, seconds // SCRAPE_INTERVAL_S + 1):
        time.sleep(max(0, begun + tick * SCRAPE_INTERVAL_S - time.monotonic()))
        for subject in subjects:
            subject.page(PROMETHEUS_HEADERS)
    time.sleep(max(0, begun + seconds - time.monotonic()))
    return time.monotonic() - begun


class Window:
    """What one subject uses and calls from now on."""

    def __init__(self, subject):
        self.subject = subject
        self.cpu = cpu(subject.pid)
        self.calls = collections.Counter(subject.counter.calls())

    def close(self, seconds):
        an_hour = SECONDS_PER_HOUR / seconds
        calls = collections.Counter(self.subject.counter.calls())
        calls.subtract(self.calls)
        calls = {name: count * an_hour for name, count in calls.items() if count}
        used = cpu(self.subject.pid) - self.cpu
        return Worked(used * an_hour, collections.Counter(calls), memory(self.subject.pid))


def measure_schedules(subjects, seconds):
    """All at once, for they are idle nearly always. The first interval does not count."""
    with ExitStack() as stack:
        for subject in subjects.values():
            stack.enter_context(running(subject))
        scrape_on_schedule(subjects.values(), SCRAPE_INTERVAL_S)
        windows = {name: Window(subject) for name, subject in subjects.items()}
        lasted = scrape_on_schedule(subjects.values(), seconds)
        return {name: window.close(lasted) for name, window in windows.items()}


@dataclass(frozen=True)
class Look:
    """What one look at both repositories takes: seconds of CPU, and calls of pgbackrest."""

    cpu: Cpu
    calls: collections.Counter


def measure_looks(subjects):
    """Looks in quick succession and no scrapes: children's CPU is told in steps of 10 ms only."""
    with ExitStack() as stack:
        for subject in subjects.values():
            stack.enter_context(running(subject))
        windows = {name: Window(subject) for name, subject in subjects.items()}
        time.sleep(DENSE_SECONDS)
        return {name: as_look(window) for name, window in windows.items()}


def as_look(window):
    worked = window.close(SECONDS_PER_HOUR)  # taken for an hour, so that nothing is scaled
    looks = worked.calls["info"] / window.subject.infos_of_a_look
    calls = collections.Counter({name: count / looks for name, count in worked.calls.items()})
    return Look(worked.hour * (1 / looks), calls)


def with_derived(worked):
    """The intervals longer than the window: measured without a look, and what each look adds."""
    share = FAST_S / SLOW_S
    return {
        **worked,
        "ours-slow": worked["ours-fast"].at_interval(worked["ours-slow"], share),
        "pgbackrest-slow": worked["pgbackrest-fast"].at_interval(worked["pgbackrest-slow"], share),
    }


def measure_large(subject):
    with running(subject):
        subject.wait_taken()
        scrape_many(subject.port, SCRAPES)
        return memory(subject.pid), peak_rss(subject.pid)


class Bench:
    def __init__(self, bed, arguments):
        self.bed = bed
        self.arguments = arguments
        self.wrk = Wrk(arguments.peers)

    def ours(self, name, **how):
        return Ours(self.bed, name, self.arguments.program, **how)

    def ours_for_peers_work(self, name, interval_s):
        return OursForPeersWork(self.bed, name, self.arguments.program, {"backups": f"{interval_s}s"})

    def pgbackrest(self, name, interval_s):
        return PgBackRestExporter(self.bed, name, self.arguments.peers, interval_s)

    def postgres(self, name):
        return PostgresExporter(self.bed, name, self.arguments.peers)

    def serving(self):
        ours = self.ours("serving-ours")
        with running(ours):
            page = ours.page()
        subjects = {
            "ours": ours,
            "pgbackrest": self.pgbackrest("serving-pgbackrest", SLOW_S),
            "postgres": self.postgres("serving-postgres"),
            "nginx": Nginx(self.bed, "serving-nginx", self.arguments.peers, page),
        }
        seconds = self.arguments.load_seconds
        return {name: measure_serving(subject, self.wrk, seconds) for name, subject in subjects.items()}

    def schedules(self):
        subjects = {
            "ours": self.ours("ours"),
            "ours-fast": self.ours_for_peers_work("ours-fast", FAST_S),
            "ours-slow": self.ours_for_peers_work("ours-slow", SLOW_S),
            "pgbackrest-fast": self.pgbackrest("pgbackrest-fast", FAST_S),
            "pgbackrest-slow": self.pgbackrest("pgbackrest-slow", SLOW_S),
            "postgres": self.postgres("postgres-exporter"),
        }
        return with_derived(measure_schedules(subjects, self.arguments.seconds))

    def looks(self):
        subjects = {
            "ours": self.ours_for_peers_work("dense-ours", DENSE_S),
            "pgbackrest": self.pgbackrest("dense-pgbackrest", DENSE_S),
        }
        return measure_looks(subjects)

    def large(self):
        return measure_large(Large(self.bed, "large", self.arguments.program))


def versions(bed, arguments):
    ours = bed.place.run([bed.place.copy_program(arguments.program), "--version"])
    postgres = bed.place.run([bed.postgres.programs / "postgres", "--version"]).stdout.split()[2]
    pgbackrest = bed.pgbackrest.run("version").stdout.split()[1]
    packages = (arguments.peers / "versions").read_text().splitlines()
    peers = [package for package in packages if not package.startswith("lib")]
    return [(ours.stdout + ours.stderr).splitlines()[0], f"PostgreSQL {postgres}", f"pgBackRest {pgbackrest}", *peers]


def machine():
    model = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    name = model.group(1) if model else platform.machine()
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores ({name}), Linux {platform.release()}, load average at the start {load}"


def run(arguments):
    print(f"- Machine: {machine()}")
    begun = time.monotonic()
    with ExitStack() as stack:
        bed = Bed().start(alerting=False)
        stack.callback(bed.stop)
        print(f"- Versions: {', '.join(versions(bed, arguments))}", flush=True)
        bench = Bench(bed, arguments)
        figures = Figures(bench.serving(), bench.looks(), bench.schedules(), bench.large())
    print(f"- CPU counted for {arguments.seconds} s, each run of wrk {arguments.load_seconds} s, "
          f"all of it {time.monotonic() - begun:.0f} s\n")
    print_table(figures)
    print_aims(figures)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--program", type=Path, default=REPOSITORY / "build/release/pgbackup_exporter")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--load-seconds", type=int, default=6)
    arguments = parser.parse_args()
    if arguments.seconds >= SLOW_S:
        parser.error(f"--seconds: less than {SLOW_S}, for that interval is measured without a look")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the servers are stopped then, too
    try:
        run(arguments)
    except (BedError, BenchError) as problem:
        sys.exit(f"bench: {problem}")


if __name__ == "__main__":
    main()
