"""Labels that may be none, or several."""

from collections.abc import Iterator

from graft.data.targets import Targets
from graft.tasks.doubts import says_nothing
from graft.tasks.separators import MARKS


def doubts(targets: Targets, separator: str) -> Iterator[str]:
    """Labels that say that there is none, and those that others make up with another mark than the separator."""
    alone = targets.values.sum(axis=1) == 1
    for label, name in enumerate(targets.names):
        having = targets.values[:, label] == 1
        if says_nothing(name) and having.any() and alone[having].all():
            yield (
                f"{int(having.sum()):,} rows have the label `{name}`, and none beside it; it is taken as a label like "
                "the others: take it out of these rows if it says that none applies"
            )
    known = frozenset(targets.names)
    for name in targets.names:
        for mark in (*MARKS, " "):
            parts = [part.strip() for part in name.split(mark) if part.strip()]
            if mark != separator and len(parts) > 1 and known.issuperset(parts):
                yield (
                    f"`{name}` is taken as one label, but {' and '.join(f'`{part}`' for part in parts)} are labels, "
                    f"too; write `{separator}` between them if it is several"
                )
                break
