"""The contract's own test: a right incident passes, and each rule catches the fault that it is there for."""

import copy

import pytest

from support import contract
from support.sample import INCIDENT


def changed(**fields) -> dict:
    """The right incident with some fields replaced; `a__b` reaches into an object."""
    incident = copy.deepcopy(INCIDENT)
    for path, value in fields.items():
        *parents, last = path.split("__")
        target = incident
        for parent in parents:
            target = target[int(parent)] if parent.isdigit() else target[parent]
        target[int(last) if last.isdigit() else last] = value
    return incident


def test_a_right_incident_passes():
    assert contract.violations(INCIDENT) == []
    assert contract.list_violations([INCIDENT]) == []


@pytest.mark.parametrize(
    "fields, complaint",
    [
        ({"type": "firewall"}, "is not one of"),
        ({"evidence": []}, "evidence"),
        ({"ladder__0__step": "port"}, "was expected"),
        ({"opened_at": "2031-05-06 07:08:10"}, "date-time"),
        ({"opened_at": "2031-05-06T07:08:10Z"}, "date-time"),
        ({"opened_at": "2031-05-06T09:08:10.001+02:00"}, "date-time"),
        ({"state": "resolved"}, "resolved_at"),
        ({"candidates__1__probability": 0.01}, "minimum"),
        ({"candidates__1__probability": 0.7}, "sorted"),
        ({"candidates__1__probability": 0.45}, "sum to"),
        ({"candidates__1__type": "firewall_block", "candidates__1__cause": "silent_drop"}, "distinct"),
        ({"type": "host_unreachable"}, "first candidate"),
        ({"cause": "local_rule"}, "first candidate's cause"),
        ({"confidence": 0.95}, "confidence"),
        ({"candidates__1__would_split": None}, "would_split"),
        ({"opened_at": "2031-05-06T07:08:08.999Z"}, "is after"),
        ({"detected_at": "2031-05-06T07:08:10.000Z"}, "is after"),
        ({"summary": " "}, "summary"),
        ({"impact__failed": 24}, "more attempts failed"),
        ({"impact__share": 1.2}, "share"),
        ({"resolution": "healed"}, "resolution"),
        ({"symptom": True}, "names no root"),
        ({"ruled_out__0__type": "firewall_block"}, "also ruled out"),
    ],
)
def test_each_rule_catches_its_fault(fields, complaint):
    found = contract.violations(changed(**fields))
    assert any(complaint in text for text in found), found


def test_a_certain_answer_needs_no_split():
    candidate = {"type": "firewall_block", "cause": "silent_drop", "probability": 0.95, "would_split": None}
    assert contract.violations(changed(candidates=[candidate], confidence=0.95)) == []


def test_the_set_is_the_shortest_prefix():
    assert len(contract.candidate_set(INCIDENT)) == 2
    certain = changed(candidates__0__probability=0.9, candidates__1__probability=0.1)
    assert [c["type"] for c in contract.candidate_set(certain)] == ["firewall_block"]


def test_a_symptom_has_a_root_that_exists():
    symptom = changed(id="n2", symptom=True, root_cause__incident=INCIDENT["id"])
    assert contract.list_violations([INCIDENT, symptom]) == []
    orphan = changed(id="n3", symptom=True, root_cause__incident="n9")
    assert any("does not exist" in text for text in contract.list_violations([INCIDENT, orphan]))
    nested = changed(id="n4", symptom=True, root_cause__incident="n2")
    assert any("itself a symptom" in text for text in contract.list_violations([INCIDENT, symptom, nested]))


def test_ids_are_distinct():
    assert contract.list_violations([INCIDENT, INCIDENT]) == ["ids are not distinct"]
