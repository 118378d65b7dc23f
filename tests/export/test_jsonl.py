"""`netwatch export --format jsonl` against its schema, and against what the story tells."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

SCHEMAS = Path(__file__).resolve().parents[2] / "docs/schemas"


@pytest.fixture(scope="session")
def validator() -> jsonschema.Draft202012Validator:
    incident = json.loads((SCHEMAS / "incident.schema.json").read_text())
    schema = json.loads((SCHEMAS / "export.schema.json").read_text())
    resolver = jsonschema.RefResolver("", schema, store={"incident.schema.json": incident})
    return jsonschema.Draft202012Validator(schema, resolver=resolver)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


@pytest.mark.parametrize("story", ["blocked", "hostile", "healthy", "many"])
def test_every_line_is_of_the_schema(exported, validator, story):
    told = lines(exported(story, "jsonl"))
    seen = Counter()
    for line in told:
        seen[line["kind"]] += 1
        if seen[line["kind"]] <= 40:  # the validator is slow
            assert [error.message for error in validator.iter_errors(line)] == []
    assert told[0]["kind"] == "recording" and told[-1]["kind"] == "end"
    assert seen["recording"] == seen["end"] == 1


def test_it_tells_what_happened(exported):
    told = lines(exported("blocked", "jsonl"))
    of = {kind: [line for line in told if line["kind"] == kind] for kind in {line["kind"] for line in told}}
    assert [line["incident"]["type"] for line in of["incident"]] == ["firewall_block"]
    assert any(line["what"].startswith("nft ruleset loaded") and line["by"] == "firewalld[812]" for line in of["change"])
    victim = [line for line in of["connection"] if line["remote_ip"] == "10.4.7.21"]
    outcomes = Counter(line["outcome"] for line in victim)
    assert outcomes["closed"] > 600 and outcomes.total() - outcomes["closed"] >= 120
    assert {line["process"] for line in victim} == {"checkout"}
    seconds = [line for line in of["second"] if line["destination"] == "10.4.7.21:443/tcp"]
    assert sum(line["failed"] for line in seconds) == outcomes.total() - outcomes["closed"]
    assert sum(line["attempts"] for line in seconds) == len(victim)
    assert len({line["at"] for line in seconds}) == len(seconds)


def test_hostile_names_are_data(exported):
    told = lines(exported("hostile", "jsonl"))
    assert any(line.get("process") == "</script><b>x" for line in told)
