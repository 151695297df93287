import io

import numpy as np
import pytest
from PIL import Image

from graft.tasks.classification.plots import confusion_picture, examples_picture
from graft.tasks.classification.report import Example, build_report


def opened(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("classes", [2, 40])
def test_a_confusion_matrix_of_any_size(classes: int) -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(classes), size=200)
    report = build_report(probabilities, rng.integers(0, classes, 200), [f"class {k}" for k in range(classes)])
    assert opened(confusion_picture(report)).shape[0] > 200


def test_another_matrix_is_another_picture() -> None:
    labels = np.array([0, 0, 1, 1])
    right = build_report(np.eye(2)[labels], labels, ["cat", "dog"])
    wrong = build_report(np.eye(2)[1 - labels], labels, ["cat", "dog"])
    assert (opened(confusion_picture(right)) != opened(confusion_picture(wrong))).any()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_worst_examples(channels: int, count: int) -> None:
    examples = [Example(f"photos/{'long' * 20}/{n}.png", "cat", "dog", 0.9, 0.1) for n in range(count)]
    images = [np.full((8, 8, channels), 200, np.uint8)] * count
    assert opened(examples_picture(examples, images)).std() > 0


def test_there_is_one_image_an_example() -> None:
    with pytest.raises(ValueError, match="zip"):
        examples_picture([Example("a", "cat", "dog", 0.9, 0.1)], [])
