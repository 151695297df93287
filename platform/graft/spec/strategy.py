"""Strategy: how one backbone is adapted. Frozen, typed, independent of the architecture.

Depth is a share, so one strategy makes sense on any backbone. A component that has parameters of its own is a union by
`kind`; a bare name stands for the component with its defaults (``penalty: l2_sp``). A parameter exists only inside the
kind that uses it, so a search space built from these types never holds an inactive dimension.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, create_model, model_serializer
from pydantic.json_schema import SkipJsonSchema

from graft.core.storage import canonical_json, text_digest
from graft.spec.augmentation.mixing import Mix, NoMix
from graft.spec.base import Share, Spec
from graft.spec.components.augmentation import Augmentation, NoAugmentation
from graft.spec.components.head import HeadSpec, LinearHead
from graft.spec.components.head_start import HeadStart, RandomStart
from graft.spec.components.initialisation import Initialisation, Pretrained
from graft.spec.components.optimizer import AdamW, OptimizerSpec
from graft.spec.components.penalty import NoPenalty, PenaltySpec
from graft.spec.components.schedule import Cosine, ScheduleSpec
from graft.spec.components.selection import NoSelection, SelectionSpec
from graft.spec.components.skip import Depth
from graft.spec.components.structure import Structure
from graft.spec.components.tuning import AllWeights, TuningSpec
from graft.spec.components.unfreezing import AtOnce, UnfreezingSpec
from graft.spec.messages.rules import broken
from graft.spec.meta.episode_settings import EpisodeSettings
from graft.spec.modalities.base import ModalitySpec
from graft.spec.registry import members, union
from graft.spec.space.flat import flattened
from graft.spec.tasks.base import LossSpec
from graft.spec.tasks.classification import CrossEntropy

if TYPE_CHECKING:
    # Which classes there are is known at run time only: a type checker sees what they have in common.
    Init: TypeAlias = Initialisation
    Penalty: TypeAlias = PenaltySpec
    Head: TypeAlias = HeadSpec
    Loss: TypeAlias = LossSpec
    Optimizer: TypeAlias = OptimizerSpec
    Schedule: TypeAlias = ScheduleSpec
    Augment: TypeAlias = Augmentation
    Mixed: TypeAlias = Mix
    Select: TypeAlias = SelectionSpec
    Start: TypeAlias = HeadStart
    Tune: TypeAlias = TuningSpec
    Unfreeze: TypeAlias = UnfreezingSpec
else:
    Init, Penalty, Head, Loss = union("initialisation"), union("penalty"), union("head"), union("loss")
    Optimizer, Schedule, Augment = union("optimizer"), union("schedule"), union("augmentation")
    Mixed, Select, Start = union("mix"), union("selection"), union("head_start")
    Tune, Unfreeze = union("tuning"), union("unfreezing")

_BACKBONE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(:[^\s\x00-\x1f][^\x00-\x1f]*)?")
MAX_LR = 10.0


def _backbone_name(name: str) -> str:
    if not _BACKBONE.fullmatch(name):
        raise broken("must be a name such as `efficientnet_lite0`, or `source:name` such as `timm:resnet18.a1_in1k`")
    return name


class _Core(Spec):
    """What every strategy says, whatever the samples are."""

    backbone: Annotated[str, AfterValidator(_backbone_name)] = Field(
        "efficientnet_lite0", description="Name of the pretrained network (`graft zoo ls`)."
    )
    init: Init = Field(Pretrained(), description="Where the weights start.")
    structure: Structure = Field(
        Structure(), description="Which blocks of the backbone there are, and how what they give becomes features."
    )
    freeze: Share = Field(
        0.0,
        description="Share of the depth that stays frozen, of the blocks that there are; 1 trains only the head "
        "(linear probe).",
    )
    tune: Tune = Field(AllWeights(), description="Which weights above the frozen part train.")
    unfreeze: Unfreeze = Field(AtOnce(), description="When the blocks that train begin to.")
    penalty: Penalty = Field(NoPenalty(), description="What is added to the loss: of the weights, or of activations.")
    head: Head = Field(LinearHead(), description="What turns features into outputs.")
    head_start: Start = Field(RandomStart(), description="Where a linear head starts from.")
    loss: Loss = Field(CrossEntropy(), description="What is minimised; the task's own loss if left out.")
    optimizer: Optimizer = Field(AdamW(), description="How the weights move.")
    lr: float = Field(1e-3, gt=0, le=MAX_LR, description="Peak learning rate of the backbone.")
    head_lr_factor: float = Field(1.0, gt=0, le=1000, description="The head learns at `lr` times this.")
    lr_decay: float = Field(
        1.0, gt=0, le=1, description="Each block learns at this factor of the rate of the block above it; 1 is off."
    )
    weight_decay: float = Field(
        0.01, ge=0, le=1, description="Decoupled weight decay of the optimiser; biases and norms are spared."
    )
    schedule: Schedule = Field(Cosine(), description="How the learning rate runs over the steps.")
    augment: Augment = Field(NoAugmentation(), description="Random changes of the training samples.")
    mix: Mixed = Field(NoMix(), description="Training samples that are mixed with one another.")
    standardise: bool = Field(
        False, description="Give a linear probe features of mean 0 and deviation 1 over the training samples."
    )
    select: Select = Field(
        NoSelection(), description="Which of its features a linear probe is given; fitted to the training samples."
    )
    clip_norm: float = Field(
        0.0, ge=0, description="Norm that all gradients together are scaled down to where it is larger; 0 clips none."
    )
    ema: float = Field(
        0.0, ge=0, lt=1, description="Decay of the average of weights that is judged and kept; 0 keeps the last ones."
    )
    sam: float = Field(
        0.0, ge=0, le=10, description="ρ of sharpness-aware steps, of which each takes two passes; 0 takes plain ones."
    )
    drop_path: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Chance to leave out a residual branch of the last block in training; less in earlier ones."
    )
    backbone_dropout: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None, description="Rate of the dropout layers in trained blocks; as the network has them if left out."
    )
    stochastic_norm: Share = Field(
        0.0, description="Chance of a channel to be normalised by the running statistics instead of the batch's."
    )
    batch_size: int = Field(64, ge=2, le=65536, description="Samples a step.")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 on a GPU that has it, else fp32."
    )
    episodes: SkipJsonSchema[EpisodeSettings | None] = Field(
        None, description="How a start is learned over tasks; of meta-trainings alone, whose jobs say it elsewhere."
    )


def modality_fields() -> dict[str, str]:
    """The keys of a strategy that belong to one modality, and the kind of that modality."""
    found: dict[str, str] = {}
    for kind, modality in members("modality").items():
        if issubclass(modality, ModalitySpec):
            found |= dict.fromkeys(modality.fields.model_fields, kind)
    return found


def behind_solved_head() -> tuple[str, ...]:
    """The keys of a strategy that have an effect where the head is solved rather than trained."""
    return ("backbone", "init", "structure", "head", "select", "precision", *modality_fields())


def _with_modality_fields() -> type[_Core]:
    """`_Core` and what each modality adds to it; a key that a strategy does not use is None."""
    specs = [modality.fields for modality in members("modality").values() if issubclass(modality, ModalitySpec)]
    added: dict[str, Any] = {
        name: (info.annotation, info) for fields in specs for name, info in fields.model_fields.items()
    }
    return create_model("_Fields", __base__=_Core, __module__=__name__, **added)


if TYPE_CHECKING:
    _Fields = _Core
else:
    _Fields = _with_modality_fields()


class Strategy(_Fields):
    """How a backbone is adapted to the user's data: one point of the search space."""

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, handler: Any) -> dict[str, Any]:
        """Keys of other modalities are left out; so are those that came later, where they change nothing."""
        found = {name: value for name, value in handler(self).items() if value is not None}
        return {name: value for name, value in found.items() if value != _LATER.get(name, _NEVER)}

    def plain(self, name: str) -> Any:
        """The value of a key as plain JSON, also of one that is left out where a strategy is written."""
        value = getattr(self, name)
        return value.model_dump(mode="json") if isinstance(value, Spec) else value

    def canonical(self, num_blocks: int | Depth | None = None) -> "Strategy":
        """The one form shared by all strategies that train the same model.

        Parameters without effect are set to their defaults. With the backbone's `num_blocks` the kept and the frozen
        share are snapped to the block borders they mean (0.74 and 0.76 of four blocks are the same cut), the frozen one
        is lowered to what the reinitialised blocks leave to freeze. Applying it twice changes nothing.

        Args:
            num_blocks: blocks of the backbone, at least 1; a `Depth` where it says which of them can be left out; None
                when it is not known yet.
        """
        if self.head.is_solved and (meant := _of_solved_head(self)) != self:
            return meant.canonical(num_blocks)
        depth = Depth(num_blocks) if isinstance(num_blocks, int) else num_blocks
        if depth is not None and depth.is_fixed and (self.freeze < 1 or self.init.redrawn(1)):
            init = Pretrained() if self.init.redrawn(1) else self.init
            return self.model_copy(update={"freeze": 1.0, "init": init}).canonical(depth)
        structure = self.structure if depth is None else self.structure.simplest(depth)
        # Of which blocks some are left out must be known to count those that there are.
        is_known = depth is not None and (depth.residual is not None or not structure.asks_for_residual)
        there = len(structure.blocks(depth)) if depth is not None and is_known else None
        changes: dict[str, Any] = {
            **_depth(self, there),
            "structure": structure,
            "loss": self.loss.simplest(),
            "augment": self.augment.simplest(),
            "mix": self.mix.simplest(),
            "optimizer": self.optimizer.simplest(),
            "select": self.select.simplest(),
            "head_start": self.head_start if isinstance(self.head, LinearHead) else RandomStart(),
        }
        init, freeze = changes["init"], changes["freeze"]
        if init.map_shape or (there is not None and (freeze < 1 or init.redrawn(1))):
            # Features that a map makes, or that training changes, are neither standardised nor selected.
            changes |= {"standardise": False, "select": NoSelection()}
        penalty = self.penalty.on_backbone(structure != Structure(), depth is not None and depth.is_headless)
        changes["penalty"] = _penalty(penalty, init, freeze, there)
        if freeze == 1 and not init.redrawn(1):
            # What changes nothing at first, and is frozen, never does.
            plain = structure.model_copy(update={"deepen": 0.0, "widen": 1.0})
            changes |= {"structure": plain, **_of_frozen_backbone(self)}
        if not self.tune.moves_matrices:
            changes["penalty"] = changes["penalty"].on_still_matrices()
        return self.model_copy(update=changes)

    def key(self) -> str:
        """Twelve hex digits that name this strategy; take it of the canonical form to find duplicates."""
        usual = _usual_fields()
        plain = {name: value for name, value in self.model_dump(mode="json").items() if value != usual.get(name)}
        return text_digest(canonical_json(_without_negative_zero(plain)))[:12]

    def architecture(self) -> str:
        """What weights must agree in to be copied from one strategy to another: backbone and its structure, what it
        started from where that is not its own weights, shape of the head, what its features are scaled by, and
        adapters with the layers they are put on."""
        weightless = self.head.without_weights
        shape = {name: value for name, value in self.head.model_dump(mode="json").items() if name not in weightless}
        dumped = self.model_dump(mode="json")
        besides = {name: dumped[name] for name in _SHAPING if name in dumped}
        if self.episodes is not None:
            besides["episodes"] = self.episodes.shape()
        if adapters := self.tune.shape():
            besides |= {"tune": dict(adapters), "freeze": self.freeze, "redrawn": self.init.redrawn(_MANY)}
        started = [self.init.weights] if self.init.weights else []
        shaped = [canonical_json(besides)] if besides else []
        return " ".join([self.backbone, *started, *map(str, shape.values()), *shaped])

    def scales_features(self, num_blocks: int) -> bool:
        """Whether it standardises or selects features: only where it trains none of the `num_blocks` that there are."""
        freeze = _depth(self, num_blocks)["freeze"]
        is_wanted = self.standardise or not isinstance(self.select.simplest(), NoSelection)
        return is_wanted and freeze == 1 and not self.init.redrawn(1) and not self.init.map_shape

    def flat(self) -> dict[str, str | int | float | bool]:
        """One level of plain values: ``{"penalty": "l2_sp", "penalty.strength": 0.01, ...}``."""
        return dict(flattened(self.model_dump(mode="json")))

    def label(self, fields: Sequence[str] = ()) -> str:
        """What tells it from others at a glance: ``efficientnet_lite0 freeze=0.75 l2_sp lr=0.003``.

        The backbone, then the frozen share and the kinds of component that are not the default ones, and the number of
        reinitialised blocks. Of a head that is solved, nothing that only training looks at.

        Args:
            fields: dotted keys, as in `flat`, of what is told in any case, such as the fields of a search space.
        """
        default, flat, is_solved = Strategy(), self.flat(), self.head.is_solved
        wanted = dict.fromkeys(name for name in fields if not is_solved or name.split(".")[0] in behind_solved_head())
        parts = [self.backbone, *self.structure.label()]
        if self.episodes is not None:
            parts[0] = f"{self.episodes.start.kind} {self.episodes.adapter.kind}"
        if (self.freeze != default.freeze and not is_solved) or "freeze" in wanted:
            parts.append(f"freeze={self.freeze:.3g}")
        if redrawn := self.init.redrawn(_MANY):
            parts.append(f"reinitialise={redrawn}")
        source = f"={_called(flat)}" if "init.source" in flat else ""
        parts += [f"{self.init.kind}{source}"] * bool(self.init.weights)
        for name in _TOLD_APART_BY_KIND:
            kind, usual = getattr(self, name).kind, getattr(default, name).kind
            if name in wanted or (kind != usual and not (name == "loss" and kind in _default_losses())):
                parts.append(f"{name}=none" if kind == "none" else kind)
        parts += ["standardise"] * self.standardise
        if self.lr_decay != default.lr_decay or "lr_decay" in wanted:
            parts.append(f"lr_decay={self.lr_decay:.3g}")
        told = {"backbone", "freeze", "init.blocks", "standardise", "lr_decay", *_TOLD_APART_BY_KIND}
        told |= {name for name in flat if name.startswith("structure.")}
        told |= {"init.source", "init.digest", "init.version", "init.min_coverage", "init.width", "init.hidden"}
        told |= {"episodes.start", "episodes.adapter"}
        there = [name for name in wanted if flat.get(name) is not None and name not in told]
        return " ".join([*parts, *(f"{name.removeprefix('episodes.')}={_short(flat[name])}" for name in there)])


