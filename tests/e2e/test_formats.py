"""What one asks for is what one gets: formats, encodings, addresses."""
import gzip
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from alerting import Prometheus
from conftest import REPOSITORY, Metrics
from place import Place
from process import Account, free_port, wait_until
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families
from recorder import Recorder
from web import ask, connect

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
ASK_OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
ASK_TEXT = "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def all_seen(metrics):
    """Collectors start one after the other; the last to say something combines what others saw."""
    judged = len(metrics.values("pgbackrest_backups_restorable")) == 2
    return judged and metrics.values("pg_stat_archiver_archived_count")


@pytest.fixture(name="watching")
def watching_exporter(exporter):
    exporter.wait_for(all_seen, 30)
    return exporter


def names_of(families):
    return {sample.name for family in families for sample in family.samples}


# ---- formats ----


def test_without_a_wish_one_gets_text(watching):
    answer = watching.get("/metrics")
    assert answer.headers["Content-Type"] == TEXT
    assert "# EOF" not in answer.text


def test_openmetrics_is_served_to_who_asks_for_it_and_an_independent_parser_reads_it(watching):
    answer = watching.get("/metrics", ASK_OPENMETRICS)
    assert answer.headers["Content-Type"] == OPENMETRICS
    assert answer.text.endswith("\n# EOF\n")
    families = list(openmetrics_parser.text_string_to_metric_families(answer.text))
    assert {"pgbackrest_repo_up", "pg_stat_archiver_archived_count", "pgbackup_collector_failures_total"} <= names_of(
        families
    )


def test_both_formats_tell_the_same_series(watching):
    def series(families):
        samples = [sample for family in families for sample in family.samples]
        return {(s.name.removesuffix("_total"), frozenset(s.labels.items())) for s in samples}

    openmetrics = watching.get("/metrics", ASK_OPENMETRICS).text
    text = watching.get("/metrics").text
    assert series(openmetrics_parser.text_string_to_metric_families(openmetrics)) == series(
        text_string_to_metric_families(text)
    )


@pytest.mark.parametrize("accept", ["application/openmetrics-text;q=0", "application/openmetrics-text;version=9.9.9"])
def test_a_format_that_is_refused_or_unknown_is_not_sent(watching, accept):
    assert watching.get("/metrics", {"Accept": accept}).headers["Content-Type"] == TEXT


# ---- encodings ----


def raw(exporter, path="/metrics", method="GET", **headers):
    return ask(connect(exporter.port), path, {name.replace("_", "-"): value for name, value in headers.items()}, method)


def steady_lines(page):
    return [line for line in page.decode().splitlines() if line.startswith("#")]


def test_a_gzip_body_holds_what_an_uncompressed_one_holds(watching):
    _, headers, packed = raw(watching, Accept_Encoding="gzip")
    _, _, plain = raw(watching, Accept_Encoding="identity")
    assert headers["Content-Encoding"] == "gzip"
    assert len(packed) < len(plain) / 3
    assert steady_lines(gzip.decompress(packed)) == steady_lines(plain)
    assert Metrics.parse(gzip.decompress(packed).decode()).keys() == Metrics.parse(plain.decode()).keys()


@pytest.mark.parametrize("refusal", ["gzip;q=0", "gzip;q=0, *", "identity, gzip;q=0.5", "br", ""])
def test_who_does_not_want_gzip_gets_none(watching, refusal):
    _, headers, body = raw(watching, Accept_Encoding=refusal)
    assert headers["Content-Encoding"] is None
    assert body.startswith(b"# HELP ")


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_head_tells_of_the_encoding_and_the_length_of_get(watching, encoding):
    """A page differs a little from one scrape to the next; gzip makes it less than a third."""
    _, got, body = raw(watching, "/metrics", Accept_Encoding=encoding)
    _, told, nothing = raw(watching, "/metrics", "HEAD", Accept_Encoding=encoding)
    assert nothing == b""
    assert told["Content-Encoding"] == got["Content-Encoding"]
    assert abs(int(told["Content-Length"]) - len(body)) < len(body) / 20


