import io
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from graft.core.errors import ArtifactError, SpecError
from graft.core.storage import file_digest
from graft.data.batch import Batch
from graft.modalities.image.storage import StoredImages, decode_square
from graft.modalities.image.transforms import preprocess
from graft.modalities.protocol import Readings
from graft.models.backbone import Backbone
from graft.models.bundle import read_bundle
from graft.models.network import Network
from graft.models.structure.together import Together
from graft.serving import predictor as module
from graft.serving.network import ServedNetworks
from graft.serving.prediction import Prediction
from graft.serving.predictor import Predictor


def same(one, other) -> bool:
    return one.label == other.label and one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_a_prediction_is_a_distribution_over_the_labels(predictor, folder):
    (found,) = predictor.predict([folder / "a.png"])
    assert list(found.probabilities) == ["cat", "dog", "emu"]
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert found.label == max(found.probabilities, key=found.probabilities.__getitem__)
    assert found.probability == found.probabilities[found.label]
    assert (found.source, found.error) == (str(folder / "a.png"), None)


def test_it_answers_as_the_network_does_on_what_ingest_would_store(predictor, folder):
    content = (folder / "a.png").read_bytes()
    preprocessing = predictor.bundle.spec.preprocessing
    stored = decode_square(content, StoredImages.of(preprocessing))
    with torch.inference_mode():
        logits = predictor.bundle.build()(preprocess(stored[None], preprocessing))
    (found,) = predictor.predict([folder / "a.png"])
    assert list(found.probabilities.values()) == pytest.approx(logits.softmax(1)[0].tolist(), abs=1e-5)


def test_different_images_get_different_answers(predictor, folder, pixels):
    one, other = predictor.predict([pixels, 255 - pixels])
    assert one.probabilities != pytest.approx(other.probabilities, abs=1e-3)


def test_colour_counts_only_where_it_was_kept(colour, grey, pixels):
    swapped = np.ascontiguousarray(pixels[:, :, ::-1])
    flat = np.full((50, 50, 3), 120, np.uint8)
    assert not same(*colour.predict([pixels, swapped]))
    assert same(*grey.predict([flat, np.full((50, 50), 120, np.uint8)]))


def test_file_text_path_bytes_array_and_pil_agree(predictor, folder, pixels):
    path = folder / "a.png"
    found = predictor.predict([path, str(path), path.read_bytes(), pixels, Image.fromarray(pixels), Image.open(path)])
    assert [one.source for one in found] == [str(path), str(path), "#2", "#3", "#4", "#5"]
    assert all(same(found[0], one) for one in found[1:])


def test_grey_forms_agree(predictor, pixels, encode):
    grey = pixels[:, :, 0].copy()
    forms = [grey, grey[:, :, None], np.repeat(grey[:, :, None], 3, axis=2), Image.fromarray(grey), encode(grey)]
    found = predictor.predict(forms)
    assert all(same(found[0], one) for one in found[1:])


def test_arrays_need_not_be_contiguous_nor_writable(predictor, pixels):
    view = np.repeat(np.repeat(pixels, 2, axis=0), 2, axis=1)[::2, ::2]
    view.flags.writeable = False
    assert same(*predictor.predict([view, pixels]))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "CMYK", "1"])
def test_a_pil_image_is_read_as_its_file_is(predictor, pixels, encode, mode):
    image = Image.fromarray(pixels).convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    assert same(*predictor.predict([image, encode(image, kind)]))


def test_transparent_parts_are_white_in_pil_images_too(colour, pixels, encode):
    alpha = np.zeros(pixels.shape[:2], np.uint8)
    alpha[:, 40:] = 255
    image = Image.fromarray(np.dstack([pixels, alpha]), "RGBA")
    assert same(*colour.predict([image, encode(image)]))


def test_sixteen_bits_are_scaled_in_pil_images_too(grey, pixels, encode):
    image = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    assert same(*grey.predict([image, encode(image)]))


