"""A real NFS client and server through outages, the exporter beside them, in User Mode Linux."""
import platform
import sys
from pathlib import Path

import pytest

from conftest import PROGRAM, Metrics

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "nfs"))

import uml  # noqa: E402 - its folder must be on the path first

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="User Mode Linux is for x86 only")

PATH = {"path": "/nfs"}

SOFT = {"deadline": "12s", "stay": 20, "settle": 10}
# Scenario by name; all but the first are for the full run.
SCENARIOS = {
    "hard-link-down": {},
    "hard-drop": {"outage": "drop"},
    "hard-reset": {"outage": "reset"},
    "hard-stop": {"outage": "stop"},
    "hard-unexport": {"outage": "unexport"},
    "hard-stale": {"outage": "stale"},
    "hard-v3": {"version": "3"},
    # The deadline is longer than the kernel's own patience, so that its error is what is seen.
    "soft": {"options": "soft,timeo=10,retrans=1", **SOFT},
    "softerr": {"options": "softerr,timeo=10,retrans=1", **SOFT},
}
CAMPAIGN = [pytest.param(name, marks=pytest.mark.campaign) for name in list(SCENARIOS)[1:]]
IDLE = {"idle": True}


@pytest.fixture(scope="module")
def tell():
    """tell(name): the outcome of a scenario; each is run once."""
    uml.prepare()
    told = {}

    def outcome(name):
        if name not in told:
            told[name] = uml.tell(PROGRAM, **(IDLE if name == "idle" else SCENARIOS[name]))
        return told[name]

    return outcome


@pytest.mark.parametrize("name", ["hard-link-down", *CAMPAIGN])
class TestOutage:
    def test_is_seen_and_so_is_its_end(self, tell, name):
        outcome = tell(name)
        times = {key: outcome[key] for key in ("seen_healthy_s", "seen_outage_s", "seen_recovered_s")}
        assert None not in times.values(), f"{times}\n{outcome['log']}"
        assert outcome["second_knows"], "an exporter that begins in the outage does not see it"

    def test_leaves_one_child_at_most_and_none_afterwards(self, tell, name):
        outcome = tell(name)
        # One probe, and one pgbackrest that was on its way when it began.
        assert outcome["most_children"] <= 2
        assert outcome["fewest_children"] == 0, outcome["log"]

    def test_gives_a_reason_and_no_size(self, tell, name):
        metrics = Metrics.parse(tell(name)["outage"]["metrics"])
        assert len(metrics.values("pgbackup_mount_error", **PATH)) == 1
        assert metrics.value("pgbackup_mount_size_bytes", **PATH) is None

    def test_is_no_hindrance_to_a_stop(self, tell, name):
        outcome = tell(name)
        assert outcome["stop_s"] < 3 and outcome["final_stop_s"] < 3

    def test_ends_with_everything_as_before(self, tell, name):
        outcome = tell(name)
        before, after = (Metrics.parse(outcome[when]["metrics"]) for when in ("healthy", "recovered"))
        for series in ("mounted", "responding", "readonly", "size_bytes"):
            assert after.value(f"pgbackup_mount_{series}", **PATH) == before.value(f"pgbackup_mount_{series}", **PATH)
        assert after.value("pgbackup_mount_stuck_seconds", **PATH) == 0

    def test_sees_no_write_of_ours(self, tell, name):
        outcome = tell(name)
        assert not any(outcome["recovered"]["writes"].values())


def test_a_lease_runs_out_while_a_hard_mount_is_away(tell):
    outcome = tell("hard-link-down")
    healthy, away = (Metrics.parse(outcome[when]["metrics"]) for when in ("healthy", "outage"))
    assert healthy.value("pgbackup_nfs_lease_expired_seconds", **PATH) == 0
    assert away.value("pgbackup_nfs_lease_expired_seconds", **PATH) > 0
    assert away.value("pgbackup_mount_stuck_seconds", **PATH) > 0
    assert away.values("pgbackup_mount_error", reason="stuck", **PATH) == [1]


@pytest.mark.campaign
def test_the_kernel_tells_of_an_idle_mount_before_any_call_hangs(tell):
    outcome = tell("idle")
    assert outcome["lease_expired_s"] > 0
    assert outcome["blocked"] == []
    metrics = Metrics.parse(outcome["metrics"])
    assert metrics.value("pgbackup_nfs_lease_expired_seconds", **PATH) >= outcome["lease_expired_s"]
