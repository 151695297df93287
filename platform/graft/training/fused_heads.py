"""Heads on stored features, trained together: each step of all of them is one batched computation.

K models that differ in nothing but what happens above the last block have weights of the same shapes, so layer l of all
is one tensor W_l [K, out, in], and a step's forward pass one ``baddbmm`` a layer instead of K small products.
Everything else stays each model's own: the order of its samples, its masks of dropout, loss, penalty, optimiser,
schedule, and the session that holds them. So an epoch leaves every session as training it alone does, up to the
rounding of a sum.

The idea is that of horizontally fused training (Wang et al., HFTA, MLSys 2021), for the layers that a head has.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from graft.data.batch import FEATURES, Batch
from graft.data.batches import TrainingBatch
from graft.spec.tasks.classification import CrossEntropy
from graft.training.plan import TrainingStatus
from graft.training.precision import autocast, wants_bf16
from graft.training.session import Session
from graft.training.steps.update import move_weights

Ending = tuple[TrainingStatus, str]


def kinship(session: Session, first: Batch) -> Hashable | None:
    """What the sessions that can be trained together have in common; None if this one can only be trained alone.

    That is one that does not train on stored features of all blocks, or that has another loss than cross entropy, or
    takes sharpness-aware steps, or stands in the middle of an epoch, or is one of several ranks.

    Args:
        session: the training.
        first: the first batch of its next epoch.
    """
    model, strategy = session.model, session.plan.strategy
    is_head_only = FEATURES in first and model.cut == len(model.network.backbone.blocks)
    is_alone = session.world.size == 1 and session.plan.accumulate == 1 and not session.partial.steps
    if strategy.sam or not (is_head_only and is_alone and isinstance(strategy.loss, CrossEntropy)):
        return None
    layers = _layers_of(session)
    if not all(isinstance(layer, nn.Linear | nn.GELU | nn.Dropout) for layer in layers):
        return None
    shapes = tuple((type(layer).__name__, *(tuple(one.shape) for one in layer.parameters())) for layer in layers)
    is_bf16 = wants_bf16(strategy.precision, session.device)
    return shapes, session.steps_per_epoch, strategy.batch_size, is_bf16, str(session.device)


def train_epoch_together(
    sessions: Sequence[Session], batches: Sequence[Iterable[TrainingBatch]]
) -> list[Ending | None]:
    """Train every session to the end of its next epoch; they may stand in different epochs.

    A session whose loss is infinite keeps the weights it had before that step; the others go on.

    Args:
        sessions: all of the same `kinship`.
        batches: of the next epoch, for each session; as many, and as large, for all of them.

    Returns:
        Why the end of the epoch was not reached, for each session; None if it was.
    """
    endings: list[Ending | None] = [None] * len(sessions)
    for session in sessions:
        session.model.train()
    stack = _Stack(sessions)
    try:
        for current in zip(*batches, strict=True):
            losses = stack.step(current)
            for place, session in enumerate(sessions):
                if endings[place] is None:
                    endings[place] = _finish_step(session, losses[place], total=current[place].total)
            if all(endings):
                break
    finally:
        stack.part()
    return endings


def _finish_step(session: Session, loss: float, total: int) -> Ending | None:
    """Move a session's weights by the gradients it has got."""
    if not math.isfinite(loss):
        place = f"epoch {session.epochs_done + 1}, step {session.partial.steps + 1}"
        return TrainingStatus.NON_FINITE, f"loss is {loss} in {place}; try a smaller lr"
    move_weights(session)
    session.partial = session.partial.plus(total, loss * total)
    return None


