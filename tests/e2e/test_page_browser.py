"""The status page as a browser shows it, and the same report for programs."""
import json
from pathlib import Path

import jsonschema
import pytest
from browser import Browser
from process import wait_until

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted((REPOSITORY / "tests/golden").glob("page_*.html"))
SCREENS = [(width, scheme) for width in (360, 1920) for scheme in ("light", "dark")]
SCHEMA = json.loads((REPOSITORY / "docs/api.schema.json").read_text())


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


def judged(exporter):
    """Once both repositories were looked at twice."""
    text = exporter.get("/").text
    return "looks restorable from" in text and "NOT restorable: backup" in text


@pytest.fixture
def address(exporter):
    wait_until(lambda: judged(exporter), 30, "the page does not judge both repositories")
    return f"http://127.0.0.1:{exporter.port}"


def verdict(browser, repository):
    """The first sentence of the card that speaks of restoring from it."""
    return browser.run(
        "[...document.querySelectorAll('article.leads')].find("
        f"e => e.querySelector('h3').innerText.includes('from repository {repository} ')"
        ").querySelector('.verdict').innerText"
    )


def axe_on(browser, page, width, scheme):
    browser.look(width, scheme)
    browser.open(f"file://{page}")
    assert browser.accessibility() == [], f"{width} px, {scheme}"


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_axe_finds_nothing_on_a_phone(browser, page):
    axe_on(browser, page, 360, "light")


def test_axe_finds_nothing_in_the_dark(browser):
    axe_on(browser, REPOSITORY / "tests/golden/page_trouble.html", 1920, "dark")


@pytest.mark.campaign
@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
@pytest.mark.parametrize("width, scheme", SCREENS)
def test_axe_finds_nothing_on_any_screen(browser, page, width, scheme):
    axe_on(browser, page, width, scheme)


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_no_screen_has_to_be_scrolled_sideways(browser, page):
    for width in (320, 360, 768, 1920):
        browser.look(width)
        browser.open(f"file://{page}")
        assert browser.run("document.documentElement.scrollWidth") <= width


def test_what_is_unknown_is_never_green(browser):
    browser.look()
    browser.open(f"file://{REPOSITORY}/tests/golden/page_outage.html")
    green = browser.run("getComputedStyle(document.querySelector('.grade.ok')).backgroundColor")
    assert green not in browser.run(
        "[...document.querySelectorAll('.unknown .window, .grade.unknown')].map("
        "e => getComputedStyle(e)).flatMap(style => [style.fill, style.backgroundColor])"
    )


def test_a_browser_reads_the_verdict_on_each_repository(browser, address):
    browser.look(360)
    browser.open(address)
    assert verdict(browser, 1).startswith("OK looks restorable from 20")
    assert verdict(browser, 2).startswith("Failed NOT restorable: backup 20")
    assert browser.texts("h1") == ["Failed something needs you now"]
    assert browser.run("document.querySelectorAll('figure svg[role=img]').length") == 2
    assert browser.run("document.documentElement.scrollWidth") <= 360


def test_the_command_to_restore_stands_beside_the_verdict(browser, address):
    browser.open(address)
    commands = browser.texts("article.leads .steps code")
    assert any(line.startswith("sudo -u postgres pgbackrest ") and line.endswith("--repo=1 restore") for line in commands)


def test_the_page_loads_nothing_else_and_its_policy_forbids_what_it_does_not_need(browser, exporter, address):
    policy = exporter.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script" not in policy
    browser.open(address)
    assert browser.run("performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.endsWith('favicon.ico'))") == []
    assert browser.run("getComputedStyle(document.querySelector('.card')).borderRadius") != "0px", "its own style is refused"
    assert [c for c in browser.complaints if "ContentSecurityPolicy" in json.dumps(c)] == []
    assert browser.accessibility() == []


def test_a_page_of_one_stanza_is_only_about_that_one(browser, address):
    browser.open(f"{address}/?stanza=main")
    assert browser.texts("h2")[0] == "Stanza main"
    browser.open(f"{address}/?stanza=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "Stanza main" not in browser.texts("h2")
    assert browser.run("document.scripts.length") == 0


def test_programs_get_the_same_report(exporter, address):
    answer = exporter.get("/api/v1/status")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    document = json.loads(answer.text)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA)
    verdicts = {t["target"]: t["report"][0]["items"][0] for t in document["targets"] if t["collector"] == "restorability"}
    assert verdicts["main/repo1"]["grade"] == "ok" and verdicts["main/repo2"]["grade"] == "failed"
    assert document["grade"] == "failed"


def test_programs_can_ask_for_one_stanza(exporter, address):
    document = json.loads(exporter.get("/api/v1/status?stanza=another").text)
    assert {target["stanza"] for target in document["targets"]} <= {None}
