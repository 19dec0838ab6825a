"""What a document tells a person to type, typed at the bed's server.

The document speaks of a host with everything in its usual place. Here each of its paths is the bed's,
and programs of the usual names, found first in PATH, know where the bed has its own.
"""
import subprocess

from pgbackrest import PROGRAM

TYPED_SECONDS = 150

# As root the command becomes the user's, as with the real one; without root it stays the caller's.
SUDO = """\
#!/bin/sh
[ "$1" = -u ] || exec "$@"
user=$2
shift 2
[ "$(id -u)" = 0 ] || exec "$@"
exec setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"
"""


class Terminal:
    """`program`: the exporter's, and its configuration `file`; `port`: where its metrics are, if it runs."""

    def __init__(self, bed, program, file, port=None):
        self.bed = bed
        self.port = port
        self.folder = bed.place.path("bin", "typed")
        self.folder.mkdir(exist_ok=True)
        postgres = bed.postgres
        self._stand_in("sudo", SUDO)
        self._call("pgbackup_exporter", f"{program} --config.file={file}")
        self._call("pgbackrest", f"{PROGRAM} --config={bed.pgbackrest.configuration}")
        self._call("psql", f"{postgres.programs}/psql -v ON_ERROR_STOP=1 -h {postgres.socket} -p {postgres.port} -d postgres")

    def _call(self, name, words):
        self._stand_in(name, f'#!/bin/sh\nexec {words} "$@"\n')

    def _stand_in(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)

    def places(self):
        """What the document names: what it is here."""
        root = self.bed.root
        return {
            "localhost:10854": f"localhost:{self.port}",
            "PATH=/usr/bin:/bin": f"PATH={self.folder}:/usr/bin:/bin",
            "/etc/pgbackrest.conf": f"{root}/pgbackrest.conf",
            "/var/spool/pgbackrest": f"{root}/spool",
            "/var/log/pgbackrest": f"{root}/pgbackrest-log",
        }

    def type(self, command):
        """The result, whatever its status; what is printed is in `stdout` as on a terminal."""
        for documented, here in self.places().items():
            command = command.replace(documented, here)
        environment = self.bed.place.environment()
        environment["PATH"] = f"{self.folder}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], env=environment, cwd="/", encoding="utf-8", check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TYPED_SECONDS,
        )  # fmt: skip
