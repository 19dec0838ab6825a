"""The table of docs/alerts.md: what each fault makes fire, and what of it is heard."""
import re
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).resolve().parents[2] / "docs" / "alerts.md"
KEYS = r"(?: (?P<keys>\d(?:(?:, | and )\d)*))?"
HEARD = re.compile(rf"(?P<name>\w+){KEYS} \((?P<severity>page|ticket)s?, (?P<minutes>\d+) min\)")
MUTED = re.compile(rf"(?P<name>\w+){KEYS}")


@dataclass(frozen=True)
class Row:
    heard: dict  # (alert, repository): (severity, minutes until it fires first)
    muted: set  # (alert, repository)


def each(pattern, cell):
    """(alert, repository), match of each alert in a cell; an AssertionError for a cell that is not understood."""
    rest = pattern.sub("", cell).strip(" ,")
    assert rest in ("", "nothing"), f"not understood: {rest}"
    for found in pattern.finditer("" if rest else cell):
        for key in re.findall(r"\d", found["keys"] or "") or [""]:
            yield (found["name"], key), found


def row_of(cells):
    heard = {alert: (found["severity"], int(found["minutes"])) for alert, found in each(HEARD, cells[0])}
    return Row(heard, {alert for alert, _ in each(MUTED, cells[1])})


def rows():
    """{what the fault is: its row}."""
    table = re.search(r"^\| Fault \|.*\n\|[-| ]+\n((?:\|.*\n)+)", TABLE.read_text(), re.M).group(1)
    each_row = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {fault: row_of(cells) for fault, *cells in each_row}
