"""Real faults of what a repository is mounted on: exactly the alerts that they are to cause.

Repository 1 lies on a mount of a private mount namespace, in which the whole bed lives. A hard NFS mount
whose server is gone is a FUSE file system whose daemon stands still there: whoever touches it waits. What
a real NFS client tells is recorded in User Mode Linux.
"""
import os
import platform
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import mounts
import pytest
from bed import Bed
from conftest import PROGRAM, Metrics
from process import wait_until
from stage import Played, begun, is_whole, waiting

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "nfs"))

import uml  # noqa: E402 - its folder must be on the path first

NO_MOUNT = mounts.reason_against() or mounts.reason_against_fuse()
pytestmark = [pytest.mark.campaign, pytest.mark.skipif(NO_MOUNT is not None, reason=str(NO_MOUNT))]
needs_uml = pytest.mark.skipif(platform.machine() != "x86_64", reason="User Mode Linux is for x86 only")

MISSING = ("NfsMountMissing", "1")
NOT_RESPONDING = ("NfsMountNotResponding", "1")
READ_ONLY = ("NfsMountReadOnly", "1")
FILLING = ("NfsMountFilling", "1")
RETRANSMITTING = ("NfsRetransmitting", "")
FAILING, STALLED = ("PgWalArchivingFailing", ""), ("PgWalArchivingStalled", "")
UNREACHABLE = ("PgBackRestRepoUnreachable", "1")
UNKNOWN = ("PgBackRestRestorabilityUnknown", "1")
RECOVERY_POINT = ("PgBackRestRecoveryPointTooOld", "1")
FAILURES = "pg_stat_archiver_failed_count"


def run(*argv):
    subprocess.run([str(word) for word in argv], check=True, timeout=60, capture_output=True)


