"""`netwatch export --format perfetto` as Perfetto reads it: a trace's packets by a protobuf library, and the rules of
track events (perfetto.dev/docs/reference/synthetic-track-event). No trace processor is packaged for Debian or npm."""

from __future__ import annotations

import importlib.util
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SECOND = 1_000_000_000


@pytest.fixture(scope="session")
def protos(tmp_path_factory):
    out = tmp_path_factory.mktemp("protos")
    subprocess.run(["protoc", f"--proto_path={HERE}", f"--python_out={out}", "perfetto.proto"], check=True)
    spec = importlib.util.spec_from_file_location("perfetto_pb2", out / "perfetto_pb2.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session", params=["blocked", "hostile", "healthy", "many"])
def trace(request, protos, exported):
    parsed = protos.Trace()
    parsed.ParseFromString(exported(request.param, "perfetto").read_bytes())
    return request.param, list(parsed.packet)


def tracks(packets):
    return {p.track_descriptor.uuid: p.track_descriptor for p in packets if p.HasField("track_descriptor")}


def events(packets, *types):
    chosen = [p for p in packets if p.HasField("track_event") and p.track_event.type in types]
    return [(p.timestamp, p.track_event) for p in chosen]


def test_no_field_is_unknown(trace):
    _, packets = trace

    def walk(message):
        assert not message.UnknownFields() if hasattr(message, "UnknownFields") else True
        for descriptor, value in message.ListFields():
            if descriptor.message_type:
                for each in value if descriptor.label == descriptor.LABEL_REPEATED else [value]:
                    walk(each)

    for packet in packets:
        walk(packet)
        assert packet.trusted_packet_sequence_id == 1
        assert packet.WhichOneof("data") is not None


def test_tracks_are_described_once_and_before_their_events(trace):
    _, packets = trace
    known = set()
    for packet in packets:
        if packet.HasField("track_descriptor"):
            uuid = packet.track_descriptor.uuid
            assert uuid != 0 and uuid not in known
            assert packet.track_descriptor.name
            known.add(uuid)
            if packet.track_descriptor.HasField("parent_uuid"):
                assert packet.track_descriptor.parent_uuid in known
        elif packet.HasField("track_event"):
            assert packet.track_event.track_uuid in known


def test_slices_of_a_track_do_not_overlap(trace):
    _, packets = trace
    busy_until = defaultdict(int)
    begun = {}
    for at, event in events(packets, 1, 2):
        track = event.track_uuid
        if event.type == 1:
            assert track not in begun
            assert at >= busy_until[track]
            assert event.name
            begun[track] = at
        else:
            assert at >= begun.pop(track)
            busy_until[track] = at
    assert begun == {}


def test_counters_stand_on_counter_tracks_alone(trace):
    _, packets = trace
    described = tracks(packets)
    for _, event in events(packets, 4):
        assert described[event.track_uuid].HasField("counter")
        assert event.HasField("double_counter_value")
    for _, event in events(packets, 1, 2, 3):
        assert not described[event.track_uuid].HasField("counter")


def test_counters_go_forward(trace):
    _, packets = trace
    latest = defaultdict(int)
    for at, event in events(packets, 4):
        assert at >= latest[event.track_uuid]
        latest[event.track_uuid] = at


def test_times_are_utc(trace):
    _, packets = trace
    snapshot = packets[0].clock_snapshot
    assert {clock.clock_id: clock.timestamp for clock in snapshot.clocks}.keys() == {1, 6}
    assert snapshot.primary_trace_clock == 1
    times = [p.timestamp for p in packets if p.HasField("track_event")]
    begins = snapshot.clocks[0].timestamp
    assert all(begins - 1000 * SECOND <= at <= begins + 1000 * SECOND for at in times)


def test_it_tells_what_happened(trace):
    story, packets = trace
    described = tracks(packets)
    names = {described[event.track_uuid].name.split(" on ")[0] for _, event in events(packets, 1, 2, 3, 4)}
    assert {"connections", "attempts per second", "round trip, ms", "bytes per second"} <= names
    incidents = [event for _, event in events(packets, 1) if described[event.track_uuid].name == "incidents"]
    assert bool(incidents) == (story != "healthy")
    if story == "blocked":
        assert [event.name for event in incidents] == ["firewall_block (local_rule): 10.4.7.21:443"]
        changes = [event for _, event in events(packets, 3)]
        assert "nft ruleset loaded (generation 41)" in [event.name for event in changes]
        connections = [event for _, event in events(packets, 1) if described[event.track_uuid].name == "connections"]
        outcomes = {event.name for event in connections}
        assert "closed" in outcomes and outcomes & {"unanswered", "not_sent", "abandoned"}
