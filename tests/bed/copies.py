"""Servers made from a repository that do what production does: a copy that archives, a standby."""
from pgbackrest import PROGRAM, STANZA
from restored import Restored


class PromotedCopy(Restored):
    """A copy that ended recovery on a timeline of its own, and archives into the repository it came from.

    So it is when production's configuration goes along with production's data.
    """

    archive_mode = "preserve"

    @property
    def settings(self):
        words = [PROGRAM, f"--config={self.bed.pgbackrest.configuration}", f"--stanza={STANZA}"]
        words += [f"--pg1-path={self.server.data}", "--no-archive-async", "archive-push %p"]
        return f"archive_command = '{' '.join(words)}'\n"


class Standby(Restored):
    """A standby that streams from the bed's server until it takes its place."""

    archive_mode = "preserve"

    def __init__(self, bed, repo):
        follow = f"--recovery-option=primary_conninfo=host={bed.postgres.socket} port={bed.postgres.port}"
        super().__init__(bed, repo, "--type=standby", follow)

    def is_ready(self):
        streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        return self.bed.postgres.sql(streaming) == "1"

    def take_over(self):
        """The bed's server stops, as if its host were gone; this one is promoted under its address and path."""
        production = self.bed.postgres
        production.stop()
        self.server.stop()
        production.data.rename(production.data.with_suffix(".former"))
        self.server.data.rename(production.data)
        with open(production.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(f"port = {production.port}\n")
        production.start()
        production.sql("SELECT pg_promote()")
