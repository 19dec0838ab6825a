"""Dashboards as Grafana reads them: their panels, their queries, and what becomes of variables."""
import json
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))
BOARDS = {file.stem: json.loads(file.read_text()) for file in FILES}
# What Grafana puts in by itself; short, because the bed is young.
OWN = {"__range": "10m", "__rate_interval": "10s"}


@dataclass(frozen=True)
class Query:
    board: str
    panel: dict
    target: dict

    @property
    def expression(self):
        return self.target["expr"]

    @property
    def id(self):
        return f"{self.board}: {self.panel['title']} {self.target['refId']}"


def panels(board):
    """Every panel that shows something; rows only divide."""
    return [panel for panel in BOARDS[board]["panels"] if panel["type"] != "row"]


def queries():
    return [Query(board, panel, target) for board in BOARDS for panel in panels(board) for target in panel["targets"]]


def variables(board):
    return {variable["name"]: variable for variable in BOARDS[board]["templating"]["list"]}


def filled(text, **values):
    """The text with $name and ${name} replaced; whatever is left would be an error in Prometheus."""
    values = {**OWN, **values}
    return re.sub(r"\$\{?(\w+)\}?", lambda found: values.get(found[1], found[0]), text)


def asked(query):
    """The labels that a panel needs of each series: in legends, in columns, in links."""
    legend = re.findall(r"\{\{(\w+)\}\}", query.target["legendFormat"])
    organized = [step["options"] for step in query.panel.get("transformations", []) if step["id"] == "organize"]
    columns = [name for options in organized for name in options["indexByName"]]
    return {name for name in [*legend, *columns] if name != "Time" and not name.startswith("Value")}


def renamed(panel):
    """Each column's title and the values' names behind it."""
    (options,) = [step["options"] for step in panel["transformations"] if step["id"] == "organize"]
    return options["renameByName"]


def overrides(panel, name):
    """The properties that a panel gives to one field."""
    found = {}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == name:
            found |= {prop["id"]: prop["value"] for prop in override["properties"]}
    return found
