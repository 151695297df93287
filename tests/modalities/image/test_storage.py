import numpy as np
import pytest
from PIL import Image

from graft.core.errors import ArtifactError
from graft.data.listing import without_signs
from graft.modalities.image.info import PIXELS
from graft.modalities.image.read import PixelReader
from graft.modalities.image.storage import ImageDecoder, StoredImages, decode_square, square
from graft.spec.modalities.image import ImagePreprocessing


@pytest.mark.parametrize("shape", [(20, 30), (30, 20, 1), (20, 30, 3), (8, 8), (1, 5000), (3000, 2, 3)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_any_image_becomes_the_stored_square(shape, channels, interpolation, noise):
    result = square(noise(*shape), StoredImages(12, channels, interpolation))
    assert result.shape == (12, 12, channels)
    assert result.dtype == np.uint8


def test_the_middle_is_kept():
    image = np.zeros((10, 30, 3), dtype=np.uint8)
    image[:, 10:20] = 200
    np.testing.assert_array_equal(square(image, StoredImages(10)), 200)
    np.testing.assert_array_equal(square(image.transpose(1, 0, 2), StoredImages(10)), 200)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", [(24, 40, 3), (72, 48, 3)])
def test_it_is_the_picture_of_resizing_the_short_side_and_cropping(shape, interpolation, noise):
    picture = Image.fromarray(noise(*shape))
    scale = 12 / min(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    resized = picture.resize(size, Image.Resampling[interpolation.upper()])
    left, top = (resized.width - 12) // 2, (resized.height - 12) // 2
    expected = np.asarray(resized.crop((left, top, left + 12, top + 12)))
    result = square(np.asarray(picture), StoredImages(12, 3, interpolation))
    assert np.abs(result.astype(int) - expected).max() <= 1


def test_an_image_of_the_right_size_stays_bit_for_bit(noise):
    image = noise(16, 16, 3)
    np.testing.assert_array_equal(square(image, StoredImages(16)), image)
    np.testing.assert_array_equal(square(image[:, :, 0], StoredImages(16, 1))[:, :, 0], image[:, :, 0])


def test_grey_is_repeated_and_colour_is_weighted():
    np.testing.assert_array_equal(square(np.full((4, 4), 77, dtype=np.uint8), StoredImages(4, 3)), 77)
    green = np.zeros((4, 4, 3), dtype=np.uint8)
    green[..., 1] = 255
    np.testing.assert_array_equal(square(green, StoredImages(4, 1)), round(255 * 0.587))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("side", [64, 1024])
def test_shrinking_averages_instead_of_skipping_pixels(interpolation, side):
    checkers = ((np.indices((side, side)).sum(axis=0) % 2) * 255).astype(np.uint8)
    result = square(checkers, StoredImages(8, 1, interpolation)).astype(int)
    assert np.abs(result - 127).max() <= 4


def test_decode_square_is_decoding_then_squaring(encode, noise):
    pixels = noise(9, 13, 3)
    np.testing.assert_array_equal(decode_square(encode(pixels), StoredImages(6)), square(pixels, StoredImages(6)))


def test_the_stored_form_is_the_part_of_preprocessing_that_is_done_once():
    preprocessing = ImagePreprocessing(
        stored_size=28, resolution=64, channels=1, interpolation="bilinear", mean=(0.5,) * 3, std=(0.5,) * 3
    )
    assert StoredImages.of(preprocessing) == StoredImages(28, 1, "bilinear")


@pytest.mark.parametrize("values", [(0, 3, "bicubic"), (8, 2, "bicubic"), (8, 3, "nearest")])
def test_a_form_that_cannot_be_is_refused(values):
    with pytest.raises(ArtifactError, match="but must"):
        StoredImages(*values)


def test_a_decoder_that_does_not_look_makes_the_same_images(tmp_path):
    decoder = ImageDecoder(PixelReader((9, 7)), StoredImages(8))
    sources = [np.random.default_rng(seed).integers(0, 256, 63, dtype=np.uint8).tobytes() for seed in range(3)]
    seeing, blind = decoder(sources), without_signs(decoder)(sources)
    assert (len(seeing.signs), blind.signs) == (12, {})
    np.testing.assert_array_equal(seeing.columns[PIXELS], blind.columns[PIXELS])
    assert without_signs(len) is len
