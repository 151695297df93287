"""What two networks make of the same real samples: whether a mapping has kept the function."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from graft.core.errors import ArtifactError
from graft.learner.mapped.backbone import MappedBackbone
from graft.modalities.registry import build_modality

SAMPLES = 12


@dataclass(frozen=True)
class Comparison:
    """Features of the source and of the target on the same samples.

    Attributes:
        samples: how many.
        max_difference: the largest of one number of a feature vector; wider features are compared with the copies.
        scale: the largest such number of the source.
        correlation: Pearson's, over all numbers of all samples.
        alignment: linear centred kernel alignment (Kornblith et al., ICML 2019): 1 where features are the same up to a
            rotation and a scale, also of vectors of different lengths.
    """

    samples: int
    max_difference: float | None
    scale: float
    correlation: float | None
    alignment: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def __str__(self) -> str:
        known = "" if self.max_difference is None else f"largest difference {self.max_difference:.2g}, "
        known += "" if self.correlation is None else f"correlation {self.correlation:.4f}, "
        return (
            f"on {self.samples} real samples: {known}alignment {self.alignment:.4f} (features up to {self.scale:.3g})"
        )


@torch.inference_mode()
def compare(mapped: MappedBackbone, count: int = SAMPLES) -> Comparison | None:
    """What source and target make of real samples; None where the source is a file whose network nobody knows.

    Both are given what the mapped weights know; a target with a tokenizer of its own is given its own tokens.

    Args:
        mapped: the target, filled.
        count: most samples.
    """
    backbone, info = mapped.opened.backbone, mapped.loaded.info
    if backbone is None or mapped.source.info is None:
        return None
    modality, given = build_modality(info.modality), mapped.source.info.input
    known, own = modality.vocabulary(given), modality.vocabulary(info.input)
    try:
        # One of both may come without a tokenizer of its own: it is given what the other one is.
        theirs = modality.real_batch(info.input if known is None else given, mapped.size, count)
        ours = theirs if own in (None, known) else modality.real_batch(info.input, mapped.size, count)
    except ArtifactError:  # neither has one, so nobody can say what they are to be given
        return None
    return compared(backbone(theirs), mapped.loaded.backbone(ours))


def compared(before: Tensor, after: Tensor) -> Comparison:
    """Features [N, D] beside features [N, D'].

    If D' is larger, `before` is repeated as growth copies units; if it is smaller, only the alignment is known.
    """
    difference = correlation = None
    if after.shape[1] >= before.shape[1]:
        copied = before[:, torch.arange(after.shape[1]) % before.shape[1]]
        difference = float((copied - after).abs().max())
        correlation = _finite(float(torch.corrcoef(torch.stack([copied.flatten(), after.flatten()]))[0, 1]))
    return Comparison(len(before), difference, float(before.abs().max()), correlation, _alignment(before, after))


def _alignment(before: Tensor, after: Tensor) -> float:
    x, y = (one.double() - one.double().mean(dim=0) for one in (before, after))
    cross = torch.linalg.matrix_norm(y.T @ x) ** 2
    own = torch.linalg.matrix_norm(x.T @ x) * torch.linalg.matrix_norm(y.T @ y)
    return float(cross / own) if own > 0 else 0.0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
