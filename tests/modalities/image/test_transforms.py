import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from graft.data.columns import Ragged
from graft.modalities.image.info import PIXELS, ImageInput
from graft.modalities.image.storage import StoredImages
from graft.modalities.image.transforms import image_inputs, preprocess, preprocessing_of
from graft.spec.modalities.image import ImagePreprocessing

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def preprocessing(stored: int = 8, resolution: int = 8, channels: int = 3, interpolation: str = "bicubic"):
    return ImagePreprocessing(
        stored_size=stored,
        resolution=resolution,
        channels=channels,
        interpolation=interpolation,
        mean=MEAN,
        std=STD,
    )


def test_normalising_is_scaling_by_mean_and_std(noise):
    images = noise(2, 8, 8, 3)
    expected = (images / 255 - MEAN) / STD
    np.testing.assert_allclose(preprocess(images, preprocessing()).permute(0, 2, 3, 1), expected, atol=1e-5)


def test_grey_is_repeated_for_each_channel(noise):
    grey = noise(2, 8, 8, 1)
    repeated = preprocess(np.repeat(grey, 3, axis=3), preprocessing())
    assert torch.equal(preprocess(grey, preprocessing(channels=1)), repeated)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("stored", "resolution"), [(32, 12), (12, 32)])
@pytest.mark.parametrize("channels", [1, 3])
def test_resizing_is_that_of_pil(interpolation, stored, resolution, channels, noise):
    # Middling values: PIL clips between its two passes, which only noise from black to white would show.
    images = noise(1, stored, stored, channels) // 4 + 96
    wanted = preprocessing(stored, resolution, channels, interpolation)
    result = preprocess(images, wanted)[0].permute(1, 2, 0).numpy() * STD + MEAN
    picture = Image.fromarray(images[0] if channels == 3 else images[0, :, :, 0])
    resized = picture.resize((resolution, resolution), Image.Resampling[interpolation.upper()]).convert("RGB")
    assert np.abs(result * 255 - np.asarray(resized)).max() < 1.5


def test_resizing_stays_between_black_and_white():
    edge = np.zeros((1, 16, 16, 1), dtype=np.uint8)
    edge[:, :, 8:] = 255
    result = preprocess(edge, preprocessing(16, 40, 1))[0].permute(1, 2, 0).numpy() * STD + MEAN
    assert result.min() > -1e-5
    assert result.max() < 1 + 1e-5


def test_inputs_are_the_preprocessed_rows_that_were_asked_for(noise):
    images = noise(5, 8, 8, 3)
    inputs = image_inputs({PIXELS: images}, preprocessing(), torch.device("cpu"))
    rows = np.array([3, 0, 3])
    batch = inputs.plain(rows)
    assert batch.keys() == {PIXELS}
    assert torch.equal(batch[PIXELS], preprocess(images[rows], preprocessing()))
    assert (inputs.lengths, inputs.fixed) == (None, None)


def test_preprocessing_neither_changes_nor_warns_of_read_only_images(noise):
    images = noise(2, 8, 8, 3)
    images.setflags(write=False)
    before = images.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preprocess(images, preprocessing()).zero_()
    np.testing.assert_array_equal(images, before)


def test_images_have_one_shape(noise):
    with pytest.raises(AssertionError, match="one shape"):
        image_inputs({PIXELS: Ragged.of([noise(3)], "uint8")}, preprocessing(), torch.device("cpu"))


def test_preprocessing_is_from_the_stored_form_to_what_the_network_was_trained_on():
    wanted = ImageInput(MEAN, STD, "bilinear", 224)
    found = preprocessing_of(StoredImages(40, 1, "bicubic"), 32, wanted)
    assert found == preprocessing(40, 32, 1)
    assert found.size == 32
