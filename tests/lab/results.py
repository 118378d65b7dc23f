"""Results of runs for people and for files: the table, the summary, the document."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from lab.agent import REPOSITORY
from lab.judge import Result
from support.wilson import wilson

COLUMNS = ("scenario", "seed", "truth", "verdict", "conf", "detect", "clear", "false", "took", "")


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def row(result: Result) -> tuple[str, ...]:
    confidence = "-" if result.confidence is None else f"{result.confidence:.2f}"
    return (
        result.name, str(result.seed), result.truth, result.verdict, confidence, seconds(result.detect_s),
        seconds(result.clear_s), str(result.false_incidents), seconds(result.took_s),
        "ok" if result.ok else "FAIL",
    )  # fmt: skip


def print_table(results: list[Result]) -> None:
    rows = [COLUMNS, *map(row, results)]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(COLUMNS))]
    for cells in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())
    for result in results:
        for reason in result.reasons:
            print(f"  {result.name} (seed {result.seed}): {reason}")


def print_summary(results: list[Result]) -> None:
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        groups[result.truth.partition("/")[0] or "not run"].append(result)
    print()
    for group, members in sorted([*groups.items(), ("all", results)], key=lambda item: item[0] == "all"):
        right = sum(result.ok for result in members)
        low, high = wilson(right, len(members))
        print(f"{group:18} {right} of {len(members)} right   95 % interval {low:.2f} to {high:.2f}")


def document(results: list[Result], binary: Path) -> dict:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True
    ).stdout.strip()
    return {
        "schema": "netwatch.lab/1",
        "kernel": platform.release().partition("-")[0],
        "commit": commit or None,
        "binary": str(binary),
        "command": f"tests/lab/{' '.join(Path(text).name for text in sys.argv)}",  # without the places of files
        "results": [result.as_json() for result in results],
    }
