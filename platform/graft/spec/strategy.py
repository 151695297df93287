"""Strategy: how one backbone is adapted. Frozen, typed, independent of the architecture.

Depth is a share, so one strategy makes sense on any backbone. A component that has parameters of its own is a union by
`kind`; a bare name stands for the component with its defaults (``penalty: l2_sp``). A parameter exists only inside the
kind that uses it, so a search space built from these types never holds an inactive dimension.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from graft.core.storage import canonical_json, text_digest
from graft.spec.base import Share, Spec
from graft.spec.components import (
    L1,
    L2,
    L2SP,
    AdamW,
    Augmentation,
    ClassBalanced,
    Constant,
    Cosine,
    CrossEntropy,
    Focal,
    Head,
    Init,
    LightAugmentation,
    LinearHead,
    Loss,
    MlpHead,
    NoAugmentation,
    NoPenalty,
    Optimizer,
    Penalty,
    Pretrained,
    Reinitialise,
    Schedule,
    Sgd,
)
from graft.spec.messages.rules import broken

__all__ = [
    "L1",
    "L2",
    "L2SP",
    "AdamW",
    "Augmentation",
    "ClassBalanced",
    "Constant",
    "Cosine",
    "CrossEntropy",
    "Focal",
    "Head",
    "Init",
    "LightAugmentation",
    "LinearHead",
    "Loss",
    "MlpHead",
    "NoAugmentation",
    "NoPenalty",
    "Optimizer",
    "Penalty",
    "Pretrained",
    "Reinitialise",
    "Schedule",
    "Sgd",
    "Share",
    "Strategy",
]

_BACKBONE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(:[^\s\x00-\x1f][^\x00-\x1f]*)?")
_TOLD_APART_BY_KIND = ("penalty", "head", "loss", "optimizer", "augment")
MAX_LR = 10.0


def _backbone_name(name: str) -> str:
    if not _BACKBONE.fullmatch(name):
        raise broken("must be a name such as `efficientnet_lite0`, or `source:name` such as `timm:resnet18.a1_in1k`")
    return name


class Strategy(Spec):
    """How a backbone is adapted to the user's data: one point of the search space."""

    backbone: Annotated[str, AfterValidator(_backbone_name)] = Field(
        "efficientnet_lite0", description="Name of the pretrained network (`graft backbones`)."
    )
    init: Init = Field(Pretrained(), description="Where the weights start.")
    freeze: Share = Field(
        0.0, description="Share of the depth that stays frozen; 1 trains only the head (linear probe)."
    )
    penalty: Penalty = Field(NoPenalty(), description="Penalty on the weights, added to the loss.")
    head: Head = Field(LinearHead(), description="What turns features into class scores.")
    loss: Loss = Field(CrossEntropy(), description="What is minimised.")
    optimizer: Optimizer = Field(AdamW(), description="How the weights move.")
    lr: float = Field(1e-3, gt=0, le=MAX_LR, description="Peak learning rate of the backbone.")
    head_lr_factor: float = Field(1.0, gt=0, le=1000, description="The head learns at `lr` times this.")
    weight_decay: float = Field(
        0.01, ge=0, le=1, description="Decoupled weight decay of the optimiser; biases and norms are spared."
    )
    schedule: Schedule = Field(Cosine(), description="How the learning rate runs over the steps.")
    augment: Augmentation = Field(NoAugmentation(), description="Random changes of the training images.")
    resolution: int = Field(
        64, ge=16, le=1024, description="Side of the square image that the backbone sees, in pixels."
    )
    batch_size: int = Field(64, ge=2, le=65536, description="Samples a step.")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 on a GPU that has it, else fp32."
    )

    def canonical(self, num_blocks: int | None = None) -> "Strategy":
        """The one form shared by all strategies that train the same model.

        Parameters without effect are set to their defaults. With the backbone's `num_blocks` the frozen share is
        snapped to the block border it means (0.74 and 0.76 of four blocks are the same cut) and lowered to what the
        reinitialised blocks leave to freeze. Applying it twice changes nothing.

        Args:
            num_blocks: blocks of the backbone, at least 1; None when it is not known yet.
        """
        init, freeze = _depth(self.init, self.freeze, num_blocks)
        changes: dict[str, Any] = {
            "init": init,
            "freeze": freeze,
            "loss": _loss(self.loss),
            "augment": _augment(self.augment),
        }
        if isinstance(self.optimizer, Sgd) and self.optimizer.momentum == 0:
            changes["optimizer"] = self.optimizer.model_copy(update={"nesterov": False})
        if freeze == 1 and isinstance(init, Pretrained):
            changes |= _of_frozen_backbone(self)
        return self.model_copy(update=changes)

    def key(self) -> str:
        """Twelve hex digits that name this strategy; take it of the canonical form to find duplicates."""
        return text_digest(canonical_json(_without_negative_zero(self.model_dump(mode="json"))))[:12]

    def architecture(self) -> str:
        """What weights must agree in to be copied from one strategy to another: backbone and shape of the head."""
        shape = {name: value for name, value in self.head.model_dump(mode="json").items() if name != "dropout"}
        return f"{self.backbone} {' '.join(str(value) for value in shape.values())}"

    def flat(self) -> dict[str, str | int | float | bool]:
        """One level of plain values: ``{"penalty": "l2_sp", "penalty.strength": 0.01, ...}``."""
        flat: dict[str, str | int | float | bool] = {}
        for name, value in self.model_dump(mode="json").items():
            if not isinstance(value, dict):
                flat[name] = value
                continue
            flat[name] = value["kind"]
            flat |= {f"{name}.{key}": inner for key, inner in value.items() if key != "kind"}
        return flat

    def label(self) -> str:
        """What tells it from others at a glance: ``efficientnet_lite0 freeze=0.75 l2_sp``.

        The backbone, then the frozen share and the kinds of component that are not the default ones; parameters inside
        a component are left out, save the number of reinitialised blocks.
        """
        default = Strategy()
        parts = [self.backbone]
        if self.freeze != default.freeze:
            parts.append(f"freeze={self.freeze:.3g}")
        if isinstance(self.init, Reinitialise):
            parts.append(f"reinitialise={self.init.blocks}")
        for name in _TOLD_APART_BY_KIND:
            kind, usual = getattr(self, name).kind, getattr(default, name).kind
            if kind != usual:
                parts.append(f"{name}=none" if kind == "none" else kind)
        return " ".join(parts)


