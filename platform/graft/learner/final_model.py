"""The final model of a run: the winner's schedule, and the file with the weights that training changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from graft.core.stores.copy import bring
from graft.data.batches import Batches
from graft.data.dataset import Dataset, open_dataset
from graft.data.inputs import Augmenter
from graft.data.listing import Decoder
from graft.learner.pretrained import build_network, choose_device
from graft.learner.supervised import EVALUATION_BATCH
from graft.learner.training_data import TrainingData, columns_of, training_data_of
from graft.modalities.several_views import seen_as
from graft.models.network import Network
from graft.search.strategy_schedule import Schedule
from graft.spec.job import Job
from graft.spec.modalities.base import Preprocessing
from graft.spec.strategy import Strategy
from graft.training.checkpoint import load_state
from graft.training.precision import Precision
from graft.training.predict import predict_outputs
from graft.transfer.adapt import trained_network


@dataclass(frozen=True)
class FinalModel:
    """Where the final model stands.

    Attributes:
        job: of the run.
        dataset: its directory.
        schedule: how it is trained.
        weights: the file with the weights that training changed.
        decoder: of a dataset that is streamed.
    """

    job: Job
    dataset: Path
    schedule: Schedule
    weights: Path
    decoder: Decoder | None = None

    def open_dataset(self) -> Dataset:
        """The dataset, in the process that asks."""
        return open_dataset(self.dataset, decoder=self.decoder)

    @property
    def strategy(self) -> Strategy:
        """The strategy it ends with; all strategies of a schedule have one architecture."""
        return self.schedule.stretches[-1].strategy


def final_network(model: FinalModel, dataset: Dataset, num_threads: int) -> tuple[Network, Preprocessing]:
    """The network with the final weights, in eval mode on the CPU."""
    training_data = training_data_of(model.job, dataset, num_threads)
    network, preprocessing = build_network(training_data, model.strategy)
    state = load_state(bring(model.weights)).part("best")
    return trained_network(network, model.strategy, training_data.seed, state).eval(), preprocessing


def outputs_on(
    data: TrainingData, network: Network, preprocessing: Preprocessing, rows: np.ndarray, precision: Precision = "fp32"
) -> Tensor:
    """Outputs [N, K] of a network for some rows, on the device of this process."""
    return next(outputs_of_views(data, network, preprocessing, rows, precision))


def outputs_of_views(
    data: TrainingData,
    network: nn.Module,
    preprocessing: Preprocessing,
    rows: np.ndarray,
    precision: Precision = "fp32",
    views: Sequence[Augmenter] = (),
) -> Iterator[Tensor]:
    """`outputs_on` for the samples as they are, and then for each view of them."""
    device = torch.device(choose_device())
    placed = data.modality.place(network, device)
    for inputs in seen_as(data.modality.inputs(columns_of(data), preprocessing, device), views):
        batches = Batches(inputs, data.arrays.targets, rows, EVALUATION_BATCH)
        yield predict_outputs(placed, batches, precision)
