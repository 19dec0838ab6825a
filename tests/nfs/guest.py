"""The story of one outage, told inside the guest: a server, a client that mounts it, the exporter.

Reads /story/scenario.json, writes /story/outcome.json. The server has a network namespace of its
own behind a veth pair, so that its end can be cut while the client stays as it is.
"""
import http.client
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

STORY = Path("/story")
SERVER, CLIENT = "10.9.0.2", "10.9.0.1"
PORT, PEER_PORT = 10854, 9100
MODULES = ("veth", "nfsd", "nfsv3", "nfsv4", "iptable_filter", "ipt_REJECT", "xt_tcpudp", "fuse")
LEASE_SECONDS = 10
QUIET_SECONDS = 20  # until then a child that was on its way has ended
WRITE_OPERATIONS = {"proc3": 7, "proc4ops": 38}  # where WRITE stands in /proc/net/rpc/nfsd


def run(command, check=True):
    return subprocess.run(command, shell=True, check=check, text=True, stdout=subprocess.PIPE).stdout


def on_server(command, check=True):
    # No new mount namespace, as ip-netns-exec makes one: what is exported must be seen by all.
    return run(f"nsenter --net=/run/netns/server sh -c '{command}'", check)


def connect_networks():
    run("ip link set lo up && ip netns add server && ip link add client0 type veth peer name server0")
    run("ip link set server0 netns server")
    run(f"ip addr add {CLIENT}/24 dev client0 && ip link set client0 up")
    on_server(f"ip addr add {SERVER}/24 dev server0 && ip link set server0 up && ip link set lo up")


def export_folder():
    on_server("exportfs -i -o rw,no_root_squash,no_subtree_check,fsid=0 *:/export")


def make_export():
    run("mount -t tmpfs -o size=64m export /export && mkdir -p /export/nas/pgbackrest")
    run("chown -R postgres /export/nas")


def start_server():
    make_export()
    run("mkdir -p /var/lib/nfs/sm /var/lib/nfs/v4recovery && touch /var/lib/nfs/etab /var/lib/nfs/rmtab")
    on_server("mount -t nfsd nfsd /proc/fs/nfsd && rpcbind && rpc.mountd --port 20048")
    on_server(f"echo {LEASE_SECONDS} >/proc/fs/nfsd/nfsv4leasetime; echo {LEASE_SECONDS} >/proc/fs/nfsd/nfsv4gracetime")
    export_folder()
    on_server("rpc.nfsd 4")


def mount_nas(scenario):
    version = scenario["version"]
    path = "/export/nas" if version == "3" else "/nas"
    more = ",nolock,proto=tcp,mountproto=tcp" if version == "3" else ""
    run(f"mount -t nfs -o vers={version},{scenario['options']}{more} {SERVER}:{path} /nfs")


def renew_export():
    on_server("exportfs -ua; exportfs -f; umount -l /export")
    make_export()
    export_folder()


def remount(scenario):
    run("umount -l /nfs")
    mount_nas(scenario)


RULE = "iptables-legacy -{} INPUT -i server0 {}"
RESET = "-p tcp -j REJECT --reject-with tcp-reset"
# What begins an outage and what ends it.
OUTAGES = {
    "link-down": ("ip link set server0 down", "ip link set server0 up"),
    "drop": (RULE.format("A", "-j DROP"), RULE.format("D", "-j DROP")),
    "reset": (RULE.format("A", RESET), RULE.format("D", RESET)),
    "stop": ("rpc.nfsd 0", "rpc.nfsd 4"),
    "unexport": ("exportfs -ua; exportfs -f", "exportfs -i -o rw,no_root_squash,no_subtree_check,fsid=0 *:/export"),
}


def begin_outage(scenario):
    if scenario["outage"] == "stale":
        renew_export()
        return
    on_server(OUTAGES[scenario["outage"]][0])


def end_outage(scenario):
    if scenario["outage"] == "stale":
        remount(scenario)
        return
    on_server(OUTAGES[scenario["outage"]][1])


