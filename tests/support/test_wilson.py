import pytest

from support.wilson import wilson


@pytest.mark.parametrize(
    "successes, trials, low, high",
    [(3, 3, 0.44, 1.0), (5, 5, 0.57, 1.0), (5, 10, 0.24, 0.76), (10, 20, 0.30, 0.70), (0, 50, 0.0, 0.071)],
)
def test_known_intervals(successes, trials, low, high):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=0.006)


def test_no_trials_say_nothing():
    assert wilson(0, 0) == (0.0, 1.0)
