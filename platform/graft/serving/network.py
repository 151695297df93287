"""Networks of a model that answer: they read samples as they were trained on them, and give outputs."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from graft.core.errors import ArtifactError, SpecError
from graft.data.columns import Column
from graft.modalities.protocol import Modality, Readings
from graft.modalities.several_views import seen_as
from graft.models.bundle import Bundle
from graft.models.structure.together import Passed, Together, alike

if TYPE_CHECKING:
    from torch import Tensor

    from graft.data.inputs import Augmenter, Inputs

BATCH_SIZE = 64


class ServedNetworks:
    """Networks of a model that take the same inputs, on a device; what they have in common they compute once.

    Args:
        bundles: of the networks, by their places in the model; where these have members, they are left out.
        modality: of their samples.
        device: where they compute.
        views: of each sample that they are asked about.

    Raises:
        ArtifactError: the weights do not fit the architecture.
        SpecError: samples of the model have no so many views.
    """

    def __init__(self, bundles: Mapping[int, Bundle], modality: Modality, device: torch.device, views: int) -> None:
        self._modality, self._device = modality, device
        self.bundle = next(iter(bundles.values()))
        self._model = Together((place, bundle.build()) for place, bundle in bundles.items())
        modality.place(self._model, device).eval()
        self.read = modality.reader(self.bundle.spec.preprocessing, self.bundle.directory)
        self._views = self._further_views(views)

    def reread(self, samples: Sequence[Any], before: "ServedNetworks", readings: Readings) -> Readings:
        """Samples that other networks have read, as these take them; the same where all read alike.

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

    def outputs(self, columns: Mapping[str, Column]) -> list[Passed]:
        """What they say of read samples as they are, then of each view."""
        count = len(next(iter(columns.values())))
        inputs = self._modality.inputs(columns, self.bundle.spec.preprocessing, self._device)
        order = np.arange(count) if inputs.lengths is None else np.argsort(-inputs.lengths, kind="stable")
        views = seen_as(inputs, self._views)
        return [self._model.timed(partial(self._pass, view, order)) for view in views]

    def _pass(self, inputs: "Inputs", order: np.ndarray) -> "Tensor":
        """Outputs [N, M, K]."""
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


def served(parts: Sequence[Bundle], modality: Modality, device: torch.device, views: int) -> list[ServedNetworks]:
    """The networks of a model, those together that take the same inputs; the first one is among the first.

    Raises:
        ArtifactError: weights do not fit their architecture.
        SpecError: samples of the model have no so many views.
    """
    takes = [(one.spec.architecture, one.spec.preprocessing, one.spec.invariances) for one in parts]
    return [ServedNetworks({place: parts[place] for place in some}, modality, device, views) for some in alike(takes)]
