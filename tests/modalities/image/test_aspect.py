"""How images that are not square are made so: at ingest, in training, in predictions, in what is shown of them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from graft.core.errors import ArtifactError
from graft.modalities.image.info import PIXELS, ImageInput
from graft.modalities.image.modality import Images
from graft.modalities.image.storage import ImageDecoder, StoredImages, square
from graft.modalities.image.transforms import preprocessing_of
from graft.models.load import describe_backbone
from graft.spec.load import parse_job
from graft.spec.modalities.image import ImageModality, ImagePreprocessing
from graft.spec.strategy import Strategy

MODALITY = Images(ImageModality())
ASPECTS = ("crop", "pad", "squash")
WANTED = ImageInput((0.5,) * 3, (0.5,) * 3, "bicubic", 32)


def wide() -> np.ndarray:
    """Twice as wide as high: a red, two grey, a blue quarter."""
    picture = np.full((40, 80, 3), 128, np.uint8)
    picture[:, :20], picture[:, 60:] = (255, 0, 0), (0, 0, 255)
    return picture


def quarters(image: np.ndarray) -> list[tuple[int, int, int]]:
    """Colours from left to right, along the middle."""
    side = image.shape[1]
    return [tuple(image[side // 2, side * place // 8].tolist()) for place in (1, 3, 5, 7)]


RED, GREY, BLUE = (255, 0, 0), (128, 128, 128), (0, 0, 255)


class TestSquare:
    def test_crop_loses_the_sides(self) -> None:
        assert quarters(square(wide(), StoredImages(32))) == [GREY] * 4

    def test_squash_has_all_in_other_proportions(self) -> None:
        assert quarters(square(wide(), StoredImages(32), "squash")) == [RED, GREY, GREY, BLUE]

    def test_pad_has_all_in_proportion_between_bars_of_the_colour_of_the_border(self) -> None:
        found = square(wide(), StoredImages(32), "pad")
        assert quarters(found) == [RED, GREY, GREY, BLUE]
        assert (found[:8] == found[0, 0]).all()
        assert (found[-8:] == found[0, 0]).all()
        assert tuple(found[0, 0].tolist()) == tuple(np.median(_border(wide()), axis=0).astype(int))

    @pytest.mark.parametrize("aspect", ASPECTS)
    @pytest.mark.parametrize("shape", [(7, 7), (1, 900, 3), (900, 1, 1), (33, 32, 3)])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_any_shape_becomes_the_square(self, aspect: Any, shape: tuple[int, ...], channels: Any, noise: Any) -> None:
        found = square(noise(*shape), StoredImages(16, channels), aspect)
        assert (found.shape, found.dtype) == ((16, 16, channels), np.uint8)

    def test_a_square_image_is_the_same_in_every_aspect(self, noise: Any) -> None:
        image = noise(40, 40, 3)
        found = [square(image, StoredImages(16), aspect) for aspect in ASPECTS]  # type: ignore[arg-type]
        assert (found[0] == found[1]).all()
        assert (found[0] == found[2]).all()


def _border(image: np.ndarray) -> np.ndarray:
    small = np.array(Image.fromarray(image).resize((32, 16), Image.Resampling.BICUBIC, reducing_gap=3.0))
    return np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])


class TestStorage:
    def storage_of(self, tmp_path: Path, **strategy: Any) -> Any:
        for label in ("a", "b"):
            (tmp_path / label).mkdir(exist_ok=True)
            for number in range(3):
                Image.fromarray(wide()).save(tmp_path / label / f"{number}.png")
        data = {"kind": "image_folder", "path": str(tmp_path)}
        job = parse_job({"name": "x", "data": data, "strategy": {"resolution": 32, **strategy}})
        listing = MODALITY.list(job.data)
        return job, listing, MODALITY.storage(listing, job.strategy)

    def test_what_only_crops_is_stored_as_it_always_was(self, tmp_path: Path) -> None:
        plain, named = (self.storage_of(tmp_path, **given)[2] for given in ({}, {"aspect": "crop"}))
        assert plain == named
        assert [column.name for column in plain.columns] == [PIXELS]
        assert "aspect" not in str(plain.form) + plain.identity
        assert StoredImages.from_spec(plain) == StoredImages(32)

    def test_a_space_stores_what_any_of_its_strategies_needs_and_no_more(self, tmp_path: Path) -> None:
        job, listing, storage = self.storage_of(tmp_path, aspect={"choice": ["squash", "crop"]})
        block = MODALITY.decoder(job.data, listing, storage)(list(listing.sources))
        assert {name: images.shape for name, images in block.columns.items()} == dict.fromkeys(
            [f"{PIXELS}_squash", PIXELS], (6, 32, 32, 3)
        )
        assert quarters(block.columns[f"{PIXELS}_squash"][0]) == [RED, GREY, GREY, BLUE]
        assert quarters(block.columns[PIXELS][0]) == [GREY] * 4
        assert StoredImages.from_spec(storage).aspects == ("squash", "crop")

    @pytest.mark.parametrize("aspect", ASPECTS)
    def test_a_strategy_sees_its_own_aspect(self, tmp_path: Path, aspect: str) -> None:
        job, listing, storage = self.storage_of(tmp_path, aspect={"choice": list(ASPECTS)})
        columns = MODALITY.decoder(job.data, listing, storage)(list(listing.sources)).columns
        strategy = Strategy(resolution=32, aspect=aspect)  # type: ignore[call-arg]
        given = MODALITY.preprocessing(storage, strategy, describe_backbone("efficientnet_lite0"))
        assert isinstance(given, ImagePreprocessing)
        assert given.aspect == aspect
        seen = MODALITY.inputs(columns, given, torch.device("cpu")).plain(np.arange(2))[PIXELS]
        # What prediction makes of the file is the same to the last bit.
        read = MODALITY.reader(given, tmp_path)([tmp_path / "a" / "0.png", Image.fromarray(wide())])
        predicted = MODALITY.inputs(read.columns, given, torch.device("cpu")).plain(np.arange(2))[PIXELS]
        assert torch.equal(seen, predicted)

    def test_pages_show_as_much_of_an_image_as_is_stored(self, tmp_path: Path) -> None:
        job, listing, storage = self.storage_of(tmp_path, aspect={"choice": list(ASPECTS)})
        columns = MODALITY.decoder(job.data, listing, storage)(list(listing.sources)).columns
        preview = MODALITY.previews(columns, np.array([0]))[0]
        assert quarters(preview) == [RED, GREY, GREY, BLUE]
        assert (preview[0] == preview[0, 0]).all()
        assert MODALITY.example_row(columns, 0)["image"]

    def test_an_aspect_that_is_not_stored_is_told(self) -> None:
        with pytest.raises(ArtifactError, match="dataset has the aspects crop, but needs pad; ingest it again"):
            preprocessing_of(StoredImages(32), 32, WANTED, "pad")


def test_bundles_of_earlier_versions_crop() -> None:
    written = {"kind": "image", "stored_size": 8, "resolution": 8, "mean": [0.5] * 3, "std": [0.5] * 3}
    read = ImagePreprocessing.read_stored(written)
    assert read.aspect == "crop"
    assert "aspect" not in read.model_dump(mode="json"), "features and bundles keep their names"
    padded = read.model_copy(update={"aspect": "pad"})
    assert ImagePreprocessing.read_stored(padded.model_dump(mode="json")) == padded


def test_a_damaged_file_is_black_in_every_aspect() -> None:
    def reader(source: bytes, side: int) -> Any:
        from graft.data.read import Unreadable

        raise Unreadable("is no image")

    buffer = io.BytesIO()
    Image.fromarray(wide()).save(buffer, "PNG")
    block = ImageDecoder(reader, StoredImages(8, aspects=("pad", "crop")))([buffer.getvalue()])
    assert all(not images.any() for images in block.columns.values())