_TOLD_APART_BY_KIND = (
    "tune",
    "unfreeze",
    "penalty",
    "head",
    "head_start",
    "loss",
    "optimizer",
    "augment",
    "mix",
    "select",
)
_LATER: dict[str, Any] = {
    "mix": {"kind": "none"},
    "standardise": False,
    "select": {"kind": "none"},
    "clip_norm": 0.0,
    "ema": 0.0,
    "sam": 0.0,
    "drop_path": 0.0,
    "stochastic_norm": 0.0,
    "structure": Structure().model_dump(mode="json"),
    "tune": {"kind": "all"},
    "unfreeze": {"kind": "none"},
    "lr_decay": 1.0,
    "head_start": {"kind": "random"},
}
"""Fields that came after experiments had been written: without effect, they are left out, as they were then."""
_NEVER = object()
_SHAPING = ("standardise", "select", "structure")
# More blocks than any network has.
_MANY = 10_000


def _called(flat: Mapping[str, object]) -> str:
    """``bundle`` of ``/data/earlier/bundle``; ``glyphs.meta/3`` of a registered model."""
    version = str(flat.get("init.version", "")).partition(":/")[2]
    return version or str(flat["init.source"]).rstrip("/").rpartition("/")[2]


def _short(value: str | int | float | bool) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _usual_fields() -> dict[str, Any]:
    """What the keys of a modality mean if left out: graft once wrote ``resolution: 64`` into all strategies."""
    return {name: value for one in members("modality").values() for name, value in getattr(one, "usual", {}).items()}


