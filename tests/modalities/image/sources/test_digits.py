import numpy as np

from graft.data.split import UNASSIGNED
from graft.modalities.image.sources.digits import list_digits
from graft.spec.modalities.image import DEFAULT_MAX_PIXELS, DigitsData


def test_the_digits_are_listed_without_a_file():
    found: list[int] = []
    listing = list_digits(DigitsData(), found.append)
    assert len(listing) == 1797
    assert found[-1] == 1797
    assert listing.targets.categories == tuple("0123456789")
    assert listing.facts == {"channels": 1, "native_side": 8, "max_pixels": DEFAULT_MAX_PIXELS}
    assert np.all(listing.given == UNASSIGNED)
    content, pixels, *_ = listing.reader(listing.sources[0], 8)
    assert pixels.shape == (8, 8)
    assert pixels.max() <= 255
    assert len(content) == 64


def test_white_of_the_digits_is_white():
    listing = list_digits(DigitsData())
    brightest = max(listing.reader(source, 8)[1].max() for source in listing.sources[:20])
    assert brightest == 255


def test_the_digits_stay_the_same():
    assert list_digits(DigitsData()).identity == list_digits(DigitsData()).identity


def test_they_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    theirs, listing = load_digits(), list_digits(DigitsData())
    assert listing.targets.values.tolist() == theirs.target.tolist()
    for source, image in zip(listing.sources, theirs.images, strict=True):
        assert np.array_equal(listing.reader(source, 8)[1], np.round(image * (255 / 16)))
