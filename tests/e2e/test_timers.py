"""What begins in the same second at night: the commands of the packaged services, as systemd starts them."""
import json
import subprocess

import pytest
from bed import Bed
from exporter import FAST, configuration
from process import wait_until
from test_packaging import command_of

AT_TWO = (("full", 1), ("full", 2), ("incr", 1), ("expire", 1))


@pytest.fixture(scope="module")
def bed():
    bed = Bed().start(alerting=False)
    yield bed
    bed.stop()


@pytest.fixture
def begin(bed, program_path):
    """begin(name, key): the command of the service pgbackup-NAME@KEY, started and not waited for."""
    program = bed.place.copy_program(program_path)
    file = bed.place.write("timers.yml", configuration(bed, FAST))
    environment = {**bed.place.environment(), "PGBACKUP_EXPORTER_CONFIG_FILE": str(file)}
    begun = []

    def begin(name, key):
        words = command_of(f"pgbackup-{name}@.service", key)
        begun.append(
            subprocess.Popen([str(program), *words[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             cwd="/", env=environment, **bed.place.account.popen_arguments())
        )  # fmt: skip
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def record(bed, key, command):
    return json.loads(bed.place.path("data", "state", "command", f"main.repo{key}.{command}.json").read_text())


def counts(bed):
    """How many backups of each type either repository has."""
    kinds = {key: [backup["type"] for backup in bed.pgbackrest.info(key)["backup"]] for key in (1, 2)}
    return {(kind, key): kinds[key].count(kind) for key in (1, 2) for kind in ("full", "incr")}


def is_locked(bed):
    return bed.pgbackrest.info(1)["status"]["lock"]["backup"]["held"]


def end(processes):
    ends = {name: process.communicate(timeout=300) for name, process in processes.items()}
    statuses = {name: process.returncode for name, process in processes.items()}
    assert set(statuses.values()) == {0}, (statuses, ends)
    return ends


def test_four_services_that_begin_in_the_same_second_all_succeed(bed, begin):
    before = counts(bed)
    ends = end({(name, key): begin(name, key) for name, key in AT_TWO})
    after = counts(bed)
    added = {what: after[what] - before[what] for what in after if after[what] != before[what]}
    assert added == {("full", 1): 1, ("full", 2): 1, ("incr", 1): 1}
    for command, key in (("backup", 1), ("backup", 2), ("expire", 1)):
        assert record(bed, key, command)["exit_status"] == 0
    waited = [name for name, (_, errors) in ends.items() if "lock" in errors]
    assert len(waited) >= 2, ends


def test_four_services_that_find_a_backup_at_work_wait_for_it_and_succeed(bed, begin):
    """None of them fails with status 50, as pgBackRest itself would."""
    first = begin("full", 2)
    wait_until(lambda: first.poll() is not None or is_locked(bed), 30, "no backup begins")
    assert first.poll() is None
    ends = end({("full", 2, "first"): first, **{(name, key): begin(name, key) for name, key in AT_TWO}})
    assert "lock" in "".join(errors for _, errors in ends.values())


def test_the_backups_that_were_made_so_are_listed_sound(bed):
    for key in (1, 2):
        stanza = bed.pgbackrest.info(key)
        assert stanza["status"]["code"] == 0
        assert not [backup["label"] for backup in stanza["backup"] if backup.get("error")]
