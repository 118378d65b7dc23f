"""The report's arithmetic, and the baselines', on results made by hand."""

import json
from dataclasses import asdict

import pytest

from lab import baselines, scores
from lab.faults import Label
from lab.recorded import label_from, updates_from
from support.sample import INCIDENT

pytestmark = pytest.mark.quick


def result(truth, said=(), false=(), confidence=0.9, **fields):
    weight = 1 / max(1, len(said))
    return {
        "truth_type": truth,
        "candidates": [{"type": kind, "probability": weight} for kind in said],
        "false_types": list(false),
        "confidence": confidence,
    } | fields


def test_a_set_counts_in_parts_and_what_nothing_was_behind_counts_against():
    counts = scores.matrix(
        [
            result("packet_loss", ["packet_loss"]),
            result("packet_loss", ["packet_loss", "latency_spike"]),
            result("packet_loss"),
            result("latency_spike", ["latency_spike"], false=["packet_loss"]),
            result(None),
            result(None, false=["latency_spike"]),
        ]
    )
    assert counts["packet_loss"] == {"packet_loss": 1.5, "latency_spike": 0.5, "none": 1}
    assert counts["healthy"] == {"packet_loss": 1, "none": 1, "latency_spike": 1}
    loss = scores.by_class(counts)["packet_loss"]
    assert (loss["precision"], loss["recall"]) == (1.5 / 2.5, 0.5)
    assert loss["f1"] == pytest.approx(2 * 0.6 * 0.5 / 1.1)
    assert loss["recall_interval"][0] < 0.5 < loss["recall_interval"][1]


def test_quantiles_are_values_that_were_seen():
    assert scores.quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert scores.quantile(list(range(1, 101)), 0.95) == 95
    assert scores.quantile([], 0.5) is None


def test_calibration_and_the_surest():
    sure_and_right = [(0.95, True)] * 9
    assert scores.calibration_error([*sure_and_right, (0.95, False)]) == pytest.approx(0.05)
    assert scores.accuracy_of_surest([*sure_and_right, (0.5, False)], 0.9) == (9, 9)
    assert scores.accuracy_of_surest([*sure_and_right, (0.95, False)], 0.9) == (8, 9)


def outcome(at, result, what="connect", to="192.0.2.7:80"):
    return {"t": at, "ms": 0.0, "to": to, "what": what, "result": result}


def test_errno_takes_three_of_a_kind_at_one_destination():
    refused = [outcome(at, "ECONNREFUSED") for at in (1.0, 2.0, 3.0)]
    assert baselines.by_errno(refused, 0.0) == baselines.Answer("port_blocked", 3.0)
    assert baselines.by_errno(refused[:2] + [outcome(3.0, "ECONNREFUSED", to="192.0.2.8:80")], 0.0) is None
    assert baselines.by_errno(refused[:2] + [outcome(13.0, "ECONNREFUSED")], 0.0) is None
    assert baselines.by_errno(refused, 1.5) is None
    slow = [outcome(at, "timeout", "request") for at in (1.0, 2.0, 3.0)]
    assert baselines.by_errno(slow, 0.0).type == "slow_service"


def samples(**per_second):
    zero = dict.fromkeys(baselines.COUNTERS, 0)
    rows = [{"t": float(t)} | zero for t in range(8)]
    for row in rows:
        row |= {key: int(value * row["t"]) for key, value in per_second.items()}
    return rows


@pytest.mark.parametrize(
    "grown, expected",
    [
        ({"OutSegs": 500}, None),
        ({"OutSegs": 500, "RetransSegs": 4}, None),
        ({"OutSegs": 500, "RetransSegs": 8}, "packet_loss"),
        ({"OutSegs": 9, "RetransSegs": 1}, None),
        ({"OutSegs": 500, "RetransSegs": 1, "TCPSynRetrans": 1}, "host_unreachable"),
        ({"OutSegs": 500, "AttemptFails": 1}, "port_blocked"),
    ],
)
def test_thresholds(grown, expected):
    said = baselines.by_thresholds(samples(**grown), 0.0)
    assert (said and said.type) == expected


def test_a_label_survives_its_file():
    label = Label("packet_loss", ("forward",), ("destination",), destinations=(("192.0.2.7", None),))
    assert label_from(json.loads(json.dumps(asdict(label)))) == label


def test_a_replays_end_tells_when_it_was_named_and_when_it_ended():
    ended = INCIDENT | {
        "state": "resolved", "detected_at": "2031-05-06T07:08:09.250Z", "resolved_at": "2031-05-06T07:08:20.000Z",
    }  # fmt: skip
    first, second = updates_from([ended])
    assert second.at - first.at == 10.75
    assert (first.incident["state"], second.incident["state"]) == ("open", "resolved")
