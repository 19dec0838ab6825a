"""Rows that tell what a restore has brought back: each in a WAL segment and a second of its own."""
import time

NEXT = "(SELECT coalesce(max(number), 0) FROM told)"


def begin(server):
    server.sql("CREATE TABLE told (number integer, at timestamptz DEFAULT clock_timestamp())")


def write(server):
    """The next row; the WAL segment that ends with it."""
    server.sql(f"INSERT INTO told SELECT 1 + {NEXT}")
    return server.sql("SELECT pg_walfile_name(pg_switch_wal())")


def write_unfinished(server, count):
    """The next rows, in a segment that is not full yet."""
    server.sql(f"INSERT INTO told SELECT number + {NEXT} FROM generate_series(1, {count}) AS number")


def next_second():
    time.sleep(1.02 - time.time() % 1)


def tell(server, count=1, seconds=30):
    """Rows, each archived before the next is written, and a second apart: so fine are the times of a repository."""
    for _ in range(count):
        server.wait_archived(write(server), seconds)
        next_second()


def rows(server):
    """The numbers of the rows that a server has."""
    return [int(number) for number in server.sql("SELECT number FROM told ORDER BY number").split()]


def rows_until(server, moment):
    """The numbers of the rows that were written by then, s since 1970."""
    written = f"SELECT number FROM told WHERE floor(extract(epoch FROM at)) <= {moment} ORDER BY number"
    return [int(number) for number in server.sql(written).split()]


def time_of(server, number):
    """A moment just behind that row, as recovery_target_time takes it."""
    return server.sql(f"SELECT at + interval '1 ms' FROM told WHERE number = {number}")
