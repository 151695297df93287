"""What follows the fit: the report with its pictures, the bundle with its example; a head that knows nothing yet."""

import base64
import io
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from graft.core.storage import read_json
from graft.data.dataset import Dataset, Split
from graft.learner.ensemble.members import Member
from graft.learner.final_model import FinalModel
from graft.learner.fit import FitTask, fit
from graft.modalities.image.info import PIXELS
from graft.models.bundle import read_bundle
from graft.pipeline.stages.evaluate import evaluate, told_of_views
from graft.pipeline.stages.export import INPUT_EXAMPLE, export
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.tasks.classification import plots

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
    report = evaluate([Member(model)], [], 1, tmp_path)
    assert sum(map(sum, report["confusion"])) == report["num_samples"] == len(dataset.rows(Split.TEST))
    assert {path.name for path in tmp_path.iterdir()} == {"confusion_matrix.png", "worst_examples.png"}
    assert all(Image.open(path).format == "PNG" for path in tmp_path.iterdir())


def test_the_worst_examples_are_drawn_with_their_own_images(
    model: FinalModel, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {}

    def draw(examples: Sequence[Any], images: Sequence[np.ndarray]) -> bytes:
        drawn.update({example.id: image for example, image in zip(examples, images, strict=True)})
        return b""

    monkeypatch.setattr(plots, "examples_picture", draw)
    report = evaluate([Member(model)], [], 1, tmp_path)
    assert drawn.keys() == {example["id"] for example in report["worst"]} != set()
    assert all((dataset.columns[PIXELS][dataset.ids.index(name)] == image).all() for name, image in drawn.items())


def test_a_picture_that_cannot_be_drawn_costs_only_itself(
    model: FinalModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        report = evaluate([Member(model)], [], 1, tmp_path / "gone")
    assert report["metrics"]
    assert "were not drawn" in caplog.text


def test_an_image_of_the_data_lies_beside_the_bundle_not_in_it(
    model: FinalModel, dataset: Dataset, tmp_path: Path
) -> None:
    export([Member(model)], tmp_path / "bundle", {"accuracy": 0.5})
    example = read_json(tmp_path / INPUT_EXAMPLE)
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(example["input"]["image"]))))
    assert (image == dataset.columns[PIXELS][dataset.rows(Split.TEST)[0]]).all()
    assert not list((tmp_path / "bundle").glob("*.png"))


def test_a_row_of_the_answer_lies_beside_it(model: FinalModel, dataset: Dataset, tmp_path: Path) -> None:
    export([Member(model)], tmp_path / "bundle", {"accuracy": 0.5})
    answer = read_json(tmp_path / INPUT_EXAMPLE)["output"]
    assert answer["label"] in dataset.names
    assert 0.5 <= answer["probability"] <= 1


def test_what_the_validation_rows_say_is_told_apart(model: FinalModel, tmp_path: Path) -> None:
    assert evaluate([Member(model)], [], 1, tmp_path)["validation"] is None
    report = evaluate([Member(model)], [Member(model)], 1, tmp_path)
    assert report["validation"]["metrics"].keys() == report["validation"]["intervals"].keys() | report["metrics"].keys()
    assert report["facts"]["num_outputs"] == 2


def test_weights_of_the_winner_that_are_damaged_cost_only_what_is_fitted_with_them(
    model: FinalModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = replace(model, weights=tmp_path / "best.safetensors")
    damaged.weights.write_bytes(b"torn")
    report = evaluate([Member(model)], [Member(damaged)], 1, tmp_path)
    assert report["validation"] is None
    assert report["metrics"] == evaluate([Member(model)], [], 1, tmp_path)["metrics"]
    assert "best.safetensors is no training state" in caplog.text


def test_the_score_over_several_views_stands_beside_the_plain_one(model: FinalModel, tmp_path: Path) -> None:
    plain = evaluate([Member(model)], [], 1, tmp_path)
    several = replace(
        model, job=model.job.model_copy(update={"export": model.job.export.model_copy(update={"tta": 3})})
    )
    report = evaluate([Member(several)], [], 1, tmp_path)
    tta = report.pop("tta")
    assert report == plain
    assert (tta["views"], set(tta["metrics"])) == (3, set(plain["metrics"]))
    assert set(tta["intervals"]) == set(plain["intervals"])
    assert tta["metrics"]["loss"] != plain["metrics"]["loss"]
    assert tta["ms"] > tta["ms_plain"] > 0
    assert "with 3 views loss " in told_of_views(tta, "loss")


def test_what_keeps_a_label_is_in_the_bundle(model: FinalModel, tmp_path: Path) -> None:
    export([Member(model)], tmp_path / "bundle", {"accuracy": 0.5})
    assert read_bundle(tmp_path / "bundle").spec.invariances == {"flip": "none"}
