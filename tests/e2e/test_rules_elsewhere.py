"""The rules and routes as shipped, in the eyes of a newer Prometheus and Alertmanager than the system's."""
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import REPOSITORY

pytestmark = pytest.mark.campaign

ALERTS = REPOSITORY / "alerts"
# These have a sample at the very left edge of a window, which Prometheus 3 no longer counts as inside.
# Real samples are never there to the millisecond; with windows that much wider both must agree.
ON_THE_EDGE = {"archiving_stalled", "exporter"}
WINDOW = re.compile(r"\[(\d+[smhdw])\]")


@pytest.fixture(scope="module", name="sid")
def unpacked_sid():
    """The folder of the programs of Debian's development suite; nothing is installed."""
    with tempfile.TemporaryDirectory(prefix="pgbackup-sid-") as folder:
        packages = ["promtool/sid", "prometheus-alertmanager/sid"]
        subprocess.run([REPOSITORY / "tests/bench/peers", folder, *packages], check=True, timeout=600)
        yield Path(folder) / "usr/bin"


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def names(paths):
    return [pytest.param(path, id=path.stem) for path in sorted(paths)]


@pytest.mark.parametrize(("program", "earliest"), [("promtool", (3, 0)), ("amtool", (0, 28))])
def test_the_programs_are_newer_ones(sid, program, earliest):
    version = run(sid / program, "--version").split("version ")[1].split(".")
    assert (int(version[0]), int(version[1])) >= earliest


@pytest.mark.parametrize("rules", names(ALERTS.glob("*.rules.yml")))
def test_a_newer_promtool_accepts_the_rules(sid, rules):
    assert "SUCCESS" in run(sid / "promtool", "check", "rules", rules)


@pytest.fixture(name="widened")
def copy_with_windows_one_millisecond_wider(tmp_path):
    folder = shutil.copytree(ALERTS, tmp_path / "alerts")
    for rules in folder.glob("*.rules.yml"):
        rules.write_text(WINDOW.sub(r"[\g<1>1ms]", rules.read_text()))
    return folder


@pytest.mark.parametrize("test", names(t for t in ALERTS.glob("tests/*.yml") if t.stem not in ON_THE_EDGE))
def test_the_rules_as_shipped_say_the_same_in_a_newer_prometheus(sid, test):
    assert "SUCCESS" in run(sid / "promtool", "test", "rules", test)


@pytest.mark.parametrize("name", sorted(ON_THE_EDGE))
def test_nothing_but_the_edge_of_a_window_differs_in_a_newer_prometheus(sid, widened, name):
    assert "SUCCESS" in run(sid / "promtool", "test", "rules", widened / "tests" / f"{name}.yml")


def test_a_newer_amtool_accepts_the_routes(sid):
    assert "SUCCESS" in run(sid / "amtool", "check-config", ALERTS / "alertmanager.yml")


@pytest.mark.parametrize("severity", ["page", "ticket"])
def test_a_newer_alertmanager_routes_by_severity(sid, severity):
    routes = f"--config.file={ALERTS / 'alertmanager.yml'}"
    assert run(sid / "amtool", "config", "routes", "test", routes, f"severity={severity}").strip() == severity
