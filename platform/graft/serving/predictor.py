"""Predictions from a bundle: the same decoding and preprocessing as in training, and nothing of the training code."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from graft.core.errors import SpecError
from graft.core.escaping import html_table
from graft.modalities.finding import Found, left_out_of
from graft.modalities.protocol import Readings
from graft.modalities.registry import build_modality
from graft.modalities.several_views import check_views
from graft.models.bundle import Bundle, read_bundle
from graft.models.structure.together import Passed, in_order
from graft.serving.network import BATCH_SIZE, served
from graft.serving.prediction import Decided, Prediction
from graft.serving.samples import paths_of, samples_of, tell_left_out
from graft.tasks.averaging import averaged
from graft.tasks.registry import build_task

if TYPE_CHECKING:
    import pandas as pd

    from graft.serving.evaluation import Evaluation

# Batches whose samples are sorted by length together.
WINDOW = 16
MOST_NAMES = 10


@dataclass
class Cost:
    """What the predictions of a model have cost so far, without reading and decoding.

    Attributes:
        views: of each sample.
        samples: that were answered.
        plain_seconds: for the samples alone.
        seconds: for all views.
        members: networks that were asked.
        first_seconds: for the samples alone, by the first of them.
    """

    views: int
    samples: int = 0
    plain_seconds: float = 0.0
    seconds: float = 0.0
    members: int = 1
    first_seconds: float = 0.0

    def add(self, samples: int, passes: Sequence[Sequence[Passed]]) -> None:
        """Count some samples, and how they went through the networks: each view of them, by those that go together."""
        self.samples += samples
        self.first_seconds += passes[0][0].first_seconds
        self.plain_seconds += sum(one.seconds for one in passes[0])
        self.seconds += sum(one.seconds for view in passes for one in view)

    def to_dict(self) -> dict[str, float]:
        """``views``, ``members``, and milliseconds a sample: ``ms_plain`` for the sample alone, ``ms`` for all views,
        ``ms_first`` for the sample alone by the first member."""
        each = 1000 / max(self.samples, 1)
        told = {"ms_plain": each * self.plain_seconds, "ms": each * self.seconds, "ms_first": each * self.first_seconds}
        return {"views": self.views, "members": self.members, **told}


@dataclass(frozen=True)
class _Window:
    """Samples that were read together: the name of each by its place, predictions of the readable, errors by place."""

    sources: Mapping[int, str]
    predictions: np.ndarray
    errors: Mapping[int, str]


class Predictor:
    """A model that is ready to answer; `graft.load` makes one.

    Args:
        bundle: of the model.
        device: as torch names it; a GPU if there is one.
        tta: views of each sample whose predictions are averaged (test-time augmentation); 1 is the sample alone. An
            answer costs as many times more, and `cost` says how much.

    Raises:
        SpecError: samples of the model have no so many views.
    """

    def __init__(self, bundle: Bundle, device: str | None = None, tta: int = 1) -> None:
        self.bundle = bundle
        self.names = bundle.spec.names
        self.modality = build_modality(bundle.spec.modality)
        self.task = build_task(bundle.spec.task)
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        views = check_views(tta)
        parts = (bundle, *bundle.members)
        self._networks = served(parts, self.modality, self._device, views)
        self._read = self._networks[0].read
        self._facts_of = self._facts_of_members()
        self.cost = Cost(tta, members=len(parts))

    @classmethod
    def from_directory(cls, directory: Path, tta: int = 1) -> "Predictor":
        """Load a bundle directory.

        Raises:
            ArtifactError: it is missing or damaged.
            SpecError: samples of the model have no so many views.
        """
        return cls(read_bundle(directory), tta=tta)

    def __repr__(self) -> str:
        return f"Predictor({', '.join(f'{name}: {text}' for name, text in self._facts())})"

    def _repr_html_(self) -> str:
        return html_table(self._facts(), "Predictor")

    def predict_files(self, given: str | Path | Iterable[str | Path]) -> list[Prediction]:
        """Predict for files, folders and tables, as the modality finds them; one of them, or several.

        Raises:
            SpecError: one of them is missing or holds no sample; all problems at once.
        """
        found = self.find(given)
        tell_left_out(found)
        return self._predict(found)

    def find(self, given: str | Path | Iterable[str | Path]) -> Found[Any]:
        """The samples meant by files, folders and tables, and what lies beside them in folders.

        Raises:
            SpecError: one of them is missing or holds no sample; all problems at once.
        """
        found = self.modality.find(paths_of(given), self.bundle.spec.preprocessing)
        return Found(found, left_out_of(found))

    def predict(self, samples: Any) -> list[Prediction]:
        """One prediction a sample, in order; an unreadable one gets an `error` instead of an answer.

        Args:
            samples: one sample, or many in a list, an array, a pandas series, or the column of a DataFrame that is
                called as the modality calls them. For images: names of files, encoded bytes, PIL images, uint8 arrays
                [H, W], [H, W, 1] or [H, W, 3], and many of them in [N, H, W, C]; the name of a folder or table means
                all that it holds. For texts: strings; a `Path` means a file.

        Raises:
            SpecError: it is nothing of this; the message names its type.
        """
        return self._predict(samples_of(samples, self.modality, self.bundle.spec.preprocessing))

    def predict_proba(self, samples: Any) -> np.ndarray:
        """Probabilities float64 [N, K], in the order of `names`; NaN for a sample that cannot be read.

        Args:
            samples: as for `predict`.

        Raises:
            SpecError: the model predicts values, or the samples are nothing it can take.
        """
        if not self._chances():
            raise SpecError(f"predict_proba is called, but {self.task.spec.kind} has no probabilities; call predict")
        found = self.predict(samples)
        rows = [[one.probabilities.get(name, np.nan) for name in self.names] for one in found]
        return np.array(rows, dtype=np.float64).reshape(len(found), len(self.names))

    def predict_frame(self, samples: Any, probabilities: bool = True) -> "pd.DataFrame":
        """`predict` as a table: source, the task's columns, error, and a column a class or label."""
        return self.frame_of(self.predict(samples), probabilities)

    def frame_of(self, found: Sequence[Prediction], probabilities: bool = True) -> "pd.DataFrame":
        """Predictions of this model as a table."""
        import pandas as pd

        chances = self._chances() if probabilities else []
        rows = [
            {
                "source": one.source,
                **one.answer,
                "error": one.error,
                **{f"p({name})": chance for name, chance in one.probabilities.items()},
            }
            for one in found
        ]
        return pd.DataFrame(rows, columns=[*self.columns, *chances])

    def evaluate(self, data: Any, split: str | None = None) -> "Evaluation":
        """Score the model on labelled data: every metric of its task, each with its 95 % interval.

        Args:
            data: the name of a labelled folder, of a table or of a job file; a job; or a section `data` as a mapping,
                such as ``{"kind": "table", "path": "new.csv", "text": "review", "label": "stars"}``.
            split: ``test``, ``validation``, ``train`` or ``all``. By default the test samples, where the job or the
                source itself says which these are; else all.

        Raises:
            SpecError: it is nothing of this, or there is no such split.
            DataError: it cannot be read, or has labels that the model does not know.
        """
        from graft.serving.evaluation import evaluate

        return evaluate(self, data, split)

    @property
    def columns(self) -> list[str]:
        """Of a table of predictions, without probabilities."""
        return ["source", *self._answers(self._nothing(), probabilities=False), "error"]

    def _facts(self) -> list[tuple[str, str]]:
        spec = self.bundle.spec
        shown = ", ".join(spec.names[:MOST_NAMES]) + (
            f", … ({len(spec.names)})" if len(spec.names) > MOST_NAMES else ""
        )
        scores = ", ".join(f"{name} {value:.3f}" for name, value in spec.metrics.items())
        told = {
            "model": spec.name,
            "task": f"{spec.task.kind} of {spec.modality}s",
            "predicts": shown,
            "network": ", ".join(one.spec.architecture for one in (self.bundle, *self.bundle.members)),
            "test": scores,
            "bundle": str(self.bundle.directory),
        }
        return [(name, text) for name, text in told.items() if text]

    def decided(self, samples: Sequence[Any]) -> Decided:
        """What the task decides on, without names: predictions [N, …] of the samples that can be read."""
        windows = list(self._windows(samples))
        together = np.concatenate([window.predictions for window in windows]) if windows else self._nothing()
        return Decided(together, {place: why for window in windows for place, why in window.errors.items()})

    def _predict(self, samples: Sequence[Any]) -> list[Prediction]:
        return [one for window in self._windows(samples) for one in self._named(window)]

    def _named(self, window: "_Window") -> Iterator[Prediction]:
        answers = iter(self._rows(window.predictions))
        for place, source in window.sources.items():
            if place in window.errors:
                yield Prediction(source, error=window.errors[place])
                continue
            row = next(answers)
            chances = {name[2:-1]: value for name, value in row.items() if name.startswith("p(")}
            yield Prediction(source, {name: value for name, value in row.items() if not name.startswith("p(")}, chances)

    def _windows(self, samples: Sequence[Any]) -> Iterator["_Window"]:
        # More at once where samples differ in length, so that a batch is of like ones: one long text fills up few.
        size = BATCH_SIZE * (WINDOW if self.modality.is_ragged else 1)
        for first in range(0, len(samples), size):
            some = samples[first : first + size]
            places = [place for place, sample in enumerate(some) if sample is not None]
            read = self._read([some[place] for place in places]) if places else Readings((), {})
            sources = {first + place: f"#{first + place}" for place in range(len(some))}
            errors = {first + place: "is missing" for place in range(len(some))}
            for number, place in enumerate(places):
                named = _own_name(some[place], read.sources[number], number)
                sources[first + place] = named or sources[first + place]
                del errors[first + place]
            errors |= {first + places[number]: why for number, why in read.errors.items()}
            yield _Window(sources, self._predictions([some[place] for place in places], read), errors)

    def _rows(self, predictions: np.ndarray) -> list[dict[str, Any]]:
        columns = self._answers(predictions, probabilities=True)
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def _answers(self, predictions: np.ndarray, probabilities: bool) -> dict[str, list[Any]]:
        return self.task.answers(predictions, self.names, self.bundle.spec.facts, probabilities)

    def _chances(self) -> list[str]:
        return [name for name in self._answers(self._nothing(), probabilities=True) if name.startswith("p(")]

    def _nothing(self) -> np.ndarray:
        return np.empty((0, self.bundle.spec.num_outputs))

    def _predictions(self, samples: Sequence[Any], read: Readings) -> np.ndarray:
        """What the task decides for samples that could be read; by all members together, of all views the mean."""
        count = len(next(iter(read.columns.values()), ()))
        if not count:
            return self._nothing()
        first = self._networks[0]
        found = [one.outputs(one.reread(samples, first, read).columns) for one in self._networks]
        passes = list(zip(*found, strict=True))
        self.cost.add(count, passes)
        decided = [self._decided(in_order(of_view)) for of_view in passes]
        return decided[0] if len(decided) == 1 else np.asarray(np.mean(decided, axis=0))

    def _decided(self, outputs: "Sequence[torch.Tensor]") -> np.ndarray:
        shares, facts = self._facts_of
        return self.task.decide(averaged(self.task, outputs, facts, shares), self.bundle.spec.facts)

    def _facts_of_members(self) -> tuple[list[float], list[Mapping[str, Any]]]:
        """How much each network counts, and what it must know to answer by itself."""
        spec = self.bundle.spec
        if spec.ensemble is None:
            return [1.0], [spec.facts]
        shares = [spec.ensemble.share, *(one.share for one in spec.ensemble.members)]
        return shares, [spec.ensemble.facts, *(one.spec.facts for one in self.bundle.members)]


def _own_name(sample: Any, source: str, number: int) -> str | None:
    """What a reader calls a sample; None for one given as data, of which it knows its own number only."""
    has_own = hasattr(sample, "source") or (isinstance(sample, str | Path) and str(sample) == source)
    return source if has_own or source != f"#{number}" else None
