#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sums JUnit files: junit_totals.py FILE... prints "PASSED FAILED SKIPPED", then a line for each failure and skip."""

import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    """("passed" | "failed" | "skipped", reason) of one testcase."""
    for tag, result in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        node = case.find(tag)
        if node is not None:
            lines = (node.get("message") or node.text or "").strip().splitlines()
            return result, lines[0] if lines else "no reason given"
    return ("skipped", "disabled") if case.get("status") in ("disabled", "notrun") else ("passed", "")


def main(paths):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    notes = []
    for path in paths:
        for case in ElementTree.parse(path).iter("testcase"):
            result, reason = outcome(case)
            counts[result] += 1
            if result != "passed":
                notes.append(f"{result}: {case.get('name')}: {reason}")
    print(*counts.values())
    print("\n".join(notes))


main(sys.argv[1:])