def test_an_opened_photo_is_turned_as_its_file_is(colour, pixels, encode, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    path.write_bytes(encode(pixels, exif=exif))
    assert same(*colour.predict([path, Image.open(path)]))


def test_a_large_jpeg_is_read_as_its_pixels_are(predictor, encode):
    # A file may be decoded at a fraction of its size; the answer may not depend on it.
    rows, columns = np.mgrid[:640, :800]
    content = encode(np.stack([rows // 3, columns // 4, (rows + columns) // 6], axis=2).astype(np.uint8), "JPEG")
    from_file, from_pixels = predictor.predict([content, np.asarray(Image.open(io.BytesIO(content)))])
    assert from_file.probabilities == pytest.approx(from_pixels.probabilities, abs=0.02)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"hello there", "is text, but must be an image"),
        (b"\x00\x01" * 50, "is not an image of a known format"),
    ],
)
def test_an_unreadable_image_is_an_answer_with_the_reason(predictor, content, reason, pixels):
    bad, good = predictor.predict([content, pixels])
    assert (bad.source, bad.label, bad.probability, bad.probabilities) == ("#0", None, None, {})
    assert bad.error.startswith(reason)
    assert (good.error, good.source) == (None, "#1")


def test_a_truncated_file_is_an_answer_with_the_reason(predictor, folder):
    path = folder / "sub" / "b.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    (found,) = predictor.predict([path])
    assert found.label is None
    assert "truncated" in found.error


def test_a_missing_file_is_an_answer_with_the_reason(predictor, tmp_path):
    (found,) = predictor.predict([tmp_path / "nope.png"])
    assert (found.source, found.error) == (str(tmp_path / "nope.png"), "cannot be read (No such file or directory)")


def test_an_image_that_says_it_is_huge_is_not_decoded(predictor, encode, monkeypatch):
    stored = replace(predictor._read.stored, max_pixels=100)
    monkeypatch.setattr(predictor, "_read", replace(predictor._read, stored=stored))
    (found,) = predictor.predict([encode(np.zeros((11, 10), np.uint8))])
    assert "10 x 11 pixels" in found.error


def test_only_unreadable_images_need_no_network(predictor):
    assert [one.label for one in predictor.predict([b"", b""])] == [None, None]


def test_nothing_gives_nothing(predictor):
    assert predictor.predict([]) == []


def test_batches_do_not_change_answers_or_order(colour, pixels, monkeypatch):
    images = [np.roll(pixels, 7 * shift, axis=0) for shift in range(5)]
    images.insert(2, b"broken")
    whole = colour.predict(images)
    monkeypatch.setattr(module, "BATCH_SIZE", 2)
    parts = colour.predict(images)
    assert [one.source for one in parts] == [f"#{number}" for number in range(6)]
    assert parts[2].error == whole[2].error != None  # noqa: E711 - a chain of comparisons
    assert all(same(one, other) for one, other in zip(whole, parts, strict=True) if one.error is None)


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros((5, 5, 3), np.float32), r"float32 \(5, 5, 3\)"),
        (np.zeros((5, 5, 4), np.uint8), r"uint8 \(5, 5, 4\)"),
        (np.zeros((3, 5, 5), np.uint8), r"uint8 \(3, 5, 5\)"),
        (np.zeros(5, np.uint8), r"uint8 \(5,\)"),
    ],
)
def test_an_array_that_is_no_image_is_the_callers_error(predictor, array, told):
    with pytest.raises(SpecError, match=rf"an image array is {told}, but must be uint8 \[H, W\]"):
        predictor.predict([array])


def test_an_array_without_pixels_is_the_callers_error(colour):
    with pytest.raises(SpecError):
        colour.predict([np.zeros((0, 5, 3), np.uint8)])


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        (
            [3.5],
            "sample 0 is of type float, but must be the name of a file, encoded bytes, a PIL image, or a uint8 array",
        ),
        (3.5, "of type float is given to predict, but must be the name of a file"),
        (None, "None is given"),
        ({"image": "a.png"}, "of type dict is given"),
        (torch.zeros(3, 5, 5), r"of type Tensor and shape \(3, 5, 5\) is given"),
        (pd.DataFrame({"picture": ["a.png"]}), "the table has picture, but needs a column `image`"),
        (np.zeros((2, 2, 5, 5, 3), np.uint8), r"sample 0 is of type ndarray and shape \(2, 5, 5, 3\)"),
    ],
)
def test_what_is_no_image_at_all_is_refused_by_name(colour, odd, told):
    with pytest.raises(SpecError, match=told):
        colour.predict(odd)


