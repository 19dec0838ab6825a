"""Two repositories as a careful owner of one host has them.

Repository 1 is a folder, named in pgbackrest.conf; archive_command pushes there. Repository 2 is
on S3, defined by options and environment only, so that archive_command never needs its keys.
Both may be encrypted, each with a passphrase of its own.
"""
import json
import secrets
import string
from dataclasses import astuple, dataclass

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
"""
SECTION = """
[{stanza}]
pg1-path={data}
pg1-port={port}
pg1-socket-path={socket}
"""
CIPHER = "aes-256-cbc"


# Of a Credentials' fields, in a file as systemd's EnvironmentFile= reads it.
CREDENTIAL_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "REPO1_CIPHER_PASS", "REPO2_CIPHER_PASS")


@dataclass(frozen=True)
class Credentials:
    key: str
    secret: str
    repo1_passphrase: str = ""
    repo2_passphrase: str = ""

    @classmethod
    def new(cls):
        letters = string.ascii_uppercase + string.digits
        key = "AKIA" + "".join(secrets.choice(letters) for _ in range(16))
        return cls(key, *(secrets.token_urlsafe(30) for _ in range(3)))

    @classmethod
    def read(cls, path):
        values = dict(line.split("=", 1) for line in path.read_text().splitlines())
        return cls(*(values[name] for name in CREDENTIAL_NAMES))

    def text(self):
        return "".join(f"{name}={value}\n" for name, value in zip(CREDENTIAL_NAMES, astuple(self)))


def section(stanza, postgres):
    """What pgbackrest.conf says of a cluster on the same host."""
    return SECTION.format(stanza=stanza, data=postgres.data, port=postgres.port, socket=postgres.socket)


class PgBackRest:
    def __init__(self, place, postgres, s3, encrypted=False):
        self.place = place
        self.postgres = postgres
        self.s3 = s3
        self.encrypted = encrypted
        self.configuration = place.path("pgbackrest.conf")
        self.repo1 = place.path("repo1")

    def create(self):
        text = CONFIGURATION.format(root=self.place.root)
        if self.encrypted:
            text += f"repo1-cipher-type={CIPHER}\nrepo1-cipher-pass={self.s3.credentials.repo1_passphrase}\n"
        self.place.write(self.configuration.name, text, 0o640)
        self.add_section(STANZA, self.postgres)

    def add_section(self, stanza, postgres):
        """Let pgbackrest.conf know the cluster of one more stanza."""
        text = self.configuration.read_text() + section(stanza, postgres)
        self.place.write(self.configuration.name, text, 0o640)

    def repo2_options(self):
        """Repository 2 but for its secrets: option names as after `repo2-`."""
        cipher = {"cipher-type": CIPHER} if self.encrypted else {}
        return {
            **cipher,
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

    def repo2_secret_names(self):
        """The secrets of repository 2 and their names in the credentials' file."""
        names = {"s3-key": "AWS_ACCESS_KEY_ID", "s3-key-secret": "AWS_SECRET_ACCESS_KEY"}
        return {**names, "cipher-pass": "REPO2_CIPHER_PASS"} if self.encrypted else names

    def repo2_secrets(self, credentials=None):
        values = dict(zip(CREDENTIAL_NAMES, astuple(credentials or self.s3.credentials)))
        return {option: values[name] for option, name in self.repo2_secret_names().items()}

    def repo2_environment(self, credentials=None):
        options = {**self.repo2_options(), **self.repo2_secrets(credentials)}
        return {f"PGBACKREST_REPO2_{name.upper().replace('-', '_')}": value for name, value in options.items()}

    def configuration_with_repo2(self, name, **changes):
        """A second pgbackrest.conf that names repository 2 as well. `changes`: s3_key=None is one without s3-key."""
        changes = {option.replace("_", "-"): value for option, value in changes.items()}
        options = {**self.repo2_options(), **self.repo2_secrets(), **changes}
        lines = "".join(f"repo2-{option}={value}\n" for option, value in options.items() if value is not None)
        text = self.configuration.read_text().replace("[global]\n", f"[global]\n{lines}", 1)
        return self.place.write(name, text, 0o640)

    def run(self, command, *options, repo=None, credentials=None, stanza=STANZA, **how):
        """pgbackrest with both repositories; `repo` selects one. `how`: check and timeout, as Place.run()."""
        argv = [PROGRAM, f"--config={self.configuration}", f"--stanza={stanza}"]
        argv += [f"--repo={repo}"] if repo else []
        return self.place.run([*argv, *options, command], self.repo2_environment(credentials), **how)

    def create_stanza(self, stanza=STANZA):
        self.run("stanza-create", stanza=stanza)

    def backup(self, kind, repo, stanza=STANZA):
        # archive_command does not push to repository 2: waiting for the WAL there would fail.
        unchecked = ["--no-archive-check"] if repo == 2 else []
        self.run("backup", f"--type={kind}", *unchecked, repo=repo, stanza=stanza)

    def info(self, repo, credentials=None):
        """The stanza's entry of `info --output=json` for one repository."""
        output = self.run("info", "--output=json", repo=repo, credentials=credentials).stdout
        return json.loads(output[output.index("[") :])[0]

    def move_repo1_away(self):
        self.repo1.rename(self.repo1.with_suffix(".away"))

    def move_repo1_back(self):
        self.repo1.with_suffix(".away").rename(self.repo1)
