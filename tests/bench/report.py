"""The figures as one table in Markdown, and what they say about our aims."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """All that was measured, by names of columns; `worked` by names of schedules."""

    served: dict
    looks: dict
    worked: dict
    large: tuple  # memory, peak RSS


COLUMNS = ("ours", "pgbackrest", "postgres", "nginx")
PROGRAMS = COLUMNS[:3]
TITLES = ("ours", "pgbackrest_exporter", "postgres_exporter", "nginx, our bytes")
NONE = "-"
# Aims: the first against the faster peer, the second against both peers together.
TIMES_THE_SCRAPES, SHARE_OF_CPU = 10, 0.1

# Which schedule stands in which column, for the three groups of rows.
AS_INSTALLED = {"ours": "ours", "pgbackrest": "pgbackrest-slow", "postgres": "postgres"}
FAST = {"ours": "ours-fast", "pgbackrest": "pgbackrest-fast", "postgres": "postgres"}
SLOW = {"ours": "ours-slow", "pgbackrest": "pgbackrest-slow", "postgres": "postgres"}
SCHEDULES = (
    ("as installed", AS_INSTALLED),
    ("the peers' work, each 60 s", FAST),
    ("the peers' work, each 600 s", SLOW),
)


def latency(load):
    return f"{load.p50_ms:.2f} / {load.p99_ms:.2f} ms"


def rate(load):
    return f"{load.per_second:,.0f}"


def mebibytes(memory):
    return f"{memory.rss:.1f} / {memory.anonymous:.1f} MiB"


SERVING = (
    ("samples", lambda served: str(served.samples)),
    ("bytes of a page", lambda served: f"{served.size:,}"),
    ("scrape p50 / p99", lambda served: latency(served.alone)),
    ("the same as Prometheus asks (gzip)", lambda served: latency(served.alone_gzip)),
    ("scrapes/s, 4 connections", lambda served: rate(served.busy)),
    ("the same as Prometheus asks (gzip)", lambda served: rate(served.busy_gzip)),
    ("own CPU of a scrape", lambda served: f"{served.cpu_per_scrape_us:,.0f} µs"),
    ("RSS / anonymous at the start", lambda served: mebibytes(served.at_start)),
    ("RSS / anonymous after 1,000 scrapes", lambda served: mebibytes(served.after_scrapes)),
)
LOOK = (
    ("a look at both repositories: own CPU", lambda look: f"{1000 * look.cpu.own:.2f} ms"),
    ("a look at both repositories: children's CPU", lambda look: f"{1000 * look.cpu.children:.1f} ms"),
    ("a look at both repositories: calls of pgbackrest", lambda look: calls(look)),
)
SCHEDULE = (
    ("own CPU", lambda worked: f"{worked.hour.own:.2f} s/h"),
    ("children's CPU", lambda worked: f"{worked.hour.children:.1f} s/h"),
    ("calls of pgbackrest", lambda worked: per_hour(calls(worked))),
    ("RSS / anonymous", lambda worked: mebibytes(worked.memory)),
)


def calls(figure):
    return ", ".join(f"{count:.0f} {name}" for name, count in sorted(figure.calls.items())) or NONE


def per_hour(text):
    return text if text == NONE else f"{text}/h"


def row(title, cells):
    print(f"| {' | '.join([title, *cells])} |")


def rows(kinds, figures, prefix=""):
    """A row for each kind; columns without figures hold a dash."""
    for title, text in kinds:
        row(prefix + title, [text(figures[column]) if column in figures else NONE for column in COLUMNS])


def on_schedule(worked, schedule):
    return {column: worked[name] for column, name in schedule.items()}


def print_table(figures):
    row("", TITLES)
    row("---", ["---:"] * len(COLUMNS))
    rows(SERVING, figures.served)
    rows(LOOK, figures.looks)
    for name, schedule in SCHEDULES:
        rows(SCHEDULE, on_schedule(figures.worked, schedule), f"{name}: ")
    after, peak = figures.large
    row("RSS / anonymous after an answer of 16 MiB", [f"{mebibytes(after)}, peak RSS {peak:.1f}", *[NONE] * 3])


@dataclass(frozen=True)
class Aim:
    what: str
    figure: float
    limit: float
    at_least: bool = False

    def line(self):
        met = self.figure >= self.limit if self.at_least else self.figure <= self.limit
        bound = "at least" if self.at_least else "at most"
        return f"- {'met' if met else 'NOT met'}: {self.what}: {self.figure:.2f}, aim {bound} {self.limit:g}"


def times_the_scrapes(served, load):
    ours, *peers = (load(served[column]).per_second for column in PROGRAMS)
    return ours / max(peers)


def share_of_memory(served):
    ours, *peers = (served[column].after_scrapes.anonymous for column in PROGRAMS)
    return ours / min(peers)


def share_of_cpu(worked, schedule):
    ours, *peers = (worked[schedule[column]].hour.own for column in PROGRAMS)
    return ours / sum(peers)


def share_of_children(looks):
    return looks["ours"].cpu.children / looks["pgbackrest"].cpu.children


def aims(figures):
    times = [times_the_scrapes(figures.served, load) for load in (lambda each: each.busy, lambda each: each.busy_gzip)]
    yield Aim("scrapes/s, times the faster peer's", times[0], TIMES_THE_SCRAPES, at_least=True)
    yield Aim("the same as Prometheus asks", times[1], TIMES_THE_SCRAPES, at_least=True)
    for name, schedule in SCHEDULES:
        share = share_of_cpu(figures.worked, schedule)
        yield Aim(f"own CPU, share of both peers' together, {name}", share, SHARE_OF_CPU)
    share = share_of_memory(figures.served)
    yield Aim("anonymous memory after 1,000 scrapes, share of the smaller peer's", share, 1)
    yield Aim("children's CPU of a look, share of pgbackrest_exporter's", share_of_children(figures.looks), 1)


def print_aims(figures):
    print()
    for aim in aims(figures):
        print(aim.line())
