"""Fills a network with the weights of another one, and says what became of each tensor."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from graft.core.errors import ArtifactError
from graft.core.seeds import derive_seed
from graft.models.mapping.axes import Axes, axes_of
from graft.models.mapping.growth import SPREAD, closing_tensors, is_post_norm, near_identity_norm
from graft.models.mapping.heads import Heads, axes_by_head, changed_function, keep_scores, of_tensor
from graft.models.mapping.pairing import Pairing, choose_pairing
from graft.models.mapping.report import Transplanted
from graft.models.mapping.reshaping import fit_of, fitted, unfit
from graft.models.mapping.rows import RowsFound
from graft.models.mapping.weights import COUNTER, Weights, is_scale, weights_of

MIN_COVERAGE = 0.5
"""Share of the target's parameters below which a mapping is refused unless asked for."""

Tables = Callable[[str, Tensor, Tensor], RowsFound | None]
"""``tables(name, source, target)``: rows of a table that are found by what they stand for, such as tokens."""


@dataclass(frozen=True)
class Growth:
    """How a network grows where the target is larger.

    Attributes:
        spread: how unequal the shares of copied units are (`growth.grow`).
        seed: of the shares.
        tables: finds the rows of tables; None pairs them by number.
    """

    spread: float = SPREAD
    seed: int = 0
    tables: Tables | None = None


@dataclass
class _Filling:
    """The state that grows, and what is told of it."""

    state: dict[str, Tensor]
    matched: list[str] = field(default_factory=list)
    how: dict[str, str] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def transplant(
    source: Weights, target: nn.Module, own_names: Mapping[str, str], growth: Growth | None = None
) -> Transplanted:
    """Give a network the weights of another one, in place, as far as they fit.

    What is missing keeps the network's own values. Nothing is cut off, and nothing is filled with a tensor that only
    has as many numbers: see `reshaping.fit_of` for what is sound.

    Args:
        source: the weights there are.
        target: the network to be filled.
        own_names: its library's names of its tensors.
        growth: how it grows.
    """
    growth = growth or Growth()
    ours, axes = weights_of(target, own_names), axes_of(target)
    pairing = _with_tables(choose_pairing(source, ours, axes), source, ours, growth)
    filling = _Filling(dict(ours.state))
    for name, key in pairing.pairs.items():
        by_head = _by_head(filling, name, axes.get(name, ()), of_tensor(key, source.heads), of_tensor(name, ours.heads))
        _fill(filling, name, source.state[key], by_head, growth, own_names.get(name, name))
    _keep_scores(filling, pairing, source, ours)
    _make_neutral(filling, target, ours)
    _deepen(filling, target, ours)
    _note_norms(filling, target)
    _note_left(filling, source, ours)
    target.load_state_dict(filling.state, strict=True)
    return _report(pairing, filling, source, target)


def require_coverage(done: Transplanted, least: float, names: tuple[str, str], remedy: str) -> None:
    """Refuse a mapping that leaves most of the network as it was.

    Args:
        done: the report.
        least: share of the parameters, 0 to 1.
        names: of source and target.
        remedy: what else can be done, as a clause.

    Raises:
        ArtifactError: less is covered.
    """
    if done.coverage < 100 * least:
        raise ArtifactError(
            f"{names[0]} covers {done.coverage:.1f} % of the parameters of {names[1]}, but must cover at least "
            f"{100 * least:g} %; {remedy}"
        )


def _with_tables(pairing: Pairing, source: Weights, target: Weights, growth: Growth) -> Pairing:
    """With the tables that names pair and only their rows tell apart."""
    if growth.tables is None:
        return pairing
    theirs = source.by_own_name()
    found = dict(pairing.pairs)
    for own, name in target.by_own_name().items():
        key = found.get(name, theirs.get(own))
        if key and growth.tables(name, source.state[key], target.state[name]) is not None:
            found[name] = key
    return Pairing(pairing.rule, found, pairing.score)


def _by_head(filling: _Filling, name: str, axes: Axes, old: Heads | None, new: Heads | None) -> Axes:
    """The axes of a tensor, by head where heads become larger; a note where that changes their function."""
    if old is None or new is None:
        return axes
    attention = name.rpartition(".")[0].rpartition(".")[0]
    if (told := changed_function(attention.removesuffix(".self"), old, new)) and told not in filling.notes:
        filling.notes.append(told)
    return axes_by_head(name, axes, old, new)


def _keep_scores(filling: _Filling, pairing: Pairing, source: Weights, ours: Weights) -> None:
    for name, key in pairing.pairs.items():
        old, new = of_tensor(key, source.heads), of_tensor(name, ours.heads)
        if old is not None and new is not None:
            filling.state[name] = keep_scores(name, filling.state[name], old, new)


def _fill(filling: _Filling, name: str, tensor: Tensor, axes: Axes, growth: Growth, told: str) -> None:
    wanted = filling.state[name]
    rows = growth.tables(name, tensor, wanted) if growth.tables else None
    if rows is not None:
        filling.state[name], filling.how[name], filling.shares[name] = rows.table, rows.how, rows.share
        return
    fit = fit_of(told, tensor, wanted, axes)
    assert fit is not None, "a pairing holds what fits"
    filling.state[name] = fitted(told, tensor, wanted, axes, growth.spread, derive_seed(growth.seed, name))
    if fit.how:
        filling.how[name] = fit.how
    else:
        filling.matched.append(name)


