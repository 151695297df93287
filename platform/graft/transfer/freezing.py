"""Freezing by depth: what lies below the cut is a constant function for the whole of training."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from graft.core.errors import ArtifactError
from graft.models.classifier import Classifier


class AdaptedModel(nn.Module):
    """A classifier whose stem and first `cut` blocks are frozen.

    Frozen means more than ``requires_grad = False``: these modules stay in eval mode through every call of `train`, so
    batch-norm statistics do not move and dropout stays off. No parameter and no buffer below the cut changes by a bit.

    Attributes:
        classifier: the wrapped model; the same object, so its weights are what training produces.
        cut: 0 freezes nothing; c >= 1 freezes the stem and ``blocks[:c]``.
    """

    def __init__(self, classifier: Classifier, cut: int) -> None:
        super().__init__()
        num_blocks = len(classifier.backbone.blocks)
        if not 0 <= cut <= num_blocks:
            raise ValueError(f"cut is {cut}, but must be between 0 and the {num_blocks} blocks of the backbone")
        self.classifier = classifier
        self.cut = cut
        classifier.requires_grad_(True)
        for module in self.frozen_modules():
            module.requires_grad_(False)
        self.train(classifier.training)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, K] of images [B, 3, H, W]. No graph is recorded below the cut: nothing there needs a gradient."""
        logits: Tensor = self.classifier(images)
        return logits

    def train(self, mode: bool = True) -> "AdaptedModel":
        """Set the training mode of everything above the cut; what is frozen stays in eval mode."""
        super().train(mode)
        for module in self.frozen_modules():
            module.eval()
        return self

    def frozen_modules(self) -> Iterator[nn.Module]:
        """The stem and the blocks below the cut; nothing when the cut is 0."""
        if self.cut == 0:
            return
        yield self.classifier.backbone.stem
        yield from list(self.classifier.backbone.blocks)[: self.cut]

    def changing_state(self) -> dict[str, Tensor]:
        """Parameters and buffers that training may change, by their names in the classifier; not copied."""
        frozen = self._frozen_prefixes()
        return {name: tensor for name, tensor in self.classifier.state_dict().items() if not name.startswith(frozen)}

    def load_changing_state(self, state: dict[str, Tensor]) -> None:
        """Copy the tensors of `changing_state` back, bit for bit, keeping device and memory layout.

        Raises:
            ArtifactError: names or shapes are not those of this model.
        """
        copy_tensors(self.changing_state(), state, "model state")

    def _frozen_prefixes(self) -> tuple[str, ...]:
        if self.cut == 0:
            return ()
        return ("backbone.stem.", *(f"backbone.blocks.{index}." for index in range(self.cut)))


def copy_tensors(into: dict[str, Tensor], source: dict[str, Tensor], what: str) -> None:
    """Copy every tensor of `source` into its namesake, in place.

    Raises:
        ArtifactError: the names or the shapes differ; nothing has been copied then.
    """
    odd = sorted(into.keys() ^ source.keys())
    odd += [name for name in into if name in source and into[name].shape != source[name].shape]
    if odd:
        shown = ", ".join(f"`{name}`" for name in odd[:3]) + (", …" if len(odd) > 3 else "")
        raise ArtifactError(
            f"{what} has {len(odd)} tensors that do not fit ({shown}), but must come from the same model and strategy; "
            "start this training again"
        )
    with torch.no_grad():
        for name, tensor in into.items():
            tensor.copy_(source[name])
