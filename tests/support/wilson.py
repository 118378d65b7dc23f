"""Wilson's score interval (E. B. Wilson, 1927, JASA 22:209): a share from few trials, with honest ends."""

from __future__ import annotations

from math import sqrt

Z_95 = 1.959964


def wilson(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """The interval in which the true share lies, for `successes` of `trials`."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    center = share + z * z / (2 * trials)
    spread = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (center - spread) / scale), min(1.0, (center + spread) / scale)
