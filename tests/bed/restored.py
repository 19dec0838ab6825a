"""A server restored from one repository alone, beside the bed's own: what a repository is really worth."""
import itertools
import shutil

from pgbackrest import PROGRAM, STANZA
from postgres import Postgres
from process import BedError, free_port, wait_until

RECOVERY_SECONDS = 60

_numbers = itertools.count(1)


class Restored:
    """`with Restored(bed, repo) as server:` restores, starts and waits for the end of the recovery.

    `options` are more of pgbackrest's for restore: --set, --target-timeline, --type with --target
    and --target-action=promote. It never gets WAL from another repository, nor archives any.
    BedError holds the server's log when it does not start, or does not get to its target.
    """

    archive_mode = "off"
    settings = ""  # more for its postgresql.conf

    def __init__(self, bed, repo, *options):
        self.bed = bed
        self.repo = repo
        self.options = options
        self.server = Postgres(bed.place, free_port(), "/bin/false", 60, f"restored-{next(_numbers)}")
        self.server.environment = bed.pgbackrest.repo2_environment()

    def __enter__(self):
        try:
            self._restore()
            self._start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_):
        self._remove()

    def _start(self):
        try:
            self.server.start()
            wait_until(self.is_ready, RECOVERY_SECONDS, "recovery does not end")
        except BedError as error:
            raise BedError(f"{error}\n{self.log}") from None

    def _restore(self):
        self.server.data.mkdir(mode=0o700)
        self.bed.place.account.own(self.server.data)
        options = [f"--pg1-path={self.server.data}", "--no-delta", f"--archive-mode={self.archive_mode}"]
        options += [f"--recovery-option=restore_command={self._restore_command()}", *self.options]
        self.bed.pgbackrest.run("restore", *options, repo=self.repo)
        with open(self.server.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(f"port = {self.server.port}\n{self.settings}")

    def _restore_command(self):
        words = [PROGRAM, f"--config={self.bed.pgbackrest.configuration}", f"--stanza={STANZA}"]
        words += [f"--repo={self.repo}", f"--pg1-path={self.server.data}", "--no-archive-async"]
        return " ".join([*words, 'archive-get %f "%p"'])

    def _remove(self):
        self.server.stop()
        shutil.rmtree(self.server.data, ignore_errors=True)

    def is_ready(self):
        return self.sql("SELECT pg_is_in_recovery()") == "f"

    def sql(self, *statements):
        return self.server.sql(*statements)

    @property
    def log(self):
        return self.server.process.log_text()
