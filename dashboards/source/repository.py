"""Repository detail: one repository of one stanza. Why the verdict is what it is, and how it grows."""
from grafana import (
    NONE,
    NONE_IS_GOOD,
    NOTHING,
    SOME,
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
    ORANGE,
    PROMISE_STATES,
    RED,
    REPOSITORY,
    REPOSITORY_STATES,
    UNKNOWN,
    Scope,
    by_repository,
    each_promise,
    judged,
    now_of,
    reachable,
    reasons,
    repository_verdict,
)

UID = "pgbackup-repository"
S = Scope()
TYPES = ("full", "diff", "incr")
NOT_ON_A_MOUNT = "no mount, or not known"
NOT_ON_NFS = "not NFS, or not known"
NOT_ON_S3 = "not S3, or not known"
NO_DRILL = "no drill known"
DAY = 86400


def variables():
    everything = S.of_stanza("pgbackrest_repo_info")
    return [
        data_source(),
        variable("instance", "Instance", "label_values(pgbackrest_repo_info, instance)"),
        variable("stanza", "Stanza", f"label_values({S.of_host('pgbackrest_repo_info')}, stanza)"),
        variable(
            "repository",
            "Repository",
            f"query_result(max by (name, repo_key) (last_over_time({everything}[1d])))",
            regex='/name="(?<text>[^"]*)".*repo_key="(?<value>[^"]*)"/',
        ),
    ]


def one(metric, *more):
    return by_repository(S.of_repository(metric, *more))


def by_type(metric):
    return f"max by ({REPOSITORY}, backup_type) ({S.of_repository(metric)})"


def remembered(metric):
    """A time that stays true while the exporter is away."""
    return by_repository(f"last_over_time({S.of_repository(metric)}[1d])")


def answer():
    return [
        stat(
            "Could it be restored right now?",
            "The verdict on this repository, as in the overview.",
            (7, 4),
            S.named(repository_verdict(S)),
            "{{name}}",
            mappings=words(REPOSITORY_STATES),
            limits=thresholds(UNKNOWN),
        ),
        stat(
            "Restorable up to",
            "The latest moment of the newest window without a gap. An upper bound with continuous WAL.",
            (5, 4),
            reachable(S, "pgbackrest_recovery_window_end_timestamp_seconds"),
            "",
            "dateTimeAsIso",
            mappings=NOTHING,
            value_size=20,
        ),
        stat(
            "Restorable from",
            "The earliest moment of the newest window without a gap.",
            (5, 4),
            reachable(S, "pgbackrest_recovery_window_start_timestamp_seconds"),
            "",
            "dateTimeAsIso",
            mappings=NOTHING,
            value_size=20,
        ),
        stat(
            "Restorable backups",
            "Backups of which nothing known is missing.",
            (4, 4),
            one("pgbackrest_backups_restorable"),
            "",
            limits=SOME,
        ),
        stat(
            "Full ones to keep",
            "repo-retention-full as configured: how many, or days of them.",
            (3, 4),
            one("pgbackrest_repo_retention_full"),
            "",
        ),
        history(
            "Since when is it so?",
            "The verdict over the time shown.",
            (24, 3),
            [Line(S.named(repository_verdict(S)), "{{name}}")],
            words(REPOSITORY_STATES),
        ),
        why(),
    ]


def why():
    labels = [
        Label("source", "Says", 200),
        Label("reason", "Reason"),
        *map(Label, ("name", "repo_key", "instance", "stanza")),
    ]
    return table(
        "Why can it not be read?",
        "What those who look at it say now. The exporter's status page has the whole error.",
        (24, 4),
        labels,
        [Column("Now", reasons(S), hidden=True)],
        silent="no reason is told: see the verdict above",
    )