def test_one_image_needs_no_list(colour, folder, pixels, monkeypatch):
    path = folder / "a.png"
    monkeypatch.chdir(folder)
    for one in ("a.png", path, path.read_bytes(), bytearray(path.read_bytes()), pixels, Image.open(path)):
        (found,) = colour.predict(one)
        assert same(found, colour.predict([path])[0])


def test_a_name_that_is_no_file_is_one_answer_with_the_reason(colour):
    for name in ("nope.png", "x" * 5000):
        (found,) = colour.predict(name)
        assert found.error.startswith("cannot be read")


def test_a_folder_a_table_and_an_array_of_many_are_all_that_they_hold(colour, folder, pixels):
    (folder / "list.csv").write_text("image\na.png\n")
    assert [one.source for one in colour.predict(str(folder))] == [str(folder / "a.png"), str(folder / "sub" / "b.jpg")]
    assert [one.source for one in colour.predict(folder / "list.csv")] == [str(folder / "a.png")]
    assert [one.source for one in colour.predict(np.stack([pixels, pixels]))] == ["#0", "#1"]
    table = pd.DataFrame({"image": [str(folder / "a.png"), None]}, index=[5, 6])
    there, missing = colour.predict(table)
    assert (there.error, missing.error, missing.source) == (None, "is missing", "#1")


def test_one_name_of_a_folder_is_enough_for_files(colour, folder):
    assert len(colour.predict_files(str(folder))) == len(colour.predict_files([folder])) == 2
    with pytest.raises(SpecError, match="must be the name of a file, a folder or a table"):
        colour.predict_files(3)


def test_what_a_folder_holds_beside_its_images_is_said_in_python(colour, folder, caplog):
    (folder / "list.csv").write_text("image\na.png\n")
    assert colour.predict_files(folder / "list.csv")
    assert caplog.messages == []
    for ask in (colour.predict_files, colour.predict):
        assert ask(str(folder))
        told = "hidden: 1 (.hidden.png); suffix .csv: 1 (list.csv); suffix .txt: 1 (notes.txt)"
        assert caplog.messages == [f"left out: {told}"]
        caplog.clear()


def test_probabilities_are_an_array(colour, pixels):
    found = colour.predict_proba([pixels, b"broken"])
    assert found.shape == (2, 3)
    assert found[0].sum() == pytest.approx(1)
    assert np.isnan(found[1]).all()
    assert colour.predict_proba([]).shape == (0, 3)


def test_it_shows_what_it_is(colour):
    told = repr(colour)
    assert told.startswith(
        "Predictor(model: pets, task: classification of images, predicts: cat, dog, emu, network: timm/"
    )
    assert "<td>cat, dog, emu</td>" in colour._repr_html_()


def test_a_frame_has_a_row_an_image_and_a_column_a_class(predictor, pixels):
    frame = predictor.predict_frame([pixels, b""])
    assert list(frame.columns) == ["source", "label", "probability", "error", "p(cat)", "p(dog)", "p(emu)"]
    assert list(frame["source"]) == ["#0", "#1"]
    assert frame.loc[0, ["p(cat)", "p(dog)", "p(emu)"]].sum() == pytest.approx(1)
    assert frame.loc[1, "error"] == "is empty"
    assert frame.loc[1, ["label", "probability", "p(cat)"]].isna().all()


def test_a_frame_of_nothing_still_has_its_columns(colour):
    assert list(colour.predict_frame([]).columns) == [
        "source", "label", "probability", "error", "p(cat)", "p(dog)", "p(emu)",
    ]  # fmt: skip


def test_files_folders_and_tables_are_expanded(predictor, folder):
    (folder / "list.csv").write_text("image\na.png\n")
    found = predictor.predict_files([folder, folder / "list.csv"])
    assert [one.source for one in found] == [
        str(folder / "a.png"), str(folder / "sub" / "b.jpg"), str(folder / "a.png"),
    ]  # fmt: skip


