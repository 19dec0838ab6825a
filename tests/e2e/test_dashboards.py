"""The dashboards as shipped: their structure, and every query on a real Prometheus through real faults."""
import importlib.util
import json
import math
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import combinations
from pathlib import Path
from urllib.parse import urlencode

import exporter as bed_exporter
import pytest
from bed import Bed
from conftest import PROGRAM, Exporter
from missing import archive_in_s3, away, backup_folder
from process import wait_until
from test_alerts import documented_metrics
from web import get

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "dashboards"))

import grafana  # noqa: E402 - the folder must be on the path first

BOARDS = grafana.BOARDS
QUERIES = grafana.queries()
PANELS = [(board, panel) for board in BOARDS for panel in grafana.panels(board)]
HEALTHY = {"green", "dark-green"}
KINDS = {"stat", "table", "timeseries", "state-timeline"}
SEEN_SECONDS = 60
# Made by Prometheus itself of the rules that it has loaded.
PROMETHEUS_OWN = {"ALERTS", "ALERTS_FOR_STATE"}
# Verdicts, by the words that the panels show for them.
REPOSITORY = "Could it be restored right now?"
ARCHIVING = "Is WAL archived?"


def each(cases):
    return pytest.mark.parametrize("query", cases, ids=lambda query: query.id)


def each_panel(*kinds):
    chosen = [(board, panel) for board, panel in PANELS if panel["type"] in (kinds or KINDS)]
    return pytest.mark.parametrize("panel", [one for _, one in chosen], ids=[f"{b}: {p['title']}" for b, p in chosen])


def mapped(mappings, number):
    """The words for a number, or for none at all (None)."""
    for mapping in mappings:
        if mapping["type"] == "special" and number is None:
            return mapping["options"]["result"]
        if mapping["type"] == "value" and number is not None and str(int(number)) in mapping["options"]:
            return mapping["options"][str(int(number))]
    return None


# ------------------------------------------------------------------------------ structure


def test_the_files_are_what_their_source_says(tmp_path):
    subprocess.run([sys.executable, ROOT / "dashboards/build.py", tmp_path], check=True, timeout=60)
    files = sorted([*grafana.FILES, ROOT / "alerts/recording.rules.yml"], key=lambda file: file.name)
    assert sorted(file.name for file in tmp_path.iterdir()) == [file.name for file in files]
    for file in files:
        assert file.read_text() == (tmp_path / file.name).read_text(), f"{file.name}: run dashboards/build.py"


@pytest.mark.parametrize("board", BOARDS)
def test_a_dashboard_is_one_that_grafana_10_to_12_load(board):
    model = BOARDS[board]
    assert model["schemaVersion"] == 38  # of Grafana 10.0; later ones migrate it
    assert model["uid"] == f"pgbackup-{board}" and len(model["uid"]) <= 40
    assert model["title"] and model["description"] and "id" not in model
    assert {panel["type"] for panel in model["panels"]} <= {*KINDS, "row"}


@pytest.mark.parametrize("board", BOARDS)
def test_a_dashboard_can_be_pointed_at_any_source_instance_stanza_and_repository(board):
    assert list(grafana.variables(board)) == ["datasource", "instance", "stanza", "repository"]
    sources = re.findall(r'"uid": "([^"]*)"', json.dumps([BOARDS[board]["panels"], BOARDS[board]["templating"]]))
    assert set(sources) == {"${datasource}"}


