"""The s3 collector: each way an object store can fail has its reason, within its deadline."""
import re
import subprocess
import time

import pytest
from exporter import configuration
from hostile_s3 import (
    LISTING, HostileS3, answer, endless, error, hang_after_tls, hang_before_tls, no_http, no_tls, only_prefix, raw,
)  # fmt: skip
from process import free_port, wait_until

DEADLINE_SECONDS = 2
# One poll takes its deadline at most; the machine may be busy.
SLACK_SECONDS = 1
LABELS = {"stanza": "main", "repo_key": "2"}
ONLY_S3 = ("--no-collector.archiver", "--no-collector.backups", "--no-collector.wal")
PREFIX = "pgbackrest%2Farchive%2Fmain%2F"
HOUR = 3600


def text_for(bed, **options):
    """The bed's configuration with other options of repository 2; storage_port=None leaves one out."""
    text = configuration(bed, {"s3": "1s"}) + f"timeouts: {{s3: {DEADLINE_SECONDS}s}}\n"
    for name, value in options.items():
        name = name.replace("_", "-")
        line = f'      {name}: "{value}"\n' if value is not None else ""
        known = re.compile(rf"^      {name}: .*\n", re.M)
        text = known.sub(line, text) if known.search(text) else text.replace("    options:\n", "    options:\n" + line)
    return text


@pytest.fixture
def probe(bed, start_exporter):
    """probe(**options): an exporter that runs only the s3 collector."""

    def start(**options):
        return start_exporter(bed, text=text_for(bed, **options), flags=ONLY_S3)

    return start


@pytest.fixture
def hostile(bed, probe):
    """hostile(behave): an exporter whose repository 2 is served by a server that misbehaves."""
    servers = []

    def start(behave, name="s3", address="127.0.0.1", **options):
        tls = bed.place.path("tls")
        server = HostileS3(behave, tls / f"{name}.key", tls / f"{name}.crt", address).__enter__()
        servers.append(server)
        return probe(storage_port=server.port, **options)

    yield start
    for server in servers:
        server.__exit__()


def certificate(bed, name, names, *validity):
    """tls/NAME.crt of the bed's authority for these names."""
    tls = bed.place.path("tls")
    extensions = bed.place.write(f"tls/{name}.extensions", f"subjectAltName = {names}\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", tls / f"{name}.key"]
    bed.place.run(["openssl", "req", *key, "-subj", f"/CN={name}", "-out", tls / f"{name}.csr"])
    bed.place.run(
        ["openssl", "x509", "-req", "-in", tls / f"{name}.csr", "-CA", bed.s3.authority, "-CAkey", tls / "ca.key"]
        + ["-CAcreateserial", *validity, "-extfile", extensions, "-out", tls / f"{name}.crt"]
    )


def expiry_of(file):
    output = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in", file], capture_output=True, check=True)
    return time.mktime(time.strptime(output.stdout.decode().strip(), "notAfter=%b %d %H:%M:%S %Y GMT")) - time.timezone


def up(metrics):
    return metrics.value("pgbackup_s3_up", **LABELS) == 1


def down(metrics):
    return metrics.value("pgbackup_s3_up", **LABELS) == 0


def reasons(metrics):
    return [labels["reason"] for labels, value in metrics.get("pgbackup_s3_error", []) if value == 1]


def expect_reason(exporter, reason):
    """The verdict comes within the deadline of one poll; the scrape that says so."""
    metrics = exporter.wait_for(down, 15)
    assert reasons(metrics) == [reason], exporter.log
    took = metrics.value("pgbackup_collector_duration_seconds", collector="s3")
    assert took < DEADLINE_SECONDS + SLACK_SECONDS
    assert metrics.value("pgbackup_collector_success", collector="s3") == 1
    return metrics


def test_a_sound_store_is_up_and_tells_times_status_and_certificate(bed, probe):
    metrics = probe().wait_for(up, 15)
    assert reasons(metrics) == []
    assert metrics.value("pgbackup_s3_http_status_code", **LABELS) == 200
    phases = {labels["phase"] for labels, _ in metrics["pgbackup_s3_probe_duration_seconds"]}
    assert phases == {"dns", "connect", "tls", "response"}
    expiry = metrics.value("pgbackup_s3_tls_certificate_expiry_timestamp_seconds", **LABELS)
    assert expiry == expiry_of(bed.place.path("tls", "s3.crt"))
    assert metrics.value("pgbackup_clock_skew_seconds", source="s3", **LABELS) == 0


def test_the_page_says_that_writing_is_not_tried(probe):
    exporter = probe()
    exporter.wait_for(up, 15)
    assert "whether they may write is not tried" in exporter.get("/").text


