"""What a run gives back: the numbers, the winner, and the model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.core.storage import read_json
from graft.spec.strategy import Strategy

if TYPE_CHECKING:
    import pandas as pd

    from graft.serving.predictor import Predictor


@dataclass(frozen=True)
class Result:
    """A finished experiment.

    `summary` is the machine-readable contract of ``graft run --json``: experiment, status, metric, validation, test,
    test_interval (95 %), winner, trials, seconds, stages, bundle, model_uri, tracking_uri, experiment_dir.
    """

    summary: dict[str, Any]
    rows: Sequence[dict[str, Any]] = field(repr=False)

    @classmethod
    def read(cls, result_file: Path, leaderboard_file: Path) -> "Result":
        """The result a finished experiment left in its directory."""
        return cls(read_json(result_file), read_json(leaderboard_file))

    @property
    def winner(self) -> Strategy:
        """The strategy that won."""
        return Strategy.model_validate(self.summary["winner"])

    @property
    def leaderboard(self) -> "pd.DataFrame":
        """All trials, best first."""
        import pandas as pd

        return pd.json_normalize(list(self.rows))

    @cached_property
    def predictor(self) -> "Predictor":
        """The final model, ready to answer."""
        from graft.serving.predictor import Predictor

        return Predictor.from_directory(Path(self.summary["bundle"]))

    def predict(self, samples: Sequence[Any]) -> "pd.DataFrame":
        """What the model says of samples; see `Predictor.predict_frame`."""
        return self.predictor.predict_frame(samples)
