"""The mounts of the repositories: real ones, in a namespace of each test's own."""
import os
import re
import signal
import time
from pathlib import Path

import pytest

import mounts
from conftest import PROGRAM, Metrics
from process import BedError, command_line, free_port, wait_until
from web import get

pytestmark = pytest.mark.skipif(mounts.reason_against() is not None, reason=str(mounts.reason_against()))
needs_fuse = pytest.mark.skipif(mounts.reason_against_fuse() is not None, reason=str(mounts.reason_against_fuse()))


class Watched(mounts.MountSpace):
    """With an exporter that is asked about one path."""

    path = None

    def metrics(self):
        return Metrics.parse(get(self.port, "/metrics").text)

    def value(self, name, **labels):
        return self.metrics().value(name, path=self.path, **labels)

    def mount_value(self, name, **labels):
        return self.value(f"pgbackup_mount_{name}", **labels)

    def wait_for(self, name, value, seconds=15):
        """Until pgbackup_mount_NAME has that value; None: it is not there."""
        try:
            wait_until(lambda: self.mount_value(name) == value, seconds, f"{name} does not become {value}")
        except BedError as error:
            seen = {name: values for name, values in self.metrics().items() if "mount_" in name}
            raise AssertionError(f"{error}\n{seen}\n{self.log_tail()}") from None

    def reasons(self):
        return [has["reason"] for has, _ in self.metrics().get("pgbackup_mount_error", []) if has["path"] == self.path]

    def watch(self, path, repository=None, flags=None, **configuration):
        """Start an exporter for a repository below this path; without flags it watches mounts only."""
        self.path = str(path)
        self.configure(repository or f"{path}/repo", **configuration)
        self.start_exporter(**({} if flags is None else {"flags": flags}))

    def exporter_memory_kib(self):
        """What is its own alone."""
        return int(re.search(r"^RssAnon:\s+(\d+)", Path(f"/proc/{self.exporter.pid}/status").read_text(), re.M).group(1))

    def repository_mount(self):
        """The mount that the repository is said to lie on."""
        return [labels["mount"] for labels, _ in self.metrics().get("pgbackrest_repo_info", [])]


@pytest.fixture
def space():
    space = Watched(PROGRAM, free_port())
    yield space
    space.close()


@pytest.fixture
def nas(space):
    """A tmpfs that the exporter watches without any configuration of it."""
    path = space.folder()
    space.tmpfs(path)
    space.watch(path)
    space.wait_for("responding", 1)
    return path


