"""From a failing archive_command to the pager: the main job."""
import json
import time

import pytest
from alerting import AlertmanagerClient
from process import wait_until
from web import get

RESOLVES_AFTER_SECONDS = 16 * 60  # the rule looks back 15 minutes


def pages(bed, status):
    entries = [entry for entry in bed.webhook.notifications() if entry["path"] == "/page"]
    alerts = [(entry["arrived"], alert) for entry in entries for alert in entry["notification"]["alerts"]]
    return [
        (at, alert)
        for at, alert in alerts
        if alert["labels"]["alertname"] == "PgWalArchivingFailing" and alert["status"] == status
    ]


def scraped(bed, query):
    answer = json.loads(get(bed.prometheus.port, f"/api/v1/query?query={query}").text)
    return answer["data"]["result"]


def break_archiving(bed, exporter):
    """Returns when the first failed attempt was counted, in seconds since 1970."""
    exporter.wait_for(lambda m: m.value("pg_stat_archiver_failed_count") is not None, 15)
    wait_until(lambda: scraped(bed, "pg_stat_archiver_failed_count"), 15, "Prometheus has no sample")
    bed.postgres.set("archive_command", "false")
    bed.postgres.switch_wal()
    exporter.wait_for(lambda m: m.value("pg_stat_archiver_failed_count") > 0, 30)
    return float(bed.postgres.sql("SELECT extract(epoch FROM last_failed_time) FROM pg_stat_archiver"))


def test_a_failing_archive_command_pages(own_alerting_bed, start_exporter):
    bed = own_alerting_bed
    exporter = start_exporter(bed, port=bed.ports["exporter"])
    failed_at = break_archiving(bed, exporter)
    arrived, alert = wait_until(lambda: pages(bed, "firing"), 90, "no page arrived")[0]
    print(f"page after {arrived - failed_at:.1f} s: {alert['annotations']['summary']}")
    assert alert["labels"]["stanza"] == "main"
    assert alert["labels"]["severity"] == "page"
    text = alert["annotations"]["description"]
    assert "Lost so far:" in text and "Still restorable:" in text and "Do now:" in text
    # Repository 2 lacks the WAL of its backups, though pgbackrest info says ok.
    assert "Still restorable: the latest moment of each repository (nas: " in text and "r2" not in text
    assert exporter.metrics().value("pg_archiver_failing") == 1
    page = exporter.get("/").text
    assert "archiv" in page and "FAIL" in page.upper()


@pytest.mark.campaign
def test_the_page_resolves_after_mending(own_alerting_bed, start_exporter):
    bed = own_alerting_bed
    exporter = start_exporter(bed, port=bed.ports["exporter"])
    break_archiving(bed, exporter)
    wait_until(lambda: pages(bed, "firing"), 90, "no page arrived")
    bed.postgres.reset("archive_command")
    mended_at = time.time()
    exporter.wait_for(lambda m: m.value("pg_archiver_failing") == 0, 90)
    arrived, _ = wait_until(lambda: pages(bed, "resolved"), RESOLVES_AFTER_SECONDS + 120, "it does not resolve")[0]
    print(f"resolved after {arrived - mended_at:.0f} s")



@pytest.mark.campaign
def test_a_cause_that_is_told_a_scrape_later_silences_its_consequence(own_alerting_bed):
    """A mount goes, archiving fails at once, and Prometheus learns of the mount with the next scrape."""
    alertmanager = AlertmanagerClient(own_alerting_bed.ports["alertmanager"])
    server = {"instance": "db1", "stanza": "main", "severity": "page"}
    alertmanager.post({"alertname": "PgWalArchivingFailing", **server})
    time.sleep(20)
    cause = {"alertname": "NfsMountMissing", **server, "repo_key": "1", "continuous_wal": "true"}
    alertmanager.post(cause)
    entries = own_alerting_bed.webhook.notifications
    wait_until(lambda: entries(), 60, "no page arrived")
    time.sleep(5)
    assert [entry["notification"]["groupLabels"]["alertname"] for entry in entries()] == ["NfsMountMissing"]
