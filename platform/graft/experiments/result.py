"""What a run gives back: the numbers, the winner, and the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.core.escaping import html_table
from graft.core.storage import read_json
from graft.spec.strategy import Strategy

if TYPE_CHECKING:
    import pandas as pd

    from graft.serving.evaluation import Evaluation
    from graft.serving.predictor import Predictor

SHOWN_TRIALS = 10


@dataclass(frozen=True, repr=False)
class Result:
    """A finished experiment.

    `summary` is the machine-readable contract of ``graft run --json``: experiment, status, metric, validation, test,
    test_interval (95 %), winner, trials, seconds, stages, bundle, model_uri, tracking_uri, experiment_dir.
    """

    summary: dict[str, Any]
    rows: Sequence[dict[str, Any]]

    def __repr__(self) -> str:
        return f"Result({', '.join(f'{name}: {text}' for name, text in self._facts())})"

    def _repr_html_(self) -> str:
        metric = self.summary.get("metric", "score")
        shown = [
            [str(row.get(name, "")) for name in ("rank", "trial", "label")]
            + [_number(row.get("score")), str(row.get("status", ""))]
            for row in self.rows[:SHOWN_TRIALS]
        ]
        return html_table(self._facts(), "Result") + html_table(
            shown, "Leaderboard", ("rank", "trial", "strategy", metric, "status")
        )

    def _facts(self) -> list[tuple[str, str]]:
        """What came out, at a glance."""
        summary = self.summary
        metric, interval = summary.get("metric", "score"), summary.get("test_interval")
        bounds = f", 95 % interval {interval[0]:.4f} to {interval[1]:.4f}" if interval else ""
        trials = summary.get("trials")
        told = {
            "experiment": summary.get("experiment"),
            "status": summary.get("status"),
            "test": f"{metric} {_number(summary.get('test'))}{bounds}",
            "winner": summary.get("winner_trial"),
            "trials": trials.get("total") if isinstance(trials, dict) else trials,
            "seconds": summary.get("seconds"),
            "model": summary.get("model_uri") or summary.get("bundle"),
        }
        return [(name, str(value)) for name, value in told.items() if value is not None]

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

    def predict(self, samples: Any) -> "pd.DataFrame":
        """What the model says of samples, as a table; see `Predictor.predict` for what they may be."""
        return self.predictor.predict_frame(samples)

    def evaluate(self, data: Any, split: str | None = None) -> "Evaluation":
        """How good the model is on labelled data; see `Predictor.evaluate`."""
        return self.predictor.evaluate(data, split)


def _number(score: Any) -> str:
    return f"{score:.4f}" if isinstance(score, float | int) else "–"


def all_metrics(scored: Mapping[str, Any]) -> dict[str, Any]:
    """Every metric on validation and test, each with its interval."""
    splits = {"validation": scored.get("validation"), "test": scored}
    return {
        split: {
            name: {"value": value, "interval": _interval(found["intervals"], name)}
            for name, value in found["metrics"].items()
        }
        for split, found in splits.items()
        if found
    }


def ensemble_of(fitted: Mapping[str, Any], scored: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was selected, whether it is kept, and what its answers cost; None where the job asked for none."""
    chosen = fitted.get("ensemble")
    if not chosen:
        return None
    told = {name: chosen.get(name) for name in ("is_kept", "reason", "candidates", "score", "alone")}
    measured = scored.get("ensemble") or {}
    members = [{name: one.get(name) for name in ("trial", "share", "label", "fitted")} for one in chosen["members"]]
    test = {"test_alone": measured["alone"]} if measured else {}
    return {**told, "members": members, "ms": measured.get("ms"), "ms_alone": measured.get("ms_alone"), **test}


def _interval(intervals: Any, name: str) -> list[float] | None:
    one = intervals.get(name)
    if isinstance(one, dict):
        return [one["low"], one["high"]]
    return list(one) if one else None
