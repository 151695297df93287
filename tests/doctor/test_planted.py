"""A small planted corpus: what is planted is found. The large one is a benchmark (tests/benchmarks/doctor.py)."""

import numpy as np
import pytest
from tests.assets.planted import Planted
from tests.assets.planted.images import plant_images
from tests.assets.planted.texts import plant_texts
from tests.fixtures.planted import Diagnosis, diagnose, job_of

TOPICS = {
    "cooking": ("bread", "oven", "flour", "salt", "butter", "spoon", "recipe", "dough", "pepper", "kitchen"),
    "music": ("violin", "chord", "melody", "rhythm", "concert", "singer", "tempo", "piano", "choir", "drum"),
    "travel": ("train", "river", "island", "ticket", "harbour", "passport", "hotel", "journey", "map", "coast"),
}
COMMON = ("the", "and", "with", "some", "very", "often", "about", "there", "from", "which", "after", "before", "under")


def shape(number: int) -> tuple[np.ndarray, str]:
    """A disc, a bar or a ring somewhere, in some colours, on a gradient."""
    draw, side = np.random.default_rng(number), 64
    y, x = np.indices((side, side))
    colours = draw.integers(0, 256, (3, 3))
    pixels = colours[0] + np.multiply.outer((x * draw.normal() + y * draw.normal()) / 2, np.ones(3))
    cx, cy, size = draw.integers(18, 46), draw.integers(18, 46), draw.integers(9, 16)
    away = np.hypot(x - cx, y - cy)
    mask = (away < size, (abs(x - cx) < size * 1.4) & (abs(y - cy) < 4), abs(away - size) < 3)[number % 3]
    pixels[mask] = colours[1]
    for _ in range(6):  # enough to tell two pictures apart
        left, top = draw.integers(0, side - 8, 2)
        pixels[top : top + 6, left : left + 6] = draw.integers(0, 256, 3)
    return np.clip(pixels + draw.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8), ("bar", "disc", "ring")[
        number % 3
    ]


def document(number: int) -> tuple[str, str]:
    draw = np.random.default_rng(number)
    label = sorted(TOPICS)[number % 3]
    words = [
        *draw.choice(TOPICS[label], 12),
        *draw.choice(COMMON, 20),
        *(f"w{one}" for one in draw.integers(0, 4000, 12)),
    ]
    return " ".join(draw.permutation(words)), label


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Planted, Diagnosis]:
    folder = tmp_path_factory.mktemp("images")
    pictures, labels = zip(*map(shape, range(300)), strict=True)
    planted = plant_images(folder / "corpus", pictures, labels, share=0.08)
    (folder / "scratch").mkdir()
    # Labels are judged by features of a network, which takes long: that is tested on texts.
    return planted, diagnose(job_of(planted), folder / "scratch", {"poisoning_suspect": "keep"})


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Planted, Diagnosis]:
    folder = tmp_path_factory.mktemp("texts")
    some, labels = zip(*map(document, range(600)), strict=True)
    planted = plant_texts(folder / "corpus.csv", some, labels, share=0.03)
    (folder / "scratch").mkdir()
    return planted, diagnose(job_of(planted), folder / "scratch")


@pytest.mark.parametrize(
    "fault", ["truncated", "bomb", "copy", "leak", "near_jpeg", "near_resize", "near_brightness", "patch"]
)
def test_images_with_faults_are_found(images: tuple[Planted, Diagnosis], fault: str) -> None:
    planted, found = images
    assert found.recall(planted, fault) == 1.0
    # A copy of a sample for training may be drawn for validation: that is a leak as well.
    assert (found.precision(planted, fault) or 0) >= (0.6 if fault == "leak" else 0.9)


@pytest.mark.parametrize(
    "fault",
    ["homoglyph", "zero_width", "full_width", "mojibake", "empty", "personal", "markup", "copy", "leak", "trigger"],
)
def test_texts_with_faults_are_found(texts: tuple[Planted, Diagnosis], fault: str) -> None:
    planted, found = texts
    assert found.recall(planted, fault) == 1.0


@pytest.mark.parametrize("fault", ["near_words", "flip", "flip_pair"])
def test_most_of_the_others_are_found(texts: tuple[Planted, Diagnosis], fault: str) -> None:
    planted, found = texts
    assert found.recall(planted, fault) >= 0.8
    assert (found.precision(planted, fault) or 0) >= 0.5
