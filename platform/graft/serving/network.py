"""One network of a model that answers: reads samples as it was trained on them, and gives outputs."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from graft.core.errors import ArtifactError, SpecError
from graft.data.columns import Column
from graft.modalities.protocol import Modality, Readings
from graft.modalities.several_views import seen_as
from graft.models.bundle import Bundle

if TYPE_CHECKING:
    from torch import Tensor

    from graft.data.inputs import Augmenter, Inputs

BATCH_SIZE = 64


class ServedNetwork:
    """A network of a bundle, on a device.

    Args:
        bundle: of the network; where it has members, they are left out.
        modality: of its samples.
        device: where it computes.
        views: of each sample that it is asked about.

    Raises:
        ArtifactError: the weights do not fit the architecture.
        SpecError: samples of the model have no so many views.
    """

    def __init__(self, bundle: Bundle, modality: Modality, device: torch.device, views: int) -> None:
        self.bundle, self._modality, self._device = bundle, modality, device
        self._model = modality.place(bundle.build(), device).eval()
        self.read = modality.reader(bundle.spec.preprocessing, bundle.directory)
        self._views = self._further_views(views)

    def reread(self, samples: Sequence[Any], before: "ServedNetwork", readings: Readings) -> Readings:
        """Samples that another network has read, as this one takes them; the same where both read alike.

        Raises:
            ArtifactError: a sample that could be read a moment ago cannot be any more.
        """
        if self.read == before.read:
            return readings
        readable = [sample for place, sample in enumerate(samples) if place not in readings.errors]
        again = self.read(readable)
        if again.errors:
            place, reason = next(iter(again.errors.items()))
            raise ArtifactError(f"{again.sources[place]} was readable a moment ago, but {reason}; predict again")
        return again

    def outputs(self, columns: Mapping[str, Column]) -> list[tuple["Tensor", float]]:
        """Outputs [N, K] of read samples as they are, then of each view; and the seconds of each pass."""
        count = len(next(iter(columns.values())))
        inputs = self._modality.inputs(columns, self.bundle.spec.preprocessing, self._device)
        order = np.arange(count) if inputs.lengths is None else np.argsort(-inputs.lengths, kind="stable")
        found = []
        for view in seen_as(inputs, self._views):
            began = time.perf_counter()
            outputs = self._pass(view, order).cpu()
            found.append((outputs, time.perf_counter() - began))
        return found

    def _pass(self, inputs: "Inputs", order: np.ndarray) -> "Tensor":
        with torch.inference_mode():
            batches = [order[start : start + BATCH_SIZE] for start in range(0, len(order), BATCH_SIZE)]
            parts = (part for rows in batches for part in inputs.plain(rows).computed_at_once())
            outputs = torch.cat([self._model(part) for part in parts])
            return outputs[torch.from_numpy(np.argsort(order)).to(outputs.device)]

    def _further_views(self, views: int) -> "Sequence[Augmenter]":
        if views == 1:
            return ()
        spec, modality = self.bundle.spec, self._modality
        found = modality.test_views(views - 1, spec.invariances, spec.preprocessing, self.bundle.directory)
        if len(found) < views - 1:
            raise SpecError(f"tta is {views}, but {modality.name}s have {1 + len(found)} views; ask for fewer")
        return found
