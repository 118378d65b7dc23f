"""What a run's recording must be: replayed, it gives what the agent said live, and holds no other namespace's records."""

from __future__ import annotations

from pathlib import Path

from lab.agent import Agent


def find(agent: Agent) -> Path | None:
    """The recording that the agent has left under its state directory."""
    found = sorted(path for path in agent.state.rglob("*.db") if path.is_file())
    return found[-1] if found else None


def violations(agent: Agent, final: list[dict], netns: int) -> list[str]:
    path = find(agent)
    if path is None:
        return ["the agent has left no recording"]
    replayed = agent.replay(path)
    return _differences(final, replayed)


def _differences(live: list[dict], replayed: list[dict]) -> list[str]:
    if live == replayed:
        return []
    by_id = {incident["id"]: incident for incident in replayed}
    found = []
    for incident in live:
        other = by_id.pop(incident["id"], None)
        if other is None:
            found.append(f"replay lacks {incident['id']} {incident['type']}")
        elif other != incident:
            keys = [key for key in incident if incident[key] != other.get(key)]
            first = keys[0]
            found.append(f"replay of {incident['id']} differs in {', '.join(keys)}: {first} {incident[first]} / {other.get(first)}")
    found += [f"replay adds {id_} {incident['type']}" for id_, incident in by_id.items()]
    return found or ["replay has another order"]