CONFIGURATION = """\
postgres: []
pgbackrest: {config: /tmp/pgbackrest.conf, stanzas: [main]}
repositories:
  - {key: 1, name: nas, mount: {path: /nfs, filesystem: nfs}}
intervals: {mount: MOUNT, backups: 2s}
timeouts: {mount: DEADLINE, backups: 10s}
"""
PGBACKREST_CONF = "[global]\nrepo1-path=/nfs/pgbackrest\nlog-path=/tmp\nlock-path=/tmp\n[main]\npg1-path=/tmp/pg\n"


def configure(scenario):
    Path("/tmp/pgbackrest.conf").write_text(PGBACKREST_CONF)
    text = CONFIGURATION.replace("MOUNT", scenario["interval"]).replace("DEADLINE", scenario["deadline"])
    Path("/tmp/exporter.yml").write_text(text)


class Exporter:
    def __init__(self, scenario, port):
        self.port = port
        # Outside the mount: its own log must not hang with what it watches.
        self.log = open(f"/story/exporter-{port}.log", "ab")
        command = [scenario["program"], "--config.file=/tmp/exporter.yml", f"--web.listen-address=127.0.0.1:{port}"]
        self.process = subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def scrape(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def value(self, series):
        """The value of a series, named as on the page; None when it is not there."""
        for line in self.scrape().splitlines():
            name, _, value = line.rpartition(" ")
            if name == series:
                return float(value)
        return None

    def wait_until(self, series, value, seconds):
        """Seconds until the series has the value; None when it has not by then."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            try:
                if self.value(series) == value:
                    return round(time.monotonic() - begun, 2)
            except OSError:
                pass
            time.sleep(0.1)
        return None

    def settle(self, series, value, seconds):
        """Wait until it has had the value for so long: a soft mount errs once more as it recovers.

        How often it lost the value again, and the fewest children in the quiet time at the end:
        one that does not leave is one too many, one that comes and goes is a poll. The quiet time
        lasts until there is a moment without any, but not for ever.
        """
        begun, relapses, fewest = time.monotonic(), 0, None
        while time.monotonic() - begun < (QUIET_SECONDS if fewest else seconds):
            if self.value(series) != value:
                self.wait_until(series, value, 60)
                begun, relapses, fewest = time.monotonic(), relapses + 1, None
            count = self.children()
            fewest = count if fewest is None else min(fewest, count)
            time.sleep(0.05)
        return {"relapses": relapses, "fewest_children": fewest}

    def most_children(self, seconds):
        """The most that it had at once within so many seconds."""
        most, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            most = max(most, self.children())
            time.sleep(0.05)
        return most

    def latencies(self, count):
        """Milliseconds of so many scrapes over one connection, sorted."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        taken = []
        for _ in range(count):
            begun = time.monotonic()
            connection.request("GET", "/metrics")
            connection.getresponse().read()
            taken.append((time.monotonic() - begun) * 1000)
        connection.close()
        return sorted(taken)

    def children(self):
        found = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return sum(len(file.read_text().split()) for file in found)

    def stop_seconds(self):
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return round(time.monotonic() - begun, 2)


def percentile(values, share):
    return round(values[min(len(values) - 1, int(len(values) * share))], 2)


def snapshot(exporter, scrapes):
    latencies = exporter.latencies(scrapes)
    return {
        "metrics": exporter.scrape(),
        "scrape_p50_ms": percentile(latencies, 0.5),
        "scrape_p99_ms": percentile(latencies, 0.99),
        "mountinfo": Path("/proc/self/mountinfo").read_text(),
        "writes": writes_seen(),
    }


def writes_seen():
    """Write calls that the server has answered, by protocol."""
    lines = on_server("cat /proc/net/rpc/nfsd", check=False).splitlines()
    fields = {line.split()[0]: line.split()[2:] for line in lines if line.split()}
    return {name: int(fields[name][at]) for name, at in WRITE_OPERATIONS.items() if name in fields}


class Peer:
    """node_exporter, which looks at the same mount when it is scraped."""

    def __init__(self, program):
        # It takes the list of mounts from process 1, which has another root than the rest here.
        Path("/tmp/peer").mkdir()
        Path("/tmp/peer/1").symlink_to("/proc/self")
        command = [program, "--path.procfs=/tmp/peer", "--collector.disable-defaults", "--collector.filesystem"]
        command.append(f"--web.listen-address=127.0.0.1:{PEER_PORT}")
        self.process = subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stderr=open("/story/peer.log", "ab"))
        while self.scrape_seconds(1) is None:
            time.sleep(0.2)

    def scrape_seconds(self, limit):
        """None when the answer takes longer than that."""
        begun = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", PEER_PORT, timeout=limit)
        try:
            connection.request("GET", "/metrics")
            connection.getresponse().read()
        except OSError:
            return None
        finally:
            connection.close()
        return round(time.monotonic() - begun, 2)

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def look(self, scrapes):
        """What so many scrapes cost, each given up as Prometheus does."""
        before = self.threads()
        taken = [self.scrape_seconds(PROMETHEUS_PATIENCE_SECONDS) for _ in range(scrapes)]
        return {"scrapes_s": taken, "threads_before": before, "threads_after": self.threads()}


