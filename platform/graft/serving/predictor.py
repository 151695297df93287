"""Predictions from a bundle: the same decoding and preprocessing as in training, and nothing of the training code."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from graft.data.columns import Column
from graft.modalities.registry import build_modality
from graft.models.bundle import Bundle, read_bundle
from graft.tasks.registry import build_task

if TYPE_CHECKING:
    import pandas as pd

BATCH_SIZE = 64


@dataclass(frozen=True)
class Prediction:
    """What the model says of one sample.

    Attributes:
        source: the file, or ``#<n>`` for the n-th sample given as data.
        answer: the task's columns: ``label`` and ``probability``, ``value`` with ``low`` and ``high``, or ``labels``;
            empty if the sample cannot be read.
        probabilities: of every class or label by its name, where the task has any.
        error: why the sample cannot be read.
    """

    source: str
    answer: Mapping[str, Any] = field(default_factory=dict)
    probabilities: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None

    @property
    def label(self) -> str | None:
        """The most probable class; None for other tasks, or if the sample cannot be read."""
        return self.answer.get("label")

    @property
    def probability(self) -> float | None:
        """Of that class."""
        return self.answer.get("probability")

    @property
    def value(self) -> float | None:
        """The number that is predicted; None for other tasks, or if the sample cannot be read."""
        return self.answer.get("value")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: the task's columns beside source and error."""
        return {"source": self.source, **self.answer, "probabilities": dict(self.probabilities), "error": self.error}


class Predictor:
    """A model that is ready to answer; `graft.load` makes one."""

    def __init__(self, bundle: Bundle, device: str | None = None) -> None:
        self.bundle = bundle
        self.names = bundle.spec.names
        self.modality = build_modality(bundle.spec.modality)
        self.task = build_task(bundle.spec.task)
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._model = self.modality.place(bundle.build(), self._device).eval()
        self._read = self.modality.reader(bundle.spec.preprocessing, bundle.directory)

    @classmethod
    def from_directory(cls, directory: Path) -> "Predictor":
        """Load a bundle directory.

        Raises:
            ArtifactError: it is missing or damaged.
        """
        return cls(read_bundle(directory))

    def predict_files(self, given: Iterable[str | Path]) -> list[Prediction]:
        """Predict for files, folders and tables, as the modality finds them."""
        return self.predict(self.find(list(given)))

    def find(self, given: Sequence[str | Path]) -> Sequence[Any]:
        """The samples meant by files, folders and tables."""
        return self.modality.find(given, self.bundle.spec.preprocessing)

    def predict(self, samples: Sequence[Any]) -> list[Prediction]:
        """One prediction a sample, in order; an unreadable one gets an `error` instead of an answer.

        Args:
            samples: what the modality reads: image files, encoded bytes, pictures and arrays; or texts.
        """
        predictions: list[Prediction] = []
        for start in range(0, len(samples), BATCH_SIZE):
            predictions += self._predict_batch(samples[start : start + BATCH_SIZE], start)
        return predictions

    def predict_frame(self, samples: Sequence[Any], probabilities: bool = True) -> "pd.DataFrame":
        """`predict` as a table: source, the task's columns, error, and a column a class or label."""
        import pandas as pd

        found = self.predict(samples)
        nothing = self._answers(np.empty((0, self.bundle.spec.num_outputs)), probabilities)
        columns = ["source", *(name for name in nothing if not name.startswith("p(")), "error"]
        chances = [name for name in nothing if name.startswith("p(")]
        rows = [
            {
                "source": one.source,
                **one.answer,
                "error": one.error,
                **{f"p({name})": chance for name, chance in one.probabilities.items()},
            }
            for one in found
        ]
        return pd.DataFrame(rows, columns=[*columns, *chances])

    def _predict_batch(self, samples: Sequence[Any], first: int) -> list[Prediction]:
        read = self._read(samples)
        answers = iter(self._rows(self._predictions(read.columns)))
        found = []
        for place, source in enumerate(read.sources):
            named = f"#{first + place}" if source == f"#{place}" else source
            if place in read.errors:
                found.append(Prediction(named, error=read.errors[place]))
                continue
            row = next(answers)
            chances = {name[2:-1]: value for name, value in row.items() if name.startswith("p(")}
            answer = {name: value for name, value in row.items() if not name.startswith("p(")}
            found.append(Prediction(named, answer, chances))
        return found

    def _rows(self, predictions: np.ndarray) -> list[dict[str, Any]]:
        columns = self._answers(predictions, probabilities=True)
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def _answers(self, predictions: np.ndarray, probabilities: bool) -> dict[str, list[Any]]:
        return self.task.answers(predictions, self.names, self.bundle.spec.facts, probabilities)

    def _predictions(self, columns: Mapping[str, Column]) -> np.ndarray:
        rows = np.arange(len(next(iter(columns.values()))))
        if not len(rows):
            return np.empty((0, self.bundle.spec.num_outputs))
        inputs = self.modality.inputs(columns, self.bundle.spec.preprocessing, self._device)
        with torch.inference_mode():
            outputs = self._model(inputs.plain(rows))
        return self.task.decide(outputs, self.bundle.spec.facts)