def _depth(init: Init, freeze: float, num_blocks: int | None) -> tuple[Init, float]:
    if num_blocks is None:
        return init, freeze
    cut = round(freeze * num_blocks)
    if isinstance(init, Reinitialise):
        drawn_again = min(init.blocks, num_blocks)
        init = Reinitialise(blocks=drawn_again)
        cut = min(cut, num_blocks - drawn_again)
    return init, cut / num_blocks


def _of_frozen_backbone(strategy: Strategy) -> dict[str, Any]:
    """Only the head learns: a pull of the backbone pulls nothing, and the two learning rates are one product."""
    changes: dict[str, Any] = {}
    if isinstance(strategy.penalty, L2SP):
        pull = strategy.penalty.head_strength
        changes["penalty"] = L2(strength=pull) if pull > 0 else NoPenalty()
    if 0 < strategy.lr * strategy.head_lr_factor <= MAX_LR:
        changes |= {"lr": strategy.lr * strategy.head_lr_factor, "head_lr_factor": 1.0}
    return changes


def _loss(loss: Loss) -> Loss:
    weighs_all_alike = (isinstance(loss, Focal) and loss.gamma == 0) or (
        isinstance(loss, ClassBalanced) and loss.beta == 0
    )
    return CrossEntropy() if weighs_all_alike else loss


def _augment(augment: Augmentation) -> Augmentation:
    if isinstance(augment, LightAugmentation) and 0 in (augment.magnitude, augment.share):
        return NoAugmentation()
    return augment


def _without_negative_zero(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_negative_zero(inner) for key, inner in value.items()}
    return value + 0.0 if isinstance(value, float) else value
