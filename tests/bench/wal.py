"""What it costs to know all WAL of a repository: a million segments in a folder, 20,000 in an object store.

usage: wal.py [--program FILE] [--segments N] [--looks N] [--verify DURATION] [posix|s3]...

One look at a time: the first ones, until every folder was looked into; those after it, which list what grows; and
those that list the rest once more, when wal-verify has passed. The files are hard links to a small one for each folder,
laid out and named as pgBackRest does it; what lists them is the real pgbackrest.

Prints Markdown. docs/benchmark.md tells the method.
"""
import argparse
import os
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
REPOSITORY = Path(__file__).resolve().parents[2]
sys.path += [str(REPOSITORY / "tests" / name) for name in ("bed", "e2e")]

import exporter as bed_exporter  # noqa: E402 - the folders must be on the path first
from bed import Bed  # noqa: E402
from conftest import Exporter  # noqa: E402
from measure import cpu, memory, peak_rss  # noqa: E402
from process import free_port, wait_until  # noqa: E402

SEGMENTS_PER_LOG = 256
CHECKSUM = "a1eb0ce668d587215d549943beb2f4bbe19e96f8"
INTERVALS = {"archiver": "15s", "backups": "15s", "mount": "15s", "s3": "15s", "wal": "60s"}
LOOK_SECONDS = 240
COLUMNS = (
    "look", "WAL", "segments", "wall s", "calls of pgbackrest", "own CPU s", "children's CPU s", "RSS MiB",
)  # fmt: skip


def links(folder, name_of, content, owner):
    """Every segment of one log: hard links to one file, which a file system bears some thousand of."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, *owner)
    first = folder / name_of(0)
    first.write_bytes(content)
    os.chown(first, *owner)
    for number in range(1, SEGMENTS_PER_LOG):
        os.link(first, folder / name_of(number))


def segment(log, number):
    return f"00000001{log:08X}{number:08X}-{CHECKSUM}.gz"


def fill_folder(archive, logs):
    """Logs behind the one that production writes."""
    stat = archive.stat()
    for log in range(1, logs + 1):
        links(archive / f"00000001{log:08X}", lambda number, log=log: segment(log, number), b"x", (stat.st_uid, stat.st_gid))


def fill_store(archive, logs):
    """The same as the S3 server keeps objects: the content, its hash and its properties in a file each."""
    stat = archive.parent.stat()
    owner = (stat.st_uid, stat.st_gid)
    contents = {"object": b"x", "object.md5": b"9dd4e461268c8034f5c8564e155c67a6", "metadata.json": b"{}"}
    for log in range(1, logs + 1):
        folder = archive / f"00000001{log:08X}"
        for kind, content in contents.items():
            links(folder, lambda number, log=log, kind=kind: f"{segment(log, number)}._S3rver_{kind}", content, owner)


def archive_in(root):
    return next(path.parent for path in root.rglob("0000000100000000") if path.is_dir())


def samples(metrics, key):
    labels = {"collector": "wal", "target": f"main/repo{key}"}
    return {
        "at": metrics.value("pgbackup_collector_last_success_timestamp_seconds", **labels),
        "seconds": metrics.value("pgbackup_collector_duration_seconds", **labels),
        "segments": metrics.value("pgbackrest_wal_segments", repo_key=str(key)),
    }


class Looks:
    """Follows the looks at one repository, and what the process has used meanwhile."""

    def __init__(self, exporter, key, calls):
        self.exporter, self.key, self.calls = exporter, key, calls
        self.last = {"at": None}
        self.cpu, self.called = cpu(exporter.process.pid), 0

    def next(self):
        seen = []

        def came():
            seen[:] = [samples(self.exporter.metrics(), self.key)]
            return seen[0]["at"] not in (None, self.last["at"])

        wait_until(came, LOOK_SECONDS, "no look came to its end")
        self.last = seen[0]
        return self.row()

    def row(self):
        used, called = cpu(self.exporter.process.pid), self.count_calls()
        delta, calls = used - self.cpu, called - self.called
        self.cpu, self.called = used, called
        rss = memory(self.exporter.process.pid).rss
        segments = self.last["segments"]
        return (
            "complete" if segments is not None else "still listing",
            "-" if segments is None else f"{segments:,.0f}", f"{self.last['seconds']:.1f}", f"{calls:,}",
            f"{delta.own:.2f}", f"{delta.children:.1f}", f"{rss:.1f}",
        )  # fmt: skip

    def count_calls(self):
        return self.calls.read_bytes().count(b"\n") if self.calls.exists() else 0


def counting_pgbackrest(bed, key):
    """The real one behind a shell of 1 ms, which notes each listing of that repository."""
    calls = bed.place.path("data", "calls")
    text = f'#!/bin/sh\n[ "$1" != repo-ls ] || [ "$PGBACKREST_REPO{key}_PATH" = "" ] || echo >>{calls}\nexec /usr/bin/pgbackrest "$@"\n'
    return bed.place.write("bin/pgbackrest", text, 0o755), calls


def follow(arguments, key, fill):
    bed = Bed().start(alerting=False)
    exporter = Exporter(bed, arguments.program, free_port(), "exporter-wal")
    try:
        begun = time.monotonic()
        fill(bed)
        print(f"\nfilled in {time.monotonic() - begun:.0f} s; load average {os.getloadavg()[0]:.1f}", flush=True)
        command, calls = counting_pgbackrest(bed, key)
        text = bed_exporter.configuration(bed, {**INTERVALS, "wal-verify": arguments.verify})
        exporter.start(text.replace("command: /usr/bin/pgbackrest", f"command: {command}"))
        show(Looks(exporter, key, calls), arguments.looks)
        print(f"\npeak RSS {peak_rss(exporter.process.pid):.1f} MiB; load average {os.getloadavg()[0]:.1f}", flush=True)
    finally:
        exporter.stop()
        bed.stop()


def show(looks, count):
    print(f"\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    for number in range(1, count + 1):
        print(f"| {number} | {' | '.join(looks.next())} |", flush=True)


def posix(arguments):
    logs = (arguments.segments or 1_000_000) // SEGMENTS_PER_LOG
    print(f"\n## {logs * SEGMENTS_PER_LOG:,} segments in {logs:,} folders of a file system")
    follow(arguments, 1, lambda bed: fill_folder(archive_in(bed.pgbackrest.repo1), logs))


def s3(arguments):
    logs = (arguments.segments or 20_000) // SEGMENTS_PER_LOG
    print(f"\n## {logs * SEGMENTS_PER_LOG:,} segments in {logs:,} folders of an object store")
    follow(arguments, 2, lambda bed: fill_store(archive_of_store(bed), logs))


def archive_of_store(bed):
    """Where the server keeps the archive; nothing has been pushed there yet but its own file."""
    return next(bed.place.path("s3").rglob("archive.info._S3rver_object")).parent / "15-1"


PARTS = {"posix": posix, "s3": s3}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=REPOSITORY / "build/release/pgbackup_exporter")
    parser.add_argument("--segments", type=int)
    parser.add_argument("--looks", type=int, default=8)
    parser.add_argument("--verify", default="6m")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    arguments = parser.parse_args()
    arguments.program = arguments.program.resolve()
    for name in arguments.parts or PARTS:
        PARTS[name](arguments)


if __name__ == "__main__":
    main()
