"""Averages the best trials' weights, and keeps the average if it is better on the validation rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from graft.core.stores.copy import bring, publish
from graft.data.batches import Batches
from graft.data.dataset import Dataset, Split
from graft.learner.final_model import FinalModel
from graft.learner.pretrained import build_network, choose_device
from graft.learner.supervised import EVALUATION_BATCH
from graft.learner.training_data import columns_of, training_data_of
from graft.models.network import Network
from graft.spec.modalities.base import Preprocessing
from graft.training.checkpoint import TrainingState, load_state, save_state
from graft.training.predict import predict_outputs
from graft.training.soup import greedy_soup, uniform_soup
from graft.transfer.adapt import trained_network


def make_soup(
    model: FinalModel, ingredients: Sequence[Path], kind: Literal["uniform", "greedy"], num_threads: int
) -> dict[str, Any]:
    """Average weights (Wortsman et al., ICML 2022), and write the average to `model.weights` if it is better.

    Args:
        model: of the winner.
        ingredients: files of best epochs, of one architecture, best first: the first is the winner's.
        kind: all of them, or one after the other as long as that does not make it worse.
        num_threads: torch threads.

    Returns:
        ``score`` of the soup, ``alone`` of the winner, ``used`` ingredients, ``is_better``.
    """
    evaluator = _SoupEvaluator(model, model.open_dataset(), num_threads)
    states = [evaluator.weights(path) for path in ingredients]
    metric = model.job.objective
    if kind == "greedy":
        soup, used = greedy_soup(states, evaluator.score, metric.mode)
    else:
        soup, used = uniform_soup(states), list(range(len(states)))
    alone, mixed = evaluator.score(states[0]), evaluator.score(soup)
    is_better = metric.is_better(mixed, alone)
    if is_better:
        tensors = {f"best/{name}": tensor for name, tensor in soup.items()}
        save_state(TrainingState(0, tensors=tensors), model.weights)
        publish(model.weights)
    return {"score": mixed, "alone": alone, "used": len(used), "is_better": is_better}


class _SoupEvaluator:
    """The network into which weights are put to be judged."""

    def __init__(self, model: FinalModel, dataset: Dataset, num_threads: int) -> None:
        torch.set_num_threads(num_threads)
        self._model, self._dataset = model, dataset
        self._training_data = training_data_of(model.job, dataset, num_threads)
        self._network, self._preprocessing = self._build()
        self._training_data.modality.place(self._network, torch.device(choose_device()))

    def weights(self, path: Path) -> dict[str, Tensor]:
        """All weights of a trial: a file holds only what its training may have changed."""
        network, _ = self._build()
        state = load_state(bring(path)).part("best")
        return dict(trained_network(network, self._model.strategy, self._training_data.seed, state).state_dict())

    def score(self, weights: dict[str, Tensor]) -> float:
        """The metric of weights on the validation rows."""
        self._network.load_state_dict(weights)
        data, precision = self._training_data, self._model.strategy.precision
        rows, name = data.arrays.rows(Split.VALIDATION), data.metric.name
        inputs = data.modality.inputs(columns_of(data), self._preprocessing, torch.device(choose_device()))
        outputs = predict_outputs(
            self._network, Batches(inputs, data.arrays.targets, rows, EVALUATION_BATCH), precision
        )
        predictions = data.task.decide(outputs, data.arrays.facts)
        return data.task.score(predictions, data.arrays.targets[rows], [name], data.arrays.facts)[name]

    def _build(self) -> tuple[Network, Preprocessing]:
        return build_network(self._training_data, self._model.strategy)
