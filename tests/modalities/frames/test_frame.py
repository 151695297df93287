"""Objects of a program as data: what each becomes, and what is told of those that cannot be."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

import graft
from graft.core.errors import DataError, SpecError
from graft.core.storage import Home
from graft.data.listing import Listing, list_samples
from graft.data.split import UNASSIGNED, Split
from graft.modalities.frames.frame import Frame
from graft.spec.load import parse_job

TEXTS, STARS = ["good", "bad", None, "fine"], [1, 2, 1, 2]


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home.find(tmp_path / "home")


def listed(given: Frame, place: Home) -> Listing:
    section = given.section(place)
    json.dumps(section)
    return list_samples(parse_job({"name": "x", "data": section}).data)


def texts_of(listing: Listing) -> list[str]:
    return [bytes(source).decode() for source in listing.sources]


def frames_of_texts() -> Iterator[Any]:
    columns = {"review": TEXTS, "stars": STARS}
    yield pytest.param(pd.DataFrame(columns), id="pandas")
    yield pytest.param(pd.DataFrame(columns, index=[9, 9, 3, 1]).convert_dtypes(), id="pandas' own types")
    yield pytest.param(pa.table(columns), id="arrow")
    yield pytest.param(columns, id="mapping")
    yield pytest.param({"review": np.array(TEXTS, dtype=object), "stars": np.array(STARS)}, id="arrays")
    yield pytest.param([dict(zip(columns, row, strict=True)) for row in zip(TEXTS, STARS, strict=True)], id="records")
    polars = pytest.importorskip("polars")
    yield pytest.param(polars.DataFrame(columns), id="polars")


@pytest.mark.parametrize("given", list(frames_of_texts()))
def test_every_object_gives_the_same_rows(given: Any, place: Home) -> None:
    listing = listed(graft.frame(given, text="review", label="stars"), place)
    assert texts_of(listing) == ["good", "bad", "", "fine"]
    assert listing.targets.values.tolist() == [1, 2, 1, 2]


def test_hugging_face_brings_names_and_splits(place: Home, noise: Callable[..., np.ndarray]) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=["cat", "dog"]))
    rows = {"image": [noise(4, 5, 3, seed=n) for n in range(4)], "label": [0, 1, 1, 0]}
    made = datasets.Dataset.from_dict(rows, features=features)
    listing = listed(graft.frame(made), place)
    assert listing.targets.values.tolist() == ["cat", "dog", "dog", "cat"]
    assert np.array_equal(listing.reader(listing.sources[2], 0).pixels, rows["image"][2])
    chosen = listed(graft.frame(made.select([3, 0])), place)
    assert np.array_equal(chosen.reader(chosen.sources[0], 0).pixels, rows["image"][3])
    parts = datasets.DatasetDict(train=made, test=made.select([0, 1]), unsupervised=made)
    assert listed(graft.frame(parts), place).given.tolist() == [UNASSIGNED] * 4 + [int(Split.TEST)] * 2
    with pytest.raises(SpecError, match="load it without streaming"):
        graft.frame(made.to_iterable_dataset())


def test_torch_data_sets_are_pairs(place: Home, noise: Callable[..., np.ndarray]) -> None:
    import torch
    from torch.utils.data import Dataset, TensorDataset

    class Pairs(Dataset[Any]):
        classes = ("cat", "dog")

        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            return Image.fromarray(noise(4, 5, 3, seed=index)), index % 2

    listing = listed(graft.frame(Pairs()), place)
    assert listing.targets.values.tolist() == ["cat", "dog", "cat"]
    tensors = TensorDataset(torch.linspace(0, 1, 2 * 3 * 4 * 5).reshape(2, 3, 4, 5), torch.tensor([0, 1]))
    found = listed(graft.frame(tensors), place)
    assert found.reader(found.sources[1], 0).pixels.shape == (4, 5, 3)
    assert found.targets.values.tolist() == [0, 1]

    class Random(Pairs):
        def __getitem__(self, index: int) -> Any:
            return np.random.default_rng().integers(0, 255, (4, 4), dtype=np.uint8), 0

    with pytest.raises(DataError, match="drawn at random, such as an augmentation"):
        listed(graft.frame(Random()), place)


@pytest.mark.parametrize("form", ["array", "grey", "float", "channels first", "picture", "bytes", "path"])
def test_images_in_every_form(
    form: str, place: Home, tmp_path: Path, noise: Callable[..., np.ndarray], encode: Callable[..., bytes]
) -> None:
    pixels = noise(4, 5, 3)
    path = tmp_path / "a.png"
    path.write_bytes(encode(pixels))
    given: Any = {
        "array": pixels, "grey": pixels[:, :, :1], "float": pixels / 255.0, "channels first": pixels.transpose(2, 0, 1),
        "picture": Image.fromarray(pixels), "bytes": encode(pixels), "path": path,
    }[form]  # fmt: skip
    listing = listed(graft.frame(images=[given, given], labels=["a", "b"]), place)
    found = listing.reader(listing.sources[1], 0).pixels
    assert np.array_equal(found, np.repeat(pixels[:, :, :1], 3, axis=2) if form == "grey" else pixels)


def test_the_same_is_written_once_and_a_change_is_another_set(place: Home) -> None:
    table = pd.DataFrame({"text": ["a", "b"], "label": [0, 1], "unused": [1, 2]})
    first = graft.frame(table).section(place)
    stamp = Path(first["path"]).stat().st_mtime_ns
    again = graft.frame(table.assign(unused=[7, 7])).section(place)
    assert (again, Path(again["path"]).stat().st_mtime_ns) == (first, stamp)
    table.loc[0, "text"] = "c"
    assert graft.frame(table).section(place) != first
    assert len(list(place.frames.iterdir())) == 2


def test_a_frame_that_changes_while_it_is_read(place: Home) -> None:
    class Growing(list[str]):
        def __iter__(self) -> Iterator[str]:
            self[0] += "x"
            return super().__iter__()

    with pytest.raises(DataError, match="has changed while it was read"):
        graft.frame(texts=Growing(["a", "b"]), labels=[0, 1]).section(place)
    assert [one for one in place.frames.iterdir() if one.suffix == ".parquet"] == []


def test_columns_may_be_called_anything(place: Home) -> None:
    table = pd.DataFrame([["a", 1, "train"], ["b", 2, "test"], ["c", 1, "train"]], columns=[0, "text", "path"])
    listing = listed(graft.frame(table, text=0, label="text", split="path", seed=3), place)
    assert (texts_of(listing), listing.given.tolist()[1]) == (["a", "b", "c"], int(Split.TEST))
    several = graft.frame({"text": ["a", "b"], "x": [0.5, 1], "y": [2, 3.5]}, label=["x", "y"])
    assert listed(several, place).targets.columns == ("x", "y")


def twice() -> pd.DataFrame:
    return pd.DataFrame([["a", "b", 1]], columns=["text", "text", "label"])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: graft.frame(3), "type builtins.int, which is not read; give a pandas"),
        (lambda: graft.frame("reviews.csv"), "type builtins.str, which is not read"),
        (lambda: graft.frame([]), "type builtins.list, which is not read"),
        (lambda: graft.frame(np.zeros((3, 3))), "type numpy.ndarray, which is not read"),
        (lambda: graft.frame(pd.Series(["a"])), "give a DataFrame with a column of samples"),
        (lambda: graft.frame(iter([1])), "which is not read"),
        (lambda: graft.frame(), "nothing is given"),
        (lambda: graft.frame(texts=["a"]), "nothing is given"),
        (lambda: graft.frame(pd.DataFrame({"text": ["a"]}), labels=[1]), "given beside an object"),
        (lambda: graft.frame(texts=["a", "b"], labels=[1]), r"different lengths \(`text` 2, `label` 1\)"),
        (lambda: graft.frame(texts=(one for one in "ab"), labels=[1, 2]), "must have a length"),
        (lambda: graft.frame(twice()), "not named|2 columns"),
        (lambda: graft.frame(twice(), text="text"), "has 2 columns `text`, but must have one"),
        (lambda: graft.frame(pd.DataFrame({0: ["a"], "0": [1]}), text="0", label=0).section(), "named for two things"),
        (lambda: graft.frame({"review": ["a"], "label": [1]}), "column of the samples is not named"),
        (lambda: graft.frame({"text": ["a"], "stars": [1]}), "column of the labels is not named"),
        (lambda: graft.frame({"text": ["a"], "stars": [1]}, label="star"), "no column `star`.*`text`, `stars`"),
        (lambda: graft.frame({"text": ["a"], "label": [1]}, text="text", image="text"), "must be of one modality"),
        (lambda: graft.frame({"text": ["a"], "label": [1]}, text="label", label="label").section(), "two things"),
        (lambda: graft.frame({"text": [], "label": []}).section(), "has no rows"),
        (lambda: graft.frame({"text": ["a", 3], "label": [1, 2]}).section(), "row 2 of column `text`.*type int"),
        (lambda: graft.frame({"text": ["a", "b"], "label": [1, "x"]}).section(), "not of one kind"),
        (lambda: graft.frame(images=[np.zeros((2, 2, 9))], labels=[1]).section(), r"is an array \(2, 2, 9\)"),
        (lambda: graft.frame(images=[np.full((2, 2), 7.0)], labels=[1]).section(), "from 7 to 7, whose white"),
        (lambda: graft.frame(images=[np.zeros((2, 2), complex)], labels=[1]).section(), "array of complex128"),
        (lambda: graft.frame(images=[object()], labels=[1]).section(), "is of type object, but must be a path"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(make: Callable[[], Any], told: str, home: Path) -> None:
    with pytest.raises(SpecError, match=told) as raised:
        make()
    assert "\n" not in str(raised.value)


def test_a_job_says_what_to_give_in_place_of_a_bare_object(home: Path) -> None:
    with pytest.raises(SpecError, match=r"data: is of type DataFrame.*graft.frame\(data"):
        graft.run({"name": "x", "data": pd.DataFrame({"text": ["a"], "label": [1]})})
    with pytest.raises(SpecError, match="colour"):
        graft.run({"name": "x", "data": graft.frame({"text": ["a"], "label": [1]}, colour=1)})
