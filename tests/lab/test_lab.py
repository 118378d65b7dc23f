"""Every scenario of the lab against the built netwatch, as tests. `-m quick` is the subset for everyday use."""

import os

import pytest

from lab.runner import Options, run_scenario
from lab.scenarios import SCENARIOS

pytestmark = pytest.mark.lab


@pytest.mark.parametrize(
    "scenario", [pytest.param(s, id=s.name, marks=[pytest.mark.quick] if s.quick else []) for s in SCENARIOS]
)
def test_scenario(scenario, binary):
    seed = int(os.environ.get("NETWATCH_LAB_SEED", "1"))
    result = run_scenario(scenario, Options(binary, seed))
    assert result.ok, "\n".join([f"seed {seed}: {result.truth} was called {result.verdict}", *result.reasons])
