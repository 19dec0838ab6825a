"""What Debian's check_pgbackrest says of repository 1: another opinion, not the truth."""
import json

from pgbackrest import PROGRAM, STANZA

# Its services, with the least that each can be asked for.
SERVICES = {"archives": [], "retention": ["--retention-full=1"]}


def oracle_says(bed):
    """Service -> its word: OK, WARNING, CRITICAL or UNKNOWN."""
    return {service: _word(bed, service, options) for service, options in SERVICES.items()}


def _word(bed, service, options):
    words = ["check_pgbackrest", f"--service={service}", f"--stanza={STANZA}", "--repo=1", "--output=json"]
    words += [f"--command={PROGRAM}", f"--config={bed.pgbackrest.configuration}", *options]
    result = bed.place.run(words, check=False)
    return json.loads(result.stdout)[0]["status"]["message"]