def _default_losses() -> set[str]:
    """Kinds of the losses that some task minimises if it is told nothing."""
    return {str(getattr(task, "default_loss", "")) for task in members("task").values()}


def _depth(strategy: Strategy, num_blocks: int | None) -> dict[str, Any]:
    """What decides which blocks train, and when.

    A surgical tuning of the middle or last blocks is the same with a higher cut; `lr_decay` has no effect on one block.
    """
    init, freeze, tune, unfreeze = strategy.init, strategy.freeze, strategy.tune, strategy.unfreeze
    lr_decay = strategy.lr_decay
    if num_blocks is not None:
        redrawn = init.redrawn(num_blocks)
        if redrawn and "blocks" in type(init).model_fields:
            init = init.model_copy(update={"blocks": redrawn})
        end = num_blocks - redrawn
        start, stop = tune.trained_blocks(min(round(freeze * num_blocks), end), end)
        freeze, tune, unfreeze = start / num_blocks, tune.simplest(start, end), unfreeze.simplest(stop - start)
        lr_decay = 1.0 if num_blocks - start <= 1 and start > 0 else lr_decay
    elif freeze == 1 and not init.redrawn(1):
        tune, unfreeze, lr_decay = AllWeights(), AtOnce(), 1.0
    return {"init": init, "freeze": freeze, "tune": tune, "unfreeze": unfreeze, "lr_decay": lr_decay}


