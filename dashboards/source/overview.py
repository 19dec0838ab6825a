"""Backup overview: one server. What the person on call looks at first; the upper third is the answer."""
from grafana import (
    NONE_IS_GOOD,
    NOTHING,
    SOME,
    USED,
    Column,
    Label,
    Line,
    dashboard,
    data_source,
    graph,
    history,
    link,
    row,
    stat,
    table,
    thresholds,
    variable,
    words,
    yes_no,
)
from promql import (
    ARCHIVING_STATES,
    ORANGE,
    PROMISE_STATES,
    RED,
    REPOSITORY,
    REPOSITORY_STATES,
    UNKNOWN,
    Scope,
    archiving_verdict,
    by_repository,
    by_server,
    each_promise,
    judged,
    now_of,
    or_unknown,
    reachable,
    reasons,
    repository_verdict,
    used,
    waiting,
    wal_disk_used,
)

UID = "pgbackup-overview"
RUNBOOKS = "https://github.com/pgbackup-exporter/pgbackup_exporter/blob/main/docs/runbooks/"
S = Scope()

TO_REPOSITORY = {
    "title": "Repository detail",
    "url": "/d/pgbackup-repository?var-datasource=${datasource}&var-instance=${instance}&var-stanza=${stanza}"
    "&var-repository=${__data.fields.repo_key}&${__url_time_range}",
}
REPOSITORY_LABELS = [
    Label("name", "Repository", 130, [TO_REPOSITORY]),
    Label("repo_key"),
    Label("instance"),
    Label("stanza"),
]


def variables():
    info = S.of_host("pgbackrest_repo_info")
    everything = S.of_stanza("pgbackrest_repo_info")
    names = f"max by (name, repo_key) (last_over_time({everything}[1d]))"
    return [
        data_source(),
        variable("instance", "Instance", "label_values(pgbackrest_repo_info, instance)"),
        variable("stanza", "Stanza", f"label_values({info}, stanza)"),
        variable(
            "repository",
            "Repository",
            f"query_result({names})",
            several=True,
            regex='/name="(?<text>[^"]*)".*repo_key="(?<value>[^"]*)"/',
        ),
    ]


def fact(metric, scale=""):
    """A time that stays true while the exporter is away, as remembered for a day."""
    value = by_repository(f"last_over_time({S.of_repository(metric)}[1d])")
    return S.named(or_unknown(value + scale, S.known_repositories()))


def now(metric):
    """One value for each repository, or unknown."""
    return S.named(or_unknown(by_repository(S.of_repository(metric)), S.known_repositories()))


def in_store(expression):
    """One value for each repository in an object store, or unknown."""
    info = S.of_repository("pgbackrest_repo_info", 'storage="s3"')
    return S.named(or_unknown(expression, by_repository(f"last_over_time({info}[1d])")))


def answer():
    return [
        stat(
            "Could it be restored right now?",
            "The verdict on each repository. PROVEN: a drill restored it, as lately as promised. Looks restorable: "
            "nothing known is missing. Unknown is no good news: nobody could look.",
            (8, 5),
            S.named(repository_verdict(S)),
            "{{name}}",
            mappings=words(REPOSITORY_STATES),
            limits=thresholds(UNKNOWN),
            value_size=26,
        ),
        stat(
            "Is WAL archived?",
            "Whether what is written now leaves this server. While it does not, it exists here alone and pg_wal fills.",
            (4, 5),
            archiving_verdict(S),
            "",
            mappings=words(ARCHIVING_STATES),
            limits=thresholds(UNKNOWN),
            value_size=26,
        ),
        firing(),
        why(),
    ]


