"""Two repositories as a careful owner of one host has them.

Repository 1 is a folder, named in pgbackrest.conf; archive_command pushes there. Repository 2 is
on S3, defined by options and environment only, so that archive_command never needs its keys.
"""
import json
import secrets
import string
from dataclasses import dataclass

from s3 import BUCKET

STANZA = "main"
PROGRAM = "/usr/bin/pgbackrest"

CONFIGURATION = """\
[global]
repo1-path={root}/repo1
repo1-retention-full=7
archive-async=y
spool-path={root}/spool
lock-path={root}/lock
log-path={root}/pgbackrest-log
log-level-console=info
log-level-file=detail
process-max=2
start-fast=y
delta=y
compress-type=lz4

[main]
pg1-path={data}
pg1-port={port}
pg1-socket-path={socket}
"""


@dataclass(frozen=True)
class Credentials:
    key: str
    secret: str

    @classmethod
    def new(cls):
        letters = string.ascii_uppercase + string.digits
        return cls("AKIA" + "".join(secrets.choice(letters) for _ in range(16)), secrets.token_urlsafe(30))

    @classmethod
    def read(cls, path):
        values = dict(line.split("=", 1) for line in path.read_text().splitlines())
        return cls(values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"])

    def text(self):
        return f"AWS_ACCESS_KEY_ID={self.key}\nAWS_SECRET_ACCESS_KEY={self.secret}\n"


class PgBackRest:
    def __init__(self, place, postgres, s3):
        self.place = place
        self.postgres = postgres
        self.s3 = s3
        self.configuration = place.path("pgbackrest.conf")
        self.repo1 = place.path("repo1")

    def create(self):
        text = CONFIGURATION.format(
            root=self.place.root, data=self.postgres.data, port=self.postgres.port, socket=self.postgres.socket
        )
        self.place.write(self.configuration.name, text, 0o640)

    def repo2_options(self):
        """Repository 2 but for its keys: option names as after `repo2-`."""
        return {
            "type": "s3",
            "path": "/pgbackrest",
            "s3-bucket": BUCKET,
            "s3-endpoint": "localhost",
            "s3-region": "auto",
            "s3-uri-style": "path",
            "storage-port": str(self.s3.port),
            "storage-ca-file": str(self.s3.authority),
            "bundle": "y",
            "retention-full": "30",
        }

    def repo2_environment(self, credentials=None):
        keys = credentials or self.s3.credentials
        options = {**self.repo2_options(), "s3-key": keys.key, "s3-key-secret": keys.secret}
        return {f"PGBACKREST_REPO2_{name.upper().replace('-', '_')}": value for name, value in options.items()}

    def run(self, command, *options, repo=None, credentials=None, **how):
        """pgbackrest with both repositories; `repo` selects one. `how`: check and timeout, as Place.run()."""
        argv = [PROGRAM, f"--config={self.configuration}", f"--stanza={STANZA}"]
        argv += [f"--repo={repo}"] if repo else []
        return self.place.run([*argv, *options, command], self.repo2_environment(credentials), **how)

    def create_stanza(self):
        self.run("stanza-create")

    def backup(self, kind, repo):
        # archive_command does not push to repository 2: waiting for the WAL there would fail.
        unchecked = ["--no-archive-check"] if repo == 2 else []
        self.run("backup", f"--type={kind}", *unchecked, repo=repo)

    def info(self, repo, credentials=None):
        """The stanza's entry of `info --output=json` for one repository."""
        output = self.run("info", "--output=json", repo=repo, credentials=credentials).stdout
        return json.loads(output[output.index("[") :])[0]

    def move_repo1_away(self):
        self.repo1.rename(self.repo1.with_suffix(".away"))

    def move_repo1_back(self):
        self.repo1.with_suffix(".away").rename(self.repo1)
