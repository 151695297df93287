"""What is known of a backbone: a row of a list, and everything about one."""

from dataclasses import asdict, dataclass
from typing import Any

from graft.core.errors import SpecError
from graft.models.info import BackboneInfo
from graft.models.load import backbone_names, check_backbone, describe_backbone
from graft.models.zoo import find_entry


@dataclass(frozen=True)
class ListedBackbone:
    """A row of `graft zoo ls`.

    Attributes:
        name: as a job names it.
        modality: kind of sample; None, like all below, where it cannot be told without the weights.
        params: parameters, without a head.
        blocks: between stem and pool.
        native_size: pixels a side, or most tokens.
        licence: of the weights; None where nobody states one.
        ready: whether the weights are on this machine.
        problem: why they are not, and what to type.
    """

    name: str
    modality: str | None
    params: int | None
    blocks: int | None
    native_size: int | None
    licence: str | None
    ready: bool
    problem: str | None


def listed(names: tuple[str, ...] = ()) -> list[ListedBackbone]:
    """The named backbones; without a name, all that need no colon."""
    return [_row(name) for name in names or backbone_names()]


def shown(name: str) -> dict[str, Any]:
    """Everything about a backbone, as plain values.

    Its operations are counted on one sample; nothing is computed for it.

    Raises:
        SpecError: no such name, or it cannot be described without files that are not here.
    """
    if not (row := _row(name)).modality:
        raise SpecError(row.problem or name)
    info, entry = describe_backbone(name), find_entry(name)
    files = entry.weights.files() if row.ready else ()
    return {
        **asdict(row),
        "architecture": info.architecture.partition("/{")[0],
        "features": info.num_features,
        **(info.input.to_dict() if info.input is not None else {}),
        "digest": (files[0].stated or None) if files else None,
        "files": [{"path": str(one.path), "bytes": one.bytes, "digest": one.stated or None} for one in files],
        **_costs(info),
    }


def _row(name: str) -> ListedBackbone:
    try:
        info = describe_backbone(name)
    except SpecError as error:
        return ListedBackbone(name, None, None, None, None, None, False, str(error))
    problem = check_backbone(name)
    native = None if info.input is None else info.input.native_size
    return ListedBackbone(
        name, info.modality, info.num_params, info.num_blocks, native, info.licence, problem is None, problem
    )


def _costs(info: BackboneInfo) -> dict[str, Any]:
    from graft.models.operations import BackboneCost
    from graft.models.structure.stages import stages_of

    counted = 1 if info.input is None else info.input.counted_size
    stem, *blocks = stages_of(info.architecture, counted)
    cost = BackboneCost(stem.cost, tuple(block.cost for block in blocks))
    cuts = [(cut, cost.below(cut), cost.above(cut)) for cut in range(len(blocks) + 1)]
    return {
        "counted_size": counted,
        "multiply_adds": cost.total.multiply_adds,
        "stem": {**asdict(stem.cost), "gives": list(stem.shape)},
        "per_block": [
            {"block": place, **asdict(block.cost), "gives": list(block.shape)}
            for place, block in enumerate(blocks, start=1)
        ],
        "cuts": [{"cut": cut, "below": asdict(below), "above": asdict(above)} for cut, below, above in cuts],
    }
