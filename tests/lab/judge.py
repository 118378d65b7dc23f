"""Judges one run against the injector's label: pure, over what the agent has said and when."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from lab.agent import Update
from lab.faults import Label
from support import contract

CLEAR_WITHIN_S = 15.0
# How far the estimate of lost segments may be from the injector's count: one run of cubic with enough losses.
# Under bbr single runs spread wider than the mean does, so there it is reported.
ESTIMATE_WITHIN = 0.02
ESTIMATE_LOSSES = 200


@dataclass
class Run:
    """What happened, in Unix seconds, and everything the agent said."""

    label: Label | None  # None: healthy
    netns: list[int]  # of the observed host
    ready_at: float
    onset_at: float
    healed_at: float
    first_affected_at: float | None
    deadline_s: float
    late: bool
    updates: list[Update]
    final: list[dict]
    view: dict
    injector: dict = field(default_factory=dict)
    estimate: int | None = None  # of the segments lost on the way there
    congestion_control: str = ""
    heal_began_at: float | None = None  # where the heal took its time: nothing may be resolved before that


@dataclass
class Result:
    name: str = ""
    seed: int = 0
    ok: bool = False
    truth: str = ""
    verdict: str = "-"
    confidence: float | None = None
    detect_s: float | None = None
    clear_s: float | None = None
    false_incidents: int = 0
    bar_s: float | None = None
    reasons: list[str] = field(default_factory=list)
    injector: dict = field(default_factory=dict)  # the injector's own counts
    estimate: int | None = None  # what the agent makes of them
    congestion_control: str = ""
    background: str = ""
    took_s: float = 0.0
    rtt_ms: float = 0.0
    end: str = "client"  # whose namespace the agent watched
    late: bool = False
    truth_type: str | None = None  # None: healthy
    candidates: list[dict] = field(default_factory=list)  # the set that the verdict is, with probabilities
    root_types: list[str] = field(default_factory=list)  # of all root incidents of the fault's time
    false_types: list[str] = field(default_factory=list)  # of all that nothing was behind
    round_trip_ms: float | None = None  # by the agent's evidence, where round trips became longer
    baselines: dict = field(default_factory=dict)  # what errno and thresholds say

    def as_json(self) -> dict:
        return asdict(self)


def is_alarm(incident: dict) -> bool:
    return incident["severity"] != "info" and incident["state"] in ("open", "stale", "resolved")


def is_root(incident: dict) -> bool:
    return is_alarm(incident) and not incident["symptom"] and incident["resolution"] != "superseded"


def names(label: Label, incident: dict) -> bool:
    """Is the type right? Where one end cannot know, a set with the truth in it and an allowed type first is."""
    if incident["type"] == label.type:
        return True
    members = contract.candidate_set(incident)
    return (
        incident["type"] in label.set_allowed
        and len(members) > 1
        and any(candidate["type"] == label.type for candidate in members)
    )


def describes(label: Label, incident: dict) -> list[str]:
    """What of the label the incident gets wrong, beyond the type."""
    wrong = []
    exact = incident["type"] == label.type
    if exact and label.causes and incident["cause"] not in label.causes:
        wrong.append(f"cause {incident['cause']}, not {' or '.join(label.causes)}")
    scope = incident["scope"]
    if scope["kind"] not in label.scope_kinds:
        wrong.append(f"scope {scope['kind']}, not {' or '.join(label.scope_kinds)}")
    if label.scope_values and scope.get("value") not in label.scope_values:
        wrong.append(f"scope value {scope.get('value')}, not {' or '.join(label.scope_values)}")
    if missing := set(label.members) - set(scope["members"]):
        wrong.append(f"scope members lack {', '.join(sorted(missing))}")
    wrong += _destination_faults(label, incident["type"], incident["destination"])
    root = incident["root_cause"]["type"]
    if exact and root != (label.root_type or label.type):
        wrong.append(f"root cause {root}, not {label.root_type or label.type}")
    if label.process and incident["source"].get("comm") != label.process:
        wrong.append(f"process {incident['source'].get('comm')}, not {label.process}")
    if label.netns and incident["source"].get("netns") != label.netns:
        wrong.append(f"namespace {incident['source'].get('netns')}, not {label.netns}")
    if label.cgroup and incident["source"].get("cgroup") != label.cgroup:
        wrong.append(f"cgroup {incident['source'].get('cgroup')}, not {label.cgroup}")
    if incident["perspective"] != label.perspective:
        wrong.append(f"perspective {incident['perspective']}, not {label.perspective}")
    wrong += _change_faults(label, incident)
    wrong += _offender_faults(label, incident["root_cause"].get("offender"))
    return wrong


def _destination_faults(label: Label, named: str, destination: dict | None) -> list[str]:
    if len(label.destinations) > 1:
        # The most affected one, or none.
        if destination is None or destination["ip"] in {ip for ip, _ in label.destinations}:
            return []
        return [f"destination {destination['ip']} is none of those hit"]
    if not label.destinations:
        return [f"destination {destination['ip']}, not null"] if destination else []
    (ip, port), *_ = label.destinations
    if destination is None:
        return ["no destination"]
    found = []
    if destination["ip"] != ip:
        found.append(f"destination {destination['ip']}, not {ip}")
    seen_port = destination.get("port") or None
    real = (destination.get("real_ip"), destination.get("real_port"))
    if label.real and real != label.real:
        found.append(f"real peer {real}, not {label.real}")
    if seen_port != port and "packet_loss" not in (label.type, named):  # loss is an address's
        found.append(f"port {seen_port}, not {port}")
    return found


def _change_faults(label: Label, incident: dict) -> list[str]:
    """The change that did it is named, as the cause, with who made it as far as the kernel tells; and no other."""
    if label.changed is None:
        return []
    words, by = label.changed
    causes = [change for change in incident["changes"] if change["bearing"] == "cause"]
    if not any(words in change["what"] for change in causes):
        told = "; ".join(f"{c['bearing']}: {c['what']} by {c['by']}" for c in incident["changes"])
        return [f"the change «{words}» is not named as the cause, but {told or 'none'}"]
    wrong = [f"made by {c['by']}, not {by}" for c in causes if c["by"] != by]
    if words not in incident["root_cause"]["statement"]:
        wrong.append(f"the root cause does not name the change: {incident['root_cause']['statement']}")
    return wrong


def _offender_faults(label: Label, offender: str | None) -> list[str]:
    if label.offender is None or offender == label.offender:
        return []
    if offender is None and ":" in label.offender:
        return []  # ICMPv6 names its sender only where the kernel offers a hook for it
    return [f"offender {offender}, not {label.offender}"]


def detected_by(label: Label, updates: list[Update], after: float) -> Update | None:
    """The first update since `after` that names the fault for good measure: open, a root, the right type."""
    for update in updates:
        if update.at >= after and update.incident["state"] == "open" and is_root(update.incident):
            if names(label, update.incident):
                return update
    return None


def told_in_full(label: Label, updates: list[Update], after: float) -> bool:
    """Is what the agent says now right in all that the label judges?"""
    latest = {u.incident["id"]: u.incident for u in updates if u.at >= after}
    return any(
        i["state"] == "open" and is_root(i) and names(label, i) and not describes(label, i)
        for i in latest.values()
    )


def verdict_text(incident: dict) -> str:
    text = f"{incident['type']}/{incident['cause']}"
    rest = contract.candidate_set(incident)[1:]
    return text + "".join(f" | {candidate['type']}" for candidate in rest)


def truth_text(label: Label | None) -> str:
    return f"{label.type}/{'|'.join(label.causes)}" if label else "healthy"


def judge(run: Run) -> Result:
    result = Result(truth=truth_text(run.label), injector=run.injector, estimate=run.estimate, late=run.late)
    result.truth_type = run.label.type if run.label else None
    reasons = result.reasons
    reasons += contract.list_violations(run.final)
    reasons += _update_violations(run.updates)
    reasons += _foreign_records(run)
    before = {u.incident["id"] for u in run.updates if is_alarm(u.incident) and u.at < run.onset_at}
    if before and not run.late:
        result.false_incidents += len(before)
        types = {u.incident["id"]: u.incident["type"] for u in run.updates if u.incident["id"] in before}
        result.false_types += sorted(types.values())
        reasons.append(f"{len(before)} above info in the healthy lead-in")
    reasons += sorted(
        {
            f"unknown: {u.incident['summary']}"
            for u in run.updates
            if u.incident["type"] == "unknown" and is_alarm(u.incident)
        }
    )
    if run.label is None:
        _judge_healthy(run, result)
    else:
        _judge_fault(run, result, before)
    result.ok = not reasons
    return result


def _judge_healthy(run: Run, result: Result) -> None:
    alarms = {u.incident["id"]: u.incident for u in run.updates if is_alarm(u.incident)}
    result.false_incidents = len(alarms)
    result.false_types = [incident["type"] for incident in alarms.values()]
    for incident in alarms.values():
        result.verdict = verdict_text(incident)
        result.reasons.append(
            f"{incident['severity']} in a healthy run: {verdict_text(incident)}: {incident['summary']}"
        )


def _judge_fault(run: Run, result: Result, before: set[str]) -> None:
    reasons = result.reasons
    roots = [i for i in run.final if is_root(i) and i["id"] not in before]
    right = [i for i in roots if names(run.label, i)]
    chosen = (right or roots or [None])[0]
    others = [i for i in roots if any(names(label, i) and not describes(label, i) for label in run.label.also)]
    result.false_incidents += len(roots) - min(run.label.roots, len(right) + len(others))
    if chosen is None:
        reasons.append("no incident")
        return
    result.verdict, result.confidence = verdict_text(chosen), chosen["confidence"]
    result.candidates = [
        {"type": c["type"], "probability": c["probability"]} for c in contract.candidate_set(chosen)
    ]
    result.root_types = [i["type"] for i in roots]
    result.round_trip_ms = evidence_value(chosen, "round_trip_ms")
    if not right:
        reasons.append(f"type {chosen['type']}, not {run.label.type}: {chosen['summary']}")
    if len(roots) != run.label.roots:
        also = "; ".join(f"{verdict_text(i)} {i['scope']['members']}" for i in roots if i is not chosen)
        reasons.append(f"{len(roots)} root incidents, not {run.label.roots}: also {also}")
    reasons += describes(run.label, chosen)
    if len(others) < len(run.label.also):
        reasons.append(f"the other fault is not named: {', '.join(truth_text(label) for label in run.label.also)}")
    if run.label.symptoms and not any(i["root_cause"].get("incident") == chosen["id"] for i in run.final):
        reasons.append("no symptom stands under it")
    _judge_estimate(run, result)
    _judge_times(run, result, chosen)


def evidence_value(incident: dict, signal: str) -> float | None:
    return next((item["value"] for item in incident["evidence"] if item["signal"] == signal), None)


def loss_estimate(incidents: list[dict]) -> int | None:
    """How many segments the agent says were lost on the way there."""
    for incident in incidents:
        if incident["type"] == "packet_loss" and is_root(incident):
            if (lost := evidence_value(incident, "segments_lost")) is not None:
                return round(lost)
    return None


def _judge_estimate(run: Run, result: Result) -> None:
    dropped = run.injector.get("dropped_data", 0)
    known = run.estimate is not None and not run.late
    if not known or run.label.causes != ("forward",) or run.congestion_control != "cubic":
        return
    if dropped >= ESTIMATE_LOSSES and abs(run.estimate - dropped) > ESTIMATE_WITHIN * dropped:
        result.reasons.append(f"{run.estimate} segments lost by its estimate, {dropped} by the injector's count")


def _judge_times(run: Run, result: Result, chosen: dict) -> None:
    begin = run.ready_at if run.late else run.first_affected_at or run.onset_at
    named = detected_by(run.label, run.updates, 0.0 if run.late else run.onset_at)
    if named is None:
        result.reasons.append("never named while it lasted")
    else:
        result.detect_s = round(named.at - begin, 3)
        if result.detect_s > run.deadline_s:
            result.reasons.append(f"named after {result.detect_s} s, allowed {run.deadline_s}")
    if chosen["state"] != "resolved":
        result.reasons.append(f"still {chosen['state']} {CLEAR_WITHIN_S:.0f} s after the heal")
        return
    resolved = [
        u.at for u in run.updates if u.incident["id"] == chosen["id"] and u.incident["state"] == "resolved"
    ]
    if not resolved:
        result.reasons.append("resolved without an update that said so")
        return
    result.clear_s = round(resolved[-1] - run.healed_at, 3)
    too_early_s = (run.heal_began_at or run.healed_at) - resolved[-1]
    if too_early_s > 0 and not run.label.momentary:
        result.reasons.append(f"resolved {too_early_s:.3f} s before the heal")
    if result.clear_s > CLEAR_WITHIN_S:
        result.reasons.append(f"resolved after {result.clear_s} s, allowed {CLEAR_WITHIN_S:.0f}")


def _update_violations(updates: list[Update]) -> list[str]:
    """Every state that an incident went through obeys the contract, too; each complaint is told once."""
    found = {
        f"update of {u.incident.get('id')}: {text}"
        for u in updates
        for text in contract.violations(u.incident)
    }
    return sorted(found)


def _foreign_records(run: Run) -> list[str]:
    """Whatever the agent shows must come from the observed namespace."""
    seen = {f"incident {i['id']}": i["source"].get("netns") for i in run.final}
    for row in run.view["destinations"]:
        seen[f"destination {row['ref']['ip']}:{row['ref'].get('port')}"] = row["netns"]
    return [
        f"{what} is of namespace {netns}" for what, netns in seen.items() if netns not in {None, *run.netns}
    ]


def leave_out_strangers(run: Run) -> None:
    """Who watches all of a machine sees what else goes on there: no business of the run's."""
    known = {None, *run.netns}
    run.updates = [update for update in run.updates if update.incident["source"].get("netns") in known]
    run.final = [incident for incident in run.final if incident["source"].get("netns") in known]
    run.view["destinations"] = [row for row in run.view["destinations"] if row["netns"] in known]