def _make_neutral(filling: _Filling, target: nn.Module, ours: Weights) -> None:
    """Biases of layers that have none in the source are 0, scales of branches that have none are 1."""
    filled = {*filling.matched, *filling.how}
    parameters = dict(target.named_parameters(remove_duplicate=False))
    for name in ours.state:
        if name in filled or name not in parameters:
            continue
        owner, _, leaf = name.rpartition(".")
        unit = ".".join(name.split(".")[:2])
        if leaf == "bias" and f"{owner}.weight" in filled:
            filling.state[name], filling.how[name] = torch.zeros_like(filling.state[name]), "0, as there is none"
        elif is_scale(name) and any(other.startswith(f"{unit}.") for other in filled):
            filling.state[name], filling.how[name] = torch.ones_like(filling.state[name]), "1, as there is none"


def _deepen(filling: _Filling, target: nn.Module, ours: Weights) -> None:
    """Blocks that the source lacks give back what they take, if they are residual (Net2DeeperNet)."""
    blocks: Mapping[str, nn.Module] = dict(getattr(target, "blocks", nn.ModuleList()).named_children())
    filled = {*filling.matched, *filling.how}
    for index, block in blocks.items():
        prefix = f"blocks.{index}."
        names = [name for name in ours.state if name.startswith(prefix)]
        is_new = not any(name in filled for name in names if not COUNTER.search(name))
        closing = closing_tensors(block) if is_new else ()
        if not closing or int(index) == 0 or not _is_filled_before(filled, int(index), ours):
            continue
        for name in names:
            filling.how[name] = "new block that gives back what it takes"
            filling.state[name] = _like_the_one_before(filling.state, name, int(index))
        for name in closing:
            filling.state[prefix + name] = torch.zeros_like(filling.state[prefix + name])
        filled |= set(names)
        if is_post_norm(block):
            _undo_norms(
                filling.state, names, [name for name in ours.state if name.startswith(f"blocks.{int(index) - 1}.")]
            )
            filling.notes.append(f"block {index} is new and has a norm behind its sum: nearly what it takes, not equal")


def _undo_norms(state: dict[str, Tensor], names: Sequence[str], before: Sequence[str]) -> None:
    """Norms behind the sums of a new block nearly give back what the last norm of the block before gives."""
    norm = [name.removesuffix(".weight") for name in before if name.endswith(".weight") and state[name].ndim == 1][-1]
    weight, bias = near_identity_norm(state[f"{norm}.weight"], state[f"{norm}.bias"])
    for name in names:
        owner, _, leaf = name.rpartition(".")
        if state[name].ndim == 1 and leaf in ("weight", "bias") and state[f"{owner}.weight"].ndim == 1:
            state[name] = (weight if leaf == "weight" else bias).clone()


def _is_filled_before(filled: set[str], index: int, ours: Weights) -> bool:
    """A block behind one that is random in part has nothing to give back."""
    before = (name for name in ours.state if name.startswith(f"blocks.{index - 1}.") and not COUNTER.search(name))
    return all(name in filled for name in before)


def _like_the_one_before(state: Mapping[str, Tensor], name: str, index: int) -> Tensor:
    """What the block before has there, or the network's own value: any will do, as its sum is with 0."""
    before = state.get(name.replace(f"blocks.{index}.", f"blocks.{index - 1}.", 1))
    own = state[name]
    return before.clone() if before is not None and before.shape == own.shape else own


def _note_norms(filling: _Filling, target: nn.Module) -> None:
    for name, module in target.named_modules():
        how = filling.how.get(f"{name}.weight", "")
        if "grown" not in how or hasattr(module, "running_var") or "Norm" not in type(module).__name__:
            continue
        old, new = (int(one) for one in how.replace("grown to ", "").split(" "))
        if new % old or "Group" in type(module).__name__:
            filling.notes.append(f"{name}: {type(module).__name__} of {new} is not the same over copies of {old}")


def _note_left(filling: _Filling, source: Weights, ours: Weights) -> None:
    """What stays random though the source has its like: few positions are few parameters, but tell of all places."""
    theirs, filled = source.by_own_name(), {*filling.matched, *filling.how}
    for own, name in ours.by_own_name().items():
        if name not in filled and not COUNTER.search(name):
            key = theirs.get(own, name)
            if told := unfit(own, source.state.get(key), ours.state[name]):
                filling.notes.append(f"{name} keeps its own random values: {told}")


def _report(pairing: Pairing, filling: _Filling, source: Weights, target: nn.Module) -> Transplanted:
    filled = {*filling.matched, *filling.how}
    sizes = {name: parameter.numel() for name, parameter in target.named_parameters(remove_duplicate=False)}
    covered = sum(size * filling.shares.get(name, 1.0) for name, size in sizes.items() if name in filled)
    used = set(pairing.pairs.values())
    return Transplanted(
        rule=pairing.rule,
        matched=tuple(name for name in filling.state if name in filling.matched),
        reshaped=tuple(name for name in filling.state if name in filling.how),
        missing=tuple(name for name in filling.state if name not in filled),
        unexpected=tuple(name for name in source.state if name not in used),
        coverage=100 * covered / max(sum(sizes.values()), 1),
        how=filling.how,
        notes=tuple(filling.notes),
    )
