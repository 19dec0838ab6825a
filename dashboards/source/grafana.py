"""Grafana's words: panels, columns, variables. What all panels share is decided here, once."""
from dataclasses import dataclass, field

from promql import UNKNOWN

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SILENT = "unknown: nothing says so now"  # never empty, and never a colour of health
NEUTRAL = "#6e7077"
GRID = 24


def thresholds(*steps):
    """(from, colour) in rising order; the first colour begins at minus infinity."""
    first, *others = steps
    return {
        "mode": "absolute",
        "steps": [{"color": first, "value": None}, *[{"color": color, "value": value} for value, color in others]],
    }


PLAIN = thresholds("text")
USED = thresholds("green", (0.8, "orange"), (1, "red"))  # of a promise, a limit, a disk
NONE_IS_GOOD = thresholds("green", (1, "red"))
# Of facts, which stay while nobody can look: they are bad or plain, never a colour of health.
NONE = thresholds("text", (1, "red"))
SOME = thresholds("red", (1, "text"))


def absent(text="unknown", color=UNKNOWN):
    """What stands where no value is."""
    return {"type": "special", "options": {"match": "null+nan", "result": {"text": text, "color": color, "index": 99}}}


def words(states):
    """Words and colours for the numbers of a verdict."""
    options = {str(state.number): {"text": state.text, "color": state.color, "index": state.number} for state in states}
    return [{"type": "value", "options": options}]


NOTHING = [{"type": "value", "options": {"-1": {"text": "nothing", "color": "red", "index": 0}}}]


def yes_no(yes, no, good="green", bad="red"):
    options = {
        "1": {"text": yes, "color": good, "index": 0},
        "0": {"text": no, "color": bad, "index": 1},
    }
    return [{"type": "value", "options": options}]


def query(expression, legend="", ref="A", instant=False, table=False):
    return {
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": expression,
        "format": "table" if table else "time_series",
        "instant": instant,
        "range": not instant,
        "legendFormat": legend,
        "refId": ref,
    }


def panel(kind, title, description, size, targets, defaults, options, **more):
    """`size`: columns of 24, and rows; where it stands is for dashboard() to say."""
    overrides = more.pop("overrides", [])
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "gridPos": {"w": size[0], "h": size[1]},
        "targets": targets,
        "fieldConfig": {"defaults": {"noValue": SILENT, **defaults}, "overrides": overrides},
        "options": options,
        **more,
    }


def stat(
    title,
    description,
    size,
    expression,
    legend,
    unit="none",
    mappings=None,
    limits=PLAIN,
    value_size=28,
    overrides=(),
    silent=None,
    unknown="unknown",
    **more,
):
    """One tile for each series, of this moment: an older value is never shown for one that is gone.

    Without a series it says `unknown`; or `silent`, without alarm, where nothing may be there to measure.
    """
    plain = any(step["color"] == "text" for step in limits["steps"])
    defaults = {
        "unit": unit,
        "mappings": [*(mappings or []), absent(silent, NEUTRAL) if silent else absent(unknown)],
        "thresholds": limits,
        "color": {"mode": "thresholds"},
        **more,
    }
    options = {
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
        "colorMode": "value" if plain else "background",
        "graphMode": "none",
        "textMode": "value_and_name" if legend else "value",
        "justifyMode": "center",
        "orientation": "auto",
        "wideLayout": False,
        "text": {"titleSize": 16, "valueSize": value_size},
    }
    targets = [query(expression, legend, instant=True)]
    return panel("stat", title, description, size, targets, defaults, options, overrides=list(overrides))


@dataclass(frozen=True)
class Line:
    """One query of a graph."""

    expression: str
    legend: str
    dashed: bool = False  # a limit or a promise, not a measurement
    color: str = ""


LINE = {
    "drawStyle": "line",
    "lineWidth": 2,
    "fillOpacity": 8,
    "showPoints": "never",
    "spanNulls": False,  # an outage is a gap, not a straight line
    "lineInterpolation": "linear",
    "axisPlacement": "auto",
    "thresholdsStyle": {"mode": "off"},
    "stacking": {"mode": "none", "group": "A"},
}


def graph(title, description, size, unit, lines, stacked=False, limits=PLAIN, overrides=(), **axis):
    custom = dict(LINE)
    if stacked:
        custom |= {"stacking": {"mode": "normal", "group": "A"}, "fillOpacity": 60, "lineWidth": 1}
    if limits is not PLAIN:
        custom |= {"thresholdsStyle": {"mode": "line"}}
    targets = [query(line.expression, line.legend, chr(65 + i)) for i, line in enumerate(lines)]
    made = [line_override(target["refId"], line) for target, line in zip(targets, lines) if line.dashed or line.color]
    defaults = {"unit": unit, "custom": custom, "thresholds": limits, "color": {"mode": "palette-classic"}, **axis}
    options = {
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": ["lastNotNull"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel(
        "timeseries",
        title,
        description,
        size,
        targets,
        defaults,
        options,
        overrides=[*made, *overrides],
    )


def line_override(ref, line):
    properties = []
    if line.dashed:
        style = {"fill": "dash", "dash": [8, 6]}
        properties += [
            {"id": "custom.lineStyle", "value": style},
            {"id": "custom.fillOpacity", "value": 0},
            {"id": "custom.lineWidth", "value": 1},
        ]
    if line.color:
        properties.append({"id": "color", "value": {"mode": "fixed", "fixedColor": line.color}})
    return {"matcher": {"id": "byFrameRefID", "options": ref}, "properties": properties}


