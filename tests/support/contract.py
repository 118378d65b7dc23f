"""The output contract, as a test: the JSON Schemas in docs/schemas, and the rules that a schema cannot say.

`violations(incident)` and `list_violations(incidents)` return sentences; an empty list is a pass.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import jsonschema

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"

# A set is the shortest prefix of the candidates that reaches this sum.
SET_SUM = 0.9
# Probabilities are printed with a few digits.
ROUNDING = 0.005


def _format_checker() -> jsonschema.FormatChecker:
    checker = jsonschema.FormatChecker(formats=())

    @checker.checks("date-time")
    def _(value: object) -> bool:
        return not isinstance(value, str) or _is_utc_with_milliseconds(value)

    return checker


def parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _is_utc_with_milliseconds(text: str) -> bool:
    try:
        parsed = parse_time(text)
    except ValueError:
        return False
    fraction = text.rstrip("Z").partition(".")[2]
    return text.endswith("Z") and parsed.tzinfo is not None and len(fraction) >= 3


def _validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    return jsonschema.Draft202012Validator(schema, format_checker=_format_checker())


_VALIDATORS = {name: _validator(name) for name in ("check", "incident", "ladder")}


def schema_violations(document: object, name: str) -> list[str]:
    """Where a document is not what docs/schemas/<name>.schema.json says."""
    return [
        f"{'/'.join(map(str, error.absolute_path)) or 'document'}: {error.message}"
        for error in _VALIDATORS[name].iter_errors(document)
    ]


def candidate_set(incident: dict) -> list[dict]:
    """The shortest prefix of the candidates that sums to 0.9 or more; all of them if they do not reach it."""
    total, prefix = 0.0, []
    for candidate in incident["candidates"]:
        prefix.append(candidate)
        total += candidate["probability"]
        if total >= SET_SUM - 1e-9:
            break
    return prefix


def _candidate_violations(incident: dict) -> list[str]:
    candidates = incident["candidates"]
    probabilities = [candidate["probability"] for candidate in candidates]
    found = []
    if probabilities != sorted(probabilities, reverse=True):
        found.append("candidates are not sorted by probability")
    pairs = [(candidate["type"], candidate.get("cause")) for candidate in candidates]
    if len(set(pairs)) != len(pairs):
        found.append("candidates are not distinct")
    if sum(probabilities) > 1 + ROUNDING:
        found.append(f"candidates sum to {sum(probabilities):.3f}")
    if candidates[0]["type"] != incident["type"]:
        found.append(f"first candidate is {candidates[0]['type']}, type is {incident['type']}")
    if candidates[0].get("cause") != incident["cause"]:
        found.append(f"first candidate's cause is {candidates[0].get('cause')}, cause is {incident['cause']}")
    if abs(incident["confidence"] - probabilities[0]) > ROUNDING:
        found.append(f"confidence {incident['confidence']} is not the first candidate's {probabilities[0]}")
    members = candidate_set(incident)
    if len(members) > 1:
        found += [f"set member {c['type']} has no would_split" for c in members if not c.get("would_split")]
    return found


def _time_violations(incident: dict) -> list[str]:
    names = ["first_affected_at", "opened_at", "detected_at", "resolved_at"]
    present = [(name, parse_time(incident[name])) for name in names if incident[name] is not None]
    found = [
        f"{earlier} {a.isoformat()} is after {later} {b.isoformat()}"
        for (earlier, a), (later, b) in zip(present, present[1:])
        if a > b
    ]
    return found


def violations(incident: dict) -> list[str]:
    """Everything that is wrong with one incident by itself."""
    found = schema_violations(incident, "incident")
    if found:
        return found
    found += _candidate_violations(incident) + _time_violations(incident)
    if not incident["summary"].strip():
        found.append("the summary is empty")
    if not incident["root_cause"]["statement"].strip():
        found.append("the root cause says nothing")
    if incident["impact"]["failed"] > incident["impact"]["attempts"]:
        found.append("more attempts failed than there were")
    share = incident["impact"].get("share")
    if share is not None and not 0 <= share <= 1:
        found.append(f"impact.share is {share}")
    if (incident["state"] == "resolved") != (incident["resolution"] is not None):
        found.append(f"state {incident['state']} with resolution {incident['resolution']}")
    if incident["symptom"] and not incident["root_cause"].get("incident"):
        found.append("a symptom names no root")
    if any(ruled["type"] == incident["type"] for ruled in incident["ruled_out"]):
        found.append("the type is also ruled out")
    return found


def list_violations(incidents: list[dict]) -> list[str]:
    """Everything that is wrong with a list of incidents, each by itself and all together."""
    found = [f"{i.get('id', '?')}: {text}" for i in incidents for text in violations(i)]
    if found:
        return found
    by_id = {incident["id"]: incident for incident in incidents}
    if len(by_id) != len(incidents):
        found.append("ids are not distinct")
    for incident in incidents:
        if not incident["symptom"]:
            continue
        root = by_id.get(incident["root_cause"]["incident"])
        if root is None:
            found.append(f"{incident['id']}: its root {incident['root_cause']['incident']} does not exist")
        elif root["symptom"]:
            found.append(f"{incident['id']}: its root {root['id']} is itself a symptom")
    return found
