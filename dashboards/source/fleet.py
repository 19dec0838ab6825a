"""Fleet: hundreds of instances, the worst first. It leads to the overview of the one that needs a person."""
from grafana import (
    NOTHING,
    USED,
    Column,
    Label,
    Line,
    dashboard,
    data_source,
    graph,
    link,
    row,
    stat,
    table,
    thresholds,
    variable,
    words,
)
from promql import (
    ARCHIVING_STATES,
    ORANGE,
    RED,
    REPOSITORY_STATES,
    UNKNOWN,
    Scope,
    archiving_verdict,
    by_repository,
    or_unknown,
    reachable,
    repository_verdict,
    waiting,
    wal_disk_used,
    worst_promise,
)
from recording import VERDICT

UID = "pgbackup-fleet"
S = Scope(several=True, by_name=True)
WHERE = "?var-datasource=${datasource}&var-instance=${__data.fields.Instance}&var-stanza=${__data.fields.Stanza}"
TO_OVERVIEW = {"title": "Backup overview", "url": f"/d/pgbackup-overview{WHERE}" + "&${__url_time_range}"}
TO_REPOSITORY = {
    "title": "Repository detail",
    "url": f"/d/pgbackup-repository{WHERE}&var-repository=${{__data.fields.repo_key}}" + "&${__url_time_range}",
}


def variables():
    return [
        data_source(),
        variable("instance", "Instance", "label_values(pgbackrest_repo_info, instance)", several=True),
        variable("stanza", "Stanza", f"label_values({S.of_host('pgbackrest_repo_info')}, stanza)", several=True),
        variable(
            "repository", "Repository", f"label_values({S.of_stanza('pgbackrest_repo_info')}, name)", several=True
        ),
    ]


def renamed(states):
    """What count_values() calls by its number gets the verdict's own words and colour."""
    return [
        {
            "matcher": {"id": "byName", "options": str(state.number)},
            "properties": [
                {"id": "displayName", "value": state.text},
                {"id": "color", "value": {"mode": "fixed", "fixedColor": state.color}},
            ],
        }
        for state in states
    ]


def counts():
    repositories = f'count_values("verdict", {S.named(repository_verdict(S))})'
    servers = f'count_values("verdict", {archiving_verdict(S)})'
    silent = "NOTHING is known"
    return [
        stat(
            "How many repositories are in each state?",
            "Only states that there are. A repository is remembered for a day.",
            (12, 5),
            repositories,
            "{{verdict}}",
            overrides=renamed(REPOSITORY_STATES),
            limits=thresholds(UNKNOWN),
            unknown=silent,
        ),
        stat(
            "How many servers archive their WAL?",
            "Only states that there are. A server is remembered for a day.",
            (8, 5),
            servers,
            "{{verdict}}",
            overrides=renamed(ARCHIVING_STATES),
            limits=thresholds(UNKNOWN),
            unknown="NO server is known",
        ),
        stat(
            "Are exporters silent?",
            "Known within a day, and not scraped now. All they showed is unknown.",
            (4, 5),
            f"count({silent_exporters()}) or 0 * count({known_exporters()})",
            "",
            limits=thresholds("green", (1, RED)),
            unknown="NONE is known",
        ),
    ]


def known_exporters():
    return f"max by (instance) (last_over_time({S.of_host('pgbackup_exporter_build_info')}[1d]))"


def silent_exporters():
    return f"{known_exporters()} unless max by (instance) ({S.of_host('pgbackup_exporter_build_info')})"


def worst_first():
    info = [Label("instance", "Instance", 260, [TO_OVERVIEW]), Label("stanza", "Stanza", 130)]
    end = reachable(S, "pgbackrest_recovery_window_end_timestamp_seconds")
    age = S.of_repository("pgbackrest_recovery_point_age_seconds")
    return [
        table(
            "Which repository needs somebody first?",
            "The worst first. Instance leads to its overview, repository to its detail.",
            (24, 14),
            [*info, Label("name", "Repository", 150, [TO_REPOSITORY]), Label("repo_key")],
            [
                Column(
                    "Verdict",
                    f"sort({S.named(repository_verdict(S))})",
                    mappings=words(REPOSITORY_STATES),
                    width=190,
                    cell="color-background",
                ),
                Column(
                    "Worst promise used",
                    S.named(or_unknown(worst_promise(S), S.known_repositories())),
                    "percentunit",
                    USED,
                    missing="not known",
                    width=190,
                    cell="gauge",
                    properties=[{"id": "max", "value": 1.5}, {"id": "min", "value": 0}, {"id": "decimals", "value": 0}],
                ),
                Column(
                    "Would be lost now", S.named(or_unknown(by_repository(age), S.known_repositories())), "s", width=160
                ),
                Column(
                    "Restorable up to",
                    S.named(or_unknown(end, S.known_repositories())),
                    "dateTimeAsIso",
                    mappings=NOTHING,
                ),
            ],
            sort="Verdict",
            silent="NO repository is known: is anything scraped?",
        ),
        table(
            "Which server keeps its WAL to itself?",
            "The worst first. When the disk of pg_wal is full PostgreSQL stops.",
            (14, 10),
            info,
            [
                Column(
                    "Archiving",
                    f"sort({archiving_verdict(S)})",
                    mappings=words(ARCHIVING_STATES),
                    width=150,
                    cell="color-background",
                ),
                Column("WAL that waits", or_unknown(waiting(S), S.known_servers()), "bytes", width=130),
                Column(
                    "pg_wal disk",
                    or_unknown(wal_disk_used(S), S.known_servers()),
                    "percentunit",
                    thresholds("green", (0.8, ORANGE), (0.9, RED)),
                ),
            ],
            sort="Archiving",
            silent="NO server is known",
        ),
        table(
            "Which exporters are silent?",
            "Known within a day, and not scraped now.",
            (10, 10),
            [Label("instance", "Instance", 300)],
            [Column("Now", f"0 * ({silent_exporters()})", mappings=words_of_silence())],
            silent="every exporter known within a day is scraped; with none known, the list above is empty",
        ),
    ]


def words_of_silence():
    return [{"type": "value", "options": {"0": {"text": "SILENT", "color": UNKNOWN, "index": 0}}}]


def over_time():
    recorded = by_repository(S.of_stanza(VERDICT))
    return [
        row("Over time"),
        graph(
            "When did it change?",
            "Repositories in each state, as recorded: Prometheus must have loaded alerts/recording.rules.yml. The "
            "table above needs no recording.",
            (16, 8),
            "none",
            [Line(f'count_values("verdict", {S.named(recorded)})', "{{verdict}}")],
            stacked=True,
            overrides=renamed(REPOSITORY_STATES),
            min=0,
            decimals=0,
            noValue="not recorded: is alerts/recording.rules.yml loaded?",
        ),
        graph(
            "How much WAL waits in all?",
            "Written and not archived, of all servers that say so.",
            (8, 8),
            "bytes",
            [Line(f"sum({waiting(S)})", "waiting"), Line(f"max({waiting(S)})", "the worst server", dashed=True)],
            min=0,
        ),
    ]


def build():
    panels = [*counts(), *worst_first(), *over_time()]
    links = [link("Backup overview", "pgbackup-overview"), link("Repository detail", "pgbackup-repository")]
    return dashboard(
        UID,
        "Fleet",
        "All instances: which repository could not be restored from, and which server keeps its WAL to itself.",
        "now-24h",
        variables(),
        panels,
        [{**one, "includeVars": False} for one in links],
        refresh="5m",
    )