class MountedBed(Bed):
    """Repository 1 lies on a mount: `nas` seen through a FUSE file system, which hangs when its daemon does."""

    def _create(self):
        super()._create()
        self.nas = self.root / "nas"
        self.nas.mkdir()
        account = self.place.account.name
        run("mount", "-t", "tmpfs", "-o", f"size=256m,mode=750,uid={account},gid={account}", "nas", self.nas)
        self.mount()

    def mount(self):
        run("bindfs", self.nas, self.pgbackrest.repo1)

    def unmount(self):
        run("umount", "--lazy", self.pgbackrest.repo1)
        wait_until(lambda: not self.daemons(), 20, "the daemon of the mount does not end")

    def daemons(self):
        found = subprocess.run(["pgrep", "--full", f"^bindfs .*{self.nas}"], capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    def stop(self):
        for process in self.processes():
            self._stop(process)
        for path in (self.pgbackrest.repo1, self.nas):
            subprocess.run(["umount", "--lazy", path], check=False, timeout=60, capture_output=True)
        super().stop()


@pytest.fixture(scope="module")
def stage(request):
    namespace = mounts.entered()
    namespace.__enter__()
    request.addfinalizer(lambda: namespace.__exit__(None, None, None))
    bed = MountedBed()
    said = f'    name: nas\n    mount: {{path: "{bed.pgbackrest.repo1}", filesystem: fuse}}\n'
    return begun(request, bed, lambda text: text.replace("    name: nas\n", said))


def of_mount(metrics, name, **labels):
    return metrics.value(f"pgbackup_mount_{name}", **labels)


def is_out(metrics):
    """Repository 1 can neither be read nor listed."""
    return [metrics.value(name, repo_key="1") for name in ("pgbackrest_repo_up", "pgbackrest_wal_listed")] == [0, 0]


def is_mounted(metrics):
    return is_whole(metrics) and metrics.values("pgbackup_mount_responding") == [1]


def fails(stage, is_seen, phases):
    """Archiving fails again and again meanwhile; (minutes, alert...) of each phase."""
    now = stage.exporter.metrics()
    for minutes, *alerts in phases:
        stage.write(4)
        count = now.value(FAILURES)
        is_told = lambda seen, count=count: is_seen(seen) and seen.value(FAILURES) > count and waiting(seen) > 3  # noqa: E731
        now = stage.tell("broken", is_told, minutes, *alerts)


@contextmanager
def unmounted(bed):
    bed.unmount()
    try:
        yield
    finally:
        bed.mount()


def test_a_mount_that_is_missing_is_one_page(stage, tmp_path):
    stage.begin(is_mounted)
    soon, later, last = [MISSING, FAILING], [STALLED, UNREACHABLE], [UNKNOWN, RECOVERY_POINT]
    with unmounted(stage.bed):
        is_seen = lambda now: now.values("pgbackup_mount_mounted") == [0] and is_out(now)  # noqa: E731
        fails(stage, is_seen, [(10, *soon), (14, *soon, *later), (14, *soon, *later, *last)])
    stage.mend(is_whole=is_mounted)
    what = "the mount of repository 1 is missing"
    stage.conclude(tmp_path, what, [MISSING], [FAILING, *later, *last])


@contextmanager
def standing_still(bed):
    """Whoever touches the mount waits, as on a hard NFS mount whose server is gone."""
    for pid in bed.daemons():
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in bed.daemons():
            os.kill(pid, signal.SIGCONT)


def hangs(metrics):
    return metrics.values("pgbackup_mount_responding") == [0] and is_out(metrics)


def test_a_server_of_a_mount_that_is_gone_is_one_page(stage, tmp_path):
    stage.begin(is_mounted)
    silenced = [STALLED, UNREACHABLE, UNKNOWN, RECOVERY_POINT]
    with standing_still(stage.bed):
        stage.write(5)
        stage.tell("hangs", lambda now: hangs(now) and waiting(now) > 3, 40, NOT_RESPONDING, *silenced)
    stage.mend(is_whole=is_mounted)
    stage.conclude(tmp_path, "the server of repository 1's hard mount is gone", [NOT_RESPONDING], silenced)


def test_the_doctor_ends_in_time_and_names_the_mount_that_stands_still(stage):
    bed = stage.bed
    program, file = bed.place.copy_program(PROGRAM), bed.place.path("exporter-played.yml")
    words = [program, f"--config.file={file}", "doctor", "--timeout=20s"]
    with standing_still(bed):
        begun_at = time.monotonic()
        seen = bed.place.run(words, check=False, timeout=60)
        took = time.monotonic() - begun_at
    assert took < 25 and seen.returncode == 2
    assert "does NOT respond" in seen.stdout.partition("FAILED\n")[2].splitlines()[0]


def test_a_mount_that_hangs_and_a_store_that_refuses_is_a_page_and_a_ticket(stage, tmp_path):
    stage.begin(is_mounted)
    rejected, unknown_2 = ("S3CredentialsRejected", "2"), ("PgBackRestRestorabilityUnknown", "2")
    silenced = [STALLED, UNREACHABLE, UNKNOWN, RECOVERY_POINT, unknown_2]
    stage.bed.s3.break_with(status=403, code="AccessDenied")
    try:
        with standing_still(stage.bed):
            stage.write(5)
            is_seen = lambda now: hangs(now) and now.values("pgbackup_s3_up") == [0] and waiting(now) > 3  # noqa: E731
            out = lambda now: is_seen(now) and now.value("pgbackrest_wal_listed", repo_key="2") == 0  # noqa: E731
            stage.tell("hangs", out, 40, NOT_RESPONDING, rejected, *silenced)
    finally:
        stage.bed.s3.repair()
    stage.mend(is_whole=is_mounted)
    what = "the server of repository 1's hard mount is gone, and the store answers 403"
    stage.conclude(tmp_path, what, [NOT_RESPONDING, rejected], silenced)


@contextmanager
def read_only(bed):
    run("mount", "--internal-only", "-o", "remount,ro", bed.pgbackrest.repo1)
    try:
        yield
    finally:
        run("mount", "--internal-only", "-o", "remount,rw", bed.pgbackrest.repo1)


def test_a_mount_that_is_read_only_pages_because_archiving_fails(stage, tmp_path):
    stage.begin(is_mounted)
    both = [READ_ONLY, FAILING]
    with read_only(stage.bed):
        is_seen = lambda now: now.values("pgbackup_mount_readonly") == [1]  # noqa: E731
        fails(stage, is_seen, [(10, *both), (14, *both, STALLED), (14, *both, STALLED, RECOVERY_POINT)])
    stage.mend(is_whole=lambda now: now.values("pgbackup_mount_readonly") == [0] and is_mounted(now))
    what = "the mount of repository 1 is read-only"
    stage.conclude(tmp_path, what, [FAILING, READ_ONLY], [STALLED, RECOVERY_POINT])


@contextmanager
def filled(bed):
    file = bed.nas / "filler"
    total = os.statvfs(bed.nas)
    size = total.f_bavail * total.f_frsize - total.f_blocks * total.f_frsize // 20
    run("fallocate", "--length", size, file)
    try:
        yield
    finally:
        file.unlink()


def left(metrics):
    return of_mount(metrics, "avail_bytes") / of_mount(metrics, "size_bytes")


def test_a_mount_that_is_95_percent_full_is_a_ticket(stage, tmp_path):
    stage.begin(is_mounted)
    with filled(stage.bed):
        stage.tell("full", lambda now: left(now) < 0.06 and is_mounted(now) and stage.is_quiet(now), 80, FILLING)
    stage.mend(is_whole=lambda now: left(now) > 0.5 and is_mounted(now))
    stage.conclude(tmp_path, "the mount of repository 1 is 95 % full", [FILLING])


# ---- What a real NFS client tells ----


@pytest.fixture(scope="module")
def outage():
    """{when: what the exporter in the guest told of its NFS mount} before, in and after half a minute's outage.

    The guest has no database and no stanza: its mount is one that no repository names.
    """
    uml.prepare()
    told = uml.tell(PROGRAM)
    names = ("pgbackup_mount_", "pgbackup_nfs_")
    return {
        when: Metrics({name: of for name, of in Metrics.parse(told[when]["metrics"]).items() if name.startswith(names)})
        for when in ("healthy", "outage", "recovered")
    }


class Told:
    """A stage without a bed: what was recorded elsewhere is played."""

    def __init__(self, stage):
        self.recording = stage.recording = Played()
        self.conclude = stage.conclude

    def add(self, what, metrics, minutes, *alerts):
        self.recording.add(what, time.time(), metrics, minutes, *alerts)


@needs_uml
def test_an_nfs_server_that_is_gone_is_a_page(stage, outage, tmp_path):
    told = Told(stage)
    told.add("sound", outage["healthy"], 10)
    told.add("gone", outage["outage"], 40, ("NfsMountNotResponding", ""))
    told.add("back", outage["recovered"], 20)
    told.conclude(tmp_path, "an NFS server is gone", [("NfsMountNotResponding", "")])


def once_more(first, then, times):
    """Counters that have grown as often again as they did from one scrape to the other."""
    return Metrics(
        {
            name: [
                (labels, value + times * (value - first.value(name, **labels)) if name.endswith("_total") else value)
                for labels, value in found
            ]
            for name, found in then.items()
        }
    )


@needs_uml
def test_an_nfs_server_that_is_gone_for_half_a_minute_every_few_minutes_is_a_ticket(stage, outage, tmp_path):
    told = Told(stage)
    told.add("sound", outage["healthy"], 10)
    for times in range(7):
        alerts = [RETRANSMITTING] if times > 2 else []
        told.add("again", once_more(outage["healthy"], outage["recovered"], times), 4, *alerts)
    told.add("well", once_more(outage["healthy"], outage["recovered"], 6), 20)
    told.conclude(tmp_path, "an NFS server is gone for half a minute every 4 minutes", [RETRANSMITTING])