def sizes():
    stored = one("pgbackrest_repo_stored_bytes")
    return [
        row("Size and growth"),
        graph(
            "How large is it?",
            "What all backups listed occupy, without WAL.",
            (8, 8),
            "bytes",
            [Line(stored, "stored")],
            min=0,
        ),
        graph(
            "How much does it grow in a day?",
            "By the last day. Below 0 expire has removed more than was added.",
            (8, 8),
            "bytes",
            [Line(by_repository(f"delta({S.of_repository('pgbackrest_repo_stored_bytes')}[1d])"), "growth in a day")],
        ),
        graph(
            "How large is the newest backup of each type?",
            "What it added to the repository, and the cluster that it holds.",
            (8, 8),
            "bytes",
            [
                Line(by_type("pgbackrest_backup_last_repo_delta_bytes"), "{{backup_type}} added"),
                Line(by_type("pgbackrest_backup_last_size_bytes"), "{{backup_type}} cluster", dashed=True),
            ],
            min=0,
        ),
        table(
            "What is the newest backup of each type?",
            "Of the present database. No type stands for another.",
            (16, 6),
            [Label("backup_type", "Type", 80), Label("instance"), Label("stanza"), Label("repo_key")],
            [
                Column("Kept", by_type("pgbackrest_backups"), width=70),
                Column(
                    "Ended",
                    f"{by_type('pgbackrest_backup_last_completion_timestamp_seconds')} * 1000",
                    "dateTimeAsIso",
                    missing="none",
                    missing_color="text",
                    width=180,
                ),
                Column(
                    "Ago",
                    f"time() - {by_type('pgbackrest_backup_last_completion_timestamp_seconds')}",
                    "s",
                    missing="none",
                    missing_color="text",
                    width=100,
                ),
                Column(
                    "Took",
                    by_type("pgbackrest_backup_last_duration_seconds"),
                    "s",
                    missing="none",
                    missing_color="text",
                    width=100,
                ),
                Column(
                    "Copied",
                    by_type("pgbackrest_backup_last_delta_bytes"),
                    "bytes",
                    missing="none",
                    missing_color="text",
                    width=110,
                ),
                Column(
                    "A restore reads",
                    by_type("pgbackrest_backup_last_repo_size_bytes"),
                    "bytes",
                    missing="not said",
                    missing_color="text",
                ),
            ],
        ),
        stat(
            "Were pages damaged?",
            "Backups with page checksum errors: they can be restored, with the damage.",
            (4, 6),
            one("pgbackrest_backups_with_errors"),
            "",
            limits=NONE,
        ),
        stat(
            "Were backups broken off?",
            "Folders that pgBackRest does not list, untouched for an hour.",
            (4, 6),
            one("pgbackrest_backups_incomplete"),
            "",
            limits=thresholds("text", (1, ORANGE)),
        ),
    ]


def commands():
    """What `run` knows of its last commands."""
    status = f"max by ({REPOSITORY}, command) ({S.of_repository('pgbackrest_command_last_exit_status')})"
    ended = f"max by ({REPOSITORY}, command) ({S.of_repository('pgbackrest_command_last_end_timestamp_seconds')})"
    return [
        table(
            "How did the last commands end?",
            "The last backup, expire, check or other command that `run` supervised for this repository, by its exit "
            "status. What is started by other means is not known here.",
            (24, 6),
            [Label("command", "Command", 160), Label("instance"), Label("stanza"), Label("repo_key")],
            [
                Column("Exit status", status, limits=NONE_IS_GOOD, width=120),
                Column("Ended", f"{ended} * 1000", "dateTimeAsIso", width=200),
                Column("Ago", f"time() - {ended}", "s"),
            ],
            silent="`run` has supervised no command of this repository, or nobody says so now",
        ),
    ]