def test_a_server_that_refuses_connections(probe):
    expect_reason(probe(storage_port=free_port()), "connect")


def test_a_name_that_does_not_exist(probe):
    expect_reason(probe(s3_endpoint="no-such-host.invalid"), "dns")


def test_a_bucket_that_does_not_exist(probe):
    metrics = expect_reason(probe(s3_bucket="elsewhere"), "bucket")
    assert metrics.value("pgbackup_s3_http_status_code", **LABELS) == 404


def with_credentials(bed, name, key, secret):
    """A configuration with a credentials file of its own."""
    file = bed.place.write(name, f"AWS_ACCESS_KEY_ID={key}\nAWS_SECRET_ACCESS_KEY={secret}\nREPO2_CIPHER_PASS=x\n")
    return text_for(bed).replace(str(bed.credentials_file), str(file))


@pytest.mark.parametrize("wrong", ["key", "secret"])
def test_credentials_that_are_refused_are_found_in_no_text(bed, start_exporter, wrong):
    own = bed.s3.credentials
    forged = {"key": ("AKIAFORGEDFORGEDFORG", own.secret), "secret": (own.key, "forged/forged/forged+forged/forged+forge")}
    text = with_credentials(bed, "forged.env", *forged[wrong])
    exporter = start_exporter(bed, text=text, flags=(*ONLY_S3, "--log.level=debug"))
    expect_reason(exporter, "auth")
    everything = exporter.log + exporter.get("/").text + exporter.get("/metrics").text
    for value in (*forged[wrong], own.key, own.secret):
        assert value not in everything


def test_a_rotated_key_just_works(bed, start_exporter):
    own = bed.s3.credentials
    exporter = start_exporter(bed, text=with_credentials(bed, "rotated.env", own.key, "x" * 40), flags=ONLY_S3)
    expect_reason(exporter, "auth")
    with_credentials(bed, "rotated.env", own.key, own.secret)
    exporter.wait_for(up, 15)
    assert exporter.log.count("target is down") == 1
    assert exporter.log.count("target is well again") == 1


def test_missing_credentials_are_a_matter_of_configuration(bed, start_exporter):
    text = text_for(bed).replace(str(bed.credentials_file), str(bed.place.path("nowhere.env")))
    expect_reason(start_exporter(bed, text=text, flags=ONLY_S3), "config")


@pytest.mark.parametrize(
    "fault, reason",
    [
        ({"status": 503, "code": "SlowDown"}, "other"),
        ({"status": 301, "code": "PermanentRedirect"}, "redirect"),
        ({"status": 400, "code": "AuthorizationHeaderMalformed"}, "redirect"),
        ({"status": 403, "code": "AccessDenied"}, "permission"),
        ({"status": 403, "code": "RequestTimeTooSkewed"}, "clock_skew"),
        ({"status": 400, "code": "ExpiredToken"}, "auth"),
        ({"hang": True}, "timeout"),
        ({"drip": 100}, "timeout"),
    ],
)
def test_faults_of_a_real_server(bed, probe, fault, reason):
    exporter = probe()
    exporter.wait_for(up, 15)
    bed.s3.break_with(**fault)
    try:
        expect_reason(exporter, reason)
    finally:
        bed.s3.repair()
    exporter.wait_for(up, 15)


@pytest.mark.parametrize(
    "behave, reason",
    [
        (hang_before_tls, "timeout"),
        (hang_after_tls, "timeout"),
        (no_tls, "tls"),
        (no_http, "protocol"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"x-filler: 1234567890\r\n" * 100), "protocol"),
        (endless(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", b" " * 65536), "protocol"),
        (endless(b"HTTP/1.1 200 OK\r\n\r\n", b" ", 0.05), "timeout"),
        (endless(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "protocol"),
        (answer(body=b"<html>Welcome to the hotel</html>"), "protocol"),
        (answer("302 Found", b"", ["Location: https://localhost:1/"]), "redirect"),
        (error("404 Not Found", "NoSuchBucket"), "bucket"),
        (answer("302 Found", b"", ["Location: file:///etc/passwd"]), "redirect"),
        (endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b" " * 32768 + b"\r\n"), "protocol"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n<ListBucketResult>"), "protocol"),
        (raw(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)), "protocol"),
    ],
    ids=[
        "hang before TLS", "hang after TLS", "no TLS", "no HTTP", "endless header", "10 GB", "drip feed",
        "endless interim answers", "captive portal", "redirect", "no bucket",
        "redirect to a file", "endless chunks", "cut short", "HTTP/2 unasked",
    ],
)  # fmt: skip
def test_a_hostile_server_gets_its_reason_in_time(hostile, behave, reason):
    expect_reason(hostile(behave), reason)


def test_a_redirect_tells_the_right_region(hostile):
    moved = error("301 Moved Permanently", "PermanentRedirect", "<Endpoint>bed.s3.eu-west-1.amazonaws.com</Endpoint>")
    exporter = hostile(moved)
    expect_reason(exporter, "redirect")
    assert "bed.s3.eu-west-1.amazonaws.com" in exporter.get("/").text


def test_a_policy_limited_to_the_repository_is_up(hostile):
    hostile(only_prefix(PREFIX)).wait_for(up, 15)


def test_a_policy_limited_to_another_repository_is_a_missing_permission(hostile):
    expect_reason(hostile(only_prefix("elsewhere%2F")), "permission")


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_an_hour_apart_are_measured(hostile, hours):
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - hours * HOUR))
    exporter = hostile(answer(headers=[f"Date: {date}"]))
    metrics = exporter.wait_for(up, 15)
    assert metrics.value("pgbackup_clock_skew_seconds", source="s3") == pytest.approx(hours * HOUR, abs=60)
    assert "clock is" in exporter.get("/").text


