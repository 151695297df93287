"""What names of labels must be, wherever they come from."""

from collections.abc import Sequence

from graft.core.errors import DataError
from graft.core.unicode_form import alike, composed, folded
from graft.core.unicode_form import seen as seen_of

ADD_ANOTHER = "add another"


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
