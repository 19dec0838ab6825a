"""What is said of a repository and what a real restore of it brings back: they agree, state by state."""
import os
import shutil
import signal
import threading
import time
from contextlib import contextmanager

import pytest
from copies import PromotedCopy, Standby
from missing import away, backup_folder, behind_newest_backup, first_segment, wal_folder
from oracle import oracle_says
from process import BedError, Process, wait_until
from restored import Restored
from told import begin, next_second, rows, rows_until, tell, time_of, write, write_unfinished
from web import get

campaign = pytest.mark.campaign

MISSING = "pgbackrest_wal_missing_segments"
RESTORABLE = "pgbackrest_backups_restorable"
FOREIGN = "pgbackrest_wal_foreign_timelines"
END = "pgbackrest_recovery_window_end_timestamp_seconds"
START = "pgbackrest_recovery_window_start_timestamp_seconds"
SOUND = {"archives": "OK", "retention": "OK"}
SECONDS = 60  # until it is said, on a busy machine
NO_TARGET = "recovery ended before configured recovery target was reached"
NO_CHECKPOINT = "could not locate required checkpoint record"


def said(metrics):
    """Restorable backups, WAL missing since the newest one and before it, foreign timelines."""
    missing = [metrics.value(MISSING, repo_key="1", scope=scope) for scope in ("since_last_backup", "older")]
    return [metrics.value(RESTORABLE, repo_key="1"), *missing, metrics.value(FOREIGN, repo_key="1")]


class Watched:
    """A bed whose repository 1 is watched and restored from."""

    def __init__(self, bed, exporter):
        self.bed = bed
        self.exporter = exporter

    @property
    def page(self):
        return get(self.exporter.port, "/").text

    def wait(self, restorable, since=0, older=0, foreign=0, promised=None):
        """The scrape in which repository 1 is said to be so, and to bring back so many rows."""
        expected = [restorable, since, older, foreign]

        def is_said(now):
            return said(now) == expected and (promised is None or len(self.rows_promised(now)) == promised)

        metrics = self.exporter.wait_for(is_said, SECONDS)
        assert self.bed.pgbackrest.info(1)["status"]["code"] == 0  # which sees nothing of it
        return metrics

    def restored(self, *options):
        return Restored(self.bed, 1, *options)

    def rows_promised(self, metrics):
        """What a restore to the end of the window that is said must bring back."""
        return rows_until(self.bed.postgres, metrics.value(END, repo_key="1") or 0)

    def rows(self):
        return rows(self.bed.postgres)

    def assert_restores(self, metrics, *options):
        """The rows that a restore brings back are those that were promised; these."""
        with self.restored(*options) as server:
            got = rows(server)
        assert got == self.rows_promised(metrics)
        return got

    def assert_fails(self, why, *options):
        """The restore, or the start of what was restored, ends with this message."""
        with pytest.raises(BedError, match=why), self.restored(*options):
            pass

    def to_row(self, number):
        """Options of a restore to just behind a row."""
        return ["--type=time", f"--target={time_of(self.bed.postgres, number)}", "--target-action=promote"]


@pytest.fixture(scope="module")
def made(request, watch):
    """made(first_wal): a bed that is watched, with a backup and a row behind it."""
    from bed import Bed

    def make(first_wal=None):
        bed = Bed(archive_timeout_s=0)
        bed.postgres.first_wal = first_wal
        bed.start(alerting=False, backups=False)
        request.addfinalizer(bed.stop)
        begin(bed.postgres)
        bed.pgbackrest.backup("full", 1)
        tell(bed.postgres)
        return Watched(bed, watch(bed))

    return make


@pytest.fixture(scope="module")
def place(made):
    """A full and an incremental backup, two rows between them, three behind: for states that are put back."""
    place = made()
    tell(place.bed.postgres)
    place.bed.pgbackrest.backup("incr", 1)
    tell(place.bed.postgres, 3)
    return place


@pytest.fixture
def sound(place):
    """The place, put back."""
    place.wait(2)
    yield place
    place.wait(2)


def test_what_is_said_to_be_whole_comes_back_whole(sound):
    metrics = sound.wait(2, promised=len(sound.rows()))
    assert oracle_says(sound.bed) == SOUND
    assert sound.assert_restores(metrics) == sound.rows()


def test_a_gap_behind_the_newest_backup_is_silently_lost_and_said(sound):
    with away(sound.bed, behind_newest_backup(sound.bed)[1]):
        metrics = sound.wait(2, since=1)
        assert "1 WAL segment is missing behind the newest backup" in sound.page
        assert sound.assert_restores(metrics) == sound.rows()[:3]
        sound.assert_fails(NO_TARGET, *sound.to_row(5))
        assert oracle_says(sound.bed) == {"archives": "CRITICAL", "retention": "OK"}


