"""`graft fewshot`: embed, compare, choose, and write the bundle of the head that was chosen."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graft.core.errors import ArtifactError, SpecError
from graft.core.storage import require_writable_parent
from graft.data.dataset import Split
from graft.models.bundle import read_bundle, what_is_no_bundle
from graft.pipeline.fewshot.candidates import (
    Candidate,
    candidates_of,
    chosen,
    embedded_in,
    held_out_logits,
    with_rows,
)
from graft.pipeline.fewshot.frozen_model import FrozenModel, write_frozen
from graft.pipeline.fewshot.heads import head_for
from graft.pipeline.fewshot.shots import Shots
from graft.spec.meta.adapters import AdapterSpec
from graft.tasks.intervals import wilson

_TOLERANCE = 1e-4


@dataclass(frozen=True)
class FewShotAnswer:
    """A model of a few samples, and why it is this one.

    Attributes:
        k: samples of the class that has the fewest.
        samples: that were learned from.
        names: of the classes.
        candidates: what was compared.
        chosen: which of them answers.
        bundle: directory of the model.
        seconds: from the samples to the bundle.
        test: accuracy and its 95 % interval on the test samples of the source; empty where it has none.
        left_out: names of what could not be read.
        note: what is wrong with the samples; empty if nothing is seen.
    """

    k: int
    samples: int
    names: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    chosen: Candidate
    bundle: Path
    seconds: float
    test: dict[str, float] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """It as plain JSON."""
        listed = [
            {
                "method": one.method,
                "estimate": one.estimate,
                "interval": None if one.interval is None else [one.interval.low, one.interval.high],
                "seconds": one.seconds,
            }
            for one in self.candidates
        ]
        return {
            "k": self.k,
            "classes": list(self.names),
            "samples": self.samples,
            "candidates": listed,
            "chosen": self.chosen.method,
            "estimate": self.chosen.estimate,
            "test": self.test,
            "left_out": list(self.left_out),
            "note": self.note,
            "bundle": str(self.bundle),
            "seconds": self.seconds,
        }

    def lines(self) -> tuple[str, ...]:
        """It for the terminal."""
        told = [f"{self.samples} samples of {len(self.names)} classes, {self.k} at least of each"]
        if self.left_out:
            told.append(f"left out: {len(self.left_out)} that cannot be read, such as {self.left_out[0]}")
        if self.note:
            told.append(self.note)
        ranked = sorted(self.candidates, key=lambda one: -(one.estimate or 0.0))
        width = max(len(one.method) for one in ranked)
        rows = tuple(f"  {one.method:<{width}}  {_told(one)}{_mark(one is self.chosen)}" for one in ranked)
        if self.test:
            low, high = self.test["low"], self.test["high"]
            rows += (f"test accuracy {self.test['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f})",)
        return (*told, *rows, f"bundle {self.bundle}, {self.seconds:.1f} s")


def answer_few_shots(shots: Shots, bundle: Path, adapters: Sequence[AdapterSpec] = ()) -> FewShotAnswer:
    """Choose a head for a few samples and write the model.

    Args:
        shots: the samples.
        bundle: directory to write; what another call has left there is replaced.
        adapters: by gradient, that are tried on the maps of meta-models.

    Raises:
        ArtifactError: weights are missing.
        SpecError: there is something else at `bundle`; there are adapters, but nothing that they adapt; or a meta-model
            is not of these features.
        ResourceError: `bundle` cannot be written.
    """
    began = time.perf_counter()
    _require_ours(bundle)
    candidates = candidates_of(shots, list(embedded_in(shots)), adapters)
    best = chosen(candidates, shots.k)
    data, embedded = shots.data, best.embedded
    head = head_for(data, embedded.network, best.how, embedded.features[torch.from_numpy(shots.rows)], shots.rows)
    test = _tested(shots, best, head)
    metrics = {} if best.estimate is None else {"held_out_accuracy": best.estimate}
    model = FrozenModel(
        name=shots.job.model_name,
        strategy=best.strategy,
        backbone=embedded.network.backbone,
        head=head,
        preprocessing=embedded.preprocessing,
        task=data.task_spec,
        names=data.arrays.names,
        facts={**data.arrays.facts, **_calibration(shots, best)},
        metrics={**metrics, **({"test_accuracy": test["accuracy"]} if test else {})},
        invariances=data.modality.invariances(data.data),
    )
    write_frozen(model, bundle)
    _check(bundle, best.embedded.features[torch.from_numpy(shots.rows[:8])], head)
    return FewShotAnswer(
        k=shots.k,
        samples=len(shots.rows),
        names=data.arrays.names,
        candidates=tuple(candidates),
        chosen=best,
        bundle=bundle,
        seconds=time.perf_counter() - began,
        test=test,
        left_out=tuple(one.path for one in shots.left_out),
        note=shots.contradiction,
    )


def _require_ours(bundle: Path) -> None:
    if bundle.exists() and (why := what_is_no_bundle(bundle)):
        told = f"{bundle} is there, but is no bundle that could be replaced: it {why}"
        raise SpecError(f"{told}; name another with --output")
    require_writable_parent(bundle, "name another with --output")


def _calibration(shots: Shots, best: Candidate) -> dict[str, Any]:
    """The temperature of the probabilities, by samples that were held out."""
    if best.right is None:
        return {}
    logits, rows = held_out_logits(shots, best)
    targets = shots.data.arrays.targets[rows]
    return dict(shots.data.task.calibrate(logits, targets, shots.data.arrays.facts))


def _tested(shots: Shots, best: Candidate, head: torch.nn.Module) -> dict[str, float]:
    arrays = shots.data.arrays
    rows = arrays.rows(Split.TEST)
    if not len(rows):
        return {}
    embedded = with_rows(shots.data, best.embedded, rows)
    with torch.inference_mode():
        answers = head(embedded.features[torch.from_numpy(rows)]).argmax(dim=1).numpy()
    right = int(np.sum(answers == arrays.targets[rows]))
    bounds = wilson(right, len(rows))
    return {"accuracy": right / len(rows), "low": bounds.low, "high": bounds.high, "samples": len(rows)}


def _check(bundle: Path, some: torch.Tensor, head: torch.nn.Module) -> None:
    """The bundle has to hold the head that was solved."""
    written = read_bundle(bundle).build().head
    with torch.inference_mode():
        before, after = head(some), written(some)
    if not torch.allclose(before, after, rtol=_TOLERANCE, atol=_TOLERANCE):
        raise ArtifactError(f"bundle {bundle} answers differently from the model it was made of; please report this")


def _told(one: Candidate) -> str:
    if one.estimate is None or one.interval is None:
        return "no estimate: no class has two samples, so none can be held out"
    return f"{one.estimate:.3f} ({one.interval.low:.3f} to {one.interval.high:.3f}) held out, {one.seconds:.2f} s"


def _mark(is_chosen: bool) -> str:
    return "  <- chosen" if is_chosen else ""