RESPONDING = 'pgbackup_mount_responding{path="/nfs"}'
PROMETHEUS_PATIENCE_SECONDS = 10


def watch(scenario):
    peer = Peer(scenario["peer"]) if scenario["peer"] else None
    exporter = Exporter(scenario, PORT)
    outcome = {"seen_healthy_s": exporter.wait_until(RESPONDING, 1, 30), "peer": {}}
    time.sleep(1)
    outcome["healthy"] = snapshot(exporter, scenario["scrapes"])
    begun = time.monotonic()
    begin_outage(scenario)
    outcome["seen_outage_s"] = exporter.wait_until(RESPONDING, 0, scenario["notice"])
    wait_for_lease(begun)
    outcome.update(live_in_outage(scenario, exporter))
    if peer:
        outcome["peer"]["outage"] = peer.look(3)
    end_outage(scenario)
    outcome["seen_recovered_s"] = exporter.wait_until(RESPONDING, 1, scenario["recover"])
    outcome.update(exporter.settle(RESPONDING, 1, scenario["settle"]))
    outcome["recovered"] = snapshot(exporter, scenario["scrapes"])
    if peer:
        outcome["peer"]["recovered"] = peer.look(1)
    return outcome | last_words(exporter)


def live_in_outage(scenario, exporter):
    """A second exporter comes and goes meanwhile: it begins in the outage and ends in it."""
    second = Exporter(scenario, PORT + 1)
    most = exporter.most_children(scenario["stay"])
    away = snapshot(exporter, scenario["scrapes"])
    known = second.wait_until(RESPONDING, 0, scenario["notice"])
    return {"most_children": most, "outage": away, "second_knows": known is not None, "stop_s": second.stop_seconds()}


def last_words(exporter):
    return {"final_stop_s": exporter.stop_seconds(), "log": Path(exporter.log.name).read_text(errors="replace")}


def watch_idle(scenario):
    """Nobody uses the mount when the server goes: what the kernel tells before a call hangs."""
    begun = time.monotonic()
    begin_outage(scenario)
    wait_for_lease(begun)
    outcome = {"lease_expired_s": lease_expired(), "after_s": round(time.monotonic() - begun, 1), "blocked": blocked()}
    exporter = Exporter(scenario, PORT)
    outcome["seen_outage_s"] = exporter.wait_until(RESPONDING, 0, scenario["notice"])
    return outcome | {"metrics": exporter.scrape()} | last_words(exporter)


def wait_for_lease(begun):
    """Until the client has lost its lease, if the outage is one in which it does."""
    while lease_expired() == 0 and time.monotonic() - begun < 3 * LEASE_SECONDS:
        time.sleep(0.2)


def lease_expired():
    """Seconds, as the kernel counts them; None of a version without leases."""
    found = re.search(r"lease_expired=(\d+)", Path("/proc/self/mountstats").read_text())
    return int(found.group(1)) if found else None


def blocked():
    """Processes that wait in the kernel; its own threads, which have no command line, are not meant."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue  # it has ended
        if command and state == "D":
            found.append(command)
    return found


def main():
    scenario = json.loads((STORY / "scenario.json").read_text())
    for module in MODULES:
        run(f"modprobe {module}")
    connect_networks()
    start_server()
    mount_nas(scenario)
    configure(scenario)
    outcome = watch_idle(scenario) if scenario["idle"] else watch(scenario)
    (STORY / "outcome.json").write_text(json.dumps(outcome))
    os.sync()


main()
