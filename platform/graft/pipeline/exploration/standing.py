"""What is known of an exploration, for people and for scripts."""

from dataclasses import dataclass
from typing import Any

from graft.exploration.explorer import Explorer
from graft.exploration.noise import LabelNoise


@dataclass(frozen=True)
class Standing:
    """Where an exploration stands.

    Attributes:
        labels: of all kinds.
        audit_labels: among them, asked twice or not.
        estimate: of the accuracy; None as long as nothing is known.
        interval: that holds however often one looks.
        certified: whether the requirement is shown.
        expected: further audit labels until it is, if the accuracy is what it seems.
        noise: of the labels.
        classes: that training labels have named.
        left: of the budget.
        named: every class that an answer has named, those of the audit too.
    """

    labels: int
    audit_labels: int
    estimate: float | None
    interval: tuple[float, float]
    certified: bool
    expected: int | None
    noise: LabelNoise
    classes: tuple[str, ...]
    left: int
    named: tuple[str, ...] = ()

    @classmethod
    def of(cls, explorer: Explorer) -> "Standing":
        """That of an explorer."""
        verdict, labels = explorer.verdict, explorer.labels
        return cls(
            labels=labels.spent,
            audit_labels=len(labels.audit) + len(labels.repeat),
            estimate=verdict.estimate,
            interval=verdict.interval,
            certified=verdict.is_certified,
            expected=verdict.expected,
            noise=explorer.noise,
            classes=tuple(labels.names),
            left=explorer.left,
            named=labels.named,
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        noise = self.noise
        return {
            "labels": self.labels,
            "audit_labels": self.audit_labels,
            "estimate": self.estimate,
            "interval": list(self.interval),
            "certified": self.certified,
            "expected_audit_labels": self.expected,
            "noise": {"pairs": noise.pairs, "differing": noise.differing, "rate": noise.rate},
            "classes": list(self.classes),
        }

    def __str__(self) -> str:
        spent = f"{self.labels} labels, {self.audit_labels} of them for the audit, {self.left} left"
        if self.estimate is None:
            return f"{spent}; nothing is known of the accuracy yet"
        known = f"accuracy about {self.estimate:.2f} ({self.interval[0]:.2f} to {self.interval[1]:.2f})"
        more = f"; some {self.expected:,} audit labels more would show it" if self.expected else ""
        if self.expected and self.expected > self.left:
            more += ", but there are not so many left"
        return f"{spent}; {known}{more}"