def _penalty(penalty: PenaltySpec, init: Initialisation, freeze: float, num_blocks: int | None) -> PenaltySpec:
    """A penalty without what pulls nothing: what is pulled towards its start must have one, and be trained."""
    if not init.redrawn(1):
        return penalty.on_frozen_backbone() if freeze == 1 else penalty
    penalty = penalty.on_new_features()
    frozen = None if num_blocks is None else round(freeze * num_blocks)
    only_new = frozen and num_blocks is not None and frozen + init.redrawn(num_blocks) == num_blocks
    return penalty.on_new_weights() if only_new else penalty


def _of_frozen_backbone(strategy: Strategy) -> dict[str, Any]:
    """Only the head learns: nothing in the backbone is left to chance, and the two learning rates are one product."""
    changes: dict[str, Any] = {"drop_path": 0.0, "backbone_dropout": None, "stochastic_norm": 0.0}
    if 0 < strategy.lr * strategy.head_lr_factor <= MAX_LR:
        changes |= {"lr": strategy.lr * strategy.head_lr_factor, "head_lr_factor": 1.0}
    return changes


def _of_solved_head(strategy: Strategy) -> Strategy:
    """Nothing is trained: what is left is the features of the whole frozen backbone, and the head."""
    kept = {name: getattr(strategy, name) for name in behind_solved_head()}
    if strategy.init.redrawn(_MANY):
        kept["init"] = Pretrained()
    return Strategy().model_copy(update={**kept, "freeze": 1.0, "loss": _plain_loss(strategy.loss)})


def _plain_loss(loss: LossSpec) -> LossSpec:
    """The loss that is minimised if the strategy names none, for the task that a loss belongs to."""
    task = members("task").get(loss.tasks[0]) if loss.tasks else None
    plain = members("loss").get(getattr(task, "default_loss", ""))
    return plain.model_validate({}) if plain is not None and issubclass(plain, LossSpec) else loss


def _without_negative_zero(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_negative_zero(inner) for key, inner in value.items()}
    return value + 0.0 if isinstance(value, float) else value
