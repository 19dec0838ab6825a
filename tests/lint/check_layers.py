#!/usr/bin/python3
"""Checks that the house stands: who may include whom, where foreign headers live, what has a test.

Usage: check_layers.py [--root DIR] [--compile 'CC FLAGS...']

With --compile each header is compiled alone. Exits 1 and names file, line and rule of each finding.
"""
import argparse
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

# The longest prefix counts. A file includes lower levels, and its own level in its own folder.
LEVELS = {
    "exporter/base/": 0,
    "exporter/config/": 2,
    "exporter/sources/": 2,
    "exporter/metrics/": 3,  # exposition too: snapshots write themselves to it
    "exporter/report/": 3,
    "exporter/schedule/collector.": 3.5,  # the contract speaks of samples and findings: just above them
    "collectors/model/": 3.6,
    "collectors/parse/": 3.7,  # fills the model's structs
    "collectors/": 4,
    "exporter/schedule/": 5,
    "exporter/web/": 6,
    "exporter/commands/": 6.5,  # they start the web
    "exporter/main.": 7,
}

# The program knows nothing of what it watches, but for the part that puts it together.
MAY_KNOW_COLLECTORS = ("collectors/", "exporter/commands/", "exporter/main.")

# No I/O: what these folders may include of ours.
PURE = {
    "collectors/model/": ("exporter/base/", "collectors/model/"),
    "collectors/parse/": (
        "exporter/base/",
        "exporter/config/lists.h",  # plain data: what its parsers fill
        "exporter/sources/json.h",  # reads a text; no I/O
        "collectors/model/",
        "collectors/parse/",
    ),
}

# A foreign library is known in one place.
HOMES = {
    r"libpq-fe\.h|jansson\.h|curl/.*": "exporter/sources/",
    r"microhttpd\.h|gnutls/.*|zlib\.h|crypt\.h": "exporter/web/",
    r"libfyaml\.h": "exporter/config/",
    r"systemd/.*": "exporter/commands/",
    r"ini\.h": "collectors/parse/",
}

# Combines what the other collectors have seen.
COMBINING = "verdict"

