#!/usr/bin/python3
"""Finds words that no file of the project may hold: unfinished work, and the place it was made in.

Usage: words.py FILE...
"""
import re
import sys
from pathlib import Path

BANNED = {
    r"\b(TODO|FIXME|XXX|HACK)\b": "finish it, or write down why not",
    r"(?<![\w./-])/wor[k]/": "a path of one machine",
    r"(?<![\w./-])shared/\w": "a folder that is not part of the project",
    r"\b(issue|ticket|pull request|PR|bug) #?\d+|\(#\d+\)|\bGH-\d+": "say what it is about, not its number",
    r"registry\.npmjs\.org|pypi\.org|deb\.debian\.org|proxy\.golang\.org": "the name of a registry's host",
    r"Co-Authored-By:|[Gg]enerated with|\bAI[- ]generated": "who or what wrote it is not said in files",
}

# Says the words itself.
ITSELF = Path(__file__).name


def findings(path):
    try:
        text = Path(path).read_text()
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return  # no text of ours
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, reason in BANNED.items():
            if match := re.search(pattern, line):
                yield f"{path}:{number}: \"{match.group()}\": {reason}"


def main():
    paths = [path for path in sys.argv[1:] if Path(path).name != ITSELF]
    found = [finding for path in paths for finding in findings(path)]
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
