#!/usr/bin/python3
"""Write the dashboards' JSON and their recording rule from what source/ says of them.

usage: build.py [FOLDER]      default: the folder of this file, and alerts/ beside it
"""
import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "source"))

import fleet  # noqa: E402 - the folder must be on the path first
import overview  # noqa: E402
import recording  # noqa: E402
import repository  # noqa: E402

DASHBOARDS = {"overview.json": overview, "repository.json": repository, "fleet.json": fleet}


def main(folder=HERE, alerts=HERE.parent / "alerts"):
    for name, source in DASHBOARDS.items():
        text = json.dumps(source.build(), indent=2, ensure_ascii=False)
        (Path(folder) / name).write_text(f"{text}\n", encoding="utf-8")
    (Path(alerts) / "recording.rules.yml").write_text(recording.build(), encoding="utf-8")


if __name__ == "__main__":
    main(*2 * sys.argv[1:])