class TestMount:
    def test_that_holds_the_repository_is_found_without_configuration(self, space, nas):
        assert space.mount_value("mounted") == 1
        assert space.mount_value("size_bytes") == 1 << 20
        assert space.mount_value("info", filesystem="tmpfs", source="nas") == 1
        assert space.reasons() == []

    def test_that_vanishes_is_missing_until_it_returns(self, space, nas):
        space.run("umount", nas)
        space.wait_for("mounted", 0)
        assert space.reasons() == ["not_mounted"]
        assert space.mount_value("responding") is None
        assert space.mount_value("size_bytes") is None
        space.tmpfs(nas)
        space.wait_for("mounted", 1)
        assert space.reasons() == []

    def test_that_is_detached_while_it_is_used_is_missing(self, space, nas):
        space.run("sh", "-c", f"exec 9>{nas}/file; umount -l {nas}")
        space.wait_for("mounted", 0)

    def test_that_is_configured_is_missing_from_the_start(self, space):
        path = space.folder()
        space.watch(path, mount=path)
        space.wait_for("mounted", 0)
        space.tmpfs(path)
        space.wait_for("mounted", 1)

    def test_that_fstab_expects_is_missing_from_the_start(self, space):
        path = space.folder()
        space.expect_by_fstab(path)
        space.watch(path)
        space.wait_for("mounted", 0)
        assert space.reasons() == ["not_mounted"]
        space.tmpfs(path)
        space.wait_for("mounted", 1)

    def test_of_another_type_is_not_mounted(self, space):
        path = space.folder()
        space.tmpfs(path)
        space.watch(path, mount=path, filesystem="nfs")
        space.wait_for("mounted", 0)
        assert space.reasons() == ["not_mounted"]

    def test_that_becomes_read_only_says_so(self, space, nas):
        assert space.mount_value("readonly") == 0
        space.run("mount", "-o", "remount,ro", nas)
        space.wait_for("readonly", 1)
        space.run("mount", "-o", "remount,rw", nas)
        space.wait_for("readonly", 0)

    def test_that_is_full_has_nothing_available(self, space, nas):
        space.run("sh", "-c", f"dd if=/dev/zero of={nas}/file bs=64k count=16 2>/dev/null; true")
        space.wait_for("avail_bytes", 0)
        assert space.mount_value("responding") == 1

    def test_without_inodes_left_says_so(self, space):
        path = space.folder()
        space.tmpfs(path, "nr_inodes=3")
        space.watch(path)
        space.wait_for("files_free", 2)
        space.run("touch", path / "a", path / "b")
        space.wait_for("files_free", 0)

    def test_that_is_bound_is_one_of_its_own(self, space):
        real, bound = space.folder("real"), space.folder("bound")
        space.tmpfs(real)
        space.run("mount", "--bind", real, bound)
        space.run("mount", "-o", "remount,bind,ro", bound)
        space.watch(bound)
        space.wait_for("readonly", 1)
        space.run("umount", real)
        time.sleep(1.5)
        assert space.mount_value("mounted") == 1

    def test_over_another_counts_until_it_goes(self, space, nas):
        space.tmpfs(nas, "size=2m", "other")
        space.wait_for("size_bytes", 2 << 20)
        space.run("umount", nas)
        space.wait_for("size_bytes", 1 << 20)

    def test_below_a_later_one_is_hidden(self, space, nas):
        space.tmpfs(space.root, "size=3m")
        space.wait_for("mounted", 0)

    def test_behind_a_symbolic_link_is_found(self, space):
        path = space.folder()
        space.tmpfs(path)
        (space.root / "link").symlink_to(path)
        space.watch(path, repository=f"{space.root}/link/repo")
        space.wait_for("responding", 1)

    @pytest.mark.parametrize("name", ["with blank", "back\\slash", "line\nbreak", 'quo"te', "日本"])
    def test_may_have_any_name(self, space, name):
        path = space.folder(name)
        space.tmpfs(path, source=name)
        (space.root / "link").symlink_to(path)
        space.watch(path, repository=f"{space.root}/link/repo")
        space.wait_for("responding", 1)
        assert space.mount_value("info", source=name) == 1

    def test_has_the_name_by_which_its_repository_knows_it_even_when_it_is_gone(self, space):
        path = space.folder()
        space.tmpfs(path)
        (space.root / "link").symlink_to(path)
        space.watch(path, repository=f"{space.root}/link/repo", flags=())
        space.wait_for("responding", 1)
        wait_until(lambda: space.repository_mount() == [str(path)], 15, "the repository names another mount")
        space.run("umount", path)
        space.wait_for("mounted", 0)
        time.sleep(2.5)
        assert space.repository_mount() == [str(path)]

    def test_that_is_missing_is_why_its_repository_is_empty(self, space):
        path = space.folder()
        space.watch(path, mount=path, flags=())
        reasons = lambda: [labels["reason"] for labels, _ in space.metrics().get("pgbackrest_repo_error", [])]
        wait_until(lambda: reasons() == ["not_mounted"], 15, "the reason is another")
        wait_until(lambda: space.metrics().values("pgbackrest_wal_listed") == [0], 15, "its WAL is taken for lost")
        space.tmpfs(path)
        wait_until(lambda: reasons() == ["missing_stanza_path"], 15, "the reason remains")

    def test_keeps_all_it_has_through_a_reload(self, space, nas):
        space.run("umount", nas)
        space.wait_for("mounted", 0)
        space.tmpfs(nas)
        space.wait_for("mounted", 1)
        os.kill(space.exporter.pid, signal.SIGHUP)
        time.sleep(1.5)
        assert space.mount_value("mounted") == 1


@pytest.fixture
def failing(space):
    """A FUSE mount that is watched; its daemon is space.daemon."""
    path = space.folder()
    space.daemon = space.fuse(path, "fuse.test")
    space.watch(path, mount=path)
    space.wait_for("responding", 1)
    return path


def wait_for_outage(space):
    space.wait_for("responding", 0)
    assert space.mount_value("mounted") == 1
    assert space.mount_value("size_bytes") is None
    assert space.reasons() == ["stuck"]


def wait_for_recovery(space):
    space.wait_for("responding", 1)
    assert space.mount_value("stuck_seconds") == 0
    assert space.reasons() == []
    assert space.metrics().value("pgbackup_stuck_children") == 0