@campaign
def test_a_segment_that_the_newest_backup_needs_leaves_the_one_before(sound):
    needed = first_segment(sound.bed, -1)
    older = sound.bed.pgbackrest.info(1)["backup"][0]["label"]
    with away(sound.bed, needed):
        metrics = sound.wait(1, older=1)
        assert f"needs WAL {needed.name[:24]}, which is not in this repository" in sound.page
        sound.assert_fails(NO_CHECKPOINT)
        assert sound.assert_restores(metrics, f"--set={older}") == sound.rows()[:2]
        assert oracle_says(sound.bed) == SOUND  # it takes the backup's own history file for the segment


@campaign
@pytest.mark.parametrize(
    ("backup", "left", "why"), [(0, 0, "unable to open missing file"), (-1, 1, "unable to load backup manifest file")]
)
def test_a_backup_whose_folder_is_gone_restores_no_more(sound, backup, left, why):
    folder = backup_folder(sound.bed, backup)
    with away(sound.bed, folder):
        sound.wait(left)
        assert f"needs {folder.name}, whose folder or manifest is gone" in sound.page
        sound.assert_fails(why, "--job-retry=0")
        assert oracle_says(sound.bed) == {"archives": "OK", "retention": "CRITICAL"}


@campaign
def test_a_segment_with_two_checksums_ends_a_restore(sound):
    segment = behind_newest_backup(sound.bed)[1]
    other = segment.with_name(f"{segment.name[:25]}{'0' * 40}{segment.suffix}")
    shutil.copy2(segment, other)
    sound.bed.place.account.own(other)
    try:
        metrics = sound.wait(2, since=1)
        assert sound.assert_restores(metrics) == sound.rows()[:3]
        assert oracle_says(sound.bed) == SOUND
    finally:
        other.unlink()


def killed_backup(bed):
    """The folder of a backup that was killed in the middle, with an age of two hours."""
    manifests = "backup/main/*F/backup.manifest.copy"
    finished = set(bed.pgbackrest.repo1.glob(manifests))
    words = ["/usr/bin/pgbackrest", f"--config={bed.pgbackrest.configuration}", "--stanza=main", "--repo=1"]
    slow = ["--type=full", "--process-max=1", "--compress-type=bz2", "--compress-level=9"]
    process = Process(bed.place, "killed-backup", ((signal.SIGKILL, 5),))
    process.start([*words, *slow, "backup"])
    [manifest] = wait_until(lambda: set(bed.pgbackrest.repo1.glob(manifests)) - finished, SECONDS, "no manifest")
    process.stop()
    for path in manifest.parent.iterdir():
        os.utime(path, (0, path.stat().st_mtime - 7200))
    return manifest.parent


@campaign
def test_a_backup_that_was_killed_half_way_is_told_and_harms_no_restore(sound):
    folder = killed_backup(sound.bed)
    try:
        sound.exporter.wait_for(lambda now: now.value("pgbackrest_backups_incomplete", repo_key="1") == 1, SECONDS)
        assert sound.bed.pgbackrest.info(1)["status"]["code"] == 0
        metrics = sound.wait(2)
        assert sound.assert_restores(metrics) == sound.rows()
        assert oracle_says(sound.bed) == SOUND
    finally:
        shutil.rmtree(folder)


@contextmanager
def one_more_backup(place, *options):
    """A full backup that is there for a while, and a row behind it."""
    place.bed.pgbackrest.run("backup", "--type=full", *options, repo=1)
    label = place.bed.pgbackrest.info(1)["backup"][-1]["label"]
    tell(place.bed.postgres)
    try:
        yield
    finally:
        place.bed.pgbackrest.run("expire", f"--set={label}", repo=1)


@campaign
def test_a_backup_that_carries_its_wal_restores_without_the_archives(sound):
    with one_more_backup(sound, "--archive-copy"), away(sound.bed, first_segment(sound.bed, -1)):
        metrics = sound.wait(3, older=1, promised=len(sound.rows()))
        assert sound.assert_restores(metrics) == sound.rows()
        assert oracle_says(sound.bed) == SOUND


@campaign
def test_a_backup_made_of_bundles_restores(sound):
    with one_more_backup(sound, "--repo1-bundle"):
        metrics = sound.wait(3, promised=len(sound.rows()))
        assert sound.assert_restores(metrics) == sound.rows()
        assert oracle_says(sound.bed) == SOUND


def behind_newest_online(bed):
    """The file of the second segment behind the newest backup that names any."""
    stop = max(backup["archive"]["stop"] or "" for backup in bed.pgbackrest.info(1)["backup"])
    return [file for file in sorted(wal_folder(bed).glob("*-*")) if file.name[:24] > stop][1]


