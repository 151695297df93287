"""The parts a strategy is made of: unions by `kind`, each kind with only the parameters it uses.

Every field has a default, so a bare name is a whole component, and a new field never breaks a stored strategy.
"""

from typing import Annotated, Literal

from pydantic import Field

from graft.spec.base import ByName, Share, Spec

DropoutRate = Annotated[float, Field(ge=0, lt=1)]


class Pretrained(Spec):
    """Start from the pretrained weights."""

    kind: Literal["pretrained"] = "pretrained"


class Reinitialise(Spec):
    """Start from the pretrained weights, with the last blocks drawn at random again."""

    kind: Literal["reinitialise"] = "reinitialise"
    blocks: int = Field(
        1, ge=1, le=100, description="How many of the last blocks start at random; they are never frozen."
    )


class NoPenalty(Spec):
    """No penalty beyond the optimiser's weight decay."""

    kind: Literal["none"] = "none"


class L1(Spec):
    """strength · Σ|w| over the trainable weights."""

    kind: Literal["l1"] = "l1"
    strength: float = Field(1e-5, gt=0, description="Factor of the penalty in the loss.")


class L2(Spec):
    """strength/2 · Σw² over the trainable weights."""

    kind: Literal["l2"] = "l2"
    strength: float = Field(1e-3, gt=0, description="Factor of the penalty in the loss.")


class L2SP(Spec):
    """L2 towards the starting point (Li, Grandvalet, Davoine, ICML 2018).

    α/2 · Σ(w − w⁰)² over the trainable pretrained weights + β/2 · Σw² over the new ones.
    """

    kind: Literal["l2_sp"] = "l2_sp"
    strength: float = Field(1e-2, gt=0, description="α: pull of the pretrained weights towards where they started.")
    head_strength: float = Field(
        1e-3, ge=0, description="β: pull of the new weights (head, reinitialised) towards zero."
    )


class LinearHead(Spec):
    """One linear layer on the pooled features."""

    kind: Literal["linear"] = "linear"
    dropout: DropoutRate = Field(0.0, description="Dropout before the last layer.")


class MlpHead(Spec):
    """Hidden layers with GELU, then a linear layer."""

    kind: Literal["mlp"] = "mlp"
    width: int = Field(256, ge=1, le=8192, description="Units of a hidden layer.")
    depth: int = Field(1, ge=1, le=4, description="Number of hidden layers.")
    dropout: DropoutRate = Field(0.0, description="Dropout before each linear layer behind the first.")


class CrossEntropy(Spec):
    """Cross-entropy."""

    kind: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="Share of the target spread evenly.")


class Focal(Spec):
    """Focal loss (Lin, Goyal, Girshick, He, Dollár, ICCV 2017): −(1 − p)^γ · log p of the right class's probability p.

    Samples that are classified well already weigh less.
    """

    kind: Literal["focal"] = "focal"
    gamma: float = Field(2.0, ge=0, le=10, description="γ: how fast a sample loses weight; 0 is cross-entropy.")


class ClassBalanced(Spec):
    """Cross-entropy weighted by class (Cui, Jia, Lin, Song, Belongie, CVPR 2019): rare classes weigh more.

    A class with n training samples weighs (1 − β) / (1 − β^n), scaled so that the mean over the classes is 1.
    """

    kind: Literal["class_balanced"] = "class_balanced"
    beta: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.999, description="β: 0 weighs all classes alike; towards 1 a class weighs as the inverse of its size."
    )


class AdamW(Spec):
    """AdamW (Loshchilov and Hutter, ICLR 2019)."""

    kind: Literal["adamw"] = "adamw"


class Sgd(Spec):
    """Stochastic gradient descent with momentum."""

    kind: Literal["sgd"] = "sgd"
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="Momentum factor.")
    nesterov: bool = Field(True, description="Nesterov's form; without effect when momentum is 0.")


class Constant(Spec):
    """The learning rate stays as it is."""

    kind: Literal["constant"] = "constant"


class Cosine(Spec):
    """Linear warm-up, then half a cosine down to zero just behind the last step."""

    kind: Literal["cosine"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="Share of all steps that warm up.")


class NoAugmentation(Spec):
    """Every epoch sees the same pixels."""

    kind: Literal["none"] = "none"


class LightAugmentation(Spec):
    """Random rotation, scale and crop, and the mirror images that `data.flip` says keep the label."""

    kind: Literal["light"] = "light"
    magnitude: Share = Field(
        0.5, description="0 does nothing; 1 is ±30° of rotation, ±20 % of scale, ±12.5 % of shift."
    )
    share: Share = Field(1.0, description="Share of the samples of a batch that are augmented.")
    views: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None,
        description="Augmented versions of each image that epochs rotate through, so that frozen blocks see each "
        "only once; new ones in every epoch if left out.",
    )


Init = Annotated[Pretrained | Reinitialise, Field(discriminator="kind"), ByName]
Penalty = Annotated[NoPenalty | L1 | L2 | L2SP, Field(discriminator="kind"), ByName]
Head = Annotated[LinearHead | MlpHead, Field(discriminator="kind"), ByName]
Loss = Annotated[CrossEntropy | Focal | ClassBalanced, Field(discriminator="kind"), ByName]
Optimizer = Annotated[AdamW | Sgd, Field(discriminator="kind"), ByName]
Schedule = Annotated[Constant | Cosine, Field(discriminator="kind"), ByName]
Augmentation = Annotated[NoAugmentation | LightAugmentation, Field(discriminator="kind"), ByName]