def firing():
    chosen = 'instance="$instance",stanza=~"$stanza|"'
    alerts = f'ALERTS_FOR_STATE{{{chosen}}} and ignoring (alertstate) ALERTS{{{chosen},alertstate="firing"}}'
    since = f"time() - min by (alertname, severity, repo_key) ({alerts})"
    runbook = {"title": "Runbook", "url": RUNBOOKS + "${__data.fields.Alert}.md", "targetBlank": True}
    return table(
        "Which alerts fire?",
        "Alerts of this server as Prometheus evaluates them, also those that Alertmanager silences. A name leads to "
        "its runbook. An empty list says nothing where the alert rules are not loaded.",
        (7, 5),
        [Label("alertname", "Alert", 0, [runbook]), Label("severity", "Severity", 85), Label("repo_key", "Repo", 60)],
        [Column("For", f'label_replace({since}, "repo_key", "-", "repo_key", "")', "s", width=90)],
        sort="Severity",
        silent="no alert fires, or the rules are not loaded",
    )


def why():
    labels = [Label("source", "Says", 100), Label("reason", "Reason"), *map(Label, ("repo_key", "instance", "stanza"))]
    return table(
        "Why can it not be read?",
        "What those who look at the repositories say now. The exporter's status page has the whole error.",
        (5, 5),
        [Label("name", "Repository", 90), *labels],
        [Column("Now", reasons(S), hidden=True)],
        silent="no reason is told: see the verdict",
    )


def where_to():
    drilled = "pgbackrest_restore_drill_last_success_timestamp_seconds"
    columns = [
        Column(
            "Verdict",
            S.named(repository_verdict(S)),
            mappings=words(REPOSITORY_STATES),
            width=180,
            cell="color-background",
        ),
        Column(
            "Restorable up to",
            S.named(or_unknown(reachable(S, "pgbackrest_recovery_window_end_timestamp_seconds"), S.known_repositories())),
            "dateTimeAsIso",
            mappings=NOTHING,
            width=180,
        ),
        Column("Would be lost now", now("pgbackrest_recovery_point_age_seconds"), "s", width=150),
        Column("of what may be", lost_share(), "percentunit", USED, missing="-", missing_color="text", width=130),
        Column(
            "Restorable from",
            S.named(or_unknown(reachable(S, "pgbackrest_recovery_window_start_timestamp_seconds"), S.known_repositories())),
            "dateTimeAsIso",
            mappings=NOTHING,
            width=180,
        ),
        Column("Restorable backups", now("pgbackrest_backups_restorable"), "none", SOME, width=160),
        Column("Listed", listed(), "none", width=90),
        Column(
            "Newest backup",
            fact("pgbackrest_backup_last_completion_timestamp_seconds", " * 1000"),
            "dateTimeAsIso",
            width=180,
        ),
        Column(
            "Last drill that worked", fact(drilled, " * 1000"), "dateTimeAsIso", missing="never", missing_color=ORANGE
        ),
    ]
    return table(
        "Where could a restore get to, and what would be lost?",
        "The newest window of each repository, without a gap. What would be lost counts from the latest moment that "
        "can be restored; it does not grow on an idle database. Times stay while a repository is down: look "
        "at the verdict first.",
        (24, 5),
        REPOSITORY_LABELS,
        columns,
        sort="Verdict",
    )


def listed():
    count = f"sum by ({REPOSITORY}) ({S.of_repository('pgbackrest_backups')})"
    return S.named(or_unknown(count, S.known_repositories()))


def lost_share():
    age = by_repository(S.of_repository("pgbackrest_recovery_point_age_seconds"))
    return S.named(
        or_unknown(
            f"{age} / {by_repository(S.of_repository('pgbackrest_recovery_point_objective_seconds'))}",
            S.known_repositories(),
        )
    )


