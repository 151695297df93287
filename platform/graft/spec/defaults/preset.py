"""`preset`: how much is tried where a job leaves its strategy out."""

from typing import Literal

Preset = Literal["fast", "balanced", "best"]

MEANINGS: dict[str, str] = {
    "fast": "heads and last blocks on features that are computed once; the whole network is not trained",
    "balanced": "the whole network first, as large an input as there is time for, then what a search finds; up to "
    "five of the best answer together, where that is better",
    "best": "larger inputs and longer trainings; several views of a sample, or an average of weights, at the end",
}
"""What each of them does, for people."""

ENSEMBLES: dict[str, int | str] = {"fast": "off", "balanced": "auto", "best": "auto"}
"""`training.fit.ensemble` where neither a strategy nor what the final fit does is said."""

# From so many training samples on, an average of weights that the validation samples judge is worth more than training
# on those as well.
SOUP_SAMPLES = 5000
LONGER = 2