def test_the_status_page_is_compressed_too(watching):
    status, headers, packed = raw(watching, "/", Accept_Encoding="gzip, deflate, br")
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(packed).startswith(b"<!doctype html>")


# ---- Prometheus ----


@pytest.fixture(name="scrape")
def start_prometheus(watching):
    """scrape(headers): a Prometheus of its own reads the exporter; what was negotiated."""
    started = []

    def scrape(headers=None, program=Prometheus.program):
        place = Place(Path(tempfile.mkdtemp(prefix="pgbackup-formats-")), Account.choose())
        place.create()
        recorder = Recorder(watching.port, headers)
        prometheus = Prometheus(place, free_port(), free_port(), recorder.port, "1s")
        prometheus.program = program
        started.append((prometheus, recorder, place))
        prometheus.launch()
        prometheus.wait_ready()
        up = f'up{{instance="127.0.0.1:{recorder.port}"}} == 1'
        wait_until(lambda: prometheus.query(up), 30, "Prometheus does not read the page")
        assert len(wait_until(lambda: prometheus.query("pgbackrest_repo_up == 1"), 10, "no sample")) == 2
        return recorder.exchanges

    yield scrape
    for prometheus, recorder, place in started:
        prometheus.process.stop()
        recorder.stop()
        place.remove()


def test_prometheus_negotiates_openmetrics_and_gzip(scrape):
    exchange = scrape()[-1]
    assert "application/openmetrics-text" in exchange.accept
    assert (exchange.content_type, exchange.content_encoding) == (OPENMETRICS, "gzip")


def test_prometheus_reads_the_text_format_as_well(scrape):
    exchange = scrape({"Accept": ASK_TEXT})[-1]
    assert (exchange.content_type, exchange.content_encoding) == (TEXT, "gzip")


@pytest.fixture(scope="module", name="prometheus3")
def unpacked_prometheus3():
    """Debian's development suite has it; the archive vouches for it, and nothing is installed."""
    with tempfile.TemporaryDirectory(prefix="pgbackup-prometheus3-") as folder:
        Path(folder).chmod(0o755)  # the servers' account runs it
        subprocess.run([REPOSITORY / "tests/bench/peers", folder, "prometheus/sid"], check=True, timeout=600)
        yield Path(folder) / "usr/bin/prometheus"


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("headers", "content_type"), [(None, OPENMETRICS), ({"Accept": ASK_TEXT}, TEXT)], ids=["as it asks", "text"]
)
def test_prometheus_3_reads_both_formats(scrape, prometheus3, headers, content_type):
    version = subprocess.run([prometheus3, "--version"], capture_output=True, encoding="utf-8", check=True)
    assert "version 3." in version.stdout + version.stderr
    exchange = scrape(headers, prometheus3)[-1]
    assert (exchange.content_type, exchange.content_encoding) == (content_type, "gzip")


# ---- addresses ----


def status_at(host, port):
    return ask(connect(port, host), "/-/healthy")[0]


def test_it_listens_on_every_address_it_is_told(bed, start_exporter):
    second, third = free_port(), free_port()
    flags = [f"--web.listen-address=[::1]:{second}", f"--web.listen-address=localhost:{third}"]
    exporter = start_exporter(bed, flags=flags)
    assert [status_at("127.0.0.1", exporter.port), status_at("::1", second), status_at("127.0.0.1", third)] == [200] * 3


def test_a_port_alone_is_served_to_both_families(bed, start_exporter):
    port = free_port()
    start_exporter(bed, flags=[f"--web.listen-address=:{port}"])
    assert [status_at("127.0.0.1", port), status_at("::1", port)] == [200, 200]


def test_one_taken_address_of_two_is_an_error_and_none_is_served(bed, program_path):
    free = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        program = bed.place.copy_program(program_path)
        result = bed.place.run(
            [program, f"--web.listen-address=127.0.0.1:{free}", f"--web.listen-address={address}"],
            check=False,
            timeout=10,
        )
    assert result.returncode == 1
    assert f"cannot listen on {address}: Address already in use" in result.stderr
