"""The questions, in PromQL: each is asked in one way, whatever the panel that shows the answer.

What is true only now vanishes in an outage, so a verdict begins with everything that was known
within a day and calls unknown whatever nobody can tell now.
"""
from dataclasses import dataclass

REPOSITORY = "instance, stanza, repo_key"
SERVER = "instance, stanza"


@dataclass(frozen=True)
class State:
    """One of the words a verdict can have; the worse, the lower its number."""

    number: int
    text: str
    color: str


RED, ORANGE, UNKNOWN, GREEN, PROVEN = "red", "orange", "purple", "green", "dark-green"

REPOSITORY_STATES = [
    State(0, "NOT restorable", RED),
    State(1, "CANNOT BE READ", RED),
    State(2, "newest backup BROKEN", RED),
    State(3, "WAL MISSING", RED),
    State(4, "FOREIGN TIMELINE", RED),
    State(5, "unknown", UNKNOWN),
    State(6, "objective MISSED", ORANGE),
    State(7, "looks restorable", GREEN),
    State(8, "PROVEN by a drill", PROVEN),
]
ARCHIVING_STATES = [
    State(0, "FAILING", RED),
    State(1, "switched OFF", RED),
    State(2, "STANDS STILL", RED),
    State(3, "server DOWN", ORANGE),
    State(4, "unknown", UNKNOWN),
    State(5, "left to primary", "blue"),
    State(6, "archiving", GREEN),
]
PROMISE_STATES = [
    State(0, "BROKEN", RED),
    State(1, "NOTHING KNOWN", RED),
    State(2, "nearly broken", ORANGE),
    State(3, "kept", GREEN),
]


class Scope:
    """Which instances, stanzas and repositories a dashboard's variables choose.

    One of each is compared, several are matched: Grafana escapes a value for a regular expression
    only when there may be several. `by_name`: repositories are chosen by name, not by key.
    """

    def __init__(self, several=False, by_name=False):
        sign = "=~" if several else "="
        self.by_name = by_name
        self.instance = f'instance{sign}"$instance"'
        self.stanza = f'{self.instance},stanza{sign}"$stanza"'
        self.repository = self.stanza if by_name else f'{self.stanza},repo_key=~"$repository"'

    def of_host(self, metric, *more):
        return select(metric, self.instance, *more)

    def of_stanza(self, metric, *more):
        return select(metric, self.stanza, *more)

    def of_repository(self, metric, *more):
        return select(metric, self.repository, *more)

    def known_repositories(self):
        """What was configured within a day: an exporter that is down takes nothing out of sight."""
        return by_repository(f"last_over_time({self.of_repository('pgbackrest_repo_info')}[1d])")

    def known_servers(self):
        return by_server(f"last_over_time({self.of_stanza('pgbackup_postgres_up')}[1d])")

    def names(self):
        """The name of each repository; while it is renamed, or its exporter is down, still exactly one."""
        chosen = ['name=~"$repository"'] if self.by_name else []
        info = self.of_repository("pgbackrest_repo_info", *chosen)
        now = f"max by ({REPOSITORY}, name) (2 * {info})"
        once = f"max by ({REPOSITORY}, name) (last_over_time({info}[1d]))"
        return f"topk by ({REPOSITORY}) (1, {now} or {once})"

    def named(self, expression):
        """The same with the label name."""
        return f"({expression}) + on ({REPOSITORY}) group_left (name) 0 * {self.names()}"

    def lies_on(self):
        """1 for each chosen repository, with the path of the mount that it lies on."""
        info = self.of_repository("pgbackrest_repo_info", 'mount!=""')
        return f'max by ({REPOSITORY}, path) (label_replace({info}, "path", "$1", "mount", "(.*)"))'

    def on_mount(self, metric, *more, over="%s"):
        """A metric of the mount that each chosen repository lies on; `over`: what to make of it before."""
        value = f"max by (instance, path) ({over % self.of_host(metric, *more)})"
        return f"max by ({REPOSITORY}) ({self.lies_on()} * on (instance, path) group_left () {value})"


