"""The recording rule of the verdict, for a history of hundreds of repositories."""
from promql import Everywhere, repository_verdict

VERDICT = "repository:backup_verdict:number"
RULES = """\
# Optional, beside pgbackup.rules.yml: the verdict on each repository, as the dashboards ask for it, once a
# minute. The dashboard Fleet reads it for its history, which over hundreds of repositories is too dear to
# ask anew. Written by dashboards/build.py.
groups:
  - name: pgbackup-verdicts
    interval: 1m
    rules:
      - record: {record}
        expr: |
{expression}
"""


def build():
    lines = repository_verdict(Everywhere()).replace("{}", "").splitlines()
    return RULES.format(record=VERDICT, expression="\n".join(f"          {line}" for line in lines))
