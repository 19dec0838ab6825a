"""Fixtures: the bed with real servers, and the exporter as a black box."""
import os
import signal
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "bed"))

import exporter as bed_exporter  # noqa: E402 - the bed's folder must be on the path first
from bed import Bed  # noqa: E402
from drilling import Drill, production_untouched  # noqa: E402
from hosts import Hosts  # noqa: E402
from process import BedError, free_port, wait_until  # noqa: E402

PROGRAM = Path(os.environ.get("PGBACKUP_EXPORTER", REPOSITORY / "build/release/pgbackup_exporter"))


def pytest_configure(config):
    # As Ctrl-C does: the fixtures stop their servers, which would outlive us otherwise.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line("markers", "campaign: takes minutes; only in the full run")


def name_on_page(name, text):
    """The parser gives every counter the ending _total; PostgreSQL's own two have none."""
    bare = name.removesuffix("_total")
    return bare if f"\n# TYPE {bare} counter" in text else name


class Metrics(dict):
    """One scrape: sample name -> list of (labels, value)."""

    @classmethod
    def parse(cls, text):
        metrics = cls()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                metrics.setdefault(name_on_page(sample.name, text), []).append((sample.labels, sample.value))
        return metrics

    def values(self, name, **labels):
        """The values of all samples of that name that carry these labels."""
        return [value for has, value in self.get(name, []) if labels.items() <= has.items()]

    def value(self, name, **labels):
        """The value of the one such sample; None when there is none."""
        found = self.values(name, **labels)
        assert len(found) <= 1, f"{len(found)} samples {name} with {labels}"
        return found[0] if found else None


class Exporter(bed_exporter.Exporter):
    def metrics(self):
        answer = self.get("/metrics")
        assert answer.status == 200, answer.text
        return Metrics.parse(answer.text)

    def wait_for(self, condition, deadline):
        """Scrape until condition(metrics) is true, for at most `deadline` seconds; that scrape."""
        seen = []

        def holds():
            seen[:] = [self.metrics()]
            return condition(seen[0])

        try:
            wait_until(holds, deadline, "the metrics do not change as expected")
        except BedError as error:
            samples = "\n".join(f"{name} {values}" for name, values in sorted(seen[0].items()))
            raise AssertionError(f"{error}\n{samples}\n{self.process.log_tail()}") from None
        return seen[0]


@pytest.fixture(scope="session")
def program_path():
    return PROGRAM


@pytest.fixture(scope="session")
def bed():
    """Shared by the tests that repair at once what they break; Prometheus scrapes `exporter`."""
    bed = Bed().start()
    yield bed
    bed.stop()


@pytest.fixture(scope="session")
def encrypted_bed():
    """Shared too, with encrypted repositories and no Prometheus: its backups may grow in number."""
    bed = Bed(encrypted=True).start(alerting=False)
    yield bed
    bed.stop()


@pytest.fixture(scope="session")
def hosts(encrypted_bed):
    """The encrypted bed's server and its repository 1, as if they were on two hosts."""
    hosts = Hosts(encrypted_bed)
    hosts.start()
    yield hosts
    hosts.stop()


@pytest.fixture
def own_bed():
    """For a test that breaks it for good. No Prometheus, no Alertmanager."""
    bed = Bed().start(alerting=False)
    yield bed
    bed.stop()


@pytest.fixture
def own_alerting_bed():
    """The same with Prometheus and Alertmanager, whose memory of past alerts is its own."""
    bed = Bed().start()
    yield bed
    bed.stop()


@pytest.fixture
def start_exporter():
    """start_exporter(bed, intervals=..., text=..., flags=...): any number, each stopped at the end."""
    started = []

    def start(bed, intervals=bed_exporter.FAST, text=None, flags=(), port=None):
        exporter = Exporter(bed, PROGRAM, port or free_port(), f"exporter-{len(started) + 1}")
        started.append(exporter)
        exporter.start(text or bed_exporter.configuration(bed, intervals), flags)
        return exporter

    yield start
    for each in started:
        each.stop()


@pytest.fixture(scope="module")
def watch(request):
    """watch(bed): an exporter that looks at a module's own bed, polling every second."""

    def begin(bed):
        watching = Exporter(bed, PROGRAM, free_port(), "exporter-watching")
        request.addfinalizer(watching.stop)
        watching.start(bed_exporter.configuration(bed, bed_exporter.FAST))
        return watching

    return begin


@pytest.fixture
def drill(bed):
    """The drill command on the module's bed."""
    return Drill(bed, PROGRAM)


@pytest.fixture
def untouched(bed):
    """Production is quiet, and the same before and after."""
    with production_untouched(bed):
        yield


@pytest.fixture
def exporter(bed, start_exporter):
    """The exporter on the shared bed, polling every second."""
    return start_exporter(bed, port=bed.ports["exporter"])