@contextmanager
def one_more_offline_backup(bed):
    """As one_more_backup, but of a server that stands still; no row, and a later second."""
    bed.postgres.stop()
    try:
        bed.pgbackrest.run("backup", "--type=full", "--no-online", repo=1)
    finally:
        bed.postgres.start()
    label = bed.pgbackrest.info(1)["backup"][-1]["label"]
    next_second()
    try:
        yield
    finally:
        bed.pgbackrest.run("expire", f"--set={label}", repo=1)


@campaign
def test_an_offline_backup_restores_as_it_is_and_one_before_it_further(sound):
    bed = sound.bed
    online = bed.pgbackrest.info(1)["backup"][-1]["label"]
    with one_more_offline_backup(bed):
        then = sound.rows()
        tell(bed.postgres)
        metrics = sound.wait(3, promised=len(then) + 1)
        assert f"--set={online}" in sound.page
        assert sound.assert_restores(metrics, f"--set={online}") == sound.rows()
        with sound.restored() as server:
            assert rows(server) == then
        assert oracle_says(bed) == {"archives": "CRITICAL", "retention": "OK"}
        with away(bed, behind_newest_online(bed)):
            sound.wait(3, since=1)


def test_a_promoted_copy_that_archives_is_told_and_leads_a_restore_astray(sound):
    bed = sound.bed
    archive = wal_folder(bed).parent
    with PromotedCopy(bed, 1) as copy:
        copy.sql("CREATE TABLE rogue ()")
        copy.server.wait_archived(copy.server.switch_wal())
    tell(bed.postgres)
    try:
        metrics = sound.wait(2, foreign=1, promised=len(sound.rows()))
        assert "1 foreign timeline:" in sound.page
        assert "--target-timeline=1" in sound.page
        with sound.restored() as server:
            assert server.sql("SELECT to_regclass('rogue')") == "rogue"
            assert rows(server) == sound.rows()[:-1]
        assert sound.assert_restores(metrics, "--target-timeline=1") == sound.rows()
        assert oracle_says(bed) == SOUND
    finally:
        (archive / "00000002.history").unlink()
        shutil.rmtree(archive / "0000000200000000")


@campaign
def test_an_idle_night_loses_nothing_and_a_slow_writer_is_told(sound):
    age = "pgbackrest_recovery_point_age_seconds"
    sound.bed.postgres.sql("CHECKPOINT")
    tell(sound.bed.postgres)
    metrics = sound.wait(2, promised=len(sound.rows()))
    behind = metrics.value(END, repo_key="1") + 6
    metrics = sound.exporter.wait_for(lambda _: time.time() > behind, SECONDS)
    assert metrics.value(age, repo_key="1") < 5
    assert sound.assert_restores(metrics) == sound.rows()
    write_unfinished(sound.bed.postgres, 2000)
    metrics = sound.exporter.wait_for(lambda now: now.value(age, repo_key="1") > 6, SECONDS)
    assert sound.assert_restores(metrics) == sound.rows()[:-2000]
    sound.bed.postgres.sql("DELETE FROM told WHERE number > (SELECT max(number) - 2000 FROM told)")
    tell(sound.bed.postgres)


@campaign
def test_a_hole_in_a_full_folder_between_backups_cuts_off_what_lies_before_it(made):
    place = made("0000000100000000000000FA")
    bed = place.bed
    tell(bed.postgres, 4)
    bed.pgbackrest.backup("incr", 1)
    tell(bed.postgres)
    backups = bed.pgbackrest.info(1)["backup"]
    lost = "0000000100000000000000FD"
    assert backups[0]["archive"]["stop"] < lost < "000000010000000100000000" < backups[1]["archive"]["start"]
    with away(bed, next(wal_folder(bed).glob(f"{lost}-*"))):
        metrics = place.wait(2, older=1)
        assert metrics.value(START, repo_key="1") == backups[1]["timestamp"]["stop"]
        assert place.assert_restores(metrics) == place.rows()
        place.assert_fails(NO_TARGET, *place.to_row(4))
        assert oracle_says(bed) == {"archives": "WARNING", "retention": "OK"}
    place.wait(2)


@campaign
def test_archive_retention_leaves_each_older_backup_a_point_of_its_own(made):
    place = made()
    bed = place.bed
    for _ in range(2):
        tell(bed.postgres, 2)
        bed.pgbackrest.backup("full", 1)
    tell(bed.postgres)
    text = bed.pgbackrest.configuration.read_text()
    bed.place.write("pgbackrest.conf", text.replace("[global]", "[global]\nrepo1-retention-archive=1", 1), 0o640)
    bed.pgbackrest.run("expire", repo=1)
    backups = bed.pgbackrest.info(1)["backup"]
    newest = backups[-1]["timestamp"]["stop"]
    place.exporter.wait_for(lambda now: now.value(START, repo_key="1") == newest, SECONDS)
    metrics = place.wait(3)
    assert place.assert_restores(metrics) == place.rows()
    for backup, its_rows in zip(backups[:-1], ([], [1, 2, 3])):
        with place.restored(f"--set={backup['label']}") as server:
            assert rows(server) == its_rows
    place.assert_fails(NO_TARGET, f"--set={backups[1]['label']}", *place.to_row(4))
    assert oracle_says(bed) == {"archives": "WARNING", "retention": "OK"}


