"""What a real exporter told, played to Prometheus' own rule tester: which alerts it would have caused."""
import subprocess
from collections import Counter
from pathlib import Path

import yaml

RULES_FILE = Path(__file__).resolve().parents[2] / "alerts" / "pgbackup.rules.yml"
SCRAPED = {"job": "pgbackup", "instance": "db1"}
TOLD_SECONDS = 120
UP_SINCE_SECONDS = -86400  # no exporter of a fault has just been started
TOLERATED_MINUTES = 3  # the age of what a bed was made with
WRITTEN, ARCHIVED = "pg_wal_lsn_bytes", "pg_wal_last_archived_lsn_bytes"


def text_of(name, labels):
    return name + "{" + ", ".join(f'{label}="{value}"' for label, value in labels.items()) + "}"


def count_from_archived(samples):
    """There is one server: its positions in the WAL, from the last archived one on."""
    places = {name: series for series, (name, _) in samples.items() if name in (WRITTEN, ARCHIVED)}
    if len(places) == 2:
        archived = samples[places[ARCHIVED]][1]
        for name, series in places.items():
            samples[series] = (name, samples[series][1] - archived)


def samples_of(metrics, scraped):
    """{series: (metric, value)} of one scrape, with the labels that Prometheus gives it."""
    samples = {
        text_of(name, {**labels, **scraped}): (name, value) for name, found in metrics.items() for labels, value in found
    }
    samples[text_of("up", scraped)] = ("up", 1)
    count_from_archived(samples)
    return samples


class Recording:
    """Scrapes, each held for some minutes, and the alerts that must fire at the end of each.

    Times are counted from the first scrape. While all is whole everything stays as old as it was at the
    scrape, so that a fault begins with the ages that it really began with. What happened between two later
    scrapes is told as if it had happened as long before the second as it did. Ages grow by the minute.
    Positions in the WAL are counted from the last archived one: else what was written between two scrapes,
    and archived, would seem to wait.
    """

    WHOLE = ("sound", "before")  # what the phases are called that come before a fault

    def __init__(self, step=1):
        """Samples and evaluations are `step` minutes apart; every time is a multiple of it."""
        self._step = step
        self._phases = []  # (what it is, seconds since 1970, {series: value}, first minute, minutes)
        self._expected = []
        self._first = []
        self._silent = []

    def hold(self, what, at, metrics, minutes):
        """At `at` the exporter told `metrics`, and the same for so many minutes."""
        begin = sum(phase[-1] for phase in self._phases)
        self._phases.append((what, at, samples_of(metrics, SCRAPED), begin, minutes))

    def add(self, what, at, metrics, minutes, *alerts):
        """hold(), and at the end exactly these (name, repository) fire."""
        self.hold(what, at, metrics, minutes)
        self._expected.append((f"{self._phases[-1][3] + minutes - self._step}m", Counter(alerts)))

    def expected(self):
        """Every alert that is to fire in a phase."""
        return {alert for _, alerts in self._expected for alert in alerts}

    def add_beside(self, instance, metrics):
        """In the last phase the exporter of another host told these."""
        self._phases[-1][2].update(samples_of(metrics, {**SCRAPED, "instance": instance}))

    def expect_silence(self, instance):
        """Nothing fires for that host at the end of any phase."""
        self._silent.append(instance)

    def _placed(self, moment, told):
        """Where a moment, s since 1970, lies in what is played; what is still to come is as far away as it was."""
        later = (phase for phase in self._phases if phase[0] not in self.WHOLE and moment <= phase[1])
        _, at, _, begin, _ = told if told[0] in self.WHOLE else next(later, told)
        return begin * 60 - (at - moment)

    def _told(self, series, phase):
        """The samples of one series in one phase, as promtool writes them."""
        what, at, samples, begin, minutes = phase
        more, older = minutes // self._step - 1, self._step * 60
        if series not in samples:
            return f"stale _x{more}"
        name, value = samples[series]
        stays = what in self.WHOLE  # as old as it is
        if name == "process_start_time_seconds":
            return f"{UP_SINCE_SECONDS}x{more}"
        if name.endswith("_timestamp_seconds"):
            return f"{self._placed(value, phase):.3f}+{older if stays else 0}x{more}"
        if name.endswith(("_age", "_age_seconds")):
            return f"{begin * 60 - self._placed(at - value, phase):.3f}+{0 if stays else older}x{more}"
        return f"{value:.17g}x{more}"

    def _begin_of_fault(self):
        """In minutes."""
        return next(phase[3] for phase in self._phases if phase[0] not in self.WHOLE)

    def expect_first(self, alert, minutes):
        """This alert (name, repository) is to fire for the first time so many minutes after the fault began."""
        self._first.append((alert, minutes))

    def _first_fired(self, name, key, minutes):
        """What promtool asks: nothing when it is so, else the minutes that it took."""
        series = text_of("ALERTS", {"alertname": name, "repo_key": key, "alertstate": "firing"})
        end = sum(phase[-1] for phase in self._phases)
        took = f"min(min_over_time(timestamp({series})[{end}m:1m])) / 60 - {self._begin_of_fault()}"
        return {
            "expr": f"({took}) unless abs(({took}) - {minutes}) <= {TOLERATED_MINUTES}",
            "eval_time": f"{end - self._step}m",
            "exp_samples": [],
        }

    def _test(self):
        every = dict.fromkeys(series for phase in self._phases for series in phase[2])
        series = [{"series": one, "values": " ".join(self._told(one, phase) for phase in self._phases)} for one in every]
        # What several collectors of one exporter fail at is one alert here.
        firing = 'count by (alertname, repo_key) (max without (collector, target) (ALERTS{alertstate="firing"}))'
        asked = [
            {
                "expr": firing,
                "eval_time": at,
                "exp_samples": [
                    {"labels": text_of("", {"alertname": name, **({"repo_key": key} if key else {})}), "value": count}
                    for (name, key), count in alerts.items()
                ],
            }
            for at, alerts in self._expected
        ]
        asked += [self._first_fired(*alert, minutes) for alert, minutes in self._first]
        asked += [
            {"expr": text_of("ALERTS", {"instance": instance}), "eval_time": at, "exp_samples": []}
            for instance in self._silent
            for at, _ in self._expected
        ]
        return {"interval": f"{self._step}m", "input_series": series, "promql_expr_test": asked}

    def check(self, folder):
        """An AssertionError tells what promtool says when other alerts fire than those expected."""
        file = folder / "recorded.yml"
        file.write_text(
            yaml.safe_dump(
                {
                    "rule_files": [str(RULES_FILE)],
                    "evaluation_interval": f"{self._step}m",
                    "tests": [self._test()],
                }
            )
        )
        command = ["promtool", "test", "rules", file]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TOLD_SECONDS, check=False)
        phases = [f"{begin}m: {what}" for what, _, _, begin, _ in self._phases]
        assert done.returncode == 0, "\n".join([*phases, done.stdout, done.stderr])
