"""How many rows of each stratum go to which split: plain arithmetic, before any row is drawn."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from graft.core.errors import DataError
from graft.data.splits.names import SplitName

Found = Mapping[str, Mapping[SplitName | None, int]]
"""Samples of each stratum by the split that the source gives them; None is what the job may divide."""

_MANY = 10
"""Strata of one sample, from which on it is told that they may be no strata at all."""


class SplitSettings(Protocol):
    """The part of a data spec that decides about splits."""

    @property
    def validation(self) -> float: ...
    @property
    def test(self) -> float: ...
    @property
    def limit(self) -> int | None: ...
    @property
    def seed(self) -> int: ...


def drawn_sizes(counts: Sequence[int], shares: Sequence[float]) -> list[list[int]]:
    """How many rows are drawn from each stratum.

    Args:
        counts: rows of each stratum; each has at least one row more than there are shares.
        shares: of all rows, for each split that is drawn.

    Returns:
        A list for each stratum: one number, at least 1, for each share.
    """
    carry = [0.0] * len(shares)
    sizes = []
    for count in counts:
        taken: list[int] = []
        for position, share in enumerate(shares):
            wanted = share * count + carry[position]
            keep_back = len(shares) - position
            size = min(max(1, round(wanted)), count - sum(taken) - keep_back)
            # What rounding took from one stratum is given to the next, so that the whole keeps its shares.
            carry[position] = min(max(wanted - size, -0.5), 0.5)
            taken.append(size)
        sizes.append(taken)
    return sizes


def proportional(counts: Sequence[int], total: int, minimum: int) -> list[int]:
    """Whole numbers that add up to `total`, in proportion to `counts`, each from `minimum` to its count."""
    ratio = total / sum(counts)
    exact = [count * ratio for count in counts]
    taken = [min(max(int(value), minimum), count) for value, count in zip(exact, counts, strict=True)]
    places = range(len(counts))
    while (so_far := sum(taken)) != total:
        left = [value - size for value, size in zip(exact, taken, strict=True)]
        if so_far < total:
            taken[max((place for place in places if taken[place] < counts[place]), key=left.__getitem__)] += 1
        else:
            taken[min((place for place in places if taken[place] > minimum), key=left.__getitem__)] -= 1
    return taken


def planned_sizes(found: Found, settings: SplitSettings, noun: str = "class") -> dict[SplitName, int]:
    """Rows of each split, as `plan_splits` is going to choose them.

    Raises:
        DataError: a stratum has too few rows, or there is no test set.
    """
    brought = {split for sizes in found.values() for split, count in sizes.items() if count}
    test, validation = shares_left_open("test" in brought, "validation" in brought, settings)
    free, validated, tested = _of(found, None), _of(found, "validation"), sum(_of(found, "test").values())
    check_enough(free.items(), 1 + (test > 0) + (validation > 0), noun)
    if test > 0:
        check_shares(0.0, test)
        drawn = [size for (size,) in drawn_sizes(list(free.values()), [test])]
        tested += sum(drawn)
        free = {name: count - size for (name, count), size in zip(free.items(), drawn, strict=True)}
        validation /= 1 - test
    pool = [*free.values(), *validated.values()]
    if settings.limit is not None and settings.limit < sum(pool):
        pool = limited(pool, settings.limit, 1 if "validation" in brought else 2, noun)
    left, held = pool[: len(free)], sum(pool[len(free) :])
    check_shares(validation, 0.0)
    if validation > 0:
        check_enough(zip(free, left, strict=True), 2, noun)
        held += sum(size for (size,) in drawn_sizes(left, [validation]))
    return {"train": sum(pool) - held, "validation": held, "test": tested}


def limited(counts: Sequence[int], limit: int, fewest: int, noun: str = "class") -> list[int]:
    """How many rows of each stratum `data.limit` keeps.

    Raises:
        DataError: it is below `fewest` times the number of strata.
    """
    if limit < fewest * len(counts):
        raise DataError(
            f"data.limit is {limit}, but {len(counts)} {plural(noun)} need at least {fewest * len(counts)}; raise it"
        )
    return proportional(counts, limit, fewest)


def shares_left_open(brings_test: bool, brings_validation: bool, settings: SplitSettings) -> tuple[float, float]:
    """Shares of test and validation that are to be drawn: 0 for a set that the source brings.

    Raises:
        DataError: there is no test set.
    """
    if not brings_test and settings.test == 0:
        raise DataError(
            "data.test is 0, but the data brings no test set of its own; set data.test to a share such as 0.2"
        )
    return 0.0 if brings_test else settings.test, 0.0 if brings_validation else settings.validation


def check_shares(validation: float, test: float) -> None:
    """Check that something is left to train on.

    Raises:
        DataError: nothing is.
    """
    if validation < 0 or test < 0 or validation + test >= 1:
        raise DataError(
            f"validation {validation:g} + test {test:g} is held out, but some samples must be left to train on; "
            "lower data.validation or data.test"
        )


def check_enough(counts: Iterable[tuple[str, int]], needed: int, noun: str = "class") -> None:
    """Check that every stratum has `needed` rows.

    Raises:
        DataError: names the first that has fewer.
    """
    sizes = list(counts)
    short = [(name, count) for name, count in sizes if count < needed]
    if not short:
        return
    name, count = short[0]
    more = f" (and {len(short) - 1} more {plural(noun)})" if len(short) > 1 else ""
    samples = "sample" if count == 1 else "samples"
    advice = f"add some or remove the {noun}"
    if sum(count == 1 for _, count in sizes) > max(_MANY, len(sizes) // 2):
        advice = f"most {plural(noun)} have one sample, so they may name samples: check what the {noun} of a sample is"
    raise DataError(
        f"{noun} `{name}` has {count} {samples}, but needs at least {needed}, one for each split{more}; {advice}"
    )


def plural(noun: str) -> str:
    """Of what a message calls a stratum."""
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def _of(found: Found, split: SplitName | None) -> dict[str, int]:
    return {name: sizes[split] for name, sizes in found.items() if sizes.get(split)}
