"""What a task supplies: reading of labels, splits, loss, decision, metrics and report. One folder for each."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from graft.data.split import SplitSettings
from graft.data.targets import RawTargets, Targets
from graft.spec.tasks.base import LossSpec, TaskSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from graft.transfer.closed_form.problem import LinearTargets


class LossFunction(Protocol):
    """Mean loss of a batch.

    A sample's part in it depends on that sample alone: the mean over a batch is the mean of its parts by their sizes.
    """

    def __call__(self, outputs: "Tensor", targets: "Tensor", weights: "Tensor | None" = None, /) -> "Tensor":
        """A float32 scalar: the mean over samples of each one's loss times its weight.

        It is divided by the number of samples, not by the sum of the weights: what a sample adds must not depend on its
        neighbours in the batch, or several processes would train another model than one. Whoever weighs samples scales
        the weights to a mean of 1 over all of them.

        Args:
            outputs: [B, K] of any float type.
            targets: [B, …]; where the loss's spec says `takes_mixed`, also what `Task.soften` makes of them, and means
                of that.
            weights: [B], from 0; 1 for all where None.
        """


Facts = Mapping[str, Any]
"""What a task must know of its training rows to train and to answer, as plain JSON.

Every task has ``num_outputs``; others are its own: mean and deviation, temperature, thresholds.
"""

Preview = Callable[[Sequence[str]], Sequence[Any]]
"""``preview(ids)``: something to look at for each sample: uint8 pixels [H, W, C], or a text."""


class Task(Protocol):
    """What is asked of the samples; built from its spec."""

    @property
    def spec(self) -> TaskSpec:
        """What it was built from."""

    trial_metrics: tuple[str, ...]
    """Metrics that are cheap enough for every epoch of every trial; numpy only."""

    def read(self, raw: RawTargets, source: str, known: Sequence[str] = ()) -> Targets:
        """Check and encode what a source says.

        Args:
            raw: what it says.
            source: where it comes from, for people.
            known: names that a model predicts, if it is to be scored: what is asked of data to learn from does not
                hold, so that one class is enough, or the same value everywhere.

        Raises:
            DataError: the labels are none that this task can have; one line: value, rule, what to do.
        """

    def align(self, targets: Targets, names: Sequence[str]) -> np.ndarray:
        """The values of other data under the names that a model predicts: as it was trained, had it seen them.

        Raises:
            DataError: they have a name that the model does not know.
        """

    def split(self, given: np.ndarray, targets: Targets, settings: SplitSettings) -> np.ndarray:
        """uint8 [N]: what each row is for (`Split`), or `LEFT_OUT` beyond `data.limit`; seeded.

        Raises:
            DataError: there are too few rows, or there is no test set.
        """

    def strata(self, targets: Targets) -> np.ndarray:
        """What a split by groups keeps in proportion: int64 [N], a stratum of each row, or uint8 [N, L], its labels."""

    def check_left(self, targets: Targets, splits: np.ndarray, readable: np.ndarray, ids: Sequence[str]) -> None:
        """Check what unreadable samples have left.

        Args:
            targets: of all rows.
            splits: uint8 [N].
            readable: bool [N].
            ids: N names.

        Raises:
            DataError: a split has lost something it needs.
        """

    def facts(self, training: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
        """What must be known of the training rows' targets."""

    def counts(self, targets: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
        """What a manifest and a plan say of some rows' targets: rows of each class or label, or a range."""

    def num_outputs(self, names: Sequence[str]) -> int:
        """Length of the output vector of the head."""

    def loss(self, spec: LossSpec, training: np.ndarray, facts: Facts, device: "torch.device") -> LossFunction:
        """The mean loss of a batch; targets are as in `Targets.values`, in their own units."""

    def as_linear(self, targets: Targets, facts: Facts) -> "LinearTargets":
        """Targets as a linear model is fitted to them: outputs are read as `TaskSpec.link` says."""

    def soften(self, targets: "Tensor", facts: Facts) -> "Tensor":
        """Targets [B, …] in a form of which a weighted mean makes sense, and which losses take as well."""

    def decide(self, outputs: "Tensor", facts: Facts) -> np.ndarray:
        """Predictions float64 [N, …] from outputs [N, K] of any float type: probabilities, or values in their units."""

    def calibrate(self, outputs: "Tensor", targets: np.ndarray, facts: Facts) -> dict[str, Any]:
        """Facts to add after training, from the validation rows: what `decide` and `answers` read if it is there.

        Args:
            outputs: of the validation rows, [N, K].
            targets: of the same rows.
            facts: as yet.
        """

    def score(
        self, predictions: np.ndarray, targets: np.ndarray, names: Sequence[str], facts: Facts
    ) -> dict[str, float]:
        """The metrics asked for by name; all NaN if a prediction is.

        Raises:
            ValueError: shapes do not fit, there is no sample, or a name is not a metric.
        """

    def report(
        self,
        predictions: np.ndarray,
        targets: np.ndarray,
        ids: Sequence[str],
        names: Sequence[str],
        facts: Facts,
        seed: int = 0,
    ) -> dict[str, Any]:
        """Everything worth knowing about predictions on one split, as JSON.

        At least: ``task``, ``num_samples``, ``metrics`` (all of the spec), ``intervals`` (95 %: ``low``, ``high``,
        ``method``, for each metric), ``worst`` (the samples that were predicted worst, each with its ``id``). A metric
        that the split leaves undefined has the value of a model that knows nothing, and is named in ``undefined``.
        """

    def figures(self, report: Mapping[str, Any], preview: Preview | None = None) -> dict[str, bytes]:
        """Pictures of a report, PNG, by file name."""

    def answers(
        self, predictions: np.ndarray, names: Sequence[str], facts: Facts, probabilities: bool = False
    ) -> dict[str, list[Any]]:
        """Columns of a table of predictions, a value for each row."""

    def labels(self, targets: np.ndarray, names: Sequence[str]) -> dict[str, list[Any]]:
        """Columns of a table of what is true, a value for each row, called as `answers` calls what is predicted.

        Args:
            targets: as in `Targets.values`.
            names: of what is predicted.
        """
