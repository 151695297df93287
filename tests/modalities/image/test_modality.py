import io
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from graft.data.augmentation.draws import Draws
from graft.modalities.image.augment.light import Light
from graft.modalities.image.info import PIXELS
from graft.modalities.image.modality import Images
from graft.modalities.image.serving import ImageReader
from graft.modalities.image.storage import StoredImages, square
from graft.modalities.registry import build_modality
from graft.models.load import describe_backbone
from graft.spec.components.augmentation import NoAugmentation
from graft.spec.modalities.image import DigitsData, ImageFolderData, ImagePreprocessing, LightAugmentation
from graft.spec.modalities.table import TableData
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

GIVEN = ImagePreprocessing(stored_size=32, resolution=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@pytest.fixture(scope="module")
def modality() -> Images:
    found = build_modality("image")
    assert isinstance(found, Images)
    return found


def space(**fields: object) -> StrategySpace:
    return StrategySpace.parse(fields)


def test_images_are_stored_as_large_as_the_largest_resolution_of_the_space(modality, tmp_path, image_folder):
    grey = modality.list(DigitsData())
    colour = modality.list(ImageFolderData(path=image_folder(tmp_path, {"cat": 1, "dog": 1})))
    wide = space(resolution={"choice": [32, 96, 48]})
    assert modality.storage(grey, wide) == StoredImages(96, 1).spec()
    assert modality.storage(colour, wide) == StoredImages(96, 3).spec()
    assert modality.storage(grey, space()) == StoredImages(64, 1).spec()


def test_a_stored_form_comes_back_from_what_a_dataset_knows():
    form = StoredImages(40, 1, "bilinear")
    assert StoredImages.from_spec(form.spec()) == form


def test_a_size_is_the_resolution_and_64_without_one(modality):
    assert modality.size(Strategy()) == 64
    assert modality.size(Strategy(resolution=32)) == 32
    assert Strategy(**modality.sized(48)) == Strategy(resolution=48)
    assert set(modality.sizes(space(resolution={"choice": [32, 96]}))) == {32, 96}
    assert tuple(modality.sizes(space())) == (64,)


def test_a_decoder_travels_and_squares(modality):
    spec = DigitsData()
    listing = modality.list(spec)
    storage = StoredImages(12, 1).spec()
    decoder = pickle.loads(pickle.dumps(modality.decoder(spec, listing, storage)))
    block = decoder([listing.sources[3], listing.sources[5]])
    pixels = listing.reader(listing.sources[5], 12).pixels
    assert block.columns[PIXELS].shape == (2, 12, 12, 1)
    np.testing.assert_array_equal(block.columns[PIXELS][1], square(pixels, StoredImages(12, 1)))
    assert block.reasons == ["", ""]
    assert len(set(block.digests)) == 2


def test_an_unreadable_image_is_a_black_row_with_a_reason(modality, tmp_path, image_folder):
    spec = ImageFolderData(path=image_folder(tmp_path, {"cat": 1, "dog": 1}))
    listing = modality.list(spec)
    (tmp_path / "cat" / "000.png").write_bytes(b"")
    block = modality.decoder(spec, listing, StoredImages(8).spec())(listing.sources)
    assert block.reasons == ["is empty", ""]
    assert block.digests[0] == ""
    assert len(block.digests[1]) == 64
    assert block.columns[PIXELS][0].max() == 0
    assert block.columns[PIXELS][1].max() > 0


def test_a_batch_of_the_strategy_s_size_fits_the_backbone(modality):
    info = describe_backbone("efficientnet_lite0")
    strategy = Strategy(resolution=32)
    given = modality.preprocessing(StoredImages(40).spec(), strategy, info)
    assert (given.size, given.stored_size, given.mean) == (32, 40, info.input.mean)
    images = {PIXELS: np.zeros((3, 40, 40, 3), np.uint8)}
    made = modality.inputs(images, given, torch.device("cpu")).plain(np.arange(3))
    example = modality.example_batch(info, modality.size(strategy), 3)
    assert {name: tensor.shape for name, tensor in made.items()} == {name: one.shape for name, one in example.items()}
    assert made[PIXELS].dtype == example[PIXELS].dtype


@pytest.mark.parametrize("none", [NoAugmentation(), LightAugmentation(magnitude=0.0), LightAugmentation(share=0.0)])
def test_nothing_changes_the_images_where_nothing_is_to_be_changed(modality, none):
    assert modality.augmenter(none, DigitsData(), GIVEN) is None


@pytest.mark.parametrize(("flip", "sides"), [("none", 1), ("horizontal", 2), ("both", 4)])
def test_the_data_say_which_mirror_images_keep_the_label(modality, tmp_path, flip, sides):
    augmenter = modality.augmenter(LightAugmentation(magnitude=0.01), ImageFolderData(path=tmp_path, flip=flip), GIVEN)
    assert isinstance(augmenter, Light)
    images = torch.zeros(64, 1, 9, 9)
    images[:, :, 1, 1] = 1
    moved = augmenter.apply({PIXELS: images}, Draws.of_epoch(np.arange(64), 0, 1))[PIXELS]
    assert len(set(moved.flatten(1).argmax(dim=1).tolist())) == sides


def test_digits_are_never_mirrored(modality):
    assert modality.augmenter(LightAugmentation(), DigitsData(), GIVEN)._flip == "none"


def test_placing_changes_the_layout_but_no_value(modality):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    placed = modality.place(network, torch.device("cpu"))
    assert placed is network
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_stored_image_is_a_row_of_the_table_that_a_registered_model_takes(modality, noise):
    images = noise(3, 12, 12, 3)
    row = modality.example_row({PIXELS: images}, 1)
    assert row.keys() == modality.signature.keys() == {"image"}
    (content,) = modality.from_table([row["image"]])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), images[1])
    found = modality.previews({PIXELS: images}, np.array([2, 0]))
    np.testing.assert_array_equal(found, images[[2, 0]])


