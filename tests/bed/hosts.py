"""PostgreSQL and repository on two hosts that speak by pgBackRest's own TLS server.

Both hosts are this one: each has a configuration, a lock folder, a port and a server of its own.
"""
import socket

from pgbackrest import PROGRAM, STANZA, section
from process import Process, free_port

COMMON = """\
[global]
log-path={root}/pgbackrest-log
log-level-file=off
lock-path={locks}
start-fast=y
tls-server-address=127.0.0.1
tls-server-port={port}
tls-server-ca-file={tls}/ca.crt
tls-server-cert-file={tls}/hosts.crt
tls-server-key-file={tls}/hosts.key
tls-server-auth=localhost=*
"""
OTHER_HOST = """\
{prefix}-host=localhost
{prefix}-host-type=tls
{prefix}-host-port={port}
{prefix}-host-config={configuration}
{prefix}-host-ca-file={tls}/ca.crt
{prefix}-host-cert-file={tls}/hosts.crt
{prefix}-host-key-file={tls}/hosts.key
"""
READY_SECONDS = 20


class Host:
    """One side: its pgbackrest.conf and its server."""

    def __init__(self, bed, name):
        self.place = bed.place
        self.name = name
        self.port = free_port()
        self.configuration = bed.place.path(f"{name}.conf")
        self.locks = bed.place.path("lock", name)
        self.process = Process(bed.place, name)

    def write(self, text):
        self.place.run(["mkdir", "-p", self.locks])
        tls = self.place.path("tls")
        common = COMMON.format(root=self.place.root, locks=self.locks, port=self.port, tls=tls)
        self.place.write(self.configuration.name, common + text, 0o640)

    def as_seen_by_the_other(self, prefix):
        return OTHER_HOST.format(
            prefix=prefix, port=self.port, configuration=self.configuration, tls=self.place.path("tls")
        )

    def start(self):
        self.process.start([PROGRAM, f"--config={self.configuration}", "server"])
        self.process.wait_ready(self.accepts_connections, READY_SECONDS)

    def accepts_connections(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def run(self, command, *options):
        return self.place.run([PROGRAM, f"--config={self.configuration}", f"--stanza={STANZA}", *options, command])


class Hosts:
    """Repository 1 and PostgreSQL of a bed, each behind a host. start() and stop() both servers."""

    def __init__(self, bed):
        self.repository = Host(bed, "repository-host")
        self.postgres = Host(bed, "postgres-host")
        bed.s3.signer.sign("hosts")
        own = bed.pgbackrest.configuration.read_text()
        cluster = section(STANZA, bed.postgres)
        where = "".join(f"{line}\n" for line in own.splitlines() if line.startswith("repo1-"))
        self.repository.write(where + cluster + self.postgres.as_seen_by_the_other("pg1"))
        self.postgres.write(self.repository.as_seen_by_the_other("repo1") + cluster)

    def start(self):
        self.repository.start()
        self.postgres.start()

    def stop(self):
        self.repository.process.stop()
        self.postgres.process.stop()
