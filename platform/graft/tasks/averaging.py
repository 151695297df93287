"""The answers of several models as one: what a task makes of outputs is averaged, not the outputs.

How outputs are read (`TaskSpec.link`) says how an average of answers becomes outputs again, so that all that follows,
from calibration to a report, is as for one model. A task that says nothing of it has no average.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graft.data.targets import Targets
from graft.tasks.protocol import Facts, Task

if TYPE_CHECKING:
    from torch import Tensor

# What is no more likely than this counts as this likely: outputs must stay finite.
_LEAST = 1e-12


def can_average(link: str) -> bool:
    """Whether answers of models can be averaged where outputs are read so."""
    return link in ("softmax", "sigmoid", "identity")


def averaged(task: Task, outputs: Sequence["Tensor"], facts: Sequence[Facts], shares: Sequence[float]) -> "Tensor":
    """Outputs float64 [N, K] of an ensemble: `Task.decide` makes of them the weighted mean of its members' answers.

    One model alone keeps its outputs as they are.

    Args:
        task: what is asked.
        outputs: [N, K] of each member.
        facts: of each member, with what it was calibrated by.
        shares: how much each member counts; they add up to 1.

    Raises:
        ValueError: the task says of no link, or there is no member.
    """
    import torch

    if len(outputs) == 1:
        return outputs[0]
    link = task.spec.link
    if not can_average(link):
        raise ValueError(f"task {task.spec.kind} has the link `{link}`, but must have one that answers are averaged by")
    if link == "identity":
        return torch.stack([share * one.detach().double() for share, one in zip(shares, outputs, strict=True)]).sum(0)
    answers = [task.decide(one, known) for one, known in zip(outputs, facts, strict=True)]
    mean = sum(share * answer for share, answer in zip(shares, answers, strict=True))
    chances = torch.from_numpy(np.asarray(mean)).clamp(_LEAST, 1.0)
    if link == "softmax":
        return chances.log()
    return chances.log() - (1.0 - chances).clamp(min=_LEAST).log()


def evidence_of(
    task: Task, outputs: "Tensor", targets: np.ndarray, names: Sequence[str], facts: Mapping[str, Any]
) -> NDArray[np.float32]:
    """What a model has for the truth of each row, [N, J]; that of an average of answers is the average of theirs.

    The probability of the true class, or of each label as it is; of values, how far off they are, in standard
    deviations.

    Args:
        task: what is asked.
        outputs: [N, K].
        targets: of the same rows.
        names: of what is predicted.
        facts: with what the model was calibrated by.
    """
    truth = task.as_linear(Targets(targets, tuple(names)), facts).values
    if task.spec.link == "identity":
        off: NDArray[np.float32] = outputs.detach().cpu().float().numpy() - truth
        return off
    answers = task.decide(outputs, facts).astype(np.float32)
    if task.spec.link == "softmax":
        return np.asarray(answers[np.arange(len(truth)), truth][:, None])
    return np.asarray(np.where(truth > 0.5, answers, 1.0 - answers))


def losses_of(link: str, evidence: NDArray[Any]) -> NDArray[np.float64]:
    """The loss of each row [..., N] by its evidence [..., N, J]: minus the log-likelihood, or the squared error."""
    if link == "identity":
        squares: NDArray[np.float64] = np.square(evidence, dtype=np.float64).mean(axis=-1)
        return squares
    logs: NDArray[np.float64] = -np.log(np.maximum(evidence, _LEAST), dtype=np.float64).mean(axis=-1)
    return logs
