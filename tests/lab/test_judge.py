"""The judge's own test: a right run passes, and each way to be wrong is seen."""

import copy

import pytest

from lab.agent import Update
from lab.faults import Label
from lab.judge import Run, judge
from support.sample import INCIDENT

NETNS = INCIDENT["source"]["netns"]
LABEL = Label(
    "firewall_block",
    ("silent_drop",),
    scope_kinds=("destination",),
    destinations=(("192.0.2.7", 443),),
    members=("192.0.2.7:443/tcp",),
)
ONSET = 1000.0


def incident(**fields) -> dict:
    return copy.deepcopy(INCIDENT) | fields


def resolved(**fields) -> dict:
    return incident(state="resolved", resolved_at="2031-05-06T07:08:20.000Z", resolution="healed") | fields


def a_run(label=LABEL, updates=None, final=None, **fields) -> Run:
    default = [Update(ONSET + 1.5, incident()), Update(ONSET + 12, resolved())]
    run = dict(
        label=label, netns=[NETNS], ready_at=ONSET - 8, onset_at=ONSET, healed_at=ONSET + 6,
        first_affected_at=ONSET + 0.2, deadline_s=15.0, late=False, updates=default if updates is None else updates,
        final=[resolved()] if final is None else final, view={"destinations": []},
    )  # fmt: skip
    return Run(**(run | fields))


def test_a_right_run_passes():
    result = judge(a_run())
    assert result.ok, result.reasons
    assert (result.detect_s, result.clear_s, result.false_incidents) == (1.3, 6.0, 0)


def test_a_quiet_healthy_run_passes():
    info = incident(severity="info")
    assert judge(a_run(label=None, updates=[Update(ONSET + 1, info)], final=[info])).ok


def with_final(*incidents):
    return {"final": list(incidents)}


CHANGED = Label(**(LABEL.__dict__ | {"changed": ("nft ruleset loaded", "nft[17]")}))


def the_change(**fields) -> dict:
    change = {"at": "2031-05-06T07:08:08.000Z", "what": "nft ruleset loaded (generation 3)", "by": "nft[17]"}
    return change | {"bearing": "cause"} | fields


OTHER = resolved(id="n2", scope={"kind": "destination", "value": None, "members": ["192.0.2.8:443/tcp"]})


@pytest.mark.parametrize(
    "fields, complaint",
    [
        ({"updates": [], "final": []}, "no incident"),
        (with_final(resolved(), OTHER), "2 root incidents"),
        (
            {"label": Label("port_blocked", (), ("destination",), destinations=(("192.0.2.7", 443),))},
            "not port_blocked",
        ),
        (
            {
                "label": Label(
                    "firewall_block", ("local_rule",), ("destination",), destinations=(("192.0.2.7", 443),)
                )
            },
            "cause",
        ),
        (
            {"label": Label("firewall_block", (), ("prefix",), destinations=(("192.0.2.7", 443),))},
            "scope destination",
        ),
        (
            {"label": Label("firewall_block", (), ("destination",), destinations=(("192.0.2.9", 443),))},
            "not 192.0.2.9",
        ),
        (
            {"label": Label("firewall_block", (), ("destination",), destinations=(("192.0.2.7", 80),))},
            "port 443, not 80",
        ),
        ({"label": Label(**(LABEL.__dict__ | {"offender": "192.0.2.1"}))}, "offender None"),
        ({"updates": [Update(ONSET + 17, incident()), Update(ONSET + 18, resolved())]}, "named after"),
        ({"updates": [Update(ONSET - 2, incident()), Update(ONSET + 12, resolved())]}, "lead-in"),
        ({"final": [incident()]}, "still open"),
        ({"updates": [Update(ONSET + 1, incident()), Update(ONSET + 30, resolved())]}, "resolved after"),
        ({"netns": [17]}, "of namespace"),
        (
            {"updates": [Update(ONSET + 1, incident(confidence=0.2)), Update(ONSET + 12, resolved())]},
            "confidence",
        ),
        ({"label": None}, "in a healthy run"),
        ({"label": CHANGED}, "is not named as the cause"),
        ({"label": CHANGED} | with_final(resolved(changes=[the_change(bearing="touches")])), "not named as the cause"),
        ({"label": CHANGED} | with_final(resolved(changes=[the_change(by="nft[18]")])), "made by nft[18]"),
        ({"label": CHANGED} | with_final(resolved(changes=[the_change()])), "the root cause does not name"),
        ({"label": Label(**(LABEL.__dict__ | {"netns": 17}))}, "namespace"),
        ({"label": Label(**(LABEL.__dict__ | {"real": ("192.0.2.1", 80)}))}, "real peer"),
        ({"label": Label(**(LABEL.__dict__ | {"symptoms": True}))}, "no symptom"),
        ({"label": Label(**(LABEL.__dict__ | {"roots": 2, "also": (LABEL,)}))}, "2"),
        (
            with_final(resolved(), OTHER)
            | {"label": Label(**(LABEL.__dict__ | {"roots": 2, "also": (Label("link_down", (), ("uplink",)),)}))},
            "the other fault is not named",
        ),
    ],
)
def test_each_wrong_run_fails(fields, complaint):
    result = judge(a_run(**fields))
    assert not result.ok
    assert any(complaint in reason for reason in result.reasons), result.reasons


def test_a_run_that_names_the_change_passes():
    statement = "A rule drops the packets. It began with this change: nft ruleset loaded (generation 3) by nft[17]."
    named = resolved(changes=[the_change()], root_cause=INCIDENT["root_cause"] | {"statement": statement})
    assert judge(a_run(label=CHANGED, final=[named])).ok


def test_a_symptom_and_a_superseded_incident_are_not_roots():
    symptom = resolved(
        id="n2", symptom=True, root_cause=INCIDENT["root_cause"] | {"incident": INCIDENT["id"]}
    )
    superseded = resolved(id="n3", resolution="superseded")
    assert judge(a_run(final=[resolved(), symptom, superseded])).ok


def test_a_set_counts_where_one_end_cannot_know():
    label = Label(
        "host_unreachable", ("silent",), ("destination",), destinations=(("192.0.2.7", 443),),
        set_allowed=("firewall_block",),
    )  # fmt: skip
    assert judge(a_run(label=label)).ok


def test_a_heal_may_take_its_time_but_nothing_ends_before_it_begins():
    assert judge(a_run(healed_at=ONSET + 13, heal_began_at=ONSET + 11)).ok
    early = judge(a_run(healed_at=ONSET + 14, heal_began_at=ONSET + 13))
    assert early.reasons == ["resolved 1.000 s before the heal"]


def test_a_late_run_is_timed_from_the_agents_start():
    result = judge(a_run(late=True, ready_at=ONSET + 1))
    assert result.ok, result.reasons
    assert result.detect_s == 0.5
