#!/usr/bin/python3
"""Measures the functions of C files: how many, median, longest. Fails when one is over the limit.

Usage: functions.py FILE...

A function's braces stand alone at the start of a line (.clang-format sees to it), and nothing
else's do. Its length is the number of lines between them.
"""
import re
import statistics
import sys
from pathlib import Path

LIMIT = 60
SHOWN = 5


def name_of(lines, brace):
    """The name before the opening brace on lines[brace]; its head may take several lines."""
    first = brace
    while first > 0 and lines[first - 1].strip() and not lines[first - 1].startswith(("}", "#", " *")):
        first -= 1
    head = " ".join(lines[first:brace])
    if test := re.match(r"\w*Test\w*\((\w+), (\w+)", head):
        return f"{test.group(1)}/{test.group(2)}"
    name = re.search(r"(\w+)\(", head)
    return name.group(1) if name else head


def functions(path):
    """(length, file:line, name) of each function in the file."""
    lines = Path(path).read_text().splitlines()
    opened = None
    for number, line in enumerate(lines):
        if line == "{":
            opened = number
        elif line == "}" and opened is not None:
            yield number - opened - 1, f"{path}:{opened + 1}", name_of(lines, opened)
            opened = None


def main():
    found = sorted((f for path in sys.argv[1:] for f in functions(path)), reverse=True)
    if not found:
        sys.exit("no function found")
    lengths = [length for length, _, _ in found]
    print(f"{len(found)} functions, median {statistics.median(lengths):g} lines, longest {lengths[0]}:")
    too_long = [f for f in found if f[0] > LIMIT]
    for length, place, name in too_long or found[:SHOWN]:
        print(f"  {length:3} {place} {name}")
    if too_long:
        sys.exit(f"over the limit of {LIMIT} lines: {len(too_long)}")


if __name__ == "__main__":
    main()
