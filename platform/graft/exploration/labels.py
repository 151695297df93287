"""The labels that have been given, and what they are for."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Role = Literal["train", "audit", "repeat"]
"""Trained on; the audit of models, never trained on before it is over; an audit label asked for again."""


@dataclass
class Labels:
    """All answers so far, by the row of the pool; None is "I cannot tell".

    Attributes:
        train: those that are trained on.
        audit: those of the audit.
        repeat: second answers.
        names: classes in the order in which training labels named them.
    """

    train: dict[int, str | None] = field(default_factory=dict)
    audit: dict[int, str | None] = field(default_factory=dict)
    repeat: dict[int, str | None] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def add(self, row: int, name: str | None, role: Role) -> None:
        """Take an answer."""
        known: dict[int, str | None] = getattr(self, role)
        known[row] = name
        if role == "train" and name is not None and name not in self.names:
            self.names.append(name)

    def remove(self, row: int, role: Role) -> None:
        """Forget an answer, as if it had never been given."""
        known: dict[int, str | None] = getattr(self, role)
        name = known.pop(row)
        if role == "train" and name is not None and name not in self.train.values():
            self.names.remove(name)

    @property
    def named(self) -> tuple[str, ...]:
        """Every class that an answer has named."""
        told = [*self.names, *self.train.values(), *self.audit.values(), *self.repeat.values()]
        return tuple(dict.fromkeys(name for name in told if name is not None))

    @property
    def spent(self) -> int:
        """Of the budget."""
        return len(self.train) + len(self.audit) + len(self.repeat)

    def for_training(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and codes int64 [n] of what is trained on, in the order of the answers."""
        told = [(row, self.names.index(name)) for row, name in self.train.items() if name is not None]
        found = np.array(told, np.int64).reshape(-1, 2)
        return found[:, 0], found[:, 1]

    def everything(self) -> dict[int, str]:
        """Every label that there is, for the last fit."""
        return {row: name for row, name in {**self.train, **self.audit}.items() if name is not None}

    def pairs(self) -> tuple[int, int]:
        """Samples that were asked twice, and those of them with two different answers."""
        both = [(self.audit[row], name) for row, name in self.repeat.items()]
        told = [(one, other) for one, other in both if one is not None and other is not None]
        return len(told), sum(one != other for one, other in told)
