"""What many results say together: pure, over the dictionaries that `run --json` writes.

An answer that is a set counts 1/|set| for each of its members. What nothing was behind (an incident in a healthy run
or lead-in, a second one for one fault) counts in the row `healthy`.
"""

from __future__ import annotations

import math
from collections import defaultdict

from support.wilson import wilson

HEALTHY, NONE = "healthy", "none"
BINS = 5

Matrix = dict[str, dict[str, float]]


def netwatch_answers(result: dict) -> tuple[list[str], list[str]]:
    """The types that the answer to the fault is made of, and those that nothing was behind."""
    return [c["type"] for c in result["candidates"]], result["false_types"]


def baseline_answers(name: str):
    def answers(result: dict) -> tuple[list[str], list[str]]:
        said = result["baselines"][name]
        alarms = [said["type"]] if said["type"] else []
        early = [said["lead_in"]] if said["lead_in"] else []
        return (alarms, early) if result["truth_type"] else ([], alarms + early)

    return answers


def matrix(results: list[dict], answers=netwatch_answers) -> Matrix:
    """matrix[truth][answer]: how often, in runs."""
    counts: Matrix = defaultdict(lambda: defaultdict(float))
    for result in results:
        said, false = answers(result)
        if truth := result["truth_type"]:
            for kind in said or [NONE]:
                counts[truth][kind] += 1 / max(1, len(said))
        elif not false:
            counts[HEALTHY][NONE] += 1
        for kind in false:
            counts[HEALTHY][kind] += 1
    return {truth: dict(row) for truth, row in counts.items()}


def by_class(counts: Matrix) -> dict[str, dict]:
    """Precision, recall and F1 for each type that was the truth of a run, with Wilson's intervals."""
    scores = {}
    for kind in sorted(set(counts) - {HEALTHY}):
        right = counts[kind].get(kind, 0.0)
        was = sum(counts[kind].values())
        said = sum(row.get(kind, 0.0) for row in counts.values())
        precision, recall = right / said if said else 0.0, right / was
        scores[kind] = {
            "runs": was,
            "precision": precision,
            "precision_interval": wilson(right, said),
            "recall": recall,
            "recall_interval": wilson(right, was),
            "f1": 2 * precision * recall / (precision + recall) if right else 0.0,
        }
    return scores


def macro(scores: dict[str, dict], key: str) -> float | None:
    return mean([score[key] for score in scores.values()])


def mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def quantile(values: list[float], share: float) -> float | None:
    """The smallest value that so large a share does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def times(results: list[dict], key: str) -> dict:
    values = [r[key] for r in results if r[key] is not None]
    return {"runs": len(values), "p50": quantile(values, 0.5), "p95": quantile(values, 0.95)}


def named(results: list[dict]) -> list[tuple[float, bool]]:
    """Confidence, and whether the first candidate was the truth, for each fault that was answered."""
    return [
        (r["confidence"], r["candidates"][0]["type"] == r["truth_type"])
        for r in results
        if r["truth_type"] and r["candidates"]
    ]


def calibration_error(answers: list[tuple[float, bool]]) -> float | None:
    """Expected calibration error over five equal bins."""
    bins = defaultdict(list)
    for confidence, right in answers:
        bins[min(BINS - 1, int(confidence * BINS))].append((confidence, right))
    gaps = [abs(sum(c for c, _ in rows) - sum(right for _, right in rows)) for rows in bins.values()]
    return sum(gaps) / len(answers) if answers else None


def accuracy_of_surest(answers: list[tuple[float, bool]], share: float) -> tuple[int, int]:
    """Right ones, and all, of the share with the highest confidence. Ties at its end count against it."""
    ordered = sorted(answers, key=lambda item: (-item[0], item[1]))
    kept = ordered[: math.floor(share * len(ordered))]
    return sum(right for _, right in kept), len(kept)
