"""The checks themselves: each finds what was planted for it, and nothing in a house that stands."""
import re
import shlex
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

SOUND = {
    "collectors/list.def": "COLLECTOR(archiver)\nCOLLECTOR(backups)\nCOLLECTOR(verdict)\n",
    "collectors/archiver.c": '#include "collectors/archiver.h"\n#include "exporter/schedule/collector.h"\n',
    "collectors/archiver.h": "struct archiver;\n",
    "collectors/archiver_report.c": '#include "collectors/archiver.h"\n',
    "collectors/backups.c": '#include "collectors/backups.h"\n#include "collectors/parse/info.h"\n',
    "collectors/backups.h": '#include "collectors/model/catalogue.h"\n',
    "collectors/verdict.c": '#include "collectors/archiver.h"\n#include "collectors/backups.h"\n',
    "collectors/model/catalogue.h": '#include "exporter/base/err.h"\n',
    "collectors/parse/info.h": '#include "exporter/sources/json.h"\n#include "collectors/model/catalogue.h"\n',
    "exporter/base/err.h": "struct err;\n",
    "exporter/sources/json.h": "#include <stddef.h>\n",
    "exporter/sources/json.c": '#include "exporter/sources/json.h"\n#include <jansson.h>\n',
    "exporter/schedule/collector.h": '#include "exporter/metrics/sink.h"\n',
    "exporter/schedule/poller.h": '#include "exporter/schedule/collector.h"\n',
    "exporter/metrics/sink.h": '#include "exporter/base/err.h"\n',
    "exporter/web/http.h": '#include "exporter/base/err.h"\n',
    "exporter/commands/serve.h": '#include "collectors/archiver.h"\n#include "exporter/web/http.h"\n',
    "exporter/main.c": '#include "exporter/commands/serve.h"\n',
    "tests/unit/test_archiver.c": '#include "collectors/archiver.h"\n',
    "tests/unit/test_backups.c": '#include "collectors/backups.h"\n',
    "tests/unit/test_verdict.c": "\n",
    "tests/unit/test_json.c": '#include "exporter/sources/json.h"\n',
}

# What is added to a sound house: file, text put in front, and words of the finding.
PLANTED = {
    "lower_includes_higher": ("exporter/base/err.h", '#include "exporter/metrics/sink.h"', "is above"),
    "higher_of_the_same_folder": ("exporter/schedule/collector.h", '#include "exporter/schedule/poller.h"', "is above"),
    "neighbour_of_the_same_level": (
        "exporter/sources/json.h",
        '#include "exporter/config/yaml.h"',
        "same level in another folder",
    ),
    "collector_includes_the_poller": ("collectors/backups.c", '#include "exporter/schedule/poller.h"', "is above"),
    "collector_includes_another": ("collectors/backups.c", '#include "collectors/archiver.h"', "includes no other"),
    "header_of_a_collector_too": ("collectors/backups.h", '#include "collectors/archiver.h"', "includes no other"),
    "collector_includes_a_part_of_another": (
        "collectors/backups.c",
        '#include "collectors/archiver_report.h"',
        "includes no other",
    ),
    "program_knows_a_collector": ("exporter/web/http.h", '#include "collectors/archiver.h"', "must not know"),
    "model_reads_json": ("collectors/model/catalogue.h", '#include "exporter/sources/json.h"', "is pure"),
    "parser_talks_to_postgres": ("collectors/parse/info.h", '#include "exporter/sources/pg.h"', "is pure"),
    "jansson_outside": ("collectors/backups.c", "#include <jansson.h>", "is known in exporter/sources/"),
    "libpq_outside": ("collectors/archiver.c", "#include <libpq-fe.h>", "is known in exporter/sources/"),
    "microhttpd_outside": ("exporter/commands/serve.h", "#include <microhttpd.h>", "is known in exporter/web/"),
    "libfyaml_outside": ("exporter/main.c", "#include <libfyaml.h>", "is known in exporter/config/"),
    "curl_outside": ("collectors/backups.c", "#include <curl/curl.h>", "is known in exporter/sources/"),
    "c_file_included": ("exporter/main.c", '#include "exporter/sources/json.c"', "is never included"),
    "path_not_from_the_root": ("exporter/sources/json.c", '#include "json.h"', "is not a path from the root"),
    "folder_without_a_level": ("exporter/cellar/wine.c", '#include "exporter/base/err.h"', "no level is known"),
    "module_without_a_test": ("exporter/sources/proc.c", "", "has no tests/unit/test_proc.c"),
    "namesake_by_its_first_letters_only": ("collectors/backupstore.c", "", "has no tests/unit/test_backupstore.c"),
    "test_of_a_namesake": ("exporter/commands/json.c", "", "has no tests/unit/test_json.c"),
    "header_that_needs_another": ("exporter/web/page.h", "size_t page_size(struct http *http);", "does not compile alone"),
}


