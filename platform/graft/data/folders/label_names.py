"""What names of labels must be, wherever they come from."""

from collections.abc import Sequence

from graft.core.errors import DataError
from graft.core.unicode_form import alike, composed, folded
from graft.core.unicode_form import seen as seen_of

ADD_ANOTHER = "add another"
_YES = frozenset({"yes", "y", "true", "t", "1", "on", "ja", "oui", "si", "sí", "wahr", "vrai"})
_NO = frozenset({"no", "n", "false", "f", "0", "off", "nein", "non", "falsch", "faux"})
_FEWEST_LETTERS = 2  # letters alone may be names of something else


def check_label_names(names: Sequence[str], source: str, alone: str = "") -> None:
    """Check the names of the labels that samples are to be told apart by.

    Args:
        names: of the labels.
        source: where they come from, for people.
        alone: what to do where there is one only.

    Raises:
        DataError: fewer than two, or two that are one.
    """
    if len(names) < 2:
        raise DataError(
            f"{source} has {len(names)} class ({', '.join(names)}), but needs at least 2 to tell apart; "
            f"{alone or ADD_ANOTHER}"
        )
    check_names_differ(names, source)
    _check_truth(names, source)


def truth_of(word: str) -> bool | None:
    """Whether a word says yes (`yes`, `true`, `1`) or no; None if it says neither."""
    plain = word.strip().casefold()
    return True if plain in _YES else False if plain in _NO else None


def _check_truth(names: Sequence[str], source: str) -> None:
    """Check that yes and no are written in one way.

    Raises:
        DataError: all names say yes or no, and one of both in two ways.
    """
    said = {name: truth_of(name) for name in names}
    if None in said.values() or max(len(name.strip()) for name in names) < _FEWEST_LETTERS:
        return
    for answer in (True, False):
        several = [name for name in names if said[name] is answer]
        if len(several) > 1:
            told = " and ".join(f"`{name}`" for name in several)
            raise DataError(f"{source} has the classes {told}, which say the same; write each answer in one way")


def check_names_differ(names: Sequence[str], source: str, noun: str = "classes") -> None:
    """Check that no two names of labels are one.

    Raises:
        DataError: a case-insensitive file system (or a reader) takes two for one, or they are one word typed in two
            ways.
    """
    seen: dict[str, str] = {}
    for name in names:
        word = alike(name)
        if word in seen:
            raise DataError(f"{source} has the {noun} `{seen[word]}` and `{name}`, {_likeness(seen[word], name)}")
        seen[word] = name


def _likeness(first: str, second: str) -> str:
    if first == second:
        return "but names must be different; rename or merge them"
    if first.strip() == second.strip():
        difference = "spaces"
    elif folded(first) != folded(second):
        difference = "blanks, hyphens and letters that look alike"
    else:
        is_unseen = composed(first) != composed(second) and seen_of(first) == seen_of(second)
        difference = "blanks and characters that are not seen" if is_unseen else "case"
    return f"but names must differ in more than {difference}; rename or merge them"
