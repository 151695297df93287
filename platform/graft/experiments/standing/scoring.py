"""What is scored once the search is over, and how long the network of a trial takes for a sample. Pure."""

from collections.abc import Mapping, Sequence

from graft.core.storage import canonical_json
from graft.experiments.progress import Progress, TrialProgress
from graft.experiments.standing.candidates import MOST_CANDIDATES
from graft.experiments.standing.choice import is_solved
from graft.spec.strategy import Strategy, modality_fields
from graft.spec.training import SELECTION_ROWS

FORWARD_SHARE = 0.3
"""Of the time that training on a sample takes, as it was measured (docs/benchmarks.md): a third is the forward pass."""

ROOM = 1.25
"""A budget keeps as many times what scoring is expected to take."""


def seconds_to_score(trials: Sequence[TrialProgress], progress: Progress, samples: Mapping[str, int]) -> float:
    """Seconds for one sample by the networks of some trials together, in a process like a trial's.

    What is trained goes forward only. Blocks whose features were stored are gone through once for each sample, also
    where several networks stand on the same ones: then as deep as the deepest does (`models.structure.together`).

    Args:
        trials: whose networks.
        progress: that they are of.
        samples: of each split; while they are not known, nothing is told of their time.
    """
    if not samples.get("train"):
        return 0.0
    passes: dict[str, float] = {}
    for one in trials:
        passes[_frozen(one)] = max(passes.get(_frozen(one), 0.0), _pass_seconds(one, progress))
    above = sum(one.mean_epoch for one in trials if not is_solved(one)) / samples["train"] * FORWARD_SHARE
    return above + sum(passes.values()) / (samples["train"] + samples["validation"])


def seconds_beside(first: TrialProgress, other: TrialProgress, progress: Progress, samples: Mapping[str, int]) -> float:
    """What another network adds to the seconds for one sample."""
    return seconds_to_score([first, other], progress, samples) - seconds_to_score([first], progress, samples)


def seconds_to_hear(trials: Sequence[TrialProgress], progress: Progress, samples: Mapping[str, int]) -> float:
    """Seconds in which candidates of an ensemble answer for one sample: solved heads together, each other by itself."""
    solved = [one for one in trials if is_solved(one)]
    alone = sum(seconds_to_score([one], progress, samples) for one in trials if not is_solved(one))
    return alone + seconds_to_score(solved, progress, samples)


def _frozen(trial: TrialProgress) -> str:
    """What frozen blocks must agree in, beside how many they are, to be computed once."""
    strategy = Strategy.read_stored(trial.best_strategy or trial.strategy)
    start = strategy.plain("init") if strategy.init.weights else None
    # Where a network ends, and how, says nothing of what lies before.
    structure = strategy.structure.model_copy(update={"keep": 1.0, "pool": "own"})
    return canonical_json([_inputs(trial), start, strategy.precision, structure.model_dump(mode="json")])


def _pass_seconds(trial: TrialProgress, progress: Progress) -> float:
    """Seconds of a pass through its frozen blocks, over training and validation samples.

    Where it has read what another has stored, as long as that one took: the longest pass over inputs of the same kind
    and size, or if nobody has made one, the longest of all.
    """
    if trial.pass_seconds or not trial.cache.get("hits"):
        return trial.pass_seconds
    mine = _inputs(trial)
    alike = (one.pass_seconds for one in progress.trials.values() if one.pass_seconds and _inputs(one) == mine)
    return max(alike, default=progress.tally.pass_seconds)


def _inputs(trial: TrialProgress) -> tuple[object, ...]:
    """What the frozen blocks are given, and by whom."""
    return tuple(trial.strategy.get(name) for name in ("backbone", *modality_fields()))


def rows_heard(samples: Mapping[str, int], candidates: int = MOST_CANDIDATES) -> int:
    """Answers for validation samples that an ensemble is selected from."""
    return candidates * min(samples.get("validation", 0), SELECTION_ROWS)


def rows_evaluated(samples: Mapping[str, int], views: int = 1) -> int:
    """Answers that each member of the final model gives: for the test samples, and for those it is calibrated on.

    Args:
        samples: of each split.
        views: of each test sample (`export.tta`).
    """
    return samples.get("test", 0) * views + samples.get("validation", 0)
