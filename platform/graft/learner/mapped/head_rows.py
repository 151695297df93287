"""Rows of a head that an earlier task has learned, for the labels that both tasks have."""

import torch
from torch import Tensor, nn

from graft.learner.mapped.backbone import mapped_backbone
from graft.learner.training_data import TrainingData
from graft.models.mapping.axes import IN, OUT
from graft.models.mapping.growth import can_grow, grow
from graft.models.network import Network
from graft.spec.components.initialisation import Mapped
from graft.spec.strategy import Strategy


def start_head(network: Network, data: TrainingData, strategy: Strategy) -> int:
    """Give a new head the rows of a mapped bundle's head, for labels of the same name, in place.

    Only linear heads on features as they are have rows that mean a label; and only tasks whose outputs are told apart
    by name, not by a scale that was fitted to the earlier data (`TaskSpec.rows_by_name`).

    Args:
        network: adapted, its head drawn.
        data: what is trained on; its names are the labels.
        strategy: how; nothing is done unless it starts from a bundle.

    Returns:
        How many rows were filled.
    """
    if not isinstance(strategy.init, Mapped):
        return 0
    mapped = mapped_backbone(strategy.init, strategy.backbone, data.modality.size(strategy))
    bundle, layer = mapped.source.bundle, _linear(network.head)
    if bundle is None or layer is None or bundle.spec.task.kind != data.task_spec.kind:
        return 0
    head = mapped.opened.head
    weights = [name for name, tensor in head.items() if tensor.ndim == 2 and name.endswith("weight")]
    if (
        not bundle.spec.task.rows_by_name
        or len(weights) != 1
        or any("scale" in name or "mean" in name for name in head)
    ):
        return 0
    names = list(bundle.spec.names)
    pairs = [(row, names.index(name)) for row, name in enumerate(data.arrays.names) if name in names]
    return _fill(layer, head[weights[0]], head.get(weights[0].replace("weight", "bias")), pairs)


def _linear(head: nn.Module) -> nn.Linear | None:
    """The one layer of a linear head; None for any other head."""
    layers = [one for one in head.modules() if next(one.parameters(recurse=False), None) is not None]
    has_buffers = next(head.buffers(), None) is not None
    return layers[0] if len(layers) == 1 and isinstance(layers[0], nn.Linear) and not has_buffers else None


def _fill(layer: nn.Linear, weight: Tensor, bias: Tensor | None, pairs: list[tuple[int, int]]) -> int:
    shape = (weight.shape[0], layer.in_features)
    if not pairs or not can_grow(weight.shape, shape, (OUT, IN)):
        return 0
    rows = grow(weight, shape, (OUT, IN))
    mine, theirs = torch.tensor([one for one, _ in pairs]), torch.tensor([one for _, one in pairs])
    with torch.no_grad():
        layer.weight[mine] = rows[theirs].to(layer.weight)
        if bias is not None and layer.bias is not None:
            layer.bias[mine] = bias[theirs].to(layer.bias)
    return len(pairs)
