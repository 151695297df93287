"""A script with syne-tune: asynchronous successive halving, a process a trial, as many at once as there are cores.

It needs `pip install syne-tune`, which nothing else of this project does (0.16).
"""

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from searches.trials import EPOCHS, GRACE, SPACES, Problem, Range, best_of, first_config

TRIAL = Path(__file__).with_name("syne_trial.py")


def search(problem: Problem, test: Sequence[str], minutes: float, home: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """Predictions of the best trial that could be trained within the minutes; predicting is not counted.

    Raises:
        SystemExit: syne-tune is not installed.
    """
    latest = time.monotonic() + 60 * minutes
    try:
        from syne_tune import Tuner
        from syne_tune.backend import LocalBackend
        from syne_tune.optimizer.baselines import ASHA
    except ImportError as error:
        raise SystemExit(f"syne-tune cannot be imported ({error}); pip install syne-tune, or leave it out") from error
    home.mkdir(parents=True, exist_ok=True)
    problem.write(home / "problem.json")
    fixed = {"problem": str(home / "problem.json"), "home": str(home)}
    scheduler = ASHA(
        {**{name: _domain(one) for name, one in SPACES[problem.kind].items()}, **fixed},
        metric="accuracy",
        time_attr="epoch",
        max_t=EPOCHS[problem.kind],
        do_minimize=False,
        random_seed=problem.seed,
        grace_period=GRACE[problem.kind],
        points_to_evaluate=[first_config(problem.kind)],
    )
    # It leaves files in the working directory, and in the user's own.
    with contextlib.chdir(home), patch.dict(os.environ, {"SYNETUNE_FOLDER": str(home / "results")}):
        tuner = Tuner(
            LocalBackend(str(TRIAL), pass_args_as_json=True),
            scheduler,
            lambda status: time.monotonic() > latest,
            n_workers=os.cpu_count() or 1,
            sleep_time=0.5,
            max_failures=0,
            save_tuner=False,
            trial_backend_path=str(home / "backend"),
        )
        tuner.run()
    return best_of(problem, sorted(home.glob("trial-*")), test)


def _domain(one: Range) -> Any:
    from syne_tune.config_space import choice, loguniform

    return loguniform(*one.between) if one.between is not None else choice(list(one.of))
