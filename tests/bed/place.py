"""The private folder of a bed, and who owns what in it."""
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from process import MARK, Account, BedError, all_pids, read_words, send_signal, wait_until

SERVER_FOLDERS = (
    "data", "socket", "repo1", "spool", "lock", "pgbackrest-log",
    "s3", "tls", "prometheus", "alertmanager", "webhook",
)  # fmt: skip
STARTER_FOLDERS = ("log", "run", "bin")
# sockaddr_un holds 107 characters; PostgreSQL adds "/socket/.s.PGSQL.NNNNN".
LONGEST_ROOT = 107 - len("/socket/.s.PGSQL.NNNNN")
COMMAND_SECONDS = 120


@dataclass(frozen=True)
class Place:
    """Folders for the servers belong to the servers' account, the rest to who started the bed."""

    root: Path
    account: Account

    def create(self):
        if len(str(self.root)) > LONGEST_ROOT:
            raise BedError(f"{self.root} is too long a path for a unix socket; set TMPDIR to a shorter one")
        self.root.mkdir(mode=0o711, exist_ok=True)
        self.root.chmod(0o711)
        for name in SERVER_FOLDERS:
            self._folder(name, 0o700)
            self.account.own(self.root / name)
        for name in STARTER_FOLDERS:
            self._folder(name, 0o755)
        self._check_traversable()

    def _folder(self, name, mode):
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)

    def _check_traversable(self):
        try:
            self.run(["test", "-w", self.root / "data"])
        except BedError:
            message = f"{self.account.name} cannot get into {self.root}; set TMPDIR to a folder that all may enter"
            raise BedError(message) from None

    def path(self, *names):
        return self.root.joinpath(*names)

    def write(self, name, text, mode=0o600):
        """A file for the servers, replaced in one step."""
        target, part = self.path(name), self.path(name + ".part")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)
        part.chmod(mode)
        self.account.own(part)
        part.rename(target)
        return target

    def copy_program(self, program):
        """A copy that the servers' account may run: a checkout under /root is closed to it.

        Replaced in one step, for an earlier copy may be running.
        """
        target = self.path("bin", Path(program).name)
        part = shutil.copy(program, target.with_suffix(".part"))
        return Path(part).rename(target)

    def environment(self):
        """Nothing of the caller's environment but this; the mark finds what a server left behind."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.path("data")),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            MARK: str(self.root),
        }

    def run(self, argv, environment=None, check=True, timeout=COMMAND_SECONDS):
        """Run a command to its end as the servers' account; a BedError tells its output."""
        argv = [str(word) for word in argv]
        result = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env={**self.environment(), **(environment or {})},
            cwd="/",
            timeout=timeout,
            check=False,
            **self.account.popen_arguments(),
        )
        if check and result.returncode != 0:
            raise BedError(f"{' '.join(argv)}: status {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def leftovers(self):
        """Processes that a server of this bed started and that still run, by their environment."""
        return [pid for pid in all_pids() if pid != os.getpid() and self._is_ours(pid)]

    def _is_ours(self, pid):
        return any(self._names_us(word) for word in read_words(f"/proc/{pid}/environ"))

    def _names_us(self, word):
        name, _, value = word.partition("=")
        ours = name == MARK or name.startswith("PGBACKREST_")
        return ours and (value == str(self.root) or value.startswith(f"{self.root}/"))

    def remove(self):
        """End what the servers left behind (an asynchronous archive-push, say); delete the folder."""
        for pid in self.leftovers():
            send_signal(pid, signal.SIGKILL)
        wait_until(lambda: not self.leftovers(), 5, f"processes {self.leftovers()} of {self.root} do not end")
        shutil.rmtree(self.root)
