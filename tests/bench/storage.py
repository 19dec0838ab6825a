"""Outages of the storage: what the collectors mount and s3 say, when, and what it costs.

usage: storage.py [--program FILE] [PART...]       all parts without any

nfs          a real NFS client and server through every outage, with the intervals of the tests
nfs-default  the same with the default intervals
peer         the same mount watched by Debian's node_exporter, fetched for this
fuse         a file system whose callers cannot even be killed, for ten minutes
cpu          an hour of looks at the mounts and the object store
s3           every way the object store fails

Prints Markdown. docs/benchmark.md tells the method.
"""
import argparse
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.dont_write_bytecode = True
REPOSITORY = Path(__file__).resolve().parents[2]
sys.path += [str(REPOSITORY / "tests" / name) for name in ("bed", "nfs", "e2e")]

import mounts  # noqa: E402 - the folders must be on the path first
import test_s3  # noqa: E402
import uml  # noqa: E402
from bed import Bed  # noqa: E402
from conftest import Exporter, Metrics  # noqa: E402
from exporter import configuration  # noqa: E402
from hostile_s3 import HostileS3, answer, hang_before_tls, only_prefix  # noqa: E402
from measure import cpu, memory, scrape_many  # noqa: E402
from process import free_port, wait_until  # noqa: E402
from test_nfs import PATH, SCENARIOS  # noqa: E402
from web import get  # noqa: E402

# A relapse would be seen by the next look only.
DEFAULT_INTERVALS = {"interval": "15s", "deadline": "5s", "settle": 20}
SCRAPES = 500
HANG_SECONDS = 600
LOOK_SECONDS = 30
CPU_SECONDS = 240
SECONDS_PER_HOUR = 3600