def test_predicting_leaves_the_callers_gradients_alone(colour, pixels):
    weight = torch.ones(1, requires_grad=True)
    colour.predict([pixels])
    assert torch.is_grad_enabled()
    (weight * 2).backward()
    assert weight.grad is not None


def test_a_damaged_bundle_is_refused(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "copy")
    (tmp_path / "copy" / "targets.json").write_text('{"names": ["dog", "cat", "emu"]}')
    with pytest.raises(ArtifactError, match=r"targets\.json .* is damaged"):
        Predictor.from_directory(tmp_path / "copy")


def test_a_file_keeps_its_name_whatever_it_begins_with(colour, folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "#7.png").write_bytes((folder / "a.png").read_bytes())
    monkeypatch.setattr(module, "BATCH_SIZE", 2)
    found = colour.predict(["a.png", "#7.png", "#7.png", b"", "#7.png"])
    assert [one.source for one in found] == ["a.png", "#7.png", "#7.png", "#3", "#7.png"]


def test_a_prediction_is_plain_values(colour, pixels):
    good, bad = (one.to_dict() for one in colour.predict([pixels, b""]))
    assert good.keys() == {"source", "label", "probability", "probabilities", "error"}
    assert json.loads(json.dumps(good)) == good
    assert bad == {"source": "#1", "probabilities": {}, "error": "is empty"}


def test_a_bundle_of_the_first_format_answers_as_it_did(bundle, tmp_path, pixels, colour):
    old = tmp_path / "first"
    shutil.copytree(bundle, old)
    names = json.loads((old / "targets.json").read_text())["names"]
    preprocessing = json.loads((old / "preprocessing.json").read_text())
    del preprocessing["kind"]
    (old / "targets.json").unlink()
    (old / "labels.json").write_text(json.dumps(names))
    (old / "preprocessing.json").write_text(json.dumps(preprocessing))
    manifest = json.loads((old / "manifest.json").read_text())
    del manifest["modality"], manifest["files"]
    seals = {
        path.name: {"sha256": file_digest(path), "bytes": path.stat().st_size}
        for path in old.iterdir()
        if path.name != "manifest.json"
    }
    (old / "manifest.json").write_text(json.dumps({**manifest, "format": 1, "files": seals}))
    assert same(*Predictor.from_directory(old).predict([pixels]), *colour.predict([pixels]))


def test_a_missing_bundle_is_told(tmp_path):
    with pytest.raises(ArtifactError, match="is no bundle"):
        Predictor.from_directory(tmp_path / "nope")


def test_the_bundle_is_all_that_is_needed(bundle, tmp_path, pixels, colour, monkeypatch):
    # The weights package of the backbone may be gone where the model is served.
    def gone(*args: object) -> None:
        pytest.fail("asked for the pretrained weights")

    monkeypatch.setattr("graft.models.sources.PackageWeights.state_dict", gone)
    shutil.copytree(bundle, tmp_path / "elsewhere")
    again = Predictor(read_bundle(tmp_path / "elsewhere"))
    assert same(*again.predict([pixels]), *colour.predict([pixels]))


class OfManyLengths:
    """A modality of rows of numbers, and a network that adds each up; it remembers how long its batches were."""

    is_ragged = True

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def inputs(self, columns, given, device):
        rows = columns["rows"]
        lengths = np.array([len(row) for row in rows])

        def plain(places):
            longest = int(lengths[places].max())
            self.lengths.append(longest)
            padded = [np.pad(rows[place], (0, longest - len(rows[place]))) for place in places]
            return Batch({"rows": torch.tensor(np.array(padded), dtype=torch.float64)})

        return SimpleNamespace(lengths=lengths, plain=plain)


class SumOfRows(nn.Module):
    """Stands for a stem: all that there is of a network whose only output is the sum of a row."""

    def forward(self, batch):
        return batch["rows"].sum(dim=1, keepdim=True)