@campaign
def test_wal_dropped_by_a_full_queue_is_a_gap(made):
    place = made()
    bed = place.bed
    text = bed.pgbackrest.configuration.read_text()
    bed.place.write("pgbackrest.conf", text.replace("[global]", "[global]\narchive-push-queue-max=1MB", 1), 0o640)
    bed.pgbackrest.repo1.chmod(0)
    try:
        dropped = [write(bed.postgres) for _ in range(4)]
        bed.postgres.wait_archived(dropped[-1], 90)
    finally:
        bed.pgbackrest.repo1.chmod(0o750)
        bed.place.write("pgbackrest.conf", text, 0o640)
    tell(bed.postgres, 2)
    metrics = place.wait(1, since=4)
    assert place.assert_restores(metrics) == [1]
    place.assert_fails(NO_TARGET, *place.to_row(3))
    assert oracle_says(bed) == {"archives": "CRITICAL", "retention": "OK"}
    bed.pgbackrest.backup("full", 1)
    metrics = place.wait(2, older=4, promised=len(place.rows()))
    assert place.assert_restores(metrics) == place.rows()


class Listening:
    """All that is said of repository 1 in the meantime."""

    def __init__(self, place):
        self.place = place
        self.heard = []
        self.enough = threading.Event()
        self.thread = threading.Thread(target=self._listen)

    def _listen(self):
        while not self.enough.wait(0.2):
            self.heard.append(said(self.place.exporter.metrics()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.thread.join()

    def alarms(self):
        """What was said of gaps and foreign timelines other than that there are none."""
        assert self.heard
        return [one for one in self.heard if any(one[1:])]


@pytest.fixture(scope="module")
def succeeded(made):
    """A standby took production's place: a row was told before it followed, while it did, and after."""
    place = made()
    place.wait(1)
    with Standby(place.bed, 1) as standby:
        tell(place.bed.postgres)
        with Listening(place) as listening:
            standby.take_over()
            tell(place.bed.postgres)
            place.wait(1, promised=3)
    place.alarms = listening.alarms()
    return place


@campaign
def test_a_promotion_is_no_alarm_and_the_window_goes_on(succeeded):
    assert succeeded.alarms == []
    metrics = succeeded.wait(1, promised=3)
    assert succeeded.assert_restores(metrics) == [1, 2, 3]
    assert oracle_says(succeeded.bed) == SOUND


@campaign
def test_without_the_history_a_restore_stays_on_the_old_timeline(succeeded):
    bed = succeeded.bed
    with away(bed, wal_folder(bed).parent / "00000002.history"):
        metrics = succeeded.wait(1, since=1)
        assert succeeded.assert_restores(metrics) == [1, 2]
        assert oracle_says(bed) == {"archives": "CRITICAL", "retention": "OK"}


@campaign
def test_a_backup_on_the_new_timeline_needs_no_history(succeeded):
    bed = succeeded.bed
    bed.pgbackrest.backup("full", 1)
    tell(bed.postgres)
    with away(bed, wal_folder(bed).parent / "00000002.history"):
        metrics = succeeded.wait(2, promised=4)
        assert succeeded.assert_restores(metrics) == [1, 2, 3, 4]
    succeeded.wait(2)


@campaign
def test_a_new_database_begins_with_nothing_and_the_old_one_does_not_count(made):
    place = made()
    bed = place.bed
    place.wait(1)
    with Listening(place) as listening:
        bed.postgres.stop()
        bed.postgres.data.rename(bed.postgres.data.with_suffix(".former"))
        bed.postgres.create()
        bed.postgres.start()
        bed.pgbackrest.run("stanza-upgrade")
        begin(bed.postgres)
        tell(bed.postgres, seconds=90)
        place.exporter.wait_for(lambda now: now.value(RESTORABLE, repo_key="1") == 0, SECONDS)
        bed.pgbackrest.backup("full", 1)
        tell(bed.postgres)
        metrics = place.wait(1, promised=2)
    assert listening.alarms() == []
    assert metrics.value("pgbackrest_backups", repo_key="1", backup_type="full") == 1
    assert place.assert_restores(metrics) == [1, 2]
    assert oracle_says(bed) == SOUND
