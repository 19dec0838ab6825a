"""The demo behind `make demo`: the bed, the exporter and a receiver of pages, in the background.

usage: demo.py start | stop | status | break WHAT | repair WHAT      WHAT: archiving, postgres, s3
"""
import os
import shutil
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

from bed import Bed
from exporter import DEMO, Exporter, configuration
from process import BedError

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / "build" / "release" / "pgbackup_exporter"
# Not in the checkout: the servers' account may not be able to enter it.
ROOT = Path(os.environ.get("TMPDIR", "/var/tmp")) / f"pgbackup-demo-{os.geteuid()}"

RUNNING = """\
The demo is running, in {root}

  status page      http://127.0.0.1:{ports[exporter]}/
  metrics          http://127.0.0.1:{ports[exporter]}/metrics
  Prometheus       http://127.0.0.1:{ports[prometheus]}/targets and /alerts
  Alertmanager     http://127.0.0.1:{ports[alertmanager]}/api/v2/alerts
  notifications    http://127.0.0.1:{ports[webhook]}/

Watch the pages arrive:
  tail -f {root}/log/webhook.log

Try, each with `repair` instead of `break` afterwards:
  {me} break archiving   # archive_command fails: a page within half a minute
  {me} break postgres    # the server stops: what is known of the backups stays
  {me} break s3          # S3 refuses: repository 2 is down, repository 1 is not touched

Stop it: make demo-stop
"""


def start():
    if is_running():
        print("A demo is running already.")
        return status()
    if not PROGRAM.exists():
        raise BedError(f"{PROGRAM} is not built: make")
    stop()
    begun = time.monotonic()
    print("Starting PostgreSQL, S3, Prometheus and Alertmanager, and making two backups in each repository ...")
    bed = Bed(ROOT, scrape_interval="5s").start(backups=False)
    try:
        back_up(bed)
        exporter = Exporter(bed, PROGRAM, bed.ports["exporter"])
        exporter.start(configuration(bed, DEMO))
    except BaseException:
        bed.stop()
        raise
    print(f"Ready after {time.monotonic() - begun:.0f} s.\n")
    return status()


def back_up(bed):
    """Two backups in each repository; `run` sees to it that those in repository 2 can be restored."""
    program = bed.place.copy_program(PROGRAM)
    file = bed.place.write("exporter.yml", configuration(bed, DEMO))
    for kind in ("full", "incr"):
        bed.pgbackrest.backup(kind, 1)
        bed.place.run([program, f"--config.file={file}", "run", "--repo=2", "--", "backup", f"--type={kind}"])


def stop():
    """Also what a killed start or a reboot left: processes are known by id and start time."""
    if not ROOT.exists():
        return 0
    check_owner()
    try:
        Bed.open(ROOT).stop()
    except FileNotFoundError:  # not even its settings were written
        shutil.rmtree(ROOT)
    return 0


def status():
    bed = open_bed()
    me = f"python3 {os.path.relpath(__file__)}"
    print(RUNNING.format(root=bed.root, ports=bed.ports, me=me))
    for process in bed.processes():
        if not process.alive():
            print(f"{process.name} has ended; {process.log_tail()}")
    return 0


def check_owner():
    if ROOT.stat().st_uid != os.geteuid():
        raise BedError(f"{ROOT} belongs to somebody else; set TMPDIR to another folder")


def is_running():
    try:
        return any(process.alive() for process in open_bed().processes())
    except (BedError, FileNotFoundError):
        return False


def open_bed():
    if not ROOT.exists():
        raise BedError("no demo is running: make demo")
    check_owner()
    return Bed.open(ROOT)


def break_archiving(bed):
    bed.postgres.set("archive_command", "false")
    segment = bed.postgres.switch_wal()
    print(f"archive_command is 'false', and WAL segment {segment} waits to be archived.")


def repair_archiving(bed):
    bed.postgres.reset("archive_command")
    print("archive_command pushes to repository 1 again; PostgreSQL retries within a minute.")


def break_postgres(bed):
    bed.postgres.stop()
    print("PostgreSQL is stopped.")


def repair_postgres(bed):
    bed.postgres.start()
    print("PostgreSQL runs again.")


def break_s3(bed):
    bed.s3.break_with(status=403, code="AccessDenied")
    print("S3 answers every request with 403 AccessDenied.")


def repair_s3(bed):
    bed.s3.repair()
    print("S3 answers again.")


COMMANDS = {"start": start, "stop": stop, "status": status}
FAULTS = {
    ("break", "archiving"): break_archiving,
    ("repair", "archiving"): repair_archiving,
    ("break", "postgres"): break_postgres,
    ("repair", "postgres"): repair_postgres,
    ("break", "s3"): break_s3,
    ("repair", "s3"): repair_s3,
}


def main(words):
    if len(words) == 1 and words[0] in COMMANDS:
        return COMMANDS[words[0]]()
    if tuple(words) in FAULTS:
        FAULTS[tuple(words)](open_bed())
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BedError as problem:
        sys.exit(f"demo: {problem}")