def times():
    age = "time() - max by ({}, backup_type) ({})"
    ended = S.of_repository("pgbackrest_backup_last_completion_timestamp_seconds")
    return [
        row("Times, against what was promised"),
        graph(
            "How old is the newest backup of each type?",
            "Dashed: the objective of the same type, as far as there is one.",
            (12, 8),
            "s",
            [
                Line(age.format(REPOSITORY, ended), "{{backup_type}}"),
                Line(by_type("pgbackrest_backup_objective_seconds"), "{{backup_type}} promised", dashed=True),
            ],
            min=0,
        ),
        graph(
            "How long do backups take?",
            "How long the newest one of each type took.",
            (12, 8),
            "s",
            [Line(by_type("pgbackrest_backup_last_duration_seconds"), "{{backup_type}}")],
            min=0,
        ),
        graph(
            "How much would be lost?",
            "From the latest moment that can be restored. Dashed: what may be lost.",
            (12, 8),
            "s",
            [
                Line(one("pgbackrest_recovery_point_age_seconds"), "would be lost"),
                Line(one("pgbackrest_recovery_point_objective_seconds"), "may be lost", dashed=True, color=RED),
            ],
            min=0,
        ),
        table(
            "What is promised, and what is it now?",
            "Every objective that is configured for this repository.",
            (12, 8),
            [Label("promise", "Promise", 180), Label("name"), Label("repo_key"), Label("instance"), Label("stanza")],
            [
                Column(
                    "Is", each_promise(S, judged), mappings=words(PROMISE_STATES), width=160, cell="color-background"
                ),
                Column("Allowed", each_promise(S, lambda promise: promise.allowed), "s", width=120),
                Column("Now", each_promise(S, now_of), "s", missing="none known", missing_color=RED),
            ],
            sort="Is",
            silent="nothing is promised, or the exporter is silent",
        ),
        stat(
            "Did the last drill prove a restore?",
            "A drill restores a backup and reads it all.",
            (6, 4),
            one("pgbackrest_restore_drill_status"),
            "",
            mappings=yes_no("yes", "NO"),
            limits=thresholds(UNKNOWN),
            unknown=NO_DRILL,
        ),
        stat(
            "When did a drill last prove it?",
            "The end of the last drill that succeeded.",
            (6, 4),
            f"{remembered('pgbackrest_restore_drill_last_success_timestamp_seconds')} * 1000",
            "",
            "dateTimeAsIso",
            value_size=20,
            unknown=NO_DRILL,
        ),
        stat(
            "How long does a restore take?",
            "The last drill that succeeded, until the restored server answered.",
            (6, 4),
            one("pgbackrest_restore_drill_duration_seconds"),
            "",
            "s",
            unknown=NO_DRILL,
        ),
        stat(
            "Which moment had it reached?",
            "The latest data of the last drill that succeeded.",
            (6, 4),
            f"{remembered('pgbackrest_restore_drill_recovered_timestamp_seconds')} * 1000",
            "",
            "dateTimeAsIso",
            value_size=20,
            unknown=NO_DRILL,
        ),
    ]


def wal():
    missing = f"max by ({REPOSITORY}, scope) ({S.of_repository('pgbackrest_wal_missing_segments')})"
    return [
        row("WAL in this repository"),
        graph(
            "Is WAL missing?",
            "Since the last backup: a restore ends there without an error. Older: moments between two "
            "backups are out of reach. Behind: archived, and not reached in this repository.",
            (12, 8),
            "none",
            [
                Line(missing, "missing, {{scope}}"),
                Line(one("pgbackrest_wal_behind_segments"), "behind the archiver"),
                Line(one("pgbackrest_wal_foreign_timelines"), "foreign timelines", color=RED),
            ],
            min=0,
            decimals=0,
        ),
        graph(
            "How much WAL does it hold?",
            "Segments of the present database, on all timelines.",
            (6, 8),
            "none",
            [Line(one("pgbackrest_wal_segments"), "segments")],
            min=0,
        ),
        graph(
            "How much WAL does it lack?",
            "Written by PostgreSQL behind the last segment that a restore reaches here.",
            (6, 8),
            "bytes",
            [Line(one("pgbackrest_wal_unarchived_bytes"), "not here yet")],
            min=0,
        ),
    ]


