"""How the strategies of a search are scored."""

from typing import Self

from pydantic import Field, model_validator

from graft.spec.base import Spec
from graft.spec.messages.rules import Finding, rejected


class EvaluationSpec(Spec):
    """What a trial's score is taken on."""

    folds: int | None = Field(
        None,
        ge=2,
        le=100,
        description="Score a trial by cross-validation over training and validation samples: the mean over so many "
        "folds, with a 95 % interval; on the validation samples alone if left out. For small data: each fold trains a "
        "model of its own, which is cheap where the backbone is frozen and its features are stored.",
    )
    repeats: int = Field(1, ge=1, le=20, description="How often the samples are dealt out to folds anew.")
    top: int | None = Field(
        None,
        ge=0,
        le=100,
        description="Score only the finalists of the search by folds, once it has ended: so many of the best trainings "
        "and the six best heads that were solved; the winner is the best of them by folds. Every trial, after every "
        "epoch, if left out. Needs folds.",
    )

    @model_validator(mode="after")
    def _has_folds(self) -> Self:
        if self.top is not None and self.folds is None:
            told = f"is {self.top}, but there are no folds to score finalists by; set folds, or leave it out"
            raise rejected("evaluation", [Finding(("top",), told)])
        return self

    @property
    def is_of_all(self) -> bool:
        """Whether every trial is scored by folds, after every epoch."""
        return self.folds is not None and self.top is None

    @property
    def models(self) -> int:
        """How many a trial trains: its own, and one for each fold of each repeat."""
        return 1 + (self.folds or 0) * self.repeats if self.is_of_all else 1

    @property
    def finals(self) -> int:
        """Models that each finalist trains."""
        return 0 if self.folds is None or self.top is None else self.folds * self.repeats

    def extra_rows(self, rows: int) -> float:
        """Rows that the models of all folds are trained on in an epoch, beside those of the trial's own.

        Args:
            rows: for training and validation.
        """
        return rows * self.repeats * ((self.folds or 1) - 1.0) if self.is_of_all else 0.0
