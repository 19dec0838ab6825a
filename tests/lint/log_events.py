#!/usr/bin/python3
"""Compares the events of the log with docs/logging.md: each is there, with its level and members.

Usage: log_events.py [--root DIR]

Exits 1 and names what is missing in the document, and what it tells of events that there are not.
"""
import argparse
import re
import sys
from pathlib import Path

DOCUMENT = "docs/logging.md"
CALL = re.compile(r'\blog_(error|warn|info|debug)\(\s*((?:"[^"]*"\s*)+)(.*?)\);', re.DOTALL)
NO_LITERAL = re.compile(r"\blog_(?:error|warn|info|debug)\((?!\s*\")")
MEMBER = re.compile(r'\b(?:TEXT|NUMBER)\("(\w+)"')
ROW = re.compile(r"^\| `([^`]+)` \| (error|warn|info|debug) \|([^|]*)\|", re.MULTILINE)
THE_LOG_ITSELF = "exporter/base/log."


def sources(root):
    files = [file for folder in ("exporter", "collectors") for file in sorted((root / folder).rglob("*.c"))]
    return [file for file in files if not str(file.relative_to(root)).startswith(THE_LOG_ITSELF)]


def events(text):
    """(message, level): the members that stand in the call itself."""
    for level, literals, rest in CALL.findall(text):
        message = "".join(re.findall(r'"([^"]*)"', literals))
        yield (message, level), set(MEMBER.findall(rest))


def documented(root):
    rows = ROW.findall((root / DOCUMENT).read_text())
    return {(message, level): set(re.findall(r"`(\w+)`", members)) for message, level, members in rows}


def findings(root):
    told = documented(root)
    found = set()
    for file in sources(root):
        text = file.read_text()
        name = file.relative_to(root)
        if NO_LITERAL.search(text):
            yield f"{name}: an event without a fixed text"
        for event, members in events(text):
            found.add(event)
            if event not in told:
                yield f'{name}: "{event[0]}" ({event[1]}) is not in {DOCUMENT}'
            elif missing := members - told[event]:
                yield f'{name}: "{event[0]}": {DOCUMENT} does not tell of {", ".join(sorted(missing))}'
    for event in told.keys() - found:
        yield f'{DOCUMENT}: there is no event "{event[0]}" ({event[1]})'


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    found = list(findings(arguments.parse_args().root))
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
