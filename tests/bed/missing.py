"""What is missing in a repository, by taking it away for a while."""


class away:
    """Something of a repository moved out of it for a while."""

    def __init__(self, bed, path):
        self.path, self.hidden = path, bed.root / f"away-{path.name}"

    def __enter__(self):
        self.path.rename(self.hidden)

    def __exit__(self, *_):
        self.hidden.rename(self.path)


def wal_folder(bed):
    """Where the segments of timeline 1 lie in repository 1."""
    return next(bed.pgbackrest.repo1.glob("archive/main/*/0000000100000000"))


def behind_newest_backup(bed):
    """The files of the segments behind the newest backup in repository 1, the oldest first."""
    stop = bed.pgbackrest.info(1)["backup"][-1]["archive"]["stop"]
    return [file for file in sorted(wal_folder(bed).glob("*-*")) if file.name[:24] > stop]


def first_segment(bed, backup):
    """The file of the first segment that a backup in repository 1 needs; 0 is the oldest one, -1 the newest."""
    start = bed.pgbackrest.info(1)["backup"][backup]["archive"]["start"]
    return next(wal_folder(bed).glob(f"{start}-*"))


def backup_folder(bed, backup):
    return bed.pgbackrest.repo1 / "backup" / "main" / bed.pgbackrest.info(1)["backup"][backup]["label"]


def archive_in_s3(bed):
    """Where the S3 server keeps all WAL of repository 2."""
    return next(bed.place.path("s3").glob("*/pgbackrest/archive/main/*/0000000100000000"))