class Everywhere(Scope):
    """All that is scraped."""

    def __init__(self):
        self.by_name = False
        self.instance = self.stanza = self.repository = ""


def select(metric, *matchers):
    return f"{metric}{{{','.join(matcher for matcher in matchers if matcher)}}}"


def by_repository(expression):
    return f"max by ({REPOSITORY}) ({expression})"


def by_server(expression):
    return f"max by ({SERVER}) ({expression})"


def or_unknown(expression, known):
    """NaN for whatever is known and has no value, so that a table says unknown of it."""
    return f"{expression} or {known} * NaN"


def first_of(*numbered):
    """The number of the first expression that holds: (number, expression)..."""
    return "\nor ".join(f"({expression}) * 0 + {number}" for number, expression in numbered)


# ------------------------------------------------------------------------------ promises


@dataclass(frozen=True)
class Promise:
    """Something promised of each repository: how much is allowed, and how much it is now, in seconds."""

    text: str
    allowed: str
    now: str
    decides: bool = False  # whether to break it makes a verdict "objective MISSED"


def promises(scope):
    repo = scope.of_repository
    return [
        *[backup_promise(scope, *words) for words in BACKUP_PROMISES],
        Promise(
            "would be lost",
            by_repository(repo("pgbackrest_recovery_point_objective_seconds")),
            by_repository(repo("pgbackrest_recovery_point_age_seconds")),
            decides=True,
        ),
        Promise(
            "since a drill",
            by_repository(repo("pgbackrest_restore_drill_objective_seconds")),
            f"time() - {by_repository(repo('pgbackrest_restore_drill_last_success_timestamp_seconds'))}",
        ),
        Promise(
            "a restore takes",
            by_repository(repo("pgbackrest_restore_time_objective_seconds")),
            by_repository(repo("pgbackrest_restore_drill_duration_seconds")),
        ),
    ]


# A newer backup of another type may do: any for incr, a full one for diff.
BACKUP_PROMISES = [
    ("since a full backup", "full", "full"),
    ("since a diff backup", "diff", "full|diff"),
    ("since any backup", "incr", "full|diff|incr"),
]


def backup_promise(scope, text, backup_type, serves):
    objective = scope.of_repository("pgbackrest_backup_objective_seconds", f'backup_type="{backup_type}"')
    ended = scope.of_repository("pgbackrest_backup_last_completion_timestamp_seconds", f'backup_type=~"{serves}"')
    return Promise(text, by_repository(objective), f"time() - {by_repository(ended)}", decides=True)


def used(promise):
    """How much of a promise is used up: 1 is all of it. Only there where something was promised."""
    return f"({promise.now}) / {promise.allowed}"


def now_of(promise):
    """How much it is now, NaN if never, where something was promised."""
    return or_unknown(f"{promise.now} and {promise.allowed}", promise.allowed)


def judged(promise):
    """A number of PROMISE_STATES."""
    return first_of(
        (0, f"{used(promise)} > 1"),
        (1, f"{promise.allowed} unless {promise.now}"),
        (2, f"{used(promise)} > 0.8"),
        (3, promise.allowed),
    )


def each_promise(scope, ask):
    """ask(promise) for every promise, told apart by the label promise."""
    told = [f'label_replace({ask(promise)}, "promise", "{promise.text}", "", "")' for promise in promises(scope)]
    return scope.named("\nor ".join(told))


def worst_promise(scope):
    every = "\nor ".join(
        f'label_replace({used(promise)}, "promise", "{promise.text}", "", "")' for promise in promises(scope)
    )
    return by_repository(every)


def missed(scope):
    """Each repository that misses a deadline for backups or for what may be lost."""
    late = [f"({used(promise)} > 1)" for promise in promises(scope) if promise.decides]
    never = [f"({promise.allowed} unless {promise.now})" for promise in promises(scope) if promise.decides]
    return " or ".join([*late, *never])


# ------------------------------------------------------------------------------ verdicts