def table(title, columns, rows):
    print(f"\n## {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


# ---- NFS, in User Mode Linux


def reason_of(text):
    metrics = Metrics.parse(text)
    return ", ".join(labels["reason"] for labels, _ in metrics.get("pgbackup_mount_error", []))


def lease_of(text):
    return Metrics.parse(text).value("pgbackup_nfs_lease_expired_seconds", **PATH)


def nfs_row(program, name, scenario):
    told = uml.tell(program, scrapes=SCRAPES, **scenario)
    away = told["outage"]
    return (
        name, told["seen_outage_s"], reason_of(away["metrics"]), lease_of(away["metrics"]),
        away["scrape_p50_ms"], away["scrape_p99_ms"], told["most_children"], told["seen_recovered_s"],
        told["relapses"], told["fewest_children"], told["stop_s"], sum(told["recovered"]["writes"].values()),
    )  # fmt: skip


def nfs(program, title="NFS: interval 1 s, deadline 4 s", changes=None):
    uml.prepare()
    columns = (
        "outage", "not responding after s", "reason", "lease over s", "scrape p50 ms", "p99 ms", "children at most",
        "responding again after s", "relapses", "children left", "SIGTERM to exit s", "writes",
    )  # fmt: skip
    rows = (nfs_row(program, name, {**scenario, **(changes or {})}) for name, scenario in SCENARIOS.items())
    table(title, columns, rows)
    idle = uml.tell(program, idle=True, **(changes or {}))
    print(
        f"\nNobody used the mount: after {idle['after_s']} s the kernel told of a lease over for "
        f"{idle['lease_expired_s']} s, with {len(idle['blocked'])} processes blocked."
    )


def nfs_default(program):
    nfs(program, "NFS: default intervals (15 s, deadline 5 s)", DEFAULT_INTERVALS)


@contextmanager
def node_exporter():
    """Debian's package, unpacked in a folder for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="pgbackup-peer-") as folder:
        fetch = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "prometheus-node-exporter"]
        subprocess.run(fetch, cwd=folder, check=True)
        package = next(Path(folder).glob("*.deb"))
        subprocess.run(["dpkg", "-x", package, folder], check=True)
        yield Path(folder, "usr/bin/prometheus-node-exporter")


def seconds_text(seconds):
    return "none within 10" if seconds is None else str(seconds)


def peer(program):
    uml.prepare()
    rows = []
    with node_exporter() as other:
        for name in ("hard-link-down", "hard-stop", "hard-v3", "soft"):
            told = uml.tell(program, peer=other, **SCENARIOS[name])
            looks = told["peer"]
            scrapes = ", ".join(seconds_text(each) for each in looks["outage"]["scrapes_s"])
            threads = f"{looks['outage']['threads_before']}, {looks['outage']['threads_after']}"
            rows.append((name, scrapes, threads, seconds_text(looks["recovered"]["scrapes_s"][0]), told["outage"]["scrape_p50_ms"]))
    columns = ("outage", "its first three scrapes s", "threads before, after", "scrape after the outage s", "ours p50 ms")
    table("node_exporter beside it", columns, rows)


# ---- a file system that lets nobody go


def state_of(space):
    """What the exporter costs, and whether it still sees the other mount."""
    pid = space.exporter.pid
    latencies = scrape_many(space.port, SCRAPES)
    metrics = Metrics.parse(get(space.port, "/metrics").text)
    looked = metrics.value("pgbackup_collector_last_success_timestamp_seconds", collector="mount", target=f"{space.root}/other")
    hung = metrics.value("pgbackup_mount_stuck_seconds", path=f"{space.root}/nas")
    return (
        f"{hung:.0f}", len(space.probes()), int(metrics.value("pgbackup_stuck_children")),
        f"{memory(pid).rss:.1f}", f"{memory(pid).anonymous:.1f}", f"{time.time() - looked:.1f}",
        f"{quantile(latencies, 0.5):.2f}", f"{quantile(latencies, 0.99):.2f}",
    )  # fmt: skip


def watch_two_mounts(space):
    nas, other = space.folder(), space.folder("other")
    space.fuse(nas)
    space.tmpfs(other)
    space.configure(f"{nas}/repo")
    (space.root / "pgbackrest.conf").write_text(
        f"[global]\nrepo1-path={nas}/repo\nrepo2-path={other}/repo\n[main]\npg1-path=/no\n"
    )
    space.start_exporter(flags=())
    wait_for_mount(space, 1)


def wait_for_mount(space, responding):
    """How long that took, in s."""
    begun = time.monotonic()
    path = f"{space.root}/nas"
    asked = lambda: Metrics.parse(get(space.port, "/metrics").text).value("pgbackup_mount_responding", path=path)
    wait_until(lambda: asked() == responding, 60, f"responding does not become {responding}")
    return time.monotonic() - begun


def fuse_rows(space):
    watch_two_mounts(space)
    time.sleep(LOOK_SECONDS)
    yield ("healthy", *state_of(space))
    space.order("hang")
    seen = wait_for_mount(space, 0)
    begun = time.monotonic()
    for at in (LOOK_SECONDS, HANG_SECONDS / 2, HANG_SECONDS):
        time.sleep(max(0, begun + at - time.monotonic()))
        yield (f"after {at:.0f} s", *state_of(space))
    space.order("")
    recovered = wait_for_mount(space, 1)
    time.sleep(LOOK_SECONDS)
    yield (f"recovered (seen after {seen:.1f} s, again after {recovered:.1f} s)", *state_of(space))


def fuse(program):
    space = mounts.MountSpace(program, free_port())
    columns = (
        "when", "stuck s", "children", "of them stuck", "RSS MiB", "anonymous MiB", "other mount seen s ago",
        "scrape p50 ms", "p99 ms",
    )  # fmt: skip
    try:
        table("A file system whose callers cannot be killed: interval 1 s", columns, fuse_rows(space))
    finally:
        space.close()


# ---- CPU


def only(program, collectors):
    """The flags that leave these on."""
    manual = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    known = re.findall(r"--\[no-\]collector\.(\w+)\n", manual)
    return [f"--no-collector.{name}" for name in known if name not in collectors]


def cpu_row(bed, program, collectors):
    exporter = Exporter(bed, program, free_port(), "exporter-" + "-".join(collectors))
    exporter.start(configuration(bed, {}), only(program, collectors))
    wait_until(lambda: exporter.get("/-/ready").status == 200, 30, "not ready")
    pid = exporter.process.pid
    before = cpu(pid)
    time.sleep(CPU_SECONDS)
    hour = (cpu(pid) - before) * (SECONDS_PER_HOUR / CPU_SECONDS)
    exporter.stop()
    return " and ".join(collectors), f"{hour.own:.2f}", f"{hour.children:.2f}"


def hour_of_cpu(program):
    with ExitStack() as stack:
        bed = Bed().start(alerting=False)
        stack.callback(bed.stop)
        rows = [cpu_row(bed, program, collectors) for collectors in (("mount", "s3"), ("mount",), ("s3",))]
    table("An hour of looks, default intervals", ("collectors", "own CPU s", "children's CPU s"), rows)


# ---- S3


def production(bed, **options):
    """Looks each second, so that the table is soon complete; each may take its default deadline."""
    return test_s3.text_for(bed, **options).replace(f"timeouts: {{s3: {test_s3.DEADLINE_SECONDS}s}}\n", "")


def secrets_of(bed):
    return [bed.s3.credentials.secret, bed.s3.credentials.key]


def skew_text(metrics):
    skew = metrics.value("pgbackup_clock_skew_seconds", source="s3")
    return "not told" if skew is None else f"{skew:.0f}"


def s3_row(bed, program, name, text, secrets=()):
    exporter = Exporter(bed, program, free_port(), f"exporter-{name.replace(' ', '-')}")
    exporter.start(text, (*test_s3.ONLY_S3, "--log.level=debug"))
    try:
        metrics = exporter.wait_for(lambda m: m.values("pgbackup_s3_up"), 60)
        everything = exporter.log + "".join(exporter.get(path).text for path in ("/", "/metrics"))
    finally:
        exporter.stop()
    found = [secret for secret in (*secrets_of(bed), *secrets) if secret in everything]
    return (
        name, int(metrics.value("pgbackup_s3_up")), ", ".join(test_s3.reasons(metrics)) or "-",
        f"{metrics.value('pgbackup_collector_duration_seconds', collector='s3'):.3f}",
        skew_text(metrics), len(found),
    )  # fmt: skip


REAL_FAULTS = {
    "hang": {"hang": True},
    "drip": {"drip": 100},
    "503": {"status": 503, "code": "SlowDown"},
    "301": {"status": 301, "code": "PermanentRedirect"},
    "clock refused": {"status": 403, "code": "RequestTimeTooSkewed"},
}


def rows_of_real_faults(bed, program):
    yield s3_row(bed, program, "sound", production(bed))
    for name, fault in REAL_FAULTS.items():
        bed.s3.break_with(**fault)
        try:
            yield s3_row(bed, program, name, production(bed))
        finally:
            bed.s3.repair()


def rows_of_settings(bed, program):
    own = bed.s3.credentials
    forged = {"wrong key": ("AKIAFORGEDFORGEDFORG", own.secret), "wrong secret": (own.key, "forged" * 6 + "forg")}
    settings = {
        "refused": {"storage_port": free_port()},
        "no such name": {"s3_endpoint": "no-such-host.invalid"},
        "no bucket": {"s3_bucket": "elsewhere"},
        "unknown authority": {"storage_ca_file": None},
    }
    for name, options in settings.items():
        yield s3_row(bed, program, name, production(bed, **options))
    for name, (key, secret) in forged.items():
        file = bed.place.write("forged.env", f"AWS_ACCESS_KEY_ID={key}\nAWS_SECRET_ACCESS_KEY={secret}\nREPO2_CIPHER_PASS=x\n")
        text = production(bed).replace(str(bed.credentials_file), str(file))
        yield s3_row(bed, program, name, text, (key, secret))


def rows_of_hostile_servers(bed, program):
    test_s3.certificate(bed, "expired", "DNS:localhost", "-days", "-1")
    test_s3.certificate(bed, "stranger", "DNS:stranger.example", "-days", "1")
    hour_ago = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - test_s3.HOUR))
    servers = {
        "clocks an hour apart": (answer(headers=[f"Date: {hour_ago}"]), "s3"),
        "hang before TLS": (hang_before_tls, "s3"),
        "expired certificate": (answer(), "expired"),
        "certificate of another name": (answer(), "stranger"),
        "policy of this prefix": (only_prefix(test_s3.PREFIX), "s3"),
        "policy of another prefix": (only_prefix("elsewhere%2F"), "s3"),
    }
    tls = bed.place.path("tls")
    for name, (behave, certificate) in servers.items():
        with HostileS3(behave, tls / f"{certificate}.key", tls / f"{certificate}.crt") as server:
            yield s3_row(bed, program, name, production(bed, storage_port=server.port))


def s3(program):
    with ExitStack() as stack:
        bed = Bed().start(alerting=False)
        stack.callback(bed.stop)
        rows = [
            *rows_of_real_faults(bed, program), *rows_of_settings(bed, program), *rows_of_hostile_servers(bed, program),
        ]  # fmt: skip
    columns = ("fault", "up", "reason", "verdict after s", "clock skew s", "secrets found")
    table("The object store: deadline 10 s", columns, rows)


PARTS = {"nfs": nfs, "nfs-default": nfs_default, "peer": peer, "fuse": fuse, "cpu": hour_of_cpu, "s3": s3}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=REPOSITORY / "build/release/pgbackup_exporter")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    arguments = parser.parse_args()
    for name in arguments.parts or PARTS:
        PARTS[name](arguments.program.resolve())


if __name__ == "__main__":
    main()
