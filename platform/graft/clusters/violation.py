"""What is wrong with a cluster file."""

from collections.abc import Iterable
from dataclasses import dataclass

from graft.core.unicode_form import nearest


@dataclass(frozen=True)
class Violation:
    """A rule that a cluster file breaks.

    Attributes:
        key: dotted key of the value, such as ``available_node_types.gpu.min_workers``; of the document, for several.
        rule: the value, and what it must be.
        fix: what to do.
    """

    key: str
    rule: str
    fix: str

    def __str__(self) -> str:
        return f"{self.key}: {self.rule}; {self.fix}"


def advice(name: str, known: Iterable[str]) -> str:
    """What to do about an unknown key: take the nearest known one, or leave it out."""
    near = nearest(name, known)
    return f"did you mean `{near}`?" if near else "leave it out"


def is_pinned(reference: str) -> bool:
    """Whether a reference of a container image names a version: a tag that is not `latest`, or a digest."""
    name = reference.rsplit("/", 1)[-1]
    return "@sha256:" in reference or (":" in name and not name.endswith(":latest"))