def repository_verdict(scope):
    """A number of REPOSITORY_STATES for each repository that was known within a day."""

    def repo(metric, *more):
        return by_repository(scope.of_repository(metric, *more))

    known = scope.known_repositories()
    looked = f"{repo('pgbackrest_repo_up')} == 1 and {repo('pgbackrest_wal_listed')} == 1"
    broken = repo("pgbackrest_backup_last_unrestorable_timestamp_seconds")
    sound = repo("pgbackrest_backup_last_restorable_timestamp_seconds")
    missing = repo("pgbackrest_wal_missing_segments", 'scope="since_last_backup"')
    return first_of(
        (1, f"{repo('pgbackrest_repo_up')} == 0"),
        (0, f"{repo('pgbackrest_backups_restorable')} == 0"),
        (2, f"{broken} > {sound}"),
        (3, f"{missing} > 0"),
        (4, f"{repo('pgbackrest_wal_foreign_timelines')} > 0"),
        (5, f"{known} unless ({looked} and {repo('pgbackrest_backups_restorable')})"),
        (6, missed(scope)),
        (8, proven(scope)),
        (7, known),
    )


def proven(scope):
    """The last drill worked, and is not older than promised."""
    repo = scope.of_repository
    worked = f"{by_repository(repo('pgbackrest_restore_drill_status'))} == 1"
    ended = by_repository(repo("pgbackrest_restore_drill_last_success_timestamp_seconds"))
    allowed = by_repository(repo("pgbackrest_restore_drill_objective_seconds"))
    return f"{worked} unless time() - {ended} > {allowed}"


def reachable(scope, metric):
    """A moment of the recovery window in ms, remembered for a day; -1 where no backup can be restored."""
    nothing = f"{by_repository(scope.of_repository('pgbackrest_backups_restorable'))} == 0"
    moment = by_repository(f"last_over_time({scope.of_repository(metric)}[1d])")
    return f"(({nothing}) - 1 or {moment} * 1000)"


def archiving_verdict(scope):
    """A number of ARCHIVING_STATES for each server that was known within a day."""

    def server(metric):
        return by_server(scope.of_stanza(metric))

    known = scope.known_servers()
    enabled = server("pg_archiver_enabled")
    standby = f"{server('pg_in_recovery')} == 1"
    idle = f"time() - {server('pg_stat_archiver_last_archived_timestamp_seconds')} > 600"
    return first_of(
        (0, f"{server('pg_archiver_failing')} == 1"),
        (1, f"{enabled} == 0 unless {standby}"),
        (2, f"{waiting(scope)} > 2 * {server('pg_wal_segment_size_bytes')} and {idle} and {enabled} == 1"),
        (3, f"{server('pgbackup_postgres_up')} == 0"),
        (5, f"{standby} unless {enabled} == 1"),
        (4, f"{known} unless {enabled}"),
        (6, known),
    )


def waiting(scope):
    """Bytes of WAL written and not archived."""
    written = by_server(scope.of_stanza("pg_wal_lsn_bytes"))
    return f"{written} - {by_server(scope.of_stanza('pg_wal_last_archived_lsn_bytes'))}"


def wal_disk_used(scope):
    """How full the file system of pg_wal is, 0 to 1."""
    avail = by_server(scope.of_stanza("pg_wal_filesystem_avail_bytes"))
    return f"1 - {avail} / {by_server(scope.of_stanza('pg_wal_filesystem_size_bytes'))}"


# ------------------------------------------------------------------------------ reasons


def reasons(scope):
    """Why a repository cannot be read, as each of those who look at it says: labels source and reason."""
    said = f"max by ({REPOSITORY}, reason)"
    mount = f"max by (instance, path, reason) ({scope.of_host('pgbackup_mount_error')})"
    errors = {
        "pgBackRest": f"{said} ({scope.of_repository('pgbackrest_repo_error')})",
        "object store": f"{said} ({scope.of_repository('pgbackup_s3_error')})",
        "mount": f"{said} ({scope.lies_on()} * on (instance, path) group_left (reason) {mount})",
    }
    told = [f'label_replace({expression}, "source", "{source}", "", "")' for source, expression in errors.items()]
    return scope.named("\nor ".join(told))
