"""Runs one scenario: rig, software, agent, healthy lead-in, fault, verdict, heal, the verdict's end."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from lab import baselines, impair, judge, recorded, recording
from lab.agent import Agent
from lab.faults import Label
from lab.node import Node
from lab.rig import Rig
from lab.scenarios import Scenario
from lab.world import Lab

# An attempt takes a millisecond; one that took this long has waited for a retransmission or for the service.
SLOW_MS = 190


@dataclass(frozen=True)
class Options:
    binary: Path
    seed: int
    keep: bool = False
    late_s: float | None = None  # starts the agent so long after the onset in every scenario with a fault
    congestion_control: str | None = None  # else from the seed
    background: str | None = None  # else from the seed
    rtt_ms: float = 0.0  # how far away the servers are, where the scenario does not say
    record: Path | None = None  # leaves the recording and the label there
    watch: str = "one"  # or "all": client, routers and servers are one host to the agent


def run_scenario(scenario: Scenario, options: Options) -> judge.Result:
    """Never raises for a wrong verdict or a dead agent: the result says so."""
    begun = time.monotonic()
    with Rig(options.seed, options.keep, options.congestion_control) as rig:
        lab = Lab(rig, options.seed, scenario.family, options.background)
        rtt_ms = scenario.rtt_ms or options.rtt_ms
        if rtt_ms:
            impair.distance(rig, rtt_ms)
        if scenario.node:
            lab.node = Node(rig)
        watch = "all" if options.watch == "all" else scenario.end
        client = lab.node.observed if lab.node else ["cli"]
        observed = {"client": client, "server": [lab.victim], "all": rig.hosts}[watch]
        paths = [] if watch == "all" else [rig.netns_path(host) for host in observed]
        lab.agent = agent = Agent(options.binary, rig.directory, paths)
        run = None
        try:
            result, run = _run(scenario, options, lab, agent, watch, [rig.netns_inode(host) for host in observed])
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            result = judge.Result(reasons=[f"{type(error).__name__}: {error}"])
        finally:
            agent.stop()
        result.name, result.seed, result.bar_s = scenario.name, options.seed, scenario.bar_s
        result.congestion_control, result.background = rig.congestion_control, lab.background_kind
        result.rtt_ms, result.end = rtt_ms, watch
        result.took_s = round(time.monotonic() - begun, 1)
        if options.record and run:
            recorded.save(options.record, run, result, recording.path(agent))
        if options.keep:
            _keep(rig, agent, result)
    return result


def run_apart(scenario: Scenario, options: Options) -> judge.Result:
    """The same in a process of its own, so that several can go on at once."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        given = {
            "seed": options.seed, "bin": options.binary, "late": options.late_s, "rtt": options.rtt_ms,
            "congestion-control": options.congestion_control, "background": options.background,
            "record": options.record, "watch": options.watch, "json": out.name,
        }  # fmt: skip
        argv = [sys.executable, str(Path(__file__).parent / "run"), scenario.name]
        argv += [text for key, value in given.items() if value is not None for text in (f"--{key}", str(value))]
        argv += ["--keep"] if options.keep else []
        done = subprocess.run(argv, capture_output=True, text=True)
        written = Path(out.name).read_text()
    if not written:
        reason = f"the run ended with {done.returncode}: {done.stderr[-500:]}"
        return judge.Result(scenario.name, options.seed, reasons=[reason])
    return judge.Result(**json.loads(written)["results"][0])


