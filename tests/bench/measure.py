"""Instruments: each reads from outside, through /proc or over HTTP, and works on any process."""
import ctypes
import http.client
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

# What Prometheus 2 sends with each scrape, as far as it changes the answer.
PROMETHEUS_HEADERS = {
    "Accept": "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
SCRAPE_SECONDS = 10
WRK_SPARE_SECONDS = 10
UNIT_MS = {"us": 0.001, "ms": 1, "s": 1000}
KIB_PER_MIB = 1024
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

_libc = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """What was measured is not what should be measured."""


@dataclass(frozen=True)
class Cpu:
    """Seconds of CPU: of a process itself, and of all children that it has waited for."""

    own: float
    children: float

    def __sub__(self, earlier):
        return Cpu(self.own - earlier.own, self.children - earlier.children)

    def __mul__(self, factor):
        return Cpu(self.own * factor, self.children * factor)

    def towards(self, other, share):
        """The way from here to `other`: 0 is here, 1 is there."""
        return Cpu(*(a + share * (b - a) for a, b in ((self.own, other.own), (self.children, other.children))))


def own_cpu(pid):
    """In nanoseconds' resolution, threads that have ended included: utime + stime know 10 ms only."""
    clock = ctypes.c_int()
    error = _libc.clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise OSError(error, os.strerror(error))
    return time.clock_gettime(clock.value)


def cpu(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cutime, cstime = int(fields[13]), int(fields[14])
    return Cpu(own_cpu(pid), (cutime + cstime) / TICKS_PER_SECOND)


@dataclass(frozen=True)
class Memory:
    """MiB. `anonymous` is what no other process can share and no file can give back."""

    rss: float
    anonymous: float


def memory(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {name: int(kib) / KIB_PER_MIB for name, kib in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)}
    return Memory(sizes["Rss"], sizes["Anonymous"])


def peak_rss(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+)", text, re.MULTILINE).group(1)) / KIB_PER_MIB


def scrape(connection, headers=None):
    connection.request("GET", "/metrics", headers=headers or {})
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise BenchError(f"a scrape was answered with status {response.status}")
    return body


def scrape_many(port, count):
    """One after the other over one connection, as Prometheus asks; milliseconds of each."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SCRAPE_SECONDS)
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        scrape(connection, PROMETHEUS_HEADERS)
        taken.append(1000 * (time.perf_counter() - begun))
    connection.close()
    return taken


@dataclass(frozen=True)
class Load:
    """One run of wrk."""

    p50_ms: float
    p99_ms: float
    per_second: float
    scrapes: int


def parse_wrk(text):
    refused = re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", text)
    if refused:
        raise BenchError(f"wrk: {refused.group()}")
    shares = re.findall(r"(\d+)% +([\d.]+)(us|ms|s)", text)
    latency = {share: float(value) * UNIT_MS[unit] for share, value, unit in shares}
    scrapes = int(re.search(r"(\d+) requests in", text).group(1))
    per_second = float(re.search(r"Requests/sec: +([\d.]+)", text).group(1))
    return Load(latency["50"], latency["99"], per_second, scrapes)


class Wrk:
    """Keep-alive connections that each send the next request as soon as the answer is there."""

    def __init__(self, peers):
        self.program = peers / "usr/bin/wrk"
        self.libraries = ":".join(str(folder) for folder in (peers / "usr/lib").glob("*-linux-gnu*"))

    def run(self, port, connections, seconds, headers):
        threads = min(connections, 2)
        argv = [self.program, f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency"]
        argv += [f"-H{name}: {value}" for name, value in headers.items()]
        result = subprocess.run(
            [*argv, f"http://127.0.0.1:{port}/metrics"],
            env={"LD_LIBRARY_PATH": self.libraries},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=seconds + WRK_SPARE_SECONDS,
            check=True,
        )
        return parse_wrk(result.stdout)