@pytest.mark.parametrize("board", BOARDS)
def test_panels_have_ids_of_their_own_and_do_not_overlap(board):
    every = BOARDS[board]["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    cells = [
        (x, y)
        for panel in every
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24


@pytest.mark.parametrize("board", BOARDS)
def test_the_answer_is_on_the_first_screen(board):
    """At 1080 lines: 30 rows of the grid, less Grafana's own head."""
    first = [panel for panel in grafana.panels(board) if panel["gridPos"]["y"] + panel["gridPos"]["h"] <= 24]
    shown = {
        mapping["options"]["0"]["text"]
        for panel in first
        for mapping in every_mapping(panel)
        if "0" in mapping["options"]
    }
    assert "NOT restorable" in shown or "Verdict" in json.dumps(first)


def every_mapping(panel):
    config = panel["fieldConfig"]
    own = [
        prop["value"] for override in config["overrides"] for prop in override["properties"] if prop["id"] == "mappings"
    ]
    return [mapping for mappings in [config["defaults"].get("mappings", []), *own] for mapping in mappings]


@each_panel()
def test_a_panel_says_what_it_asks_and_what_it_means(panel):
    title = panel["title"]
    assert title.endswith("?") or re.fullmatch(r"[A-Z][\w ]+", title), title
    assert panel["description"].endswith(".")
    assert len(panel["description"]) > 25


@each_panel("stat", "timeseries")
def test_a_number_has_a_unit_and_thresholds(panel):
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["thresholds"]["steps"][0]["value"] is None


@each_panel()
def test_thresholds_rise(panel):
    own = [
        prop["value"]
        for one in panel["fieldConfig"]["overrides"]
        for prop in one["properties"]
        if prop["id"] == "thresholds"
    ]
    for limits in [panel["fieldConfig"]["defaults"].get("thresholds", {"steps": []}), *own]:
        values = [step["value"] for step in limits["steps"][1:]]
        assert values == sorted(values) and all(isinstance(value, (int, float)) for value in values)
        assert all(isinstance(step["color"], str) for step in limits["steps"])


@each_panel("table")
def test_a_column_has_a_unit_and_words_for_what_is_not_known(panel):
    values = [title for name, title in grafana.renamed(panel).items() if name.startswith("Value")]
    assert len(values) == len(panel["targets"])
    for title in values:
        own = grafana.overrides(panel, title)
        assert own["unit"] and own["thresholds"]
        assert mapped(own["mappings"], None)["color"] not in HEALTHY


@each_panel()
def test_silence_never_looks_healthy(panel):
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["noValue"]
    if panel["type"] in ("stat", "state-timeline"):
        silence = mapped(defaults["mappings"], None)
        assert silence["text"] and silence["color"] not in HEALTHY


@each_panel("stat", "table")
def test_what_is_said_of_now_is_asked_of_now(panel):
    """A range would give the last value of a series that is gone."""
    assert all(target["instant"] and not target["range"] for target in panel["targets"])


@each_panel("timeseries", "state-timeline")
def test_an_outage_is_a_gap_in_a_graph(panel):
    assert panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] is False


@each(QUERIES)
def test_a_query_reads_only_metrics_that_there_are(query):
    names = re.findall(r"\b(?:pg|pgbackrest|pgbackup)_\w+|\bALERTS\w*", re.sub(r'"[^"]*"', "", query.expression))
    assert names
    assert set(names) <= documented_metrics().keys() | PROMETHEUS_OWN


@each(QUERIES)
def test_a_query_asks_of_the_chosen_instances_only(query):
    selectors = re.findall(r"\{([^}]*)\}", query.expression)
    assert selectors
    assert all("$instance" in selector for selector in selectors)


def test_links_lead_to_dashboards_and_runbooks_that_there_are():
    text = json.dumps(list(BOARDS.values()))
    boards = set(re.findall(r'"url": "/d/([\w-]+)', text))
    assert boards == {model["uid"] for model in BOARDS.values()}
    assert "/docs/runbooks/${__data.fields.Alert}.md" in text


def test_verdicts_have_one_word_and_one_colour_for_each_number():
    source = ROOT / "dashboards/source/promql.py"
    spec = importlib.util.spec_from_file_location("promql", source)
    promql = importlib.util.module_from_spec(spec)
    sys.modules["promql"] = promql
    spec.loader.exec_module(promql)
    for states in (promql.REPOSITORY_STATES, promql.ARCHIVING_STATES, promql.PROMISE_STATES):
        assert [state.number for state in states] == list(range(len(states)))
        assert all(one.text != other.text for one, other in combinations(states, 2))


# ------------------------------------------------------------------------------ on a real Prometheus


def overview(title):
    """The one query of a panel of the overview."""
    (query,) = [query for query in QUERIES if query.board == "overview" and query.panel["title"] == title]
    return query