def promises_and_history():
    promise = [Label("promise", "Promise", 150), *REPOSITORY_LABELS]
    return [
        table(
            "Which promises are kept?",
            "Every objective that is configured, how much of it is used up, and whether that is too much. "
            "NOTHING KNOWN: what was promised never happened, or nobody can tell.",
            (12, 10),
            promise,
            [
                Column(
                    "Is", each_promise(S, judged), mappings=words(PROMISE_STATES), width=160, cell="color-background"
                ),
                Column(
                    "Used",
                    each_promise(S, used),
                    "percentunit",
                    USED,
                    missing="-",
                    missing_color=RED,
                    width=80,
                    properties=[{"id": "decimals", "value": 0}],
                ),
                Column("Now", each_promise(S, now_of), "s", missing="none known", missing_color=RED, width=110),
                Column("Allowed", each_promise(S, lambda promise: promise.allowed), "s", width=110),
            ],
            sort="Is",
            silent="nothing is promised, or the exporter is silent",
        ),
        history(
            "Since when is it so?",
            "The verdicts over the time shown. A hole means that Prometheus itself was not there.",
            (12, 10),
            [Line(S.named(repository_verdict(S)), "{{name}}")],
            words(REPOSITORY_STATES),
        ),
    ]


def archiving():
    failed = by_server(f"increase({S.of_stanza('pg_stat_archiver_failed_count')}[15m])")
    archived = by_server(f"increase({S.of_stanza('pg_stat_archiver_archived_count')}[15m])")
    return [
        row("Archiving: what is on this server alone"),
        history(
            "When did archiving work?",
            "What became of WAL archiving over the time shown.",
            (12, 4),
            [Line(archiving_verdict(S), "archiving")],
            words(ARCHIVING_STATES),
        ),
        stat(
            "How long does WAL wait?",
            "Since when the oldest file that is ready waits to be archived. Red from five minutes on.",
            (4, 4),
            oldest(),
            "",
            "s",
            limits=thresholds("green", (60, ORANGE), (300, RED)),
        ),
        stat(
            "How many async pushes fail?",
            "WAL segments whose asynchronous push failed at the last attempt, in the repository where most do.",
            (4, 4),
            by_server(S.of_stanza("pgbackrest_archive_push_failing_segments")),
            "",
            limits=NONE_IS_GOOD,
            silent="not known",
        ),
        stat(
            "Was WAL thrown away?",
            "Segments dropped in the time shown: the queue was longer than archive-push-queue-max. Each is a hole "
            "that only a new backup gets over. Not known where no limit is set or pushes are not asynchronous.",
            (4, 4),
            by_server(f"increase({S.of_stanza('pgbackrest_archive_push_dropped_segments_total')}[$__range])"),
            "",
            limits=thresholds("green", (0.001, RED)),
            silent="not known",
        ),
        graph(
            "How much was archived, and how often did it fail?",
            "Segments archived and attempts that failed, in the 15 minutes before. Any failure is a page.",
            (8, 8),
            "short",
            [Line(archived, "archived"), Line(failed, "failed", color=RED)],
            min=0,
        ),
        graph(
            "How much WAL waits?",
            "Written and not archived, and ready to be archived. Beyond the dashed limit pgBackRest throws WAL away.",
            (8, 8),
            "bytes",
            [
                Line(waiting(S), "written, not archived"),
                Line(by_server(S.of_stanza("pg_archive_queue_bytes")), "ready"),
                Line(
                    by_server(S.of_stanza("pgbackrest_archive_push_queue_max_bytes")),
                    "thrown away beyond",
                    dashed=True,
                    color=RED,
                ),
            ],
            min=0,
        ),
        graph(
            "How full is the disk of pg_wal?",
            "When it is full PostgreSQL stops.",
            (8, 8),
            "percentunit",
            [Line(wal_disk_used(S), "used")],
            limits=thresholds("green", (0.8, ORANGE), (0.9, RED)),
            min=0,
            max=1,
        ),
    ]


def oldest():
    waits = by_server(f"time() - {S.of_stanza('pg_archive_queue_oldest_timestamp_seconds')}")
    return f"{waits}\nor {by_server(S.of_stanza('pg_archive_queue_files'))} == 0"


def of_path(metric):
    return f"max by (instance, path) ({S.of_host(metric)})"