def mount():
    used = f"1 - {S.on_mount('pgbackup_mount_avail_bytes')} / {S.on_mount('pgbackup_mount_size_bytes')}"
    files = f"1 - {S.on_mount('pgbackup_mount_files_free')} / {S.on_mount('pgbackup_mount_files')}"
    rates = [("requests", ""), ("retransmissions", ORANGE), ("major_timeouts", RED)]
    return [
        row("Mount and NFS, where the repository is a folder"),
        stat(
            "Does the mount answer?",
            "Whether the file system answered the last look.",
            (6, 4),
            S.on_mount("pgbackup_mount_responding"),
            "",
            mappings=yes_no("yes", "NO"),
            limits=thresholds(UNKNOWN),
            silent=NOT_ON_A_MOUNT,
        ),
        stat(
            "How long has it been stuck?",
            "For how long it has given no answer at all.",
            (6, 4),
            S.on_mount("pgbackup_mount_stuck_seconds"),
            "",
            "s",
            limits=thresholds("green", (15, RED)),
            silent=NOT_ON_A_MOUNT,
        ),
        stat(
            "How long is the NFS lease over?",
            "0 while the server answers, idle or not: the best quiet signal of NFS 4.",
            (6, 4),
            S.on_mount("pgbackup_nfs_lease_expired_seconds"),
            "",
            "s",
            limits=thresholds("green", (0.001, RED)),
            silent=NOT_ON_NFS,
        ),
        stat(
            "How often did NFS connect anew?",
            "In the time shown. Healthy it connects once.",
            (6, 4),
            S.on_mount("pgbackup_nfs_transport_connects_total", over="increase(%s[$__range])"),
            "",
            limits=thresholds("green", (2, ORANGE)),
            silent=NOT_ON_NFS,
        ),
        graph(
            "How full is it?",
            "Bytes and inodes. A file system that counts no inodes has one line.",
            (8, 8),
            "percentunit",
            [Line(used, "bytes"), Line(files, "inodes")],
            min=0,
            max=1,
            limits=thresholds("green", (0.8, ORANGE), (0.9, RED)),
            noValue=NOT_ON_A_MOUNT,
        ),
        graph(
            "How long does a look take?",
            "statfs(), and listing one entry.",
            (8, 8),
            "s",
            [
                Line(S.on_mount("pgbackup_mount_probe_duration_seconds", 'operation="statfs"'), "statfs"),
                Line(S.on_mount("pgbackup_mount_probe_duration_seconds", 'operation="readdir"'), "readdir"),
            ],
            min=0,
            noValue=NOT_ON_A_MOUNT,
        ),
        graph(
            "Does NFS have to ask again?",
            "NFS requests in a second; those sent again, and those given up for a while.",
            (8, 8),
            "ops",
            [
                Line(
                    S.on_mount(f"pgbackup_nfs_{name}_total", over="rate(%s[$__rate_interval])"),
                    name.replace("_", " "),
                    color=color,
                )
                for name, color in rates
            ],
            min=0,
            noValue=NOT_ON_NFS,
        ),
    ]


def object_store():
    phase = f"max by ({REPOSITORY}, phase) ({S.of_repository('pgbackup_s3_probe_duration_seconds')})"
    return [
        row("Object store, where the repository is on S3"),
        stat(
            "Does it grant a listing?",
            "A signed listing of the stanza's archive. It proves no right to write.",
            (6, 4),
            one("pgbackup_s3_up"),
            "",
            mappings=yes_no("yes", "NO"),
            limits=thresholds(UNKNOWN),
            silent=NOT_ON_S3,
        ),
        stat(
            "What did it answer?",
            "HTTP status of the answer to the signed listing.",
            (6, 4),
            one("pgbackup_s3_http_status_code"),
            "",
            limits=thresholds("green", (400, RED)),
            silent=NOT_ON_S3,
        ),
        stat(
            "How long is its certificate valid?",
            "Until the certificate of the server ends.",
            (6, 4),
            f"{one('pgbackup_s3_tls_certificate_expiry_timestamp_seconds')} - time()",
            "",
            "s",
            limits=thresholds(RED, (14 * DAY, "green")),
            silent=NOT_ON_S3,
        ),
        stat(
            "How far is this clock off?",
            "Ahead of the store's clock. At 15 minutes S3 refuses every request.",
            (6, 4),
            one("pgbackup_clock_skew_seconds"),
            "",
            "s",
            limits=thresholds(RED, (-60, "green"), (60, RED)),
            silent=NOT_ON_S3,
        ),
        graph(
            "How long does each phase take?",
            "Of the signed listing; a phase that did not end well has no time.",
            (24, 8),
            "s",
            [Line(phase, "{{phase}}")],
            stacked=True,
            min=0,
            noValue=NOT_ON_S3,
        ),
    ]


def build():
    panels = [*answer(), *sizes(), *commands(), *times(), *wal(), *mount(), *object_store()]
    links = [link("Backup overview", "pgbackup-overview"), link("Fleet", "pgbackup-fleet")]
    return dashboard(
        UID,
        "Repository detail",
        "Why the verdict on a repository is what it is, and how it grows.",
        "now-7d",
        variables(),
        panels,
        links,
    )
