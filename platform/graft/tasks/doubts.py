"""What targets may mean beside what they are taken for: told, and never changed."""

from typing import Protocol, runtime_checkable

from graft.data.targets import Targets

_MOST_TOLD = 5
_NOTHING = frozenset(
    {
        *("", "-", "--", "?", "n/a", "na", "nan", "nil", "none", "no label", "no labels", "nolabel", "nothing", "null"),
        *("empty", "missing", "undefined", "unknown", "unlabeled", "unlabelled", "not labeled", "not labelled"),
        *("not available", "no tag", "no tags", "tbd", "todo", "(none)", "[none]", "<none>", "#n/a", "\\n"),
    }
)
"""What people and programs write where there is no label; a name of a label all the same."""


@runtime_checkable
class Doubting(Protocol):
    """A task that sees what its targets may mean beside what it takes them for; others need not."""

    def doubts(self, targets: Targets) -> tuple[str, ...]:
        """What a user should look at, a line each."""


def doubts_of(task: object, targets: Targets) -> tuple[str, ...]:
    """What a user should look at: values that may stand for a missing one, labels that may be several; the first few.

    Args:
        task: that has read the targets.
        targets: of all samples.
    """
    return task.doubts(targets)[:_MOST_TOLD] if isinstance(task, Doubting) else ()


def says_nothing(name: str) -> bool:
    """Whether a name is what people write where there is no label."""
    return " ".join(name.replace("_", " ").lower().split()) in _NOTHING
