"""Whether an ensemble is worth the time that its members take. Pure.

A hundred rows say little of a gain, so what they say is weighed against what ensembles gain elsewhere: with a normal
prior of the relative gain and a normal error of the measured one, the expectation is the mean of both, each weighed by
its precision (Gelman et al., Bayesian Data Analysis, 3rd edition, section 2.5).
"""

import math

FEWEST_ROWS = 20
"""With fewer nothing can be said of an ensemble."""

USUAL, SPREAD = 0.10, 0.05
"""The share of a model's loss that others take away, and how that differs between tasks: docs/ensembles.md."""

WORTH = 0.02
"""The share of the loss that must be gained for answers that take several times as long."""

NOISE = 2.0
"""Standard errors by which the score of the metric may be worse."""


def expected_gain(gain: float, error: float, alone: float) -> float:
    """The share of its loss that a model is expected to lose where others answer with it.

    Args:
        gain: the loss by which they were better together.
        error: the standard error of it.
        alone: the loss of the model.
    """
    if not alone > 0:
        return 0.0
    if not error > 0:
        return gain / alone
    measured, usual = (alone / error) ** 2, SPREAD**-2
    return (gain / alone * measured + USUAL * usual) / (measured + usual)


def chance_of_worth(rows: int) -> float:
    """How likely it is that `WORTH` or more will be expected, before anything is measured.

    Gains differ between tasks as `SPREAD` says. So does what is expected after a measurement without noise; noise draws
    it towards `USUAL`, which makes an ensemble more likely still.

    Args:
        rows: that it is going to be measured on.
    """
    if rows < FEWEST_ROWS:
        return 0.0
    return 0.5 + 0.5 * math.erf((USUAL - WORTH) / (SPREAD * math.sqrt(2)))