class StaticPage:
    """Serves one file to Prometheus: what this machine cannot be, such as a host with an NFS mount."""

    def __init__(self, file):
        body = file.read_bytes()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class Scene:
    """A bed with two sound repositories, one of them drilled, that is broken in several ways, one after another.

    `answers`: all that every query said in each of them, by the query's id.
    """

    def __init__(self, bed, exporter, page):
        self.bed = bed
        self.exporter = exporter
        self.instance = f"127.0.0.1:{exporter.port}"
        self.nfs = f"127.0.0.1:{page.port}"
        self.verdicts = {}
        self.answers = {}

    def ask(self, query, instance, repository):
        """The series that a query gives now, with their last value."""
        expression = grafana.filled(query.expression, instance=instance, stanza="main", repository=repository)
        now = time.time()
        if query.target["instant"]:
            answer = self.api("query", query=expression, time=now)
        else:
            answer = self.api("query_range", query=expression, start=now - 60, end=now, step=5)
        return [(has["metric"], float((has.get("value") or has["values"][-1])[1])) for has in answer]

    def api(self, path, **parameters):
        answer = json.loads(get(self.bed.prometheus.port, f"/api/v1/{path}?{urlencode(parameters)}").text)
        assert answer["status"] == "success", f"{answer.get('error')}\n{parameters}"
        return answer["data"]["result"] if path.startswith("query") else answer["data"]

    def words(self, title):
        """What the overview's verdict of that title says now: name of the repository, or "", and words."""
        query = overview(title)
        mappings = query.panel["fieldConfig"]["defaults"]["mappings"]
        answer = self.ask(query, self.instance, ".*")
        return {labels.get("name", ""): mapped(mappings, value)["text"] for labels, value in answer}

    def see(self, what, repositories, archiving):
        """Wait until the verdicts are these, then ask everything."""
        expected = (repositories, {"": archiving})

        def said():
            self.verdicts[what] = (self.words(REPOSITORY), self.words(ARCHIVING))
            return self.verdicts[what] == expected

        wait_until(said, SEEN_SECONDS, f"{what}: the dashboards do not say so: {expected}")
        for query in QUERIES:
            self.answers.setdefault(query.id, []).extend(self.ask_everywhere(query))

    def names_of_nfs(self):
        """What the one repository of the other host is called, once for each verdict on it."""
        return [labels["name"] for labels, _ in self.ask(overview(REPOSITORY), self.nfs, ".*")]

    def ask_everywhere(self, query):
        several = query.board != "repository"
        chosen = [(self.instance, ".*")] if several else [(self.instance, "1"), (self.instance, "2"), (self.nfs, "1")]
        return [found for instance, repository in chosen for found in self.ask(query, instance, repository)]


# What is broken, and what the overview then says of the repositories and of archiving.
SCENES = {
    "sound": ({"nas": "PROVEN by a drill", "r2": "looks restorable"}, "archiving"),
    "repository 1 gone": ({"nas": "CANNOT BE READ", "r2": "looks restorable"}, "archiving"),
    "repository 2 refuses": ({"nas": "PROVEN by a drill", "r2": "CANNOT BE READ"}, "archiving"),
    "backup broken": ({"nas": "newest backup BROKEN", "r2": "looks restorable"}, "archiving"),
    "WAL of repository 2 gone": ({"nas": "PROVEN by a drill", "r2": "NOT restorable"}, "archiving"),
    "archiving fails": ({"nas": "PROVEN by a drill", "r2": "looks restorable"}, "FAILING"),
    "PostgreSQL down": ({"nas": "PROVEN by a drill", "r2": "looks restorable"}, "server DOWN"),
    "exporter down": ({"nas": "unknown", "r2": "unknown"}, "unknown"),
}


@pytest.fixture(scope="module")
def scene(request):
    bed = Bed(archive_timeout_s=3600)  # so that no WAL is archived but when we ask for it
    bed.start()
    request.addfinalizer(bed.stop)
    page = StaticPage(ROOT / "tests/dashboards/nfs.prom")
    request.addfinalizer(page.stop)
    exporter = prepare(bed)
    request.addfinalizer(exporter.stop)
    bed.prometheus.scrape(page.port, exporter.port)
    scene = Scene(bed, exporter, page)
    for what, break_it in BROKEN.items():
        with break_it(scene):
            scene.see(what, *SCENES[what])
    return scene


def prepare(bed):
    """Limit the queue, complete and drill what there is, begin to watch it."""
    limited = bed.pgbackrest.configuration.read_text().replace(
        "[global]\n", "[global]\narchive-push-queue-max=1GiB\n", 1
    )
    bed.place.write(bed.pgbackrest.configuration.name, limited, 0o640)
    text = bed_exporter.configuration(bed, bed_exporter.FAST)
    program = bed.place.copy_program(PROGRAM)
    command = [program, f"--config.file={bed.place.write('prepare.yml', text)}"]
    bed.place.run([*command, "complete-wal", "--repo=2"])
    bed.place.run([*command, "drill", "--repo=1", "--allow-same-filesystem"])
    bed.place.run([*command, "run", "--repo=1", "--", "check"])
    exporter = Exporter(bed, PROGRAM, bed.ports["exporter"], "exporter-dashboards")
    exporter.start(text)
    return exporter


