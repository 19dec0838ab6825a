"""A small file system for the bed's pg_wal, which no other process of the machine sees mounted.

It is a tmpfs in a mount namespace; the servers reach it through /proc, by the folder that the
process which holds the namespace has for its root. That process has their account: else they may not.
"""
import subprocess

from process import command_line, wait_until

HOLD = """\
mount -t tmpfs -o size={size},mode=700,uid={uid},gid={gid} pg_wal {path} &&
exec setpriv --reuid={uid} --regid={gid} --clear-groups sleep infinity
"""


class WalDisk:
    """`with WalDisk(bed, "256m")`: the bed's server has its pg_wal there. At the end both are gone, for good."""

    def __init__(self, bed, size):
        self.postgres = bed.postgres
        self.wal = bed.postgres.data / "pg_wal"
        self.path = bed.place.path("pg_wal")
        account = bed.place.account
        self.path.mkdir()
        hold = HOLD.format(size=size, path=self.path, uid=account.uid, gid=account.gid)
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", hold], cwd="/", stdin=subprocess.DEVNULL
        )
        wait_until(lambda: command_line(self._holder.pid)[:1] == ["sleep"], 10, "no file system for pg_wal")

    @property
    def seen(self):
        """The same folder as the servers reach it."""
        return f"/proc/{self._holder.pid}/root{self.path}"

    def grow(self, size):
        mount = ["mount", "-o", f"remount,size={size}", self.path]
        subprocess.run(["nsenter", f"--target={self._holder.pid}", "--mount", *mount], check=True, timeout=30)

    def __enter__(self):
        self.postgres.stop()
        self.postgres.place.run(["cp", "-a", f"{self.wal}/.", self.seen])
        self.wal.rename(self.wal.with_suffix(".before"))
        self.wal.symlink_to(self.seen)
        self.postgres.start()
        return self

    def __exit__(self, *error):
        self.postgres.stop()
        self._holder.kill()
        self._holder.wait(20)
