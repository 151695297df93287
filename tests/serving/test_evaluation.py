import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.fixtures.bundles import write_tiny_bundle

from graft.core.errors import DataError, SpecError
from graft.data.draft import Wish
from graft.serving.predictor import Predictor
from graft.spec.tasks.multilabel import Multilabel
from graft.spec.tasks.regression import Regression

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


def test_one_class_alone_is_scored_without_what_needs_two(colour, labelled):
    """Somebody asks how many of his emus are known: nothing is learned from them, so that no second class is due."""
    shutil.rmtree(labelled / "cat")
    shutil.rmtree(labelled / "dog")
    (labelled / "list.csv").write_text("x\n")
    found = colour.evaluate(labelled)
    assert found.num_samples == PER_LABEL
    assert found.metrics["accuracy"] == pytest.approx(share_right(colour, labelled))
    assert dict(found.undefined) == {"auroc": "all samples are of one class"}
    assert "auroc" not in found.metrics.keys() | found.intervals.keys()
    assert "no auroc: all samples are of one class" in repr(found)
    assert found.report["confusion"][2][0] + found.report["confusion"][2][1] + found.report["confusion"][2][2] == 4
    (labelled / "emu").rename(labelled / "yak")
    with pytest.raises(DataError, match="has the class `yak`, but the model knows cat, dog, emu; leave"):
        colour.evaluate(labelled)


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("column", ["label", "what", "2024"])
def test_a_table_of_one_class_or_one_row_is_scored(colour, labelled, rows, column):
    files = sorted((labelled / "dog").glob("*.png"))[:rows]
    table = labelled.parent / "dogs.csv"
    table.write_text(f"image,taken,{column}\n" + "".join(f"{path},today,dog\n" for path in files))
    found = colour.evaluate({"kind": "table", "path": str(table), "image": "image", "label": column})
    if column != "2024":  # looks like a value
        assert colour.evaluate(table).metrics == found.metrics
    assert found.num_samples == rows
    right = [one.label == "dog" for one in colour.predict(files)]
    assert found.metrics["accuracy"] == pytest.approx(np.mean(right))


def test_a_table_of_one_class_that_the_model_does_not_know_is_told(colour, labelled):
    rows = [f"{path},yak" for path in sorted(labelled.glob("dog/*.png"))]
    table = labelled.parent / "pets.csv"
    table.write_text("\n".join(["image,label", *rows]) + "\n")
    with pytest.raises(DataError, match="has the class `yak`, but the model knows cat, dog, emu; leave"):
        colour.evaluate(table)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(
    ("task", "names", "cells", "untold"),
    [
        (Regression(), ["price"], ["price", "2.5"], {"r2", "spearman"}),
        (Regression(), ["price", "size"], ["size,price", "1,2"], {"r2", "spearman"}),
        (Multilabel(), ["red", "round"], ["labels", "red"], set()),
        (Multilabel(), ["red", "round"], ["round,red", "0,0"], {"map"}),
    ],
)
def test_one_row_or_the_same_everywhere_is_scored_by_every_task(tmp_path, labelled, rows, task, names, cells, untold):
    facts = {"num_outputs": len(names), "mean": [2.0] * len(names), "std": [1.0] * len(names), "positives": [1, 1]}
    model = Predictor.from_directory(write_tiny_bundle(tmp_path / "model", task=task, names=tuple(names), facts=facts))
    files = sorted((labelled / "dog").glob("*.png"))[:rows]
    table = tmp_path / "new.csv"
    table.write_text(f"image,{cells[0]}\n" + "".join(f"{path},{cells[1]}\n" for path in files))
    found = model.evaluate(table)
    assert (found.num_samples, set(found.undefined)) == (rows, untold)
    assert np.isfinite(list(found.metrics.values())).all()
    assert not untold & found.metrics.keys()


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