@contextmanager
def sound(scene):
    scene.bed.postgres.wait_archived(scene.bed.postgres.switch_wal())
    yield


@contextmanager
def repository_1_gone(scene):
    scene.bed.pgbackrest.move_repo1_away()
    yield
    scene.bed.pgbackrest.move_repo1_back()


@contextmanager
def repository_2_refuses(scene):
    scene.bed.s3.break_with(status=403, code="AccessDenied")
    yield
    scene.bed.s3.repair()


@contextmanager
def backup_broken(scene):
    with away(scene.bed, backup_folder(scene.bed, -1)):
        yield


@contextmanager
def wal_of_repository_2_gone(scene):
    with away(scene.bed, archive_in_s3(scene.bed)):
        yield


@contextmanager
def archiving_fails(scene):
    """Until the alert on it fires, so that the panels on alerts have one."""
    scene.bed.postgres.set("archive_command", "false")
    scene.bed.postgres.switch_wal()
    wait_until(lambda: scene.bed.prometheus.query('ALERTS{alertstate="firing"}'), SEEN_SECONDS, "no alert fires")
    yield


@contextmanager
def postgresql_down(scene):
    scene.bed.postgres.stop()
    yield


@contextmanager
def exporter_down(scene):
    scene.exporter.stop()
    yield


# One after another; the last three stay broken, for they would take a minute to mend.
BROKEN = {
    "sound": sound,
    "repository 1 gone": repository_1_gone,
    "repository 2 refuses": repository_2_refuses,
    "backup broken": backup_broken,
    "WAL of repository 2 gone": wal_of_repository_2_gone,
    "archiving fails": archiving_fails,
    "PostgreSQL down": postgresql_down,
    "exporter down": exporter_down,
}


@pytest.mark.parametrize("what", SCENES)
def test_the_overview_tells_what_is_broken_and_nothing_else(scene, what):
    repositories, archiving = SCENES[what]
    assert scene.verdicts[what] == (repositories, {"": archiving})


@each([query for query in QUERIES if "pgbackrest_recovery_window_" in query.expression])
def test_no_moment_is_promised_of_a_repository_without_a_restorable_backup(scene, query):
    """The exporter's last word on it stays for a day, and would stand beside the verdict."""
    assert -1 in [value for _, value in scene.answers[query.id]]


@each(QUERIES)
def test_a_query_gives_data_with_the_labels_that_its_panel_needs(scene, query):
    answer = [(labels, value) for labels, value in scene.answers[query.id] if not math.isnan(value)]
    assert answer, "no data in any scene"
    for labels, _ in answer:
        assert grafana.asked(query) <= labels.keys()


@each([query for query in QUERIES if query.panel["type"] == "table"])
def test_a_column_has_the_labels_of_its_row_only(scene, query):
    """With one more, its values would stand in rows of their own."""
    for labels, _ in scene.answers[query.id]:
        assert labels.keys() - {"__name__"} == grafana.asked(query)


def test_a_repository_that_has_two_names_for_a_moment_has_one_verdict(scene):
    assert len(scene.names_of_nfs()) == 1


@pytest.mark.parametrize("board", BOARDS)
def test_variables_offer_what_is_scraped_though_the_exporter_is_down(scene, board):
    values = {"instance": scene.instance, "stanza": "main", "repository": ".*"}
    offered = {
        name: choices(scene, grafana.filled(variable["query"]["query"], **values), variable["regex"])
        for name, variable in grafana.variables(board).items()
        if variable["type"] == "query"
    }
    assert scene.instance in offered["instance"]
    assert list(offered["stanza"]) == ["main"]
    names = {"nas": "nas", "r2": "r2"} if board == "fleet" else {"1": "nas", "2": "r2"}
    assert offered["repository"] == names


def choices(scene, ask, regex):
    """Value -> text, as Grafana makes them of label_values() and query_result()."""
    of_label = re.fullmatch(r"label_values\((.*), (\w+)\)", ask)
    if of_label:
        found = scene.api("series", **{"match[]": of_label[1], "start": time.time() - 3600, "end": time.time()})
        return {labels[of_label[2]]: labels[of_label[2]] for labels in found}
    (query,) = re.fullmatch(r"query_result\((.*)\)", ask).groups()
    series = [
        ",".join(f'{k}="{v}"' for k, v in sorted(has["metric"].items())) for has in scene.api("query", query=query)
    ]
    cut = re.compile(regex.strip("/").replace("(?<", "(?P<"))
    return {cut.search(text)["value"]: cut.search(text)["text"] for text in series}
