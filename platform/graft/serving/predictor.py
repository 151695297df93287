"""Predictions from a bundle: the same decoding and preprocessing as in training, and nothing of the training code."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from graft.core.errors import SpecError
from graft.data.decode import Unreadable, pixels_of
from graft.data.inputs import normalise
from graft.data.square import StoredForm, decode_square, square
from graft.models.bundle import Bundle, read_bundle
from graft.serving.inputs import image_paths

if TYPE_CHECKING:
    import pandas as pd

BATCH_SIZE = 64
MAX_PIXELS = 50_000_000

ImageLike = str | Path | bytes | np.ndarray | Image.Image


@dataclass(frozen=True)
class Prediction:
    """What the model says of one image.

    Attributes:
        source: the file, or ``#<n>`` for the n-th image given as data.
        label: the most probable class; None if the image cannot be read.
        probability: of that class.
        probabilities: class -> probability.
        error: why the image cannot be read.
    """

    source: str
    label: str | None
    probability: float | None
    probabilities: dict[str, float]
    error: str | None = None


class Predictor:
    """A model that is ready to answer; `graft.load` makes one."""

    def __init__(self, bundle: Bundle, device: str | None = None) -> None:
        self.bundle = bundle
        self.labels = bundle.spec.labels
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        # The layout that convolutions run fastest in, on CPU and GPU.
        self._model = bundle.build().to(self._device).to(memory_format=torch.channels_last).eval()

    @classmethod
    def from_directory(cls, directory: Path) -> "Predictor":
        """Load a bundle directory.

        Raises:
            ArtifactError: it is missing or damaged.
        """
        return cls(read_bundle(directory))

    def predict_files(self, given: Iterable[str | Path]) -> list[Prediction]:
        """Predict for files, folders and tables (`graft.serving.inputs`)."""
        return self.predict(image_paths(given))

    def predict(self, images: Sequence[ImageLike]) -> list[Prediction]:
        """One prediction an image, in order; an unreadable image gets an `error` instead of a label.

        Args:
            images: file names, encoded bytes, PIL images, or uint8 arrays [H, W], [H, W, 1] or [H, W, 3].
        """
        predictions: list[Prediction] = []
        for start in range(0, len(images), BATCH_SIZE):
            predictions += self._predict_batch(images[start : start + BATCH_SIZE], start)
        return predictions

    def predict_frame(self, images: Sequence[ImageLike]) -> "pd.DataFrame":
        """`predict` as a table: source, label, probability, error, and a column a class."""
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {
                "source": one.source,
                "label": one.label,
                "probability": one.probability,
                "error": one.error,
                **{f"p({name})": one.probabilities.get(name) for name in self.labels},
            }
            for one in self.predict(images)
        ]
        columns = ["source", "label", "probability", "error", *(f"p({name})" for name in self.labels)]
        return pd.DataFrame(rows, columns=columns)

    def _predict_batch(self, images: Sequence[ImageLike], first: int) -> list[Prediction]:
        squares: list[np.ndarray] = []
        answers: list[Prediction | int] = []
        for number, image in enumerate(images, start=first):
            source = str(image) if isinstance(image, str | Path) else f"#{number}"
            try:
                squares.append(self._square(image))
                answers.append(len(squares) - 1)
            except Unreadable as error:
                answers.append(Prediction(source, None, None, {}, error=str(error)))
        probabilities = self._probabilities(squares)
        return [
            one if isinstance(one, Prediction) else self._prediction(images[place], first + place, probabilities[one])
            for place, one in enumerate(answers)
        ]

    def _prediction(self, image: ImageLike, number: int, row: np.ndarray) -> Prediction:
        best = int(row.argmax())
        source = str(image) if isinstance(image, str | Path) else f"#{number}"
        named = {name: float(value) for name, value in zip(self.labels, row, strict=True)}
        return Prediction(source, self.labels[best], float(row[best]), named)

    def _square(self, image: ImageLike) -> np.ndarray:
        stored = StoredForm.of(self.bundle.spec.preprocessing)
        if isinstance(image, Image.Image | np.ndarray):
            return square(_pixels(image), stored)
        return decode_square(image if isinstance(image, bytes) else _content(Path(image)), stored, MAX_PIXELS)

    def _probabilities(self, squares: list[np.ndarray]) -> np.ndarray:
        if not squares:
            return np.empty((0, len(self.labels)), np.float32)
        batch = normalise(np.stack(squares), self.bundle.spec.preprocessing).to(self._device)
        with torch.inference_mode():
            probabilities: np.ndarray = self._model(batch).float().softmax(dim=1).cpu().numpy()
        return probabilities


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror})") from error


def _pixels(image: Image.Image | np.ndarray) -> np.ndarray:
    if isinstance(image, Image.Image):
        return pixels_of(image)
    is_picture = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3))
    if image.dtype != np.uint8 or not is_picture or not image.size:
        given = f"{image.dtype} {image.shape}"
        raise SpecError(f"an image array is {given}, but must be uint8 [H, W], [H, W, 1] or [H, W, 3]")
    return image
