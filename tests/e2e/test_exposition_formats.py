"""What the exporter writes is read by others: promtool and Prometheus' own Python client.

The golden files are what the unit tests compare the exposition with, byte by byte.
"""

import pathlib
import subprocess

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
HOSTILE_PATH = '/mnt/"a\\b"\nc € \ufffd'

# PostgreSQL's own name, kept although promtool would like another.
KNOWN_COMPLAINTS = {
    'pg_stat_archiver_archived_count counter metrics should have "_total" suffix',
    'pg_stat_archiver_archived_count non-histogram and non-summary metrics'
    ' should not have "_count" suffix',
}


def read(name):
    return (GOLDEN / name).read_text(encoding="utf-8")


@pytest.fixture(name="text")
def text_families():
    return {f.name: f for f in parser.text_string_to_metric_families(read("exposition.txt"))}


@pytest.fixture(name="openmetrics")
def openmetrics_families():
    source = read("exposition_openmetrics.txt")
    return {f.name: f for f in openmetrics_parser.text_string_to_metric_families(source)}


def test_promtool_complains_only_about_the_name_that_postgresql_gave():
    result = subprocess.run(
        ["promtool", "check", "metrics"],
        input=read("exposition.txt"),
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert set(result.stderr.splitlines()) == KNOWN_COMPLAINTS


def test_the_python_client_reads_back_every_sample_of_the_text(text):
    samples = [s for family in text.values() for s in family.samples]
    written = [line for line in read("exposition.txt").splitlines() if line[0] != "#"]
    assert len(samples) == len(written)


def test_both_formats_hold_the_same_samples(text, openmetrics):
    def samples(families):
        all_samples = [s for family in families.values() for s in family.samples]
        # The client names the samples of each counter in the older text *_total by itself.
        return [(s.name.removesuffix("_total"), s.labels, s.value) for s in all_samples]

    assert samples(openmetrics) == samples(text)


def test_a_hostile_label_value_reads_back_as_it_was_but_for_its_malformed_byte(text, openmetrics):
    for families in (text, openmetrics):
        (sample,) = families["pgbackup_nfs_requests"].samples
        assert sample.labels == {"path": HOSTILE_PATH}


def test_help_reads_back_as_it_was(text, openmetrics):
    for families in (text, openmetrics):
        documentation = families["pgbackup_nfs_requests"].documentation
        assert documentation == 'Requests that the "NFS" client sent to C:\\server.'


def test_openmetrics_knows_the_type_of_each_counter(openmetrics):
    assert openmetrics["pgbackup_nfs_requests"].type == "counter"
    assert openmetrics["pg_stat_archiver_archived_count"].type == "unknown"
