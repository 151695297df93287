"""What follows the fit: the report with its pictures, the bundle with its example; a head that knows nothing yet."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graft.data.dataset import Dataset, Split
from graft.learner.final_model import FinalModel
from graft.learner.fit import FitTask, fit
from graft.pipeline.stages import evaluate as module
from graft.pipeline.stages.evaluate import CONFUSION_MATRIX, WORST_EXAMPLES, evaluate
from graft.pipeline.stages.export import INPUT_EXAMPLE, export
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy

PROBE = Strategy(freeze=1.0, resolution=32, batch_size=10, lr=1e-9)


@pytest.fixture(scope="module")
def model(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> FinalModel:
    """Hardly trained, so that it is wrong somewhere."""
    job = parse_job({"name": "x", "data": "digits", "training": {"epochs": 1}})
    schedule = Schedule((Stretch(0, 1, PROBE),))
    model = FinalModel(job, dataset.directory, schedule, tmp_path_factory.mktemp("final") / "weights.safetensors")
    fit(FitTask(model, num_threads=1, seconds=None))
    return model


def test_a_report_comes_with_its_pictures(model: FinalModel, dataset: Dataset, tmp_path: Path) -> None:
    report = evaluate(model, 1, tmp_path)
    assert sum(map(sum, report["confusion"])) == report["num_samples"] == len(dataset.rows(Split.TEST))
    assert {path.name for path in tmp_path.iterdir()} == {CONFUSION_MATRIX, WORST_EXAMPLES}
    assert all(Image.open(path).format == "PNG" for path in tmp_path.iterdir())


def test_the_worst_examples_are_drawn_with_their_own_images(
    model: FinalModel, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {}

    def draw(examples: tuple[module.Any, ...], images: list[np.ndarray]) -> bytes:
        drawn.update({example.id: image for example, image in zip(examples, images, strict=True)})
        return b""

    monkeypatch.setattr(module, "examples_picture", draw)
    report = evaluate(model, 1, tmp_path)
    assert drawn.keys() == {example["id"] for example in report["worst"]} != set()
    assert all((dataset.images[dataset.ids.index(name)] == image).all() for name, image in drawn.items())


def test_a_picture_that_cannot_be_drawn_costs_only_itself(
    model: FinalModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        report = evaluate(model, 1, tmp_path / "gone")
    assert report["metrics"]
    assert "were not drawn" in caplog.text


def test_an_image_of_the_data_lies_beside_the_bundle_not_in_it(
    model: FinalModel, dataset: Dataset, tmp_path: Path
) -> None:
    export(model, tmp_path / "bundle", {"accuracy": 0.5})
    example = np.asarray(Image.open(tmp_path / INPUT_EXAMPLE))
    assert (example == dataset.images[dataset.rows(Split.TEST)[0]]).all()
    assert not list((tmp_path / "bundle").glob("*.png"))