FROM_OUTSIDE = "a command as a whole: tests/e2e proves it from outside"
NEEDS_NO_TEST = {
    "exporter/main.c": FROM_OUTSIDE,
    "exporter/commands/check_config.c": FROM_OUTSIDE,
    "exporter/commands/doctor.c": FROM_OUTSIDE,
    "exporter/commands/drill.c": FROM_OUTSIDE,
    "exporter/commands/gather.c": FROM_OUTSIDE,
    "exporter/commands/metrics_page.c": FROM_OUTSIDE,
    "exporter/commands/once.c": FROM_OUTSIDE,
    "exporter/commands/run.c": FROM_OUTSIDE,
    "exporter/commands/serve.c": FROM_OUTSIDE,
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def longest_prefix(path, table):
    return max((prefix for prefix in table if path.startswith(prefix)), key=len, default=None)


class House:
    def __init__(self, root):
        self.root = root
        folders = [root / "exporter", root / "collectors"]
        files = [file for folder in folders for file in folder.rglob("*.[ch]")]
        self.files = sorted(str(PurePosixPath(file.relative_to(root))) for file in files)
        self.findings = []

    def find(self, place, text):
        self.findings.append(f"{place}: {text}")

    def includes(self, path):
        """(line number, '<' or '"', what) of each include directive."""
        for number, line in enumerate((self.root / path).read_text().splitlines(), 1):
            if match := INCLUDE.match(line):
                yield number, match.group(1), match.group(2)

    def collectors(self):
        listed = self.root / "collectors" / "list.def"
        return re.findall(r"^COLLECTOR\((\w+)\)", listed.read_text(), re.M) if listed.exists() else []

    # ---- the rules ----

    def check_level(self, place, path, included):
        own, other = longest_prefix(path, LEVELS), longest_prefix(included, LEVELS)
        if own is None or other is None:
            self.find(place, f"no level is known for {path if own is None else included}")
        elif LEVELS[other] > LEVELS[own]:
            self.find(place, f"{included} (level {LEVELS[other]:g}) is above {path} (level {LEVELS[own]:g})")
        elif LEVELS[other] == LEVELS[own] and PurePosixPath(path).parent != PurePosixPath(included).parent:
            self.find(place, f"{included} is of the same level in another folder")

    def check_ignorance(self, place, path, included):
        if included.startswith("collectors/") and not path.startswith(MAY_KNOW_COLLECTORS):
            self.find(place, f"{path} must not know {included}: the program knows nothing of what it watches")

    def check_purity(self, place, path, included):
        pure = longest_prefix(path, PURE)
        if pure and not included.startswith(PURE[pure]):
            self.find(place, f"{pure} is pure, without I/O: it must not include {included}")

    def collector_of(self, path):
        """The collector that a file is, or is a part of (archiver_report.h of archiver)."""
        file = PurePosixPath(path)
        names = self.collectors() if str(file.parent) == "collectors" else []
        return next((name for name in names if f"{file.stem}_".startswith(f"{name}_")), None)

    def check_other_collector(self, place, path, included):
        own, other = self.collector_of(path), self.collector_of(included)
        if path.startswith("collectors/") and other not in (None, own) and own != COMBINING:
            self.find(place, f"a collector includes no other: only {COMBINING}.c sees {included}")

    def check_home(self, place, path, included):
        for pattern, home in HOMES.items():
            if re.fullmatch(pattern, included) and not path.startswith(home):
                self.find(place, f"<{included}> is known in {home} only")

    def check_form(self, place, included):
        if included.endswith(".c"):
            self.find(place, f"{included}: a .c file is never included")
        elif not (self.root / included).exists():
            self.find(place, f'"{included}" is not a path from the root')

    def check_includes(self, path):
        for number, kind, included in self.includes(path):
            place = f"{path}:{number}"
            if kind == "<":
                self.check_home(place, path, included)
                continue
            self.check_form(place, included)
            self.check_level(place, path, included)
            self.check_ignorance(place, path, included)
            self.check_purity(place, path, included)
            self.check_other_collector(place, path, included)

    def is_tested_by(self, test, path):
        """Whether the test is there and knows the module's header, where it has one."""
        header = path[:-2] + ".h"
        if not (self.root / test).exists():
            return False
        return header not in self.files or header in [included for _, _, included in self.includes(test)]

    def is_part(self, path):
        """pg_connect.c is a part of pg.c beside it, and may be tested through it."""
        module = PurePosixPath(path)
        words = module.stem.split("_")
        wholes = ["_".join(words[:count]) for count in range(1, len(words))]
        return any(f"{module.parent}/{whole}.c" in self.files for whole in wholes)

    def check_has_test(self, path):
        if not path.endswith(".c") or path in NEEDS_NO_TEST or self.is_part(path):
            return
        module = PurePosixPath(path)
        # The second form is for a module whose name another folder has too.
        tests = [f"tests/unit/test_{module.stem}.c", f"tests/unit/test_{module.parent.name}_{module.stem}.c"]
        if not any(self.is_tested_by(test, path) for test in tests):
            self.find(path, f"has no {tests[0]} that includes its header")

    def check_compiles_alone(self, path, command):
        # A header of macros only would be an empty translation unit, which ISO C forbids.
        source = f'#include "{path}"\nextern int compiled_alone;\n'
        arguments = shlex.split(command) + ["-Werror", "-fsyntax-only", "-x", "c", "-"]
        done = subprocess.run(arguments, input=source, capture_output=True, text=True, cwd=self.root)
        if done.returncode != 0:
            self.find(path, f"does not compile alone:\n{done.stderr.rstrip()}")

    def check(self, compile_command):
        for path in self.files:
            self.check_includes(path)
            self.check_has_test(path)
        if compile_command:
            headers = [path for path in self.files if path.endswith(".h")]
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda path: self.check_compiles_alone(path, compile_command), headers))
        return self.findings


def main():
    parser = argparse.ArgumentParser(description="Check levels, homes of libraries and presence of tests.")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--compile", default="", help="compiler and flags to compile each header with")
    options = parser.parse_args()
    findings = House(options.root).check(options.compile)
    for finding in findings:
        print(finding)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