class _Stack:
    """The heads of K sessions as one; while it stands, the weights of each are parts of its tensors."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self._sessions = sessions
        self._device, self._precision = sessions[0].device, sessions[0].plan.strategy.precision
        # What a linear layer gives: how many random numbers a mask takes depends on it.
        self._given = torch.bfloat16 if wants_bf16(self._precision, self._device) else torch.float32
        self._layers = [_stacked(same) for same in zip(*map(_layers_of, sessions), strict=True)]
        losses = [session.plan.strategy.loss for session in sessions]
        smoothing = [loss.label_smoothing for loss in losses if isinstance(loss, CrossEntropy)]
        self._smoothing = torch.tensor(smoothing, device=self._device)

    def step(self, current: Sequence[TrainingBatch]) -> list[float]:
        """Give every session its gradients for its batch; return the mean losses."""
        features = torch.stack([batch.inputs[FEATURES] for batch in current])
        labels = torch.stack([batch.targets for batch in current])
        weights = [batch.weights for batch in current if batch.weights is not None]
        self._draw(features)
        with autocast(self._precision, self._device):
            x = features
            for layer in self._layers:
                x = layer(x)
        losses = _cross_entropy(x.float(), labels, self._smoothing, torch.stack(weights) if weights else None)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        for layer in self._layers:
            if isinstance(layer, _Linear):
                layer.hand_out_gradients()
        values: list[float] = losses.detach().tolist()
        return values

    def part(self) -> None:
        """Give each session weights of its own again."""
        for layer in self._layers:
            if isinstance(layer, _Linear):
                layer.part()

    def _draw(self, features: Tensor) -> None:
        """Prepare each session for its step: its learning rate, and the masks of dropout that it would draw alone."""
        for place, session in enumerate(self._sessions):
            session.begin_step()
            session.seed_step()
            like = torch.ones_like(features[0])
            for layer in self._layers:
                if isinstance(layer, _Linear):
                    like = like.new_ones(len(like), layer.width, dtype=self._given)
                elif isinstance(layer, _Dropout):
                    layer.draw(place, like)


class _Linear:
    """One linear layer of all models: x [K, B, in] to [K, B, out]."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        self._layers = layers
        self.width = layers[0].out_features
        self._weight = torch.stack([layer.weight.detach() for layer in layers]).requires_grad_()
        self._bias = torch.stack([layer.bias.detach() for layer in layers]).requires_grad_()
        for layer, weight, bias in zip(layers, self._weight.detach(), self._bias.detach(), strict=True):
            layer.weight.data, layer.bias.data = weight, bias

    def __call__(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self._bias[:, None], x, self._weight.transpose(1, 2))

    def hand_out_gradients(self) -> None:
        """Give each model's parameters their part of the gradients, and forget them here."""
        weights, biases = self._weight.grad, self._bias.grad
        if weights is None or biases is None:
            raise RuntimeError("there are no gradients, but a backward pass must have come before")
        for layer, weight, bias in zip(self._layers, weights, biases, strict=True):
            layer.weight.grad, layer.bias.grad = weight, bias
        self._weight.grad = self._bias.grad = None

    def part(self) -> None:
        """Let each model have parameters of its own again."""
        for layer in self._layers:
            for parameter in (layer.weight, layer.bias):
                parameter.data = parameter.data.clone()
                parameter.grad = None


class _Dropout:
    """One dropout layer of all models, each with a rate of its own."""

    def __init__(self, layers: Sequence[nn.Dropout]) -> None:
        self._rates = [layer.p for layer in layers]
        self._masks: list[Tensor] = [torch.empty(0)] * len(layers)

    def draw(self, place: int, ones: Tensor) -> None:
        """Draw one model's mask [B, in] from torch's global state, as its own layer would for numbers like `ones`."""
        self._masks[place] = functional.dropout(ones, self._rates[place]) if any(self._rates) else ones

    def __call__(self, x: Tensor) -> Tensor:
        return x * torch.stack(self._masks) if any(self._rates) else x


def _stacked(layers: Sequence[nn.Module]) -> Callable[[Tensor], Tensor]:
    """The same layer of all models as one."""
    if isinstance(layers[0], nn.Linear):
        return _Linear([layer for layer in layers if isinstance(layer, nn.Linear)])
    if isinstance(layers[0], nn.Dropout):
        return _Dropout([layer for layer in layers if isinstance(layer, nn.Dropout)])
    return layers[0]


def _layers_of(session: Session) -> list[nn.Module]:
    head = session.model.network.head
    return list(head) if isinstance(head, nn.Sequential) else [head]


def _cross_entropy(logits: Tensor, labels: Tensor, smoothing: Tensor, weights: Tensor | None) -> Tensor:
    """Mean losses [K] of logits [K, B, C] and labels [K, B], with a label smoothing for each model [K].

    Weights are [K, B], or None where all samples count alike.
    """
    log_p = functional.log_softmax(logits, dim=2)
    if weights is not None:
        log_p = log_p * weights[:, :, None]
    of_labels = -log_p.gather(2, labels[:, :, None])[:, :, 0].mean(dim=1)
    of_all = -log_p.mean(dim=(1, 2))
    return (1 - smoothing) * of_labels + smoothing * of_all
