"""Runs one scenario: rig, software, agent, healthy lead-in, fault, verdict, heal, the verdict's end."""

from __future__ import annotations

import json
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab import judge, recording
from lab.agent import Agent
from lab.faults import Fault
from lab.rig import Rig
from lab.scenarios import Lab, Scenario

# An attempt takes a millisecond; one that took this long has waited for a retransmission or for the service.
SLOW_MS = 190


@dataclass(frozen=True)
class Options:
    binary: Path
    seed: int
    keep: bool = False
    late_s: float | None = None  # overrides a late scenario's own


def run_scenario(scenario: Scenario, options: Options) -> judge.Result:
    """Never raises for a wrong verdict or a dead agent: the result says so."""
    begun = time.monotonic()
    with Rig(options.seed, options.keep) as rig:
        lab = Lab(rig, options.seed, scenario.family)
        agent = Agent(options.binary, rig.directory, rig.netns_path("cli"))
        try:
            result = _run(scenario, options, lab, agent)
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            result = judge.Result(reasons=[f"{type(error).__name__}: {error}"])
        finally:
            agent.stop()
        result.name, result.seed, result.bar_s = scenario.name, options.seed, scenario.bar_s
        result.took_s = round(time.monotonic() - begun, 1)
        if options.keep:
            _keep(rig, agent, result)
    return result


def _run(scenario: Scenario, options: Options, lab: Lab, agent: Agent) -> judge.Result:
    rng = random.Random(f"runner {options.seed}")
    scenario.prepare(lab)
    late_s = (options.late_s or scenario.late_s) if scenario.late_s else 0.0
    if not late_s:
        agent.start()
    time.sleep(rng.uniform(0.7, 1.3) if late_s else rng.uniform(6.3, 8.9))  # the healthy lead-in
    onset_at = time.time()
    fault = scenario.happen(lab)
    if late_s:
        time.sleep(late_s)
        agent.start()
    if fault:
        healed_at, counts = _follow_fault(scenario, agent, fault, onset_at, rng)
    else:
        agent.wait_until(lambda updates: any(judge.is_alarm(u.incident) for u in updates), scenario.watch_s)
        healed_at, counts = time.time(), {}
    view = agent.view()
    lab.stop_clients()
    final = _settled(agent)
    asked_at = time.time()
    run = judge.Run(
        label=fault and fault.label,
        netns=lab.rig.netns_inode("cli"),
        ready_at=agent.ready_at,
        onset_at=onset_at,
        healed_at=healed_at,
        first_affected_at=_first_affected(lab, fault, onset_at),
        deadline_s=scenario.deadline_s,
        late=bool(late_s),
        updates=list(agent.updates),
        final=final,
        view=view,
    )
    was_alive = agent.alive()
    status = agent.stop()
    last_words = [update.incident for update in agent.updates if update.at > asked_at] + agent.left_open()
    run.final = list(({i["id"]: i for i in final} | {i["id"]: i for i in last_words}).values())
    result = judge.judge(run)
    if not was_alive:
        result.reasons.append("the agent died")
    elif status != 0:
        result.reasons.append(f"the agent ended with {status}")
    result.reasons += recording.violations(agent, run.final, run.netns)
    result.injector = counts
    result.ok = not result.reasons
    return result


def _follow_fault(scenario, agent, fault, onset_at, rng) -> tuple[float, dict]:
    """Waits for the right verdict, looks whether it lasts, heals, waits for the end.

    Returns when it was healed, and what the injector has counted until then.
    """
    after = 0.0 if scenario.late_s else onset_at
    agent.wait_until(lambda updates: judge.told_in_full(fault.label, updates, after), scenario.deadline_s + 1)
    agent.wait_until(lambda _: False, rng.uniform(1.7, 2.3) if scenario.late_s else rng.uniform(3.1, 4.7))
    counts = fault.truth()
    fault.heal()
    healed_at = time.time()
    agent.wait_until(_all_resolved, judge.CLEAR_WITHIN_S + 1)
    return healed_at, counts


def _all_resolved(updates) -> bool:
    """Has every alarm ended?"""
    latest = {update.incident["id"]: update.incident for update in updates}
    alarms = [incident for incident in latest.values() if judge.is_alarm(incident)]
    return all(incident["state"] == "resolved" for incident in alarms)


def _settled(agent: Agent) -> list[dict]:
    """The incidents once the traffic has ended and nothing moves any more."""
    before, deadline = agent.incidents(), time.monotonic() + 6
    while time.monotonic() < deadline:
        time.sleep(1.3)  # longer than one walk over the sockets
        now = agent.incidents()
        if now == before:
            break
        before = now
    return before


def _first_affected(lab: Lab, fault: Fault | None, onset_at: float) -> float | None:
    """When the first attempt began that the fault has spoiled, as the clients saw it."""
    if fault and fault.label.type == "packet_loss":
        return onset_at  # it spoils packets at once, and attempts only now and then
    times = [
        max(outcome["t"], onset_at)
        for client in lab.clients
        for outcome in client.outcomes()
        if outcome["t"] + outcome["ms"] / 1000 >= onset_at
        and (outcome["result"] != "ok" or outcome["ms"] > SLOW_MS)
    ]
    return min(times, default=None)


def _keep(rig: Rig, agent: Agent, result: judge.Result) -> None:
    print(f" kept in {rig.directory}", end="", file=sys.stderr)
    with (rig.directory / "updates.jsonl").open("w") as out:
        for update in agent.updates:
            out.write(json.dumps({"at": update.at, "incident": update.incident}) + "\n")
    (rig.directory / "result.json").write_text(json.dumps(result.as_json(), indent=1))
