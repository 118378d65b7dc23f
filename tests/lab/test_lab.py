"""Every scenario of the lab against the built netwatch, as tests. `-m quick` is the subset for everyday use.

NETWATCH_LAB_SEED is the seed (1), NETWATCH_LAB_JOBS how many rigs stand side by side (1).
"""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.recorded import rejudge
from lab.runner import Options, run_apart, run_scenario
from lab.scenarios import BY_NAME, SCENARIOS

pytestmark = pytest.mark.lab

SEED = int(os.environ.get("NETWATCH_LAB_SEED", "1"))
JOBS = int(os.environ.get("NETWATCH_LAB_JOBS", "1"))


@pytest.fixture(scope="module")
def run_one(request, binary):
    """Runs a scenario; with several jobs all that are asked for have begun, in order, and this waits for one."""
    options = Options(binary, SEED)
    if JOBS == 1:
        yield lambda scenario: run_scenario(scenario, options)
        return
    asked = [item.callspec.params["scenario"] for item in request.session.items if item.module is request.module]
    with ThreadPoolExecutor(JOBS) as pool:
        futures = {scenario.name: pool.submit(run_apart, scenario, options) for scenario in asked}
        yield lambda scenario: futures[scenario.name].result()
        pool.shutdown(cancel_futures=True)


def marks(scenario):
    quick = [pytest.mark.quick] if scenario.quick else []
    return quick + ([pytest.mark.xfail(reason=scenario.missed)] if scenario.missed else [])


@pytest.mark.parametrize("scenario", [pytest.param(s, id=s.name, marks=marks(s)) for s in SCENARIOS])
def test_scenario(scenario, run_one):
    result = run_one(scenario)
    assert result.ok, "\n".join([f"seed {SEED}: {result.truth} was called {result.verdict}", *result.reasons])


def test_a_recorded_run_is_judged_alike(binary, tmp_path):
    live = run_scenario(BY_NAME["port_closed"], Options(binary, SEED, record=tmp_path))
    again = rejudge(tmp_path / f"port_closed-{SEED}", binary)
    assert live.ok and again.ok, [*live.reasons, *again.reasons]
    assert (again.verdict, again.confidence) == (live.verdict, live.confidence)
    assert abs(again.detect_s - live.detect_s) < 0.3
