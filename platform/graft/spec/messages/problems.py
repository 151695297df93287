"""From pydantic's errors to problems that name the file, the line and the key."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from graft.core.errors import Problem
from graft.spec.base import Spec, keys_of, kind_of, places_of, spec_types
from graft.spec.messages.other_words import ours
from graft.spec.messages.rules import Finding, Path, dotted
from graft.spec.messages.sentences import MANY_UNKNOWN, not_a_key, sentence, unknown_keys
from graft.spec.strategy import Strategy

MOST_FINDINGS = 100
"""Nobody mends more at once; each takes a search for what was meant."""

_UNKNOWN = "extra_forbidden"
# What pydantic calls the forms that a value of several may have, where it stands among keys.
_FORM = re.compile(r"constrained-\w+|(?:list|tuple|function-\w+)\[.*\]")


@dataclass(frozen=True)
class Origin:
    """Where the keys of a raw job came from.

    Attributes:
        file: the job file as the user named it; None when there is none.
        lines: line of each key in that file.
        overrides: paths that the command line set.
        made: mappings above them that were not there before.
    """

    file: str | None = None
    lines: dict[Path, int] = field(default_factory=dict)
    overrides: tuple[Path, ...] = ()
    made: frozenset[Path] = frozenset()

    def problem(self, finding: Finding) -> Problem:
        """The finding with its place."""
        path = self._as_written(finding.path)
        key = dotted(path)
        if self._was_set(path):
            return Problem(f"--set {key}", finding.message)
        return Problem(key, finding.message, self.file, self._line(path))

    def _as_written(self, path: Path) -> Path:
        """A search may be given as the list of its phases."""
        is_list = ("search", 0) in self.lines
        return ("search", *path[2:]) if is_list and path[:2] == ("search", "phases") else path

    def _was_set(self, path: Path) -> bool:
        return path in self.made or any(path[: len(given)] == given for given in self.overrides)

    def _line(self, path: Path) -> int | None:
        """Its own line, else that of the nearest key above: a missing key has none."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None


def findings_of(error: ValidationError, model: type[Spec]) -> list[Finding]:
    """What a validation error says, in sentences, by the keys that the user wrote.

    Args:
        error: raised by ``model.model_validate``.
        model: the model of the whole.
    """
    every = _without_consequences([*_first_forms(error.errors(include_url=False))])
    unknown: defaultdict[tuple[str | int, ...], list[str]] = defaultdict(list)
    for details in every:
        if details["type"] == _UNKNOWN:
            unknown[details["loc"][:-1]].append(str(details["loc"][-1]))
    many = {above: keys for above, keys in unknown.items() if len(keys) > MANY_UNKNOWN}
    single = [details for details in every if details["type"] != _UNKNOWN or details["loc"][:-1] not in many]
    found = [_finding(details, model) for details in single[:MOST_FINDINGS]]
    found += [_many_unknown((*above, keys[0]), keys, model) for above, keys in many.items()]
    if len(single) > MOST_FINDINGS:
        found.append(Finding((), f"{len(single) - MOST_FINDINGS:,} more values are wrong; mend the others first"))
    return list(dict.fromkeys(found))


def _first_forms(every: Iterable[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Of a value that may have several forms, what the first form says of it: pydantic tells of each."""
    seen: set[tuple[str | int, ...]] = set()
    for details in every:
        location = details["loc"]
        place = next((place for place, part in enumerate(location) if place and _is_form(part)), None)
        if place is not None:
            if location[:place] in seen:
                continue
            seen.add(location[:place])
        yield details


def _is_form(part: str | int) -> bool:
    return isinstance(part, str) and _FORM.fullmatch(part) is not None


def _without_consequences(every: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Without lists that are too short only because what is in them is wrong."""
    places = [details["loc"] for details in every]
    short = {details["loc"] for details in every if details["type"] == "too_short"}
    wrong_within = {above for above in short for loc in places if loc != above and loc[: len(above)] == above}
    return [details for details in every if details["type"] != "too_short" or details["loc"] not in wrong_within]


def _finding(details: ErrorDetails, model: type[Spec]) -> Finding:
    place = _place(details["loc"], model)
    if details["type"] != _UNKNOWN:
        return Finding(place.path, sentence(details, place.field))
    known = [name for name in keys_of(place.owner) if name != "kind"]
    told = not_a_key(str(place.path[-1]), _owner(place), known, _elsewhere(place.path, model))
    return Finding(place.path, told)


def _many_unknown(first: tuple[str | int, ...], keys: Sequence[str], model: type[Spec]) -> Finding:
    place = _place(first, model)
    return Finding(place.path[:-1], unknown_keys(keys, _owner(place)))


def _owner(place: "_Place") -> str:
    kind = kind_of(place.owner)
    return dotted(place.path[:-1]) + (f" of kind {kind}" if kind else "")


@dataclass(frozen=True)
class _Place:
    path: Path
    field: FieldInfo | None
    owner: type[Spec]


def _place(location: Sequence[str | int], model: type[Spec]) -> _Place:
    """Follow a location of pydantic's through the models; it names the chosen kinds too, which are no keys."""
    path: list[str | int] = []
    owner, inside, info = model, True, None
    chosen: dict[str | None, type[Spec]] = {}
    for part in location:
        if part in chosen:
            owner, chosen = chosen[str(part)], {}
            continue
        if not inside and _is_form(part):
            break
        path.append(part)
        if not inside or isinstance(part, int):
            continue
        info = keys_of(owner).get(str(part))
        specs = spec_types(info.annotation) if info else ()
        inside = bool(specs)
        owner = specs[0] if specs else owner
        chosen = {kind_of(spec): spec for spec in specs} if info and info.discriminator else {}
    return _Place(tuple(path), info, owner)


def _elsewhere(path: Path, model: type[Spec]) -> tuple[str, ...]:
    words = (str(path[-1]), *ours(str(path[-1])))
    return tuple(dict.fromkeys(place for word in words for place in _places_called(word, path, model)))


def _places_called(key: str, path: Path, model: type[Spec]) -> tuple[str, ...]:
    in_strategy = (("strategy", *place) for place in places_of(key, Strategy))
    places = [place for place in (*places_of(key, model), *in_strategy) if place != path and key != "kind"]
    nearest_to_root = min((len(place) for place in places), default=0)
    return tuple(dotted(place) for place in places if len(place) == nearest_to_root)