@needs_fuse
class TestHangingMount:
    def test_whose_server_stands_still_is_noticed_and_so_is_its_return(self, space, failing):
        space.daemon.send_signal(signal.SIGSTOP)
        wait_for_outage(space)
        before = space.mount_value("stuck_seconds")
        time.sleep(2.5)
        assert space.mount_value("stuck_seconds") >= before + 1
        assert space.metrics().value("pgbackup_stuck_children") == 0
        assert len(space.probes()) <= 1
        space.daemon.send_signal(signal.SIGCONT)
        wait_for_recovery(space)

    def test_that_lets_no_child_be_killed_keeps_one_and_starts_no_other(self, space, failing):
        space.order("hang")
        wait_for_outage(space)
        wait_until(lambda: space.metrics().value("pgbackup_stuck_children") == 1, 10, "no stuck child")
        kept = space.probes()
        time.sleep(2.5)
        assert space.probes() == kept and len(kept) == 1
        space.order("")
        wait_for_recovery(space)
        assert kept[0] not in space.probes()

    def test_keeps_its_child_and_its_clock_through_a_reload(self, space, failing):
        space.order("hang")
        wait_until(lambda: space.metrics().value("pgbackup_stuck_children") == 1, 15, "no stuck child")
        before, kept = space.mount_value("stuck_seconds"), space.probes()
        os.kill(space.exporter.pid, signal.SIGHUP)
        time.sleep(2.5)
        assert space.probes() == kept
        assert space.mount_value("stuck_seconds") > before
        space.order("")
        wait_for_recovery(space)

    def test_lets_no_pgbackrest_be_started(self, space):
        path = space.folder()
        space.fuse(path)
        space.watch(path, flags=())
        space.wait_for("responding", 1)
        space.order("hang")
        refused = lambda: space.metrics().values("pgbackrest_repo_error", reason="stuck") == [1]
        wait_until(refused, 20, "pgbackrest is still started")
        # Those of backups and wal may have been on their way.
        assert 1 <= space.metrics().value("pgbackup_stuck_children") <= 3
        kept = space.probes()
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            assert not [pid for pid in space.probes() if pid not in kept and "info" in command_line(pid)]
        space.order("")
        wait_for_recovery(space)

    def test_from_the_start_on_is_noticed(self, space):
        path = space.folder()
        space.fuse(path)
        space.order("hang")
        space.watch(path)
        wait_for_outage(space)
        space.order("")
        wait_for_recovery(space)

    def test_delays_no_scrape(self, space, failing):
        space.order("hang")
        wait_for_outage(space)
        begun = time.monotonic()
        for _ in range(10):
            space.metrics()
        assert time.monotonic() - begun < 5

    def test_delays_no_stop(self, space, failing):
        space.order("hang")
        wait_for_outage(space)
        begun = time.monotonic()
        space.exporter.send_signal(signal.SIGTERM)
        space.exporter.wait(20)
        assert time.monotonic() - begun < 4

    @pytest.mark.campaign
    def test_that_hangs_for_long_costs_no_memory(self, space, failing):
        space.order("hang")
        wait_until(lambda: space.metrics().value("pgbackup_stuck_children") == 1, 15, "no stuck child")
        before = space.exporter_memory_kib()
        time.sleep(20)
        assert space.exporter_memory_kib() <= before + 512
        assert len(space.probes()) == 1
        space.order("")
        wait_for_recovery(space)

    def test_that_is_detached_is_missing_and_no_longer_stuck(self, space, failing):
        space.order("hang")
        wait_for_outage(space)
        space.run("umount", "-l", failing)
        space.wait_for("mounted", 0)
        assert space.mount_value("stuck_seconds") == 0
        assert space.reasons() == ["not_mounted"]

    def test_does_not_hide_another(self, space, failing):
        other = space.folder("other")
        space.tmpfs(other)
        (space.root / "pgbackrest.conf").write_text(
            f"[global]\nrepo1-path={failing}/repo\nrepo2-path={other}/repo\n[main]\npg1-path=/no\n"
        )
        space.order("hang")
        wait_for_outage(space)
        os.kill(space.exporter.pid, signal.SIGHUP)
        answers = lambda: space.metrics().value("pgbackup_mount_responding", path=str(other)) == 1
        wait_until(answers, 15, "the other mount is not watched")


@needs_fuse
@pytest.mark.parametrize("number, reason", [(116, "stale"), (13, "permission"), (5, "other"), (111, "connect")])
def test_an_error_is_told_at_once_with_its_reason(space, failing, number, reason):
    space.order(f"error {number}")
    space.wait_for("responding", 0)
    assert space.reasons() == [reason]
    assert space.mount_value("stuck_seconds") == 0
    space.order("")
    wait_for_recovery(space)


@needs_fuse
def test_a_mount_whose_daemon_has_ended_does_not_respond(space, failing):
    space.daemon.kill()
    space.wait_for("responding", 0)
    assert space.mount_value("mounted") == 1
    assert space.reasons() == ["not_mounted"]
