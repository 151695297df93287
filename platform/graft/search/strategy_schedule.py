"""Which strategy was trained when: what a population has found, as a file that other data can be trained by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from pydantic import ValidationError

from graft.core.errors import Problem, SpecError
from graft.spec.messages.problems import findings_of
from graft.spec.messages.rules import dotted, shown
from graft.spec.strategy import Strategy

FORMAT = 1

_ELSEWHERE = "replay it with the graft that wrote it"


@dataclass(frozen=True)
class Stretch:
    """A part of a training under one strategy.

    Attributes:
        from_epoch: epochs trained before it.
        to_epoch: epochs trained after it.
        strategy: what was trained in between.
    """

    from_epoch: int
    to_epoch: int
    strategy: Strategy


@dataclass(frozen=True)
class Schedule:
    """The strategies of a whole training.

    Attributes:
        stretches: from epoch 0 on, each from where the one before ends; all of one architecture.
    """

    stretches: tuple[Stretch, ...]

    @property
    def epochs(self) -> int:
        """How long it is."""
        return self.stretches[-1].to_epoch

    def scaled(self, epochs: int) -> "Schedule":
        """The same shares of a training of another length.

        Borders are rounded to whole epochs (halves up), so a stretch that is short there may vanish.

        Args:
            epochs: how long it is to be.

        Raises:
            ValueError: `epochs` is below 1.
        """
        if epochs < 1:
            raise ValueError(f"epochs is {epochs}, but must be >= 1")

        borders = [0, *(one.to_epoch for one in self.stretches)]
        moved = [(2 * border * epochs + self.epochs) // (2 * self.epochs) for border in borders]
        parts = zip(moved, moved[1:], self.stretches, strict=False)
        return Schedule(joined(Stretch(start, end, one.strategy) for start, end, one in parts))

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `parse_schedule` reads."""
        stretches = [
            {"from": one.from_epoch, "to": one.to_epoch, "strategy": one.strategy.model_dump(mode="json")}
            for one in self.stretches
        ]
        return {"format": FORMAT, "epochs": self.epochs, "stretches": stretches}


def joined(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Without empty stretches, and neighbours of one strategy as one stretch."""
    kept: list[Stretch] = []
    for stretch in stretches:
        if stretch.from_epoch == stretch.to_epoch:
            continue
        if kept and kept[-1].strategy == stretch.strategy:
            kept[-1] = replace(kept[-1], to_epoch=stretch.to_epoch)
        else:
            kept.append(stretch)
    return tuple(kept)


def parse_schedule(raw: Any, where: str) -> Schedule:
    """Read a schedule back.

    Args:
        raw: what a JSON file holds.
        where: what it is called, such as the file's name; starts the message.

    Raises:
        SpecError: it is no schedule, or one that cannot be replayed here; one line that says why.
    """
    try:
        return _read(raw)
    except _UnreadableError as error:
        raise SpecError([Problem(where, str(error))]) from error


class _UnreadableError(Exception):
    """Why something is not a schedule: the end of a sentence about the file."""


def _read(raw: Any) -> Schedule:
    if not isinstance(raw, Mapping) or not _is_count(raw.get("format"), 1):
        raise _UnreadableError("is not a strategy schedule; give a file that a population-based search has saved")
    if raw["format"] > FORMAT:
        told = f"is a strategy schedule of format {raw['format']}, but this version reads format {FORMAT}"
        raise _UnreadableError(f"{told}; {_ELSEWHERE}")
    stretches = raw.get("stretches")
    if not isinstance(stretches, list) or not stretches:
        raise _UnreadableError("has no stretches, but must have at least one; save the schedule again")
    read = tuple(_stretch(one, index) for index, one in enumerate(stretches))
    _require_whole(read, raw.get("epochs"))
    return Schedule(read)


def _stretch(raw: Any, index: int) -> Stretch:
    at = f"stretches[{index}]"
    if not isinstance(raw, Mapping):
        raise _UnreadableError(f"has {shown(raw)} as {at}, but a stretch must have `from`, `to` and `strategy`")
    start, end = raw.get("from"), raw.get("to")
    if not _is_count(start, 0) or not _is_count(end, 1):
        raise _UnreadableError(
            f"has {at} from {shown(start)} to {shown(end)}, but both must be whole numbers of epochs"
        )
    try:
        return Stretch(start, end, Strategy.model_validate(raw.get("strategy")))
    except ValidationError as error:
        raise _UnreadableError(_told(error, at)) from error


def _told(error: ValidationError, at: str) -> str:
    unknown = [details["loc"] for details in error.errors() if details["type"] == "extra_forbidden"]
    if unknown:
        # pydantic names the kind of a component as well, which is no key.
        key = dotted(unknown[0][:1] + unknown[0][1:][-1:])
        return f"has the strategy field `{key}`, which this version does not know; {_ELSEWHERE}"
    first = findings_of(error, Strategy)[0]
    return f"cannot be replayed: {dotted((at, 'strategy', *first.path))} {first.message}; {_ELSEWHERE}"


def _require_whole(stretches: tuple[Stretch, ...], epochs: Any) -> None:
    end = 0
    for index, stretch in enumerate(stretches):
        if stretch.from_epoch != end or stretch.to_epoch <= end:
            told = f"from {stretch.from_epoch} to {stretch.to_epoch}, but must begin at {end} and end later"
            raise _UnreadableError(f"has stretches[{index}] {told}; save the schedule again")
        end = stretch.to_epoch
    if epochs != end:
        raise _UnreadableError(
            f"is for {shown(epochs)} epochs, but its stretches end at {end}; save the schedule again"
        )
    kinds = list(dict.fromkeys(stretch.strategy.architecture() for stretch in stretches))
    if len(kinds) > 1:
        told = f"has the architectures {', '.join(f'`{kind}`' for kind in kinds)}"
        raise _UnreadableError(f"{told}, but must have one: weights are carried from stretch to stretch")


def _is_count(value: Any, least: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