def history(title, description, size, lines, mappings):
    """What a verdict was, over time."""
    targets = [query(line.expression, line.legend, chr(65 + i)) for i, line in enumerate(lines)]
    defaults = {
        "mappings": [*mappings, absent()],
        "thresholds": thresholds(UNKNOWN),
        "color": {"mode": "thresholds"},
        "custom": {"fillOpacity": 85, "lineWidth": 0, "spanNulls": False},
    }
    options = {
        "mergeValues": True,
        "showValue": "auto",
        "alignValue": "left",
        "rowHeight": 0.85,
        "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return panel("state-timeline", title, description, size, targets, defaults, options)


# There for links and for sorting, not shown: said once for Grafana up to 12.1 and once for those after it.
HIDDEN = [{"id": "custom.hidden", "value": True}, {"id": "custom.hideFrom", "value": {"viz": True}}]


@dataclass(frozen=True)
class Column:
    """One column of numbers in a table: a query of its own, put beside the others by their labels."""

    title: str
    expression: str
    unit: str = "none"
    limits: dict = None
    mappings: list = None
    missing: str = "unknown"
    missing_color: str = UNKNOWN
    width: int = 0
    cell: str = "color-text"
    properties: list = field(default_factory=list)
    hidden: bool = False

    def override(self):
        mappings = [*(self.mappings or []), absent(self.missing, self.missing_color)]
        kind = {"type": self.cell}
        if self.cell in ("gauge", "color-background"):
            kind["mode"] = "basic"
        properties = [
            {"id": "unit", "value": self.unit},
            {"id": "mappings", "value": mappings},
            {"id": "thresholds", "value": self.limits or PLAIN},
            {"id": "custom.cellOptions", "value": kind},
            *([{"id": "custom.width", "value": self.width}] if self.width else []),
            *(HIDDEN if self.hidden else []),
            *self.properties,
        ]
        return {"matcher": {"id": "byName", "options": self.title}, "properties": properties}


@dataclass(frozen=True)
class Label:
    """One column of text: a label of every query."""

    label: str
    title: str = ""
    width: int = 0
    links: list = field(default_factory=list)

    def override(self):
        properties = [{"id": "custom.width", "value": self.width}] if self.width else []
        properties += [{"id": "links", "value": self.links}] if self.links else []
        return {"matcher": {"id": "byName", "options": self.title}, "properties": properties}


def table(title, description, size, labels, columns, sort=None, silent=SILENT):
    """`labels` without a title are not shown, but links may use them."""
    targets = [query(column.expression, ref=chr(65 + i), instant=True, table=True) for i, column in enumerate(columns)]
    values = [("Value" if len(columns) == 1 else f"Value #{chr(65 + i)}", column) for i, column in enumerate(columns)]
    shown = [label for label in labels if label.title]
    order = {"Time": 99} | {label.label: i for i, label in enumerate(labels)}
    order |= {name: len(labels) + i for i, (name, _) in enumerate(values)}
    renamed = {label.label: label.title for label in shown} | {name: column.title for name, column in values}
    transformations = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": renamed}},
    ]
    hidden = [
        {"matcher": {"id": "byName", "options": label.label}, "properties": HIDDEN}
        for label in labels
        if not label.title
    ]
    overrides = [*[label.override() for label in shown], *hidden, *[column.override() for column in columns]]
    defaults = {
        "noValue": silent,
        "thresholds": PLAIN,
        "color": {"mode": "thresholds"},
        "custom": {"align": "left", "cellOptions": {"type": "auto"}, "filterable": False},
    }
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "fields": ""}}
    options["sortBy"] = [{"displayName": sort, "desc": False}] if sort else []
    return panel(
        "table",
        title,
        description,
        size,
        targets,
        defaults,
        options,
        overrides=overrides,
        transformations=transformations,
    )


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": GRID, "h": 1}}


# ------------------------------------------------------------------------------ variables


def data_source():
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "hide": 0,
        "multi": False,
        "includeAll": False,
        "options": [],
        "current": {},
        "regex": "",
    }


def variable(name, label, ask, several=False, regex=""):
    """`ask` over the whole time shown, so that what is down just now can still be chosen."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": ask,
        "query": {"query": ask, "refId": "StandardVariableQuery"},
        "regex": regex,
        "refresh": 2,
        "sort": 1,
        "hide": 0,
        "multi": several,
        "includeAll": several,
        **({"allValue": ".*"} if several else {}),
        "options": [],
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]} if several else {},
    }


# ------------------------------------------------------------------------------ a dashboard


def placed(panels):
    """From left to right, then downwards; a panel that does not fit begins a new line."""
    x = y = height = 0
    for number, one in enumerate(panels, 1):
        size = one["gridPos"]
        if x + size["w"] > GRID:
            x, y, height = 0, y + height, 0
        one |= {"id": number, "gridPos": {"x": x, "y": y, **size}}
        x, height = x + size["w"], max(height, size["h"])
    return panels


def link(title, uid):
    return {
        "title": title,
        "type": "link",
        "icon": "dashboard",
        "url": f"/d/{uid}",
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "asDropdown": False,
        "tags": [],
        "tooltip": "",
    }


def dashboard(uid, title, description, since, variables, panels, links, refresh="1m"):
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["pgbackup"],
        "schemaVersion": 38,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": since, "to": "now"},
        "refresh": refresh,
        "links": links,
        "templating": {"list": variables},
        "annotations": {"list": []},
        "panels": placed(panels),
    }