def test_one_long_sample_does_not_fill_up_all_others():
    rng = np.random.default_rng(0)
    rows = [np.full(int(length), float(place)) for place, length in enumerate(rng.integers(1, 500, 200))]
    predictor = Predictor.__new__(Predictor)
    predictor.modality = modality = OfManyLengths()
    predictor._read = lambda samples: Readings(
        tuple(f"#{place}" for place in range(len(samples))),
        {"rows": [one for one in samples if isinstance(one, np.ndarray)]},
        {place: "is text" for place, one in enumerate(samples) if isinstance(one, str)},
    )
    network = ServedNetworks.__new__(ServedNetworks)
    network._model = Together([(0, Network(Backbone(SumOfRows(), [], nn.Identity(), 1), nn.Identity()))])
    network.bundle = predictor.bundle = SimpleNamespace(
        spec=SimpleNamespace(num_outputs=1, preprocessing=None, facts={}, ensemble=None)
    )
    network._device, network._views, network._modality = torch.device("cpu"), (), modality
    network.read = predictor._read
    predictor._networks, predictor._facts_of, predictor.cost = [network], ([1.0], [{}]), module.Cost(1)
    predictor.task = SimpleNamespace(decide=lambda outputs, facts: outputs.numpy())
    samples = [*rows[:70], None, *rows[70:], "text"]
    found = predictor.decided(samples)
    assert found.predictions[:, 0].tolist() == pytest.approx([row.sum() for row in rows])
    assert found.errors == {70: "is missing", 201: "is text"}
    assert modality.lengths == sorted(modality.lengths, reverse=True)
    assert len(modality.lengths) == 4
    assert sum(modality.lengths) < 1200 < 4 * 499


def test_a_prediction_may_be_the_mean_over_views(bundle, colour, pixels):
    several = Predictor.from_directory(bundle, tta=3)
    samples = [pixels, 255 - pixels]
    outputs = several._networks[0].outputs(several._read(samples).columns)
    views = [several.task.decide(one.outputs[0], several.bundle.spec.facts) for one in outputs]
    assert np.array_equal(views[0], colour.predict_proba(samples))
    assert several.predict_proba(samples) == pytest.approx(np.mean(views, axis=0))
    assert np.abs(several.predict_proba(samples) - views[0]).max() > 1e-4


def test_an_answer_over_views_does_not_depend_on_its_neighbours(bundle, pixels):
    several = Predictor.from_directory(bundle, tta=4)
    together = several.predict_proba([255 - pixels, pixels])[1]
    assert several.predict_proba([pixels])[0] == pytest.approx(together, abs=1e-6)


def test_one_view_is_the_contract_as_it_was(bundle, colour, pixels):
    assert np.array_equal(
        Predictor.from_directory(bundle, tta=1).predict_proba([pixels]), colour.predict_proba([pixels])
    )


def test_the_cost_of_views_is_told(bundle, pixels):
    several = Predictor.from_directory(bundle, tta=4)
    several.predict([pixels, pixels])
    cost = several.cost.to_dict()
    assert (cost["views"], several.cost.samples) == (4, 2)
    assert cost["ms"] > cost["ms_plain"] > 0


@pytest.mark.parametrize("tta", [0, 33])
def test_there_are_no_so_many_views(bundle, tta):
    with pytest.raises(SpecError, match=f"tta is {tta}, but must be a whole number between 1 and 32"):
        Predictor.from_directory(bundle, tta=tta)


def test_samples_without_views_say_so(bundle, monkeypatch):
    monkeypatch.setattr("graft.modalities.image.modality.Images.test_views", lambda *arguments: ())
    with pytest.raises(SpecError, match="tta is 2, but images have 1 views; ask for fewer"):
        Predictor.from_directory(bundle, tta=2)


@pytest.mark.parametrize(
    ("prediction", "told"),
    [
        (
            Prediction("a.png", {"label": "cat", "probability": 0.98765}, {"cat": 0.98765}),
            "label='cat', probability=0.9877",
        ),
        (Prediction("a.png", {"value": 3.4, "low": 3.0, "high": 4.0}), "value=3.4, low=3, high=4"),
        (Prediction("a.png", {"labels": ["red", "wide"]}), "labels=['red', 'wide']"),
        (Prediction("a.png", error="is empty"), "error='is empty'"),
    ],
)
def test_a_prediction_shows_its_answer(prediction, told):
    assert repr(prediction) == f"Prediction({told}, source='a.png')"
