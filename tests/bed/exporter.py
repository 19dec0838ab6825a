"""The exporter under test: its configuration for the bed, and its process."""
import signal
import time

from pgbackrest import STANZA
from process import BedError, Process, wait_until
from web import answers_ok, get

# Short, so that a test sees a change at once; a production interval is 15 s to 5 min.
FAST = {"archiver": "1s", "queue": "1s", "archive_config": "1s", "backups": "1s", "mount": "1s", "s3": "1s", "wal": "1s", "drill": "1s", "commands": "1s"}
# So that a person at the demo does not wait, and still sees what polling means.
DEMO = {"archiver": "5s", "queue": "5s", "archive_config": "15s", "backups": "15s", "mount": "5s", "s3": "15s", "wal": "15s", "drill": "15s", "commands": "15s"}

CONFIGURATION = """\
postgres:
  - stanza: {stanza}
    conninfo: "{conninfo}"

pgbackrest:
  command: /usr/bin/pgbackrest
  config: {pgbackrest_conf}
  stanzas: [{stanza}]

repositories:
  - key: 1
    name: nas
    objectives: {{full: 27h, incr: 2h, recovery-point: 15m, drill: 9d, restore-time: 2h}}
  - key: 2
    name: r2
    options:
{options}
    credentials:
      file: {credentials}
      map: {{{secrets}}}
    continuous-wal: false
    objectives: {{full: 27h, incr: 2h, drill: 9d}}

state-directory: {state}

intervals: {{{intervals}}}
"""


def configuration(bed, intervals):
    """A configuration file for this bed, laid out as the documentation does."""
    options = bed.pgbackrest.repo2_options().items()
    secrets = bed.pgbackrest.repo2_secret_names().items()
    return CONFIGURATION.format(
        stanza=STANZA,
        conninfo=bed.postgres.conninfo,
        pgbackrest_conf=bed.pgbackrest.configuration,
        options="\n".join(f'      {name}: "{value}"' for name, value in options),
        credentials=bed.credentials_file,
        secrets=", ".join(f"{option}: {name}" for option, name in secrets),
        state=bed.place.path("data", "state"),
        intervals=", ".join(f"{name}: {value}" for name, value in intervals.items()),
    )


class Exporter:
    def __init__(self, bed, program, port, name="exporter"):
        self.port = port
        self.place = bed.place
        self.program = program
        self.process = Process(bed.place, name)
        self._log_begin = 0

    def start(self, text, flags=()):
        """Start with this configuration file; returns when /metrics answers."""
        file = self.place.write(f"{self.process.name}.yml", text)
        program = self.place.copy_program(self.program)
        self._log_begin = len(self.process.log_text())
        listen = f"--web.listen-address=127.0.0.1:{self.port}"
        self.process.start([program, f"--config.file={file}", listen, *flags])
        self.process.wait_ready(lambda: answers_ok(self.port, "/metrics"), 10)

    def stop(self):
        self.process.stop()

    def get(self, path, headers=None):
        return get(self.port, path, headers)

    @property
    def log(self):
        """What it has logged since its last start."""
        return self.process.log_text()[self._log_begin :]

    def sigterm_seconds(self):
        """Ask it to end with SIGTERM; how long that took."""
        begun = time.monotonic()
        self.process.signal(signal.SIGTERM)
        wait_until(lambda: not self.process.alive(), 30, "the exporter does not obey SIGTERM")
        if self.process.exit_status not in (0, None):
            raise BedError(f"SIGTERM ended the exporter with {self.process.exit_status}\n{self.process.log_tail()}")
        return time.monotonic() - begun
