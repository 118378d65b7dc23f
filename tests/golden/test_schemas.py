"""The JSON in tests/golden/json against docs/schemas, and what the schemas must refuse."""

import json
from pathlib import Path

import jsonschema
import pytest

from support import contract

GOLDEN = Path(__file__).parent / "json"


def golden(name: str) -> object:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def validator(name: str) -> jsonschema.Draft202012Validator:
    """Of a schema that holds incidents."""
    incident = json.loads((contract.SCHEMAS / "incident.schema.json").read_text())
    schema = json.loads((contract.SCHEMAS / f"{name}.schema.json").read_text())
    resolver = jsonschema.RefResolver("", schema, store={"incident.schema.json": incident})
    return jsonschema.Draft202012Validator(schema, resolver=resolver)


@pytest.mark.parametrize("schema", ("check", "export", "incident", "ladder", "report", "view"))
def test_the_schema_is_one(schema):
    text = (contract.SCHEMAS / f"{schema}.schema.json").read_text()
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


@pytest.mark.parametrize("name", ("view", "view-empty"))
def test_a_view_is_valid(name):
    assert [error.message for error in validator("view").iter_errors(golden(name))] == []


def test_a_report_is_valid():
    assert [error.message for error in validator("report").iter_errors(golden("report"))] == []


def test_incidents_keep_the_contract():
    incidents = golden("incidents")
    assert len(incidents) == 4
    for incident in incidents:
        assert contract.schema_violations(incident, "incident") == []


def test_the_ladder_keeps_the_contract():
    assert contract.schema_violations(golden("ladder"), "ladder") == []


@pytest.mark.parametrize("path, wrong", [
    (("schema",), "netwatch.view/2"),
    (("destinations", 0, "ok_share"), 1.5),
    (("destinations", 0, "series", 0, "at"), None),
    (("observer", "hooks", 0, "state"), "perhaps"),
    (("incidents", 0, "severity"), "grave"),
    (("incidents", 0, "ladder"), []),
])
def test_a_wrong_view_is_refused(path, wrong):
    view = golden("view")
    at = view
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = wrong
    assert not validator("view").is_valid(view)


def test_every_member_of_a_view_is_described():
    view = golden("view")
    schema = json.loads((contract.SCHEMAS / "view.schema.json").read_text())
    assert set(view) == set(schema["properties"])
    row = schema["properties"]["destinations"]["items"]
    assert set(view["destinations"][0]) == set(row["properties"]) == set(row["required"])
    observer = schema["properties"]["observer"]
    assert set(view["observer"]) == set(observer["properties"]) == set(observer["required"])