def build(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def check_layers(root, compiler="cc -std=gnu17 -I."):
    command = [HERE / "check_layers.py", "--root", root, "--compile", compiler]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_layers_of_a_sound_house_have_no_finding(tmp_path):
    build(tmp_path, SOUND)
    done = check_layers(tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", PLANTED)
def test_layers_find_what_was_planted(tmp_path, name):
    path, text, words = PLANTED[name]
    needed = {"exporter/config/yaml.h": "", "exporter/sources/pg.h": "", "exporter/commands/json.h": ""}
    needed["collectors/archiver_report.h"] = ""
    build(tmp_path, {**SOUND, **needed})
    build(tmp_path, {path: f"{text}\n{SOUND.get(path, '')}"})
    done = check_layers(tmp_path, **({} if "compile" in words else {"compiler": ""}))
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if line.startswith(path) and words in line], done.stdout


def test_each_exception_from_the_need_of_a_test_is_a_file_without_one():
    block = re.search(r"^NEEDS_NO_TEST = \{(.*?)^\}", (HERE / "check_layers.py").read_text(), re.S | re.M).group(1)
    for path in re.findall(r'"([\w/]+\.c)":', block):
        assert (ROOT / path).exists()
        assert not (ROOT / "tests/unit" / f"test_{Path(path).stem}.c").exists()


def functions(tmp_path, length):
    body = "".join(f"    call({n});\n" for n in range(length))
    file = tmp_path / "long.c"
    file.write_text(f"struct s {{\n    int a;\n}};\n\nstatic void one(int a,\n                int b)\n{{\n{body}}}\n")
    return subprocess.run([HERE / "functions.py", file], capture_output=True, text=True, timeout=60)


def test_a_function_of_60_lines_is_measured_and_accepted(tmp_path):
    done = functions(tmp_path, 60)
    assert done.returncode == 0
    assert "1 functions, median 60 lines, longest 60" in done.stdout


def test_a_function_of_61_lines_is_refused_by_name_and_place(tmp_path):
    done = functions(tmp_path, 61)
    assert done.returncode == 1
    assert f"61 {tmp_path / 'long.c'}:7 one" in done.stdout


@pytest.mark.parametrize(
    "line",
    ["/* " + "TO" + "DO: later */", "see /" + "work/main", "from " + "shared" + "/notes", "fixes iss" + "ue #12", "(#" + "7)"],
)
def test_banned_words_are_found_with_their_place(tmp_path, line):
    file = tmp_path / "a.c"
    file.write_text(f"\n{line}\n")
    done = subprocess.run([HERE / "words.py", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{file}:2: ")


def test_common_words_are_not_banned(tmp_path):
    file = tmp_path / "a.c"
    file.write_text("/usr/share/doc, lib/shared, #define X(a), color: #123456, the network/" "work/load, a todo\n")
    assert subprocess.run([HERE / "words.py", file], timeout=60).returncode == 0


LOGGING = {
    "docs/logging.md": "| `it began` | info | `file`, `port` | When. |\n",
    "exporter/commands/serve.c": 'log_info("it "\n  "began",\n FIELDS(TEXT("file", f), NUMBER("port", 1)));\n',
    "collectors/archiver.c": "",
}


def log_events(root, **changed):
    house = LOGGING | {name.replace("__", "/").replace("_dot_", "."): text for name, text in changed.items()}
    for name, text in house.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    done = subprocess.run([HERE / "log_events.py", "--root", root], capture_output=True, text=True, timeout=60)
    assert done.returncode == (1 if done.stdout else 0), done.stderr
    return done.stdout


def test_a_log_whose_events_are_documented_is_accepted(tmp_path):
    assert log_events(tmp_path) == ""


@pytest.mark.parametrize(
    ("call", "finding"),
    [
        ('log_warn("it began", NULL);', '"it began" (warn) is not in docs/logging.md'),
        ('log_info("it began",\n FIELDS(TEXT("why", w)));', '"it began": docs/logging.md does not tell of why'),
        ("log_info(text, NULL);", "an event without a fixed text"),
    ],
)
def test_an_event_that_is_not_documented_is_found(tmp_path, call, finding):
    assert f"collectors/archiver.c: {finding}\n" in log_events(tmp_path, collectors__archiver_dot_c=call)


def test_a_documented_event_that_there_is_not_is_found(tmp_path):
    rows = LOGGING["docs/logging.md"] + "| `it flew` | error | | Never. |\n"
    found = log_events(tmp_path, docs__logging_dot_md=rows)
    assert found == 'docs/logging.md: there is no event "it flew" (error)\n'


def test_the_example_of_contributing_compiles():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (example,) = re.findall(r"^```c\n(/\*.*?)^```", text, re.S | re.M)
    flags = "cc -std=gnu17 -Wall -Wextra -Wpedantic -Wconversion -Wmissing-prototypes -Werror -I. -fsyntax-only -x c -"
    command = shlex.split(flags) + ["-include", "exporter/base/banned.h"]
    # The registry declares it in the real house.
    source = re.sub(r"^const struct collector", r"extern \g<0> collector_load;\n\g<0>", example, flags=re.M)
    done = subprocess.run(command, input=source, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