def storage():
    mount_used = f"1 - {of_path('pgbackup_mount_avail_bytes')} / {of_path('pgbackup_mount_size_bytes')}"
    probe = f"sum by (instance, path) ({S.of_host('pgbackup_mount_probe_duration_seconds')})"
    expires = by_repository(S.of_repository("pgbackup_s3_tls_certificate_expiry_timestamp_seconds"))
    took = f"sum by ({REPOSITORY}) ({S.of_repository('pgbackup_s3_probe_duration_seconds')})"
    return [
        row("Storage: what the repositories lie on"),
        table(
            "Do the mounts answer, and have they room?",
            "Every file system that holds a repository of this host. What does not answer is not asked how full it is.",
            (12, 6),
            [Label("path", "Mount", 190), Label("instance")],
            [
                Column("Mounted", of_path("pgbackup_mount_mounted"), mappings=yes_no("yes", "NO"), width=90),
                Column("Answers", of_path("pgbackup_mount_responding"), mappings=yes_no("yes", "NO"), width=90),
                Column(
                    "Writable",
                    of_path("pgbackup_mount_readonly"),
                    mappings=yes_no("READ-ONLY", "yes", RED, "green"),
                    width=110,
                ),
                Column("Used", mount_used, "percentunit", thresholds("green", (0.8, ORANGE), (0.9, RED)), width=90),
                Column("Last look took", probe, "s", thresholds("green", (1, ORANGE), (5, RED))),
            ],
            sort="Answers",
            silent="no repository on a mount is known now",
        ),
        table(
            "Do the object stores answer?",
            "A signed listing of each S3 repository. It proves no right to write.",
            (12, 6),
            REPOSITORY_LABELS,
            [
                Column(
                    "Grants",
                    in_store(by_repository(S.of_repository("pgbackup_s3_up"))),
                    mappings=yes_no("yes", "NO"),
                    width=90,
                ),
                Column(
                    "HTTP",
                    in_store(by_repository(S.of_repository("pgbackup_s3_http_status_code"))),
                    limits=thresholds("green", (400, RED)),
                    missing="no answer",
                    width=100,
                ),
                Column(
                    "Took",
                    in_store(took),
                    "s",
                    thresholds("green", (2, ORANGE), (5, RED)),
                    missing="no answer",
                    width=100,
                ),
                Column(
                    "Clock off by",
                    in_store(by_repository(S.of_repository("pgbackup_clock_skew_seconds"))),
                    "s",
                    thresholds("green", (60, RED)),
                    width=110,
                ),
                Column(
                    "Certificate ends", in_store(f"{expires} - time()"), "s", thresholds(RED, (14 * 86400, "green"))
                ),
            ],
            sort="Grants",
            silent="no object store is known now",
        ),
    ]


def itself():
    target = "max by (instance, collector, target)"
    succeeded = S.of_host("pgbackup_collector_last_success_timestamp_seconds")
    return [
        row("The exporter: does it see what it shows?"),
        table(
            "Which collectors can look?",
            "A repository that is down is a successful look. Failed means that the exporter itself could not look, and "
            "that what it shows of this target is old.",
            (24, 9),
            [Label("collector", "Collector", 150), Label("target", "Target", 260), Label("instance")],
            [
                Column(
                    "Last look",
                    f"{target} ({S.of_host('pgbackup_collector_success')})",
                    mappings=yes_no("worked", "FAILED"),
                    width=120,
                ),
                Column("Looked ago", f"time() - {target} ({succeeded})", "s", missing="never", width=130),
                Column("Took", f"{target} ({S.of_host('pgbackup_collector_duration_seconds')})", "s", width=120),
                Column(
                    "Failures", f"{target} ({S.of_host('pgbackup_collector_failures_total')})", "none", NONE_IS_GOOD
                ),
            ],
            sort="Last look",
            silent="unknown: the exporter does not answer",
        ),
    ]


def build():
    panels = [*answer(), where_to(), *promises_and_history(), *archiving(), *storage(), *itself()]
    links = [link("Repository detail", "pgbackup-repository"), link("Fleet", "pgbackup-fleet")]
    return dashboard(
        UID,
        "Backup overview",
        "If I had to restore right now: would it work, to which moment, and what would I lose?",
        "now-6h",
        variables(),
        panels,
        links,
    )
