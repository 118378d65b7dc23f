"""docs/example.md holds: its commands and options are the program's, and its queries run on a dump of today."""

from __future__ import annotations

import re
import shlex
import sqlite3
import subprocess
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs/example.md").read_text()
COMMANDS = [shlex.split(line) for line in re.findall(r"^    \$ (.*)$", PAGE, re.MULTILINE)]


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[0] == "netwatch"], ids=" ".join)
def test_the_program_has_what_is_typed(binary, words):
    command = [word for word in words[1:2] if not word.startswith("-")]
    shown = subprocess.run([binary, *command, "--help"], capture_output=True, text=True, check=True).stdout
    for option in (word for word in words if word.startswith("-")):
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", shown), option


def test_the_queries_run(dumped):
    queries = [words[-1] for words in COMMANDS if words[0] == "sqlite3"]
    assert len(queries) >= 4
    with sqlite3.connect(f"file:{dumped}?mode=ro", uri=True) as database:
        for query in queries:
            database.execute(query).fetchall()
