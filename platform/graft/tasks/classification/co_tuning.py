"""Co-tuning: the source network's head goes on speaking of what belongs to a sample's label."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from graft.core.errors import ArtifactError
from graft.data.batch import Batch
from graft.spec.tasks.classification import CoTuning
from graft.transfer.freezing import AdaptedModel
from graft.transfer.penalties.activations import Activations, Examples, watching


class CoTuningPenalty:
    """Co-tuning (You et al., NeurIPS 2020).

    λ · mean over the batch of −Σ_s p(s | y) · log softmax(G(f))_s, with λ = `strength`, f the trained network's
    features, G the source head, s its outputs and y the sample's label. p(s | y) is the paper's direct estimate: the
    mean over the training samples of label y of what the source network says. Mixed targets weigh the rows of p.

    Unlike the authors' code, G stays as it was pretrained: it is no part of the model that is saved and served.

    Time: one forward pass over the training samples before the first step, then one matrix product a step. Memory: the
    source head and p, one row a label.
    """

    def __init__(self, spec: CoTuning, model: AdaptedModel, blocks: Sequence[int]) -> None:
        self._lambda, self._model = spec.strength, model
        self.blocks: Sequence[int] = ()
        self._head: nn.Module | None = None
        self._relation = torch.zeros(0)

    def follow_weights(self) -> None:
        """What is learnt is learnt where the model is: see `fit`."""

    def fit(self, examples: Examples) -> None:
        """Learn p(s | y) from the source network's outputs on the training samples."""
        device = next(self._model.parameters()).device
        head = examples.source_head().to(device).requires_grad_(False).eval()
        was_training = self._model.network.training
        said, targets = [], []
        if head.in_features != (given := self._model.network.backbone.num_features):
            raise ArtifactError(
                f"co_tuning: the source head takes {head.in_features} features, but the network gives {given}; leave "
                "strategy.structure as it is, or take another penalty"
            )
        self._model.eval()
        for inputs, labels in examples.batches():
            with torch.no_grad(), watching(self._model.network, ()) as seen:
                self._model(inputs)
            said.append(functional.softmax(head(seen.pooled.float()), dim=1).double())
            targets.append(labels)
        self._model.train(was_training)
        self._head, self._relation = head, _relation(torch.cat(said), np.concatenate(targets), self._outputs())

    def term(self, inputs: Batch, targets: Tensor, seen: Activations) -> Tensor:
        """λ · the cross-entropy of the source head."""
        if self._head is None:
            raise RuntimeError("the source head is not there, but `fit` must have come before")
        log_p = functional.log_softmax(self._head(seen.pooled.float()).float(), dim=1)
        wanted = targets.float() @ self._relation if targets.is_floating_point() else self._relation[targets]
        return -self._lambda * (wanted * log_p).sum(dim=1).mean()

    def _outputs(self) -> int:
        """How many outputs the trained network has."""
        layers = [one for one in self._model.network.head.modules() if isinstance(one, nn.Linear)]
        return layers[-1].out_features


def _relation(said: Tensor, labels: np.ndarray, count: int) -> Tensor:
    """p(s | y) float32 [count, S]; labels without a sample have the mean of all."""
    codes = torch.from_numpy(labels.astype(np.int64)).to(said.device)
    sums = said.new_zeros(count, said.shape[1]).index_add_(0, codes, said)
    numbers = torch.bincount(codes, minlength=count)[:, None]
    return torch.where(numbers > 0, sums / numbers.clamp(min=1), said.mean(dim=0)).float()
