"""One chaos runner for all tests here: the undisturbed runs, the home and the MLflow server are shared."""

from collections.abc import Callable, Iterator

import pytest

from graft.chaos.catalog import choose
from graft.chaos.fault import Outcome
from graft.chaos.runner import ChaosRunner
from graft.chaos.small_job import make_small
from graft.spec.load import parse_job

# The head alone is trained, on features that are computed once: nearly all the time is that of processes starting.
# No final fit, for the same reason; the faults that need one ask for it.
JOB = {
    "name": "chaos",
    "data": {"kind": "digits", "limit": 120},
    "strategy": {
        "backbone": "efficientnet_lite0",
        "resolution": 32,
        "freeze": 1.0,
        "lr": {"loguniform": [1e-3, 1e-1]},
    },
    "training": {"epochs": 12, "final_on": "train"},
    "search": {"scheduler": "none", "budget": {"trials": 3}},
}

RunFault = Callable[..., Outcome]


@pytest.fixture(scope="session")
def run_fault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunFault]:
    """Injects one fault: `run_fault("driver-killed", seed=3)`. Runs start a Ray of their own, whatever runs here."""
    # Short: Ray puts sockets below its own directory, but MLflow's artifacts lie deep below this one.
    root = tmp_path_factory.mktemp("chaos")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("OMP_NUM_THREADS", "1")
        with ChaosRunner.of(make_small(parse_job(JOB)), root) as runner:

            def one(name: str, seed: int = 0) -> Outcome:
                (outcome,) = runner.run(choose([name]), seed)
                return outcome

            yield one