def test_an_expired_certificate_is_refused_and_its_end_is_told(bed, hostile):
    certificate(bed, "expired", "DNS:localhost", "-days", "0")
    ends = expiry_of(bed.place.path("tls", "expired.crt"))
    wait_until(lambda: time.time() > ends + 1, 10, "the certificate does not expire")
    metrics = expect_reason(hostile(answer(), "expired"), "tls")
    expiry = metrics.value("pgbackup_s3_tls_certificate_expiry_timestamp_seconds")
    assert expiry == ends


@pytest.mark.parametrize("count, verdict", [(1000, "taken"), (40000, "refused")])
def test_a_certificate_with_very_many_names_does_no_harm(bed, hostile, count, verdict):
    names = ",".join(f"DNS:n{number:06}.example" for number in range(count))
    certificate(bed, f"names-{count}", f"DNS:localhost,{names}", "-days", "1")
    exporter = hostile(answer(), f"names-{count}")
    if verdict == "taken":
        exporter.wait_for(up, 15)
    else:
        expect_reason(exporter, "tls")


def test_a_listing_in_chunks_is_taken(hostile):
    chunk = f"{len(LISTING):x}\r\n".encode() + LISTING + b"\r\n0\r\n\r\n"
    hostile(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)).wait_for(up, 15)


def test_a_certificate_of_another_name_is_refused(bed, hostile):
    certificate(bed, "stranger", "DNS:stranger.example", "-days", "1")
    expect_reason(hostile(answer(), "stranger"), "tls")


def test_the_certificate_must_hold_the_name_of_the_storage_host(bed, hostile):
    certificate(bed, "localhost", "DNS:localhost", "-days", "1")
    hostile(answer(), "localhost", s3_endpoint="s3.example.com", storage_host="localhost").wait_for(up, 15)


def test_an_unknown_authority_is_refused(probe):
    expect_reason(probe(storage_ca_file=None), "tls")


def test_an_unknown_authority_is_taken_when_nothing_is_verified(probe):
    exporter = probe(storage_ca_file=None, storage_verify_tls="n")
    exporter.wait_for(up, 15)
    assert "its certificate is not verified" in exporter.get("/").text


def test_an_authority_file_that_is_not_there_is_a_matter_of_configuration(probe):
    expect_reason(probe(storage_ca_file="/nowhere/ca.crt"), "config")


def test_an_address_of_version_6_is_reached(bed, hostile):
    certificate(bed, "six", "IP:::1", "-days", "1")
    hostile(answer(), "six", "::1", s3_endpoint="[::1]").wait_for(up, 15)


@pytest.mark.parametrize("kind", ["auto", "web-id"])
def test_without_keys_of_its_own_nothing_is_claimed_but_an_answer(hostile, kind):
    exporter = hostile(error("403 Forbidden", "AccessDenied"), s3_key_type=kind)
    metrics = exporter.wait_for(lambda m: "pgbackup_s3_probe_duration_seconds" in m, 15)
    assert "pgbackup_s3_up" not in metrics
    assert "pgbackup_s3_http_status_code" not in metrics
    assert metrics.value("pgbackup_s3_tls_certificate_expiry_timestamp_seconds") > time.time()
    assert "whether they are accepted is not tried" in exporter.get("/").text


def test_a_hanging_server_does_not_delay_the_end(hostile):
    exporter = hostile(hang_after_tls)
    wait_until(lambda: exporter.metrics().values("pgbackup_collector_running_seconds", collector="s3"), 15, "no probe")
    assert exporter.sigterm_seconds() < 2
