"""Recorded runs: what a run was, and its recording, in one directory, to be judged again without root.

    DIRECTORY/port_closed-1/recording.db    what the agent saw
    DIRECTORY/port_closed-1/run.json        the label, the times, the injector's counts, what the clients suffered
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from lab import judge
from lab.agent import Update
from lab.faults import Label

ESTIMATE_AFTER_S = 1.7  # a walk over the sockets and what was on its way: still before it can be called healed
_SAVED = (
    "netns", "ready_at", "onset_at", "healed_at", "first_affected_at", "deadline_s", "late", "injector",
    "congestion_control", "heal_began_at",
)  # fmt: skip


def save(directory: Path, run: judge.Run, result: judge.Result, recording: Path) -> None:
    place = directory / f"{result.name}-{result.seed}"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(recording, place / "recording.db")
    fields = {name: getattr(run, name) for name in _SAVED}
    fields |= {"netns": run.netns, "label": run.label and asdict(run.label), "result": result.as_json()}
    (place / "run.json").write_text(json.dumps(fields) + "\n")


def rejudge(place: Path, binary: Path) -> judge.Result:
    """The recording through `binary`'s diagnosis, judged as the live run was."""
    document = json.loads((place / "run.json").read_text())
    before = document["result"]
    fields = {name: document[name] for name in _SAVED}
    final = _replay(binary, place / "recording.db")
    label = document["label"] and label_from(document["label"])
    estimate = None
    if label and label.type == "packet_loss":
        then = _replay(binary, place / "recording.db", fields["healed_at"] + ESTIMATE_AFTER_S)
        estimate = judge.loss_estimate(then)
    run = judge.Run(
        **fields,
        label=label,
        updates=updates_from(final),
        final=final,
        view={"destinations": []},
        estimate=estimate,
    )
    result = judge.judge(run)
    for name in ("name", "seed", "bar_s", "background", "congestion_control", "rtt_ms", "end", "baselines"):
        setattr(result, name, before[name])
    return result


def label_from(document: dict) -> Label:
    """A label as JSON has it: lists were tuples, objects were labels."""

    def restored(value):
        if isinstance(value, list):
            return tuple(map(restored, value))
        return label_from(value) if isinstance(value, dict) else value

    return Label(**{name: restored(value) for name, value in document.items()})


def _replay(binary: Path, recording: Path, until: float | None = None) -> list[dict]:
    argv = [str(binary), "replay", str(recording), "--json"]
    if until is not None:
        argv += ["--until", datetime.fromtimestamp(until, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    if done.returncode not in (0, 3):
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def updates_from(final: list[dict]) -> list[Update]:
    """When each was named for what it is, and when it ended: what a replay's end tells of the way there."""
    updates = []
    for incident in final:
        if incident["state"] == "suspected":
            continue
        as_open = incident | {"state": "open", "resolved_at": None, "resolution": None}
        updates.append(Update(_seconds(incident["detected_at"]), as_open))
        if incident["resolved_at"]:
            updates.append(Update(_seconds(incident["resolved_at"]), incident))
    return sorted(updates, key=lambda update: update.at)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
