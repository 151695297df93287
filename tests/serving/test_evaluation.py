import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graft.core.errors import DataError, SpecError
from graft.data.draft import Wish
from graft.serving.predictor import Predictor

PER_LABEL = 4


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A folder of images for each label."""
    rng = np.random.default_rng(0)
    for label in ("cat", "dog", "emu"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(PER_LABEL):
            pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / label / f"{number}.png")
    return tmp_path / "pets"


def share_right(predictor: Predictor, folder: Path) -> float:
    """The accuracy, counted by hand."""
    files = sorted(folder.glob("*/*.png"))
    return float(np.mean([one.label == Path(one.source).parent.name for one in predictor.predict(files)]))


def test_a_labelled_folder_gives_metrics_with_intervals(colour, labelled):
    found = colour.evaluate(str(labelled))
    assert (found.num_samples, found.split, dict(found.unreadable)) == (3 * PER_LABEL, "all", {})
    assert found.metrics["accuracy"] == pytest.approx(share_right(colour, labelled))
    assert found.metrics.keys() == found.intervals.keys()
    low, high = found.intervals["accuracy"]
    assert low <= found.metrics["accuracy"] <= high
    assert f"accuracy {found.metrics['accuracy']:.4f} ({low:.4f} to {high:.4f})" in repr(found)
    assert "<th>accuracy</th>" in found._repr_html_()


def test_labels_mean_what_they_are_called_not_where_they_stand(colour, labelled):
    shutil.rmtree(labelled / "cat")
    assert colour.evaluate(labelled).metrics["accuracy"] == pytest.approx(share_right(colour, labelled))


def test_a_table_and_a_section_of_a_job(colour, labelled):
    rows = [f"{path},{path.parent.name}" for path in sorted(labelled.glob("*/*.png"))]
    table = labelled.parent / "pets.csv"
    table.write_text("\n".join(["image,label", *rows]) + "\n")
    section = {"kind": "table", "path": str(table), "image": "image", "label": "label"}
    by_folder = colour.evaluate(labelled).metrics
    assert colour.evaluate(section).metrics == pytest.approx(by_folder)
    assert colour.evaluate(table).metrics == pytest.approx(by_folder)


def test_a_job_means_its_test_samples(colour, labelled):
    job = {"name": "pets", "data": {"kind": "image_folder", "path": str(labelled), "test": 0.25, "validation": 0.25}}
    found = colour.evaluate(job)
    assert (found.split, found.num_samples) == ("test", 3)
    assert colour.evaluate(job, split="validation").num_samples == 3
    assert colour.evaluate(job, split="train").num_samples == 6
    assert colour.evaluate(job, split="all").num_samples == 12
    file = labelled.parent / "job.yaml"
    file.write_text(f"name: pets\ndata: {{kind: image_folder, path: {labelled}, test: 0.25, validation: 0.25}}\n")
    assert colour.evaluate(file).metrics == found.metrics


def test_what_cannot_be_read_is_named_and_not_counted(colour, labelled):
    (labelled / "cat" / "0.png").write_bytes(b"broken")
    found = colour.evaluate(labelled)
    assert found.num_samples == 3 * PER_LABEL - 1
    assert list(found.unreadable) == ["cat/0.png"]


def test_a_label_that_the_model_does_not_know_is_told(colour, labelled):
    (labelled / "emu").rename(labelled / "yak")
    with pytest.raises(DataError, match="has the class `yak`, but the model knows cat, dog, emu; leave"):
        colour.evaluate(labelled)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (3, "of type int is given to evaluate, but must be the name of a labelled folder"),
        (["pets"], "of type list is given to evaluate"),
        ("nowhere", "nowhere does not exist; name a labelled folder, a table or a job file"),
        ({"kind": "wordnet"}, "the data are texts, but the model takes images"),
    ],
)
def test_anything_else_is_refused_by_name(colour, data, told):
    with pytest.raises(SpecError, match=told):
        colour.evaluate(data)


def test_an_unknown_split_is_told(colour, labelled):
    with pytest.raises(SpecError, match="split is `dev`, but must be one of train, validation, test, all"):
        colour.evaluate(labelled, split="dev")
    with pytest.raises(SpecError, match=r".png is no labelled data of images"):
        colour.evaluate(next(labelled.glob("*/*.png")))


def test_the_column_that_is_predicted_is_the_one_that_is_scored(colour, labelled):
    rows = [f"gone/{path.name},{path},{path.parent.name}" for path in sorted(labelled.glob("*/*.png"))]
    table = labelled.parent / "pets.csv"
    table.write_text("\n".join(["file,path,label", *rows]) + "\n")
    assert colour.evaluate(table).metrics == pytest.approx(colour.evaluate(labelled).metrics)


def test_columns_that_a_model_knows_are_meant_wherever_a_table_has_them():
    wish = Wish(known_samples=("review", "text"), known_labels=("price", "size"))
    assert wish.in_table(["text", "price", "review"]) == replace(wish, sample="review")
    assert wish.in_table(["size", "text", "price"]) == replace(wish, sample="text", labels=("price", "size"))
    assert wish.in_table(["other"]) == wish
