"""Right or wrong, and why: pure, over what a guest has told. Each function returns sentences; none is a pass."""

from __future__ import annotations

from dataclasses import dataclass

from kernels.guest import CLOSED, FILTERED, LOSSY, PORT, REJECTED, UNROUTED, addresses
from kernels.machine import Story

ROUTER = "10.1.0.2"


@dataclass(frozen=True)
class Kernel:
    """One of the matrix, and what it is known to lack: the signals whose best hook it does not have."""

    name: str
    suite: str  # Debian's, whose kernel it is
    fallback: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


KERNELS = (
    Kernel(
        "5.10",
        "bullseye",
        fallback=frozenset({"life cycle", "accept results", "retransmits", "resets sent", "DNS messages", "snapshots"}),
        missing=frozenset({"headers of answers", "socket errors", "drops", "ICMP sent", "TLS handshakes", "earlier sockets"}),
    ),
    Kernel("6.1", "bookworm", fallback=frozenset({"retransmits", "resets sent"})),
    Kernel("6.12", "trixie", fallback=frozenset({"retransmits"})),
    Kernel("7.2", "sid"),
)


def hook_faults(kernel: Kernel, story: Story) -> list[str]:
    """Everything that the plan picked was attached, and nothing is lost beyond what this kernel lacks."""
    check = story.told.get("check_of_agent")
    if not check:
        return ["not run: the agent was not asked what it has attached"]
    found = []
    for hook in check["check"]["hooks"]:
        signal, state = hook["signal"], hook["state"]
        if "refuses it" in hook["reason"] or "cannot be attached" in hook["reason"]:
            found.append(f"{signal}: {hook['reason']}")
        expected = "fallback" if signal in kernel.fallback else "missing" if signal in kernel.missing else "best"
        if state != expected:
            found.append(f"{signal}: {state}, not {expected} ({hook['reason']})")
    for account in check["check"]["agent"]["observer"]["accounts"]:
        if account["seen"] != account["emitted"] + account["filtered"] + account["dropped"]:
            found.append(f"books of {account['kind']} do not balance: {account}")
        if account["dropped"]:
            found.append(f"{account['dropped']} records of {account['kind']} dropped")
    return found


def kernel_test_faults(story: Story) -> list[str]:
    tests = story.told.get("kernel_tests")
    if not tests or not tests["passed"]:
        return [f"not run: no kernel test passed: {(tests or {}).get('output')}"]
    found = [f"{name}: {why}" for name, why in tests["failed"].items()]
    if tests["exit"] != 0 and not found:
        found.append(f"exit {tests['exit']}: {tests['output']}")
    return found


@dataclass(frozen=True)
class Expected:
    member: str
    type: str
    causes: tuple[str, ...]
    offender: str | None = None

    def faults(self, incident: dict) -> list[str]:
        found = []
        if incident["cause"] not in self.causes:
            found.append(f"cause {incident['cause']}, not {' or '.join(self.causes)}")
        if self.offender and incident["root_cause"].get("offender") != self.offender:
            found.append(f"offender {incident['root_cause'].get('offender')}, not {self.offender}")
        return [f"{self.member}: {fault}" for fault in found]


def expected_incidents(kernel: Kernel) -> list[Expected]:
    """With the ICMP error at hand a rejecting router is named; without it, over IPv4, EHOSTUNREACH at once is all."""
    icmp = "socket errors" not in kernel.missing
    at = {net: [f"{address}:{PORT + net}/tcp" for address in addresses(net)] for net in (CLOSED, REJECTED, FILTERED, UNROUTED)}
    return [
        *(Expected(member, "port_blocked", ("closed_port",)) for member in at[CLOSED]),
        Expected(at[REJECTED][0], "firewall_block", ("admin_prohibited",), ROUTER if icmp else None),
        Expected(at[REJECTED][1], "firewall_block", ("admin_prohibited",)),
        *(Expected(member, "firewall_block", ("silent_drop",)) for member in at[FILTERED]),
        *(Expected(member, "routing_failure", ("no_route",)) for member in at[UNROUTED]),
        Expected(f"10.{LOSSY}.0.2", "packet_loss", ("forward",)),
    ]


def is_alarm(incident: dict) -> bool:
    return incident["severity"] != "info"


def verdict_faults(kernel: Kernel, story: Story) -> list[str]:
    """Silence before the faults, one right incident for each, all resolved after."""
    for part in ("lead_in", "named", "cleared"):
        if part not in story.told:
            return [f"not run: nothing was told of '{part}'"]
    found = [f"before the faults: {summary(i)}" for i in story.told["lead_in"]["incidents"] if is_alarm(i)]
    open_ = [i for i in story.told["named"]["incidents"] if is_alarm(i) and i["state"] == "open"]
    explained = set()
    for expected in expected_incidents(kernel):
        matching = [i for i in open_ if i["type"] == expected.type and expected.member in i["scope"]["members"]]
        if len(matching) != 1:
            found.append(f"{expected.member}: {len(matching)} incidents {expected.type}, not one")
        for incident in matching:
            found += expected.faults(incident)
            explained.add(incident["id"])
    found += [f"too many: {summary(i)}" for i in open_ if i["id"] not in explained]
    found += [f"not resolved: {summary(i)}" for i in story.told["cleared"]["incidents"] if is_alarm(i) and i["state"] == "open"]
    ended = story.told.get("agent_ended")
    if not ended or ended["exit"] != 0:
        found.append(f"the agent did not end in order: {ended}")
    return found


def summary(incident: dict) -> str:
    members = " ".join(incident["scope"]["members"])
    return f"{incident['severity']} {incident['type']} {incident['cause']} of {members} ({incident['state']})"


def log_faults(story: Story) -> list[str]:
    """A log that is not whole proves nothing."""
    found = [] if story.log_is_whole() else ["the kernel's log does not reach from its version to the guest's end"]
    return found + [f"kernel: {line}" for line in story.splats()]


def guest_faults(story: Story) -> list[str]:
    found = [] if story.ended else ["the guest was still running at its deadline"]
    if story.told.get("kernel", {}).get("release") != story.release:
        found.append(f"kernel {story.told.get('kernel')}, not {story.release}")
    if "failed" in story.told:
        found.append(f"guest.py: {story.told['failed']['error'].strip()}")
    elif "end" not in story.told:
        found.append("guest.py did not come to its end")
    return found


def judge_all(kernel: Kernel, story: Story) -> dict[str, list[str]]:
    """By part; all of them empty is a pass."""
    return {
        "guest": guest_faults(story),
        "log": log_faults(story),
        "hooks": hook_faults(kernel, story),
        "verdicts": verdict_faults(kernel, story),
        "kernel tests": kernel_test_faults(story),
    }
