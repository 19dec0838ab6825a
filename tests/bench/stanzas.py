"""What many stanzas cost: poll time, memory, threads, pages and scrapes.

usage: stanzas.py [--program FILE] [--backups N] [--per-backup] [--interval 60s] [STANZAS ...]

For each number of stanzas (10, 100, 1000) one real exporter, each stanza with one repository of 200
backups. The `pgbackrest` it calls is a stand-in that prints a catalogue of the real shape at once:
real repositories with 200,000 backups cannot be made on one machine. So the figures hold for the
exporter and for starting a child; a real pgbackrest adds its own 20 to 50 ms to each call.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "bed"))

from process import Account, free_port, wait_until  # noqa: E402 - the bed's folder must be on the path first
from web import answers_ok, get  # noqa: E402

SCRAPES = 60
READY_SECONDS = 900
STOP_SECONDS = 10
BACKUPS_PER_FULL = 7

STAND_IN = """\
#!/bin/sh
case $1 in
version) echo 'pgBackRest 2.60.0'; exit 0;;
repo-ls) echo '{{".":{{"type":"path"}}}}'; exit 0;;
esac
for word; do
    case $word in --stanza=*) stanza=${{word#--stanza=}};; esac
done
exec sed "s/@STANZA@/$stanza/" {catalogue}
"""


def label(moment, full=None):
    text = time.strftime("%Y%m%d-%H%M%S", time.gmtime(moment))
    return f"{full}_{text}I" if full else f"{text}F"


def backup(moment, number, full, prior):
    segment = f"00000001{number // 256:08X}{number % 256:08X}"
    return {
        "archive": {"start": segment, "stop": segment},
        "backrest": {"format": 5, "version": "2.60.0"},
        "database": {"id": 1, "repo-key": 1},
        "error": False,
        "info": {"delta": 92078340, "repository": {"delta": 44178783, "size": 48181974}, "size": 122776895},
        "label": label(moment, full),
        "lsn": {"start": f"0/{number:X}000028", "stop": f"0/{number:X}000100"},
        "prior": prior,
        "reference": [full] if full else None,
        "timestamp": {"start": int(moment), "stop": int(moment) + 17},
        "type": "incr" if full else "full",
    }


def backups(count):
    """One full backup in seven, one backup an hour, the newest a moment ago."""
    made, full = [], None
    begun = time.time() - 3600 * count
    for number in range(count):
        full = None if number % BACKUPS_PER_FULL == 0 else full
        made.append(backup(begun + 3600 * number, number + 8, full, made[-1]["label"] if full else None))
        full = full or made[-1]["label"]
    return made


def catalogue(count):
    status = {"code": 0, "message": "ok"}
    held = {"backup": {"held": False}, "restore": {"held": False}}
    stanza = {
        "archive": [
            {"database": {"id": 1, "repo-key": 1}, "id": "18-1", "max": f"{1:08X}{9:016X}", "min": f"{1:08X}{8:016X}"}
        ],
        "backup": backups(count),
        "cipher": "none",
        "db": [{"id": 1, "repo-key": 1, "system-id": 7711023956927461126, "version": "18"}],
        "name": "@STANZA@",
        "repo": [{"cipher": "none", "key": 1, "status": status}],
        "status": {**status, "lock": held},
    }
    return json.dumps([stanza]) + "\n"


class Place:
    """A folder with a configuration of that many stanzas and the stand-in."""

    def __init__(self, stanzas, arguments):
        self.root = Path(tempfile.mkdtemp(prefix="pgbackup-stanzas-"))
        self.root.chmod(0o755)
        self.catalogue = self.write("catalogue.json", catalogue(arguments.backups))
        command = self.write("pgbackrest", STAND_IN.format(catalogue=self.catalogue), 0o755)
        sections = "\n".join(f"[s{number:04}]\npg1-path={self.root}/data\n" for number in range(stanzas))
        conf = self.write("pgbackrest.conf", f"[global]\nrepo1-path={self.root}/repo1\n\n{sections}")
        text = (
            f"postgres: []\npgbackrest: {{command: {command}, config: {conf}}}\n"
            "repositories: [{key: 1, name: nas, objectives: {full: 27h, incr: 2h}}]\n"
            f"intervals: {{backups: {arguments.interval}}}\n"
        )
        self.configuration = self.write("exporter.yml", text)
        self.program = Path(shutil.copy(arguments.program, self.root / "pgbackup_exporter"))

    def write(self, name, text, mode=0o644):
        path = self.root / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def remove(self):
        shutil.rmtree(self.root)


class Running:
    """The exporter in that place; its log is thrown away."""

    def __init__(self, place, flags):
        self.port = free_port()
        self.begun = time.monotonic()
        self.process = subprocess.Popen(
            [place.program, f"--config.file={place.configuration}", f"--web.listen-address=127.0.0.1:{self.port}"]
            + ["--no-collector.mount", "--log.level=error", *flags],
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            **Account.choose().popen_arguments(),
        )

    def wait_ready(self):
        """Seconds until every stanza was looked at once."""
        wait_until(self.is_ready_or_ended, READY_SECONDS, "it does not become ready")
        if self.process.poll() is not None:
            sys.exit("the exporter has ended")
        return time.monotonic() - self.begun

    def is_ready_or_ended(self):
        return self.process.poll() is not None or answers_ok(self.port, "/-/ready")

    def status(self, name):
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE).group(1))

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        begun = time.monotonic()
        self.process.terminate()
        self.process.wait(timeout=STOP_SECONDS)
        return time.monotonic() - begun


def timed_ms(port, path):
    begun = time.perf_counter()
    answer = get(port, path)
    assert answer.status == 200
    return 1000 * (time.perf_counter() - begun), len(answer.text.encode())


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def look_ms(port):
    """How long a look at one stanza took, in the median; the wait for a place in the queue included."""
    text = get(port, "/metrics").text
    found = re.findall(r'^pgbackup_collector_duration_seconds\{collector="backups"[^}]*\} (\S+)', text, re.MULTILINE)
    return 1000 * statistics.median(float(value) for value in found)


def mebibytes(count):
    return count / 1024 / 1024


def report(stanzas, running):
    ready_s, cpu_s = running.wait_ready(), running.cpu_seconds()
    scrapes = [timed_ms(running.port, "/metrics") for _ in range(SCRAPES)]
    latencies = [took for took, _ in scrapes]
    page_ms, page_bytes = timed_ms(running.port, "/")
    memory = {name: running.status(name) / 1024 for name in ("VmRSS", "RssAnon", "VmHWM")}
    print(
        f"{stanzas} stanzas: all looked at after {ready_s:.1f} s ({cpu_s:.1f} s CPU of its own, "
        f"median look {look_ms(running.port):.0f} ms)\n"
        f"  RSS {memory['VmRSS']:.1f} MiB, anonymous {memory['RssAnon']:.1f} MiB, peak {memory['VmHWM']:.1f} MiB, "
        f"{running.status('Threads')} threads\n"
        f"  /metrics {mebibytes(scrapes[-1][1]):.2f} MiB, p50 {statistics.median(latencies):.1f} ms, "
        f"p99 {quantile(latencies, 0.99):.1f} ms; / {mebibytes(page_bytes):.2f} MiB in {page_ms:.0f} ms",
        flush=True,
    )


def measure(stanzas, arguments):
    place = Place(stanzas, arguments)
    running = Running(place, ["--collector.backups.per-backup"] if arguments.per_backup else [])
    try:
        report(stanzas, running)
    finally:
        print(f"  SIGTERM to exit {running.stop():.2f} s", flush=True)
        place.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=Path, default=REPOSITORY / "build/release/pgbackup_exporter")
    parser.add_argument("--backups", type=int, default=200)
    parser.add_argument("--per-backup", action="store_true")
    parser.add_argument("--interval", default="60s")
    parser.add_argument("stanzas", nargs="*", type=int, default=[10, 100, 1000])
    arguments = parser.parse_args()
    for stanzas in arguments.stanzas:
        measure(stanzas, arguments)


if __name__ == "__main__":
    main()
