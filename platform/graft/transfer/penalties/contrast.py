"""Supervised contrast: samples of one label come together in feature space, those of different labels part."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from graft.data.batch import Batch
from graft.spec.components.activation_penalty import SupervisedContrast
from graft.transfer.freezing import AdaptedModel
from graft.transfer.penalties.activations import Activations, Examples


class ContrastPenalty:
    """The supervised contrastive loss (Khosla et al., Supervised Contrastive Learning, NeurIPS 2020, L_out) beside the
    task's own, as Gunel, Du, Conneau and Stoyanov (ICLR 2021) tune encoders of texts from few labels.

    λ · mean over i of −1/|P(i)| · Σ_{p ∈ P(i)} log (exp(zᵢ·z_p / τ) / Σ_{a ≠ i} exp(zᵢ·z_a / τ))

    with λ = `strength`, τ = `temperature`, z the features [B, F] of a batch at unit length, and P(i) the other samples
    of i's label; samples whose label nobody else in the batch has are left out of the mean. Gunel et al. weigh the two
    losses by 1 − λ' and λ'; λ here is λ' / (1 − λ').

    A batch is the whole one, over all ranks, so that two ranks take the step of one; with `accumulate` it is the
    micro-batch of a rank. Time and memory: a matrix [B, B] a step.
    """

    def __init__(self, spec: SupervisedContrast, model: AdaptedModel, blocks: Sequence[int]) -> None:
        self._strength, self._temperature = spec.strength, spec.temperature
        self.blocks: Sequence[int] = ()

    def follow_weights(self) -> None:
        """Nothing is kept."""

    def fit(self, examples: Examples) -> None:
        """Nothing is learnt."""

    def term(self, inputs: Batch, targets: Tensor, seen: Activations) -> Tensor:
        """The loss of a batch; 0 where no label occurs twice."""
        points = functional.normalize(seen.pooled.float(), dim=1)
        alike = targets[:, None] == targets[None, :]
        alike.fill_diagonal_(False)
        itself = torch.eye(len(points), dtype=torch.bool, device=points.device)
        cosines = (points @ points.T / self._temperature).masked_fill(itself, -torch.inf)
        chances = cosines - cosines.logsumexp(dim=1, keepdim=True)
        partners = alike.sum(dim=1)
        losses = -chances.masked_fill(~alike, 0.0).sum(dim=1) / partners.clamp(min=1)
        return losses.sum() / (partners > 0).sum().clamp(min=1) * self._strength
