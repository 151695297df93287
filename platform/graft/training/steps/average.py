"""The moving average of a model's weights, which is what is judged and kept."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from graft.transfer.freezing import AdaptedModel


class WeightAverage:
    """The exponential moving average of weights (Polyak and Juditsky, 1992; as Tan and Le, EfficientNet, 2019, use it).

    a ← d · a + (1 − d) · w after every step, with d = min(`decay`, (1 + t) / (10 + t)) at step t from 0: a training of
    some fifty steps would otherwise never leave its start. Running statistics are averaged alike; what is no floating
    number, such as a count of batches, is that of the model.

    Args:
        model: whose weights; only those that training may have changed.
        decay: d, below 1.
    """

    def __init__(self, model: AdaptedModel, decay: float) -> None:
        self._model, self._decay = model, decay
        self._average: dict[str, Tensor] = {}

    def update(self, step: int) -> None:
        """Take in the weights as a step has left them; the first are the average themselves.

        Args:
            step: t, over the whole training.
        """
        live = self._model.changing_state()
        if not self._average:
            self._average = _copies(live)
            return
        floating = [name for name, tensor in live.items() if tensor.is_floating_point()]
        share = 1 - min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_([self._average[name] for name in floating], [live[name] for name in floating], share)
        for name in live.keys() - set(floating):
            self._average[name].copy_(live[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """A context in which the model has the averaged weights; afterwards it has its own again, bit for bit."""
        if not self._average:
            yield
            return
        own = _copies(self._model.changing_state())
        self._put(self._average)
        try:
            yield
        finally:
            self._put(own)

    def state(self) -> dict[str, Tensor]:
        """The average by names of the network; not copied. Empty before the first step."""
        return self._average

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state`; what it lacks starts at the model's weights, as all does where it is empty."""
        live = self._model.changing_state()
        if not state:
            self._average = {}
            return
        known = {name: state.get(name, tensor) for name, tensor in live.items()}
        self._average = {name: tensor.detach().to(live[name], copy=True) for name, tensor in known.items()}

    def _put(self, weights: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in self._model.changing_state().items():
                tensor.copy_(weights[name])


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