def test_a_bundle_needs_no_files_but_its_preprocessing(modality, tmp_path):
    given = modality.preprocessing(StoredImages(40).spec(), Strategy(), describe_backbone("efficientnet_lite0"))
    assert modality.bundle_files(given, describe_backbone("efficientnet_lite0")) == {}
    assert modality.reader(given, tmp_path) == ImageReader(StoredImages(40))


def test_a_bundle_knows_the_column_the_encoding_and_the_limit_it_was_trained_with(modality, tmp_path, folder):
    (folder / "train.csv").write_bytes("bild,art\na.png,é\nsub/b.jpg,e\n".encode("cp1252"))
    data = TableData(path=folder / "train.csv", image="bild", label="art", encoding="cp1252", max_pixels=4800)
    storage = modality.storage(modality.list(data), space())
    made = modality.preprocessing(storage, Strategy(), describe_backbone("efficientnet_lite0"))
    given = ImagePreprocessing.read_stored(made.model_dump(mode="json"))
    assert (given.image_column, given.encoding, given.max_pixels) == ("bild", "cp1252", 4800)
    (folder / "new.csv").write_bytes("image,bild,é\nx.png,a.png,y\n".encode("cp1252"))
    assert modality.find([folder / "new.csv"], given) == [folder / "a.png"]
    larger = Image.new("RGB", (81, 60))
    assert modality.reader(given, tmp_path)([larger]).errors[0].startswith("has 81 x 60 pixels, more than")


def test_a_bundle_of_before_reads_as_it_did(modality, tmp_path):
    made = modality.preprocessing(StoredImages(40).spec(), Strategy(), describe_backbone("efficientnet_lite0"))
    old = {name: value for name, value in made.model_dump(mode="json").items() if name in made.model_fields_set}
    for name in ("max_pixels", "image_column", "encoding"):
        old.pop(name, None)
    assert modality.reader(ImagePreprocessing.read_stored(old), tmp_path) == ImageReader(StoredImages(40))
