"""What a run's recording must be: the live answer when replayed, as segments and as a dump of them, and free of
other namespaces' records."""

from __future__ import annotations

import sqlite3
import struct
import subprocess
from collections import Counter
from pathlib import Path
from typing import Iterator

from lab.agent import Agent

# struct netwatch_header: at_ns, netns, kind, size.
_HEADER = struct.Struct("<QIHH")
_NONE = "the agent has left no recording"


def path(agent: Agent) -> Path:
    """The dump of all that the agent has recorded, once differences() has made it."""
    return agent.state.parent / "recording.db"


def differences(agent: Agent, final: list[dict]) -> list[str]:
    """Where a replay of the segments, or of the dump of all of them, says something else than the agent did."""
    if not list(agent.state.glob("segment-*.db")):
        return [_NONE]
    found = _differences(final, agent.replay(agent.state))
    agent.dump(path(agent))
    found += [f"dump: {text}" for text in _differences(final, agent.replay(path(agent)))]
    redacted = agent.state.parent / "redacted.db"
    agent.dump(redacted, "--redact")
    verdicts = [sorted(map(_verdict, incidents)) for incidents in (final, agent.replay(redacted))]
    return found if verdicts[0] == verdicts[1] else found + [f"redacted: {verdicts[1]}, not {verdicts[0]}"]


def _verdict(incident: dict) -> tuple:
    """What redaction leaves of an incident."""
    return tuple(str(incident[key]) for key in ("opened_at", "resolved_at", "state", "type", "cause", "severity", "symptom"))


def foreign(agent: Agent, netns: list[int]) -> list[str]:
    """Records of another namespace. 0 marks those that belong to none, such as the agent's own accounts."""
    recording = path(agent)
    if not recording.is_file():
        return []
    strangers = Counter((kind, other) for other, kind in _headers(recording) if other not in {0, *netns})
    return [
        f"{count} records of kind {kind} are of namespace {other}"
        for (kind, other), count in strangers.items()
    ]


def _headers(recording: Path) -> Iterator[tuple[int, int]]:
    """Namespace and kind of every record."""
    with sqlite3.connect(f"file:{recording}?mode=ro", uri=True) as database:
        frames = b"".join(row[0] for row in database.execute("SELECT records FROM batches ORDER BY id"))
    records = subprocess.run(["zstd", "-dcq"], input=frames, capture_output=True, check=True).stdout
    offset = 0
    while offset < len(records):
        _, netns, kind, size = _HEADER.unpack_from(records, offset)
        if size < _HEADER.size:
            raise ValueError(f"a record of {size} bytes at {offset}")
        yield netns, kind
        offset += size


def _differences(live: list[dict], replayed: list[dict]) -> list[str]:
    by_id = {incident["id"]: incident for incident in replayed}
    found = []
    for incident in live:
        other = by_id.pop(incident["id"], None)
        if other is None:
            found.append(f"replay lacks {incident['id']} {incident['type']}")
        elif other != incident:
            keys = [key for key in incident if incident[key] != other.get(key)]
            example = (
                f"{keys[0]} {incident[keys[0]]} live, {other.get(keys[0])} replayed"
                if keys
                else "added fields"
            )
            found.append(f"replay of {incident['id']} differs in {', '.join(keys)}: {example}")
    found += [f"replay adds {incident['id']} {incident['type']}" for incident in by_id.values()]
    return found
