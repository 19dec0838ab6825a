"""A mount namespace of its own, and an exporter that watches a mount point in it.

Nothing that is mounted there is seen by the rest of the machine, and all of it goes with the last
process of the namespace.
"""
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from process import children_of, command_line, wait_until
from web import answers_ok

FUSE_PROGRAM = Path(__file__).with_name("fusefs.py")

PGBACKREST_CONF = """\
[global]
repo1-path={repository}

[main]
pg1-path={root}/no-such-data
"""

CONFIGURATION = """\
postgres: []
pgbackrest: {{config: {root}/pgbackrest.conf}}
repositories: [{{key: 1, name: nas{mount}}}]
intervals: {{mount: 1s, backups: 1s}}
timeouts: {{mount: 1s, backups: 5s}}
"""


# What else would start children on the mount.
ONLY_MOUNTS = [f"--no-collector.{name}" for name in ("backups", "wal", "verdict", "restorability")]


class MountSpace:
    def __init__(self, program, port):
        self.program = program
        self.port = port
        self.root = Path(tempfile.mkdtemp(prefix="pgbackup-mounts-"))
        self.root.chmod(0o755)  # the exporter becomes another user
        self.exporter = None
        self._started = []
        self._holder = self._start(["unshare", "--mount", "--propagation", "private", "sleep", "infinity"])
        wait_until(lambda: command_line(self._holder.pid)[:1] == ["sleep"], 10, "no mount namespace")

    def _start(self, argv):
        with open(self.root / "log", "ab") as log:
            process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def _inside(self, argv):
        return ["nsenter", f"--target={self._holder.pid}", "--mount", "--root", "--wd", *map(str, argv)]

    def folder(self, name="nas"):
        path = self.root / name
        path.mkdir(exist_ok=True)
        return path

    def run(self, *argv):
        return subprocess.run(self._inside(argv), check=True, timeout=30, capture_output=True, text=True).stdout

    def tmpfs(self, path, options="size=1m", source="nas"):
        self.run("mount", "-t", "tmpfs", "-o", f"{options},mode=755", source, path)

    def expect_by_fstab(self, path):
        """The only line of /etc/fstab, in this namespace."""
        (self.root / "fstab").write_text(f"nas:/ {path} nfs rw 0 0\n")
        self.run("mount", "--bind", self.root / "fstab", "/etc/fstab")

    def fuse(self, path, kind="fuse"):
        """A file system that does what order() says; its daemon."""
        daemon = self._start(self._inside([sys.executable, FUSE_PROGRAM, path, self.root / "order", kind]))
        wait_until(lambda: f" {path} " in self.run("cat", "/proc/self/mountinfo"), 10, "FUSE does not mount")
        return daemon

    def order(self, text):
        (self.root / "order.part").write_text(text)
        (self.root / "order.part").rename(self.root / "order")

    def configure(self, repository, mount=None, filesystem=None):
        """The exporter's files; `mount` is what its configuration says of it."""
        said = [f'path: "{mount}"'] if mount else []
        said += [f"filesystem: {filesystem}"] if filesystem else []
        mount_option = f", mount: {{{', '.join(said)}}}" if said else ""
        conf = PGBACKREST_CONF.format(repository=repository, root=self.root)
        (self.root / "pgbackrest.conf").write_text(conf)
        (self.root / "exporter.yml").write_text(CONFIGURATION.format(root=self.root, mount=mount_option))

    def start_exporter(self, flags=ONLY_MOUNTS):
        """Returns when /metrics answers."""
        argv = [self.program, f"--config.file={self.root}/exporter.yml", *flags]
        self.exporter = self._start(self._inside([*argv, f"--web.listen-address=127.0.0.1:{self.port}"]))
        wait_until(lambda: answers_ok(self.port, "/metrics") or self.exporter.poll() is not None, 10, self.log_tail())

    def probes(self):
        """The exporter's children, in whatever state."""
        return children_of(self.exporter.pid)

    def log_tail(self):
        return (self.root / "log").read_text(errors="replace")[-3000:]

    def close(self):
        """End everything; a file system without its daemon lets go of whom it holds."""
        (self.root / "order").unlink(missing_ok=True)
        for process in reversed(self._started):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
        shutil.rmtree(self.root)


CLONE_NEWNS = 0x20000  # sched.h


def _call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


@contextmanager
def entered():
    """This thread, and whatever it starts, in a mount namespace of its own."""
    with open("/proc/thread-self/ns/mnt") as usual:
        _call("unshare", CLONE_NEWNS)
        try:
            subprocess.run(["mount", "--make-rprivate", "/"], check=True, timeout=30)
            yield
        finally:
            _call("setns", usual.fileno(), CLONE_NEWNS)


def reason_against():
    """Why no mount namespace can be made here; None when it can."""
    if os.geteuid() != 0:
        return "mounting wants root"
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"no mount namespace may be made here: {tried.stderr.strip()}"


def reason_against_fuse():
    return None if os.path.exists("/dev/fuse") else "this kernel has no FUSE"