def _run(
    scenario: Scenario, options: Options, lab: Lab, agent: Agent, watch: str, netns: list[int]
) -> tuple[judge.Result, judge.Run]:
    rng = random.Random(f"runner {options.seed}")
    scenario.prepare(lab)
    sampler = baselines.Sampler(lab.rig.spawn("cli", ["sleep", "infinity"]).pid)
    late_s = scenario.late_s or (options.late_s or 0.0 if scenario.kind == "fault" else 0.0)
    if lab.regions:
        path = lab.rig.directory / "regions"
        path.write_text(lab.regions)
        agent.options += ("--regions", str(path))
    if not late_s:
        agent.start()
    time.sleep(rng.uniform(0.7, 1.3) if late_s else rng.uniform(6.3, 8.9))  # the healthy lead-in
    onset_at = time.time()
    fault = scenario.happen(lab)
    label = fault and fault.as_seen(watch)
    if late_s:
        time.sleep(late_s)
        agent.start()
    after = 0.0 if late_s else onset_at
    if label:
        _follow_fault(scenario, agent, label, onset_at, after, rng)
    else:
        agent.wait_until(lambda updates: any(judge.is_alarm(u.incident) for u in updates), scenario.watch_s)
    counts = fault.truth() if fault else {}
    heal_began_at = time.time()
    if fault:
        fault.heal()
    healed_at = time.time()
    estimate = None
    if label and label.type == "packet_loss":
        time.sleep(recorded.ESTIMATE_AFTER_S)
        estimate = judge.loss_estimate(agent.incidents())
    if fault:
        agent.wait_until(_all_resolved, judge.CLEAR_WITHIN_S + 1)
    view = agent.view()
    samples = sampler.stop()
    lab.stop_clients()
    final = _settled(agent)
    asked_at = time.time()
    run = judge.Run(
        label=label,
        netns=netns,
        ready_at=agent.ready_at,
        onset_at=onset_at,
        healed_at=healed_at,
        heal_began_at=heal_began_at,
        first_affected_at=_first_affected(lab, label, onset_at, SLOW_MS + 6 * (scenario.rtt_ms or options.rtt_ms)),
        deadline_s=scenario.deadline_s,
        late=bool(late_s),
        updates=list(agent.updates),
        final=final,
        view=view,
        injector=counts,
        estimate=estimate,
        congestion_control=lab.rig.congestion_control,
    )
    was_alive = agent.alive()
    status = agent.stop()
    last_words = [update.incident for update in agent.updates if update.at > asked_at] + agent.left_open()
    run.final = list(({i["id"]: i for i in final} | {i["id"]: i for i in last_words}).values())
    differences = recording.differences(agent, run.final)
    if watch == "all":
        judge.leave_out_strangers(run)
    result = judge.judge(run)
    if not was_alive:
        result.reasons.append("the agent died")
    elif status != 0:
        result.reasons.append(f"the agent ended with {status}")
    result.reasons += differences
    if watch != "all":
        result.reasons += recording.foreign(agent, netns)
    result.ok = not result.reasons
    result.baselines = _baselines(lab, samples, run)
    return result, run


def _baselines(lab: Lab, samples: list[dict], run: judge.Run) -> dict:
    """What simpler means say of the lead-in and of what came then. They see what the client sees."""
    outcomes = [outcome for client in lab.clients for outcome in client.outcomes()]
    begin = run.first_affected_at or run.onset_at
    found = {}
    for name, answer, stream in (
        ("errno", baselines.by_errno, outcomes),
        ("thresholds", baselines.by_thresholds, samples),
    ):
        before = answer([row for row in stream if row["t"] < run.onset_at], 0.0)
        since = answer(stream, run.onset_at)
        found[name] = {
            "lead_in": before and before.type,
            "type": since and since.type,
            "detect_s": since and round(since.at - begin, 3),
        }
    return found


def _follow_fault(scenario, agent, label, onset_at: float, after: float, rng) -> None:
    """Waits for the right verdict, looks whether it lasts."""
    if scenario.length_s:
        left = onset_at + scenario.length_s - time.time()
        agent.wait_until(lambda _: False, left)
        return
    agent.wait_until(lambda updates: judge.told_in_full(label, updates, after), scenario.deadline_s + 1)
    agent.wait_until(lambda _: False, rng.uniform(*scenario.hold_s))


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


def _first_affected(lab: Lab, label: Label | None, onset_at: float, slow_ms: float) -> float | None:
    """When the first attempt began that the fault has spoiled, as the clients saw it."""
    if label and label.type == "packet_loss":
        return onset_at  # it spoils packets at once, and attempts only now and then
    times = [
        max(outcome["t"], onset_at)
        for client in lab.clients
        for outcome in client.outcomes()
        if outcome["t"] + outcome["ms"] / 1000 >= onset_at
        and (outcome["result"] != "ok" or outcome["ms"] > slow_ms)
    ]
    return min(times, default=None)


def _keep(rig: Rig, agent: Agent, result: judge.Result) -> None:
    print(f" kept in {rig.directory}", end="", file=sys.stderr)
    with (rig.directory / "updates.jsonl").open("w") as out:
        for update in agent.updates:
            out.write(json.dumps({"at": update.at, "incident": update.incident}) + "\n")
    (rig.directory / "result.json").write_text(json.dumps(result.as_json(), indent=1))
