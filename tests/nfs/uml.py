"""Runs a story (guest.py) in User Mode Linux: a real kernel with a real NFS client and server."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
TOOLS = ROOT / "build" / "nfs"
KERNEL = TOOLS / "root" / "usr" / "bin" / "linux.uml"
ARGUMENTS = ["mem=512M", "root=none", "rootfstype=hostfs", "rootflags=/", "ro", "quiet"]
CONSOLE = ["con=null", "con0=null,fd:1", "ssl=null"]
BOOT_SECONDS = 60

DEFAULTS = {
    "version": "4.2",
    "options": "hard,timeo=30,retrans=2",
    "outage": "link-down",
    "interval": "1s",
    "deadline": "4s",  # a busy machine's guest takes more than a second to start a process
    "scrapes": 50,
    "notice": 30,  # seconds until the outage must have been seen
    "stay": 12,  # seconds to stay in it after that
    "recover": 60,  # seconds until the end of it must have been seen
    "settle": 2,  # seconds without a relapse that follow
    "idle": False,  # nobody uses the mount before the outage
    "peer": None,  # node_exporter, to look at the same mount
}


class GuestError(Exception):
    """The guest did not tell its story to the end; the text has its log."""


def prepare():
    """Unpack the tools unless they are there."""
    subprocess.run(["make", "-s", str((TOOLS / "stamp").relative_to(ROOT))], cwd=ROOT, check=True)


def tell(program, **scenario):
    """The outcome of one scenario, as guest.py writes it. Takes 20 to 90 s."""
    scenario = {**DEFAULTS, **scenario}
    with tempfile.TemporaryDirectory(prefix="pgbackup-nfs-", dir="/var/tmp") as folder:
        story = Path(folder)
        scenario["program"] = bring(program, story)
        scenario["peer"] = scenario["peer"] and bring(scenario["peer"], story)
        (story / "scenario.json").write_text(json.dumps(scenario))
        (story / "tmp").mkdir()
        shutil.copy(FOLDER / "guest.py", story)
        limit = BOOT_SECONDS + scenario["notice"] * 2 + scenario["stay"] + scenario["recover"] + 120
        console = boot(story, limit)
        return read_outcome(story, console)


def bring(program, story):
    """Its path in the guest."""
    return "/story/" + Path(shutil.copy(program, story)).name


def boot(story, limit):
    """What the guest's console showed. The guest ends itself; after `limit` seconds it is ended."""
    names = [f"tools={TOOLS}", f"story={story}", "guest=/story/guest.py", f"init={FOLDER}/init"]
    kernel = subprocess.Popen(
        [KERNEL, *ARGUMENTS, *CONSOLE, f"uml_dir={story}/tmp/", *names],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": f"{story}/tmp", "HOME": f"{story}/tmp"},
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        return kernel.communicate(timeout=limit)[0]
    except subprocess.TimeoutExpired:
        raise GuestError(f"the guest did not end within {limit} s") from None
    finally:
        end_all(kernel)


def end_all(kernel):
    """The guest's processes are processes here, in the kernel's group."""
    try:
        os.killpg(kernel.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    kernel.wait()


def read_outcome(story, console):
    outcome = story / "outcome.json"
    if outcome.exists():
        return json.loads(outcome.read_text())
    logs = "".join(f"== {log.name}\n{log.read_text(errors='replace')}" for log in sorted(story.glob("*.log")))
    raise GuestError(f"{console}\n{logs}")
