"""How the strategies of a search are scored."""

from pydantic import Field

from graft.spec.base import Spec


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

    @property
    def models(self) -> int:
        """How many a trial trains: its own, and one for each fold of each repeat."""
        return 1 if self.folds is None else 1 + self.folds * self.repeats

    def extra_rows(self, rows: int) -> float:
        """Rows that the models of all folds are trained on in an epoch, beside those of the trial's own.

        Args:
            rows: for training and validation.
        """
        return 0.0 if self.folds is None else rows * self.repeats * (self.folds - 1.0)
