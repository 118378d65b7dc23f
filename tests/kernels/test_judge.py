"""The judge judged: what did not run, or went wrong in any one way, is not a pass."""

import copy

import pytest

from kernels import judge
from kernels.judge import KERNELS
from kernels.machine import Story

KERNEL = next(kernel for kernel in KERNELS if kernel.name == "6.1")
RELEASE = "6.1.0-50-cloud-amd64"
CONSOLE = f"[    0.000000] Linux version {RELEASE} (x)\n[   90.0] guest: end\n"
BOOKS = {"kind": "connect", "seen": 3, "emitted": 2, "filtered": 1, "dropped": 0}


def incident(expected: judge.Expected, state: str = "open") -> dict:
    return {
        "id": expected.member,
        "type": expected.type,
        "cause": expected.causes[0],
        "severity": "critical",
        "state": state,
        "scope": {"members": [expected.member]},
        "root_cause": {"offender": expected.offender},
    }


def right_story() -> Story:
    expected = judge.expected_incidents(KERNEL)
    hooks = [{"signal": "drops", "state": "best", "reason": ""}]
    hooks += [{"signal": signal, "state": "fallback", "reason": "older"} for signal in KERNEL.fallback]
    told = {
        "kernel": {"release": RELEASE},
        "check_of_agent": {"check": {"hooks": hooks, "agent": {"observer": {"accounts": [BOOKS]}}}},
        "lead_in": {"incidents": []},
        "named": {"incidents": [incident(e) for e in expected]},
        "cleared": {"incidents": [incident(e, "resolved") for e in expected]},
        "agent_ended": {"exit": 0},
        "kernel_tests": {"exit": 0, "passed": ["A"], "failed": {}, "skipped": {}},
        "end": {},
    }
    return Story(RELEASE, CONSOLE, told)


def faults(story: Story) -> list[str]:
    return [fault for found in judge.judge_all(KERNEL, story).values() for fault in found]


def test_a_right_story_passes():
    assert faults(right_story()) == []


@pytest.mark.parametrize("part", ["kernel", "check_of_agent", "lead_in", "named", "cleared", "agent_ended", "kernel_tests", "end"])
def test_what_was_not_told_is_no_pass(part):
    story = right_story()
    del story.told[part]
    assert faults(story)


def test_a_log_that_breaks_off_is_no_pass():
    assert faults(Story(RELEASE, CONSOLE.replace("guest: end", ""), right_story().told))


@pytest.mark.parametrize("line", ["WARNING: CPU: 0 PID: 1 at net/core/x.c:1", "BUG: kernel NULL pointer dereference", "Kernel panic - not syncing"])
def test_a_splat_is_found(line):
    assert faults(Story(RELEASE, CONSOLE + line, right_story().told))


def test_each_wrong_verdict_is_found():
    for index in range(len(judge.expected_incidents(KERNEL))):
        for change in ({"type": "slow_service"}, {"cause": "other"}, {"severity": "info"}, {"state": "resolved"}):
            story = right_story()
            story.told["named"]["incidents"][index].update(change)
            assert faults(story), (index, change)


def test_one_incident_too_many_is_found():
    story = right_story()
    extra = copy.deepcopy(story.told["named"]["incidents"][0]) | {"id": "other", "type": "latency_spike"}
    story.told["named"]["incidents"].append(extra)
    assert faults(story)


def test_a_refused_hook_is_found():
    story = right_story()
    story.told["check_of_agent"]["check"]["hooks"][0].update(state="fallback", reason="the kernel refuses it: Invalid argument")
    assert faults(story)


def test_books_that_do_not_balance_are_found():
    story = right_story()
    story.told["check_of_agent"]["check"]["agent"]["observer"]["accounts"] = [BOOKS | {"emitted": 1}]
    assert faults(story)


def test_a_failed_kernel_test_is_found():
    story = right_story()
    story.told["kernel_tests"]["failed"] = {"B": "expected 1"}
    assert faults(story)
