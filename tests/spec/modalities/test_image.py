import json

import pytest
from pydantic import ValidationError

from graft.spec.modalities.image import ImagePreprocessing

IMAGENET = {"stored_size": 64, "resolution": 64, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def test_it_survives_json() -> None:
    preprocessing = ImagePreprocessing.model_validate(IMAGENET)

    assert ImagePreprocessing.model_validate(json.loads(preprocessing.model_dump_json())) == preprocessing
    assert preprocessing.mean == (0.485, 0.456, 0.406)
    assert hash(preprocessing) == hash(ImagePreprocessing.model_validate(IMAGENET))


@pytest.mark.parametrize("change", [{"std": [0.2, 0.0, 0.2]}, {"channels": 2}, {"mean": [0.1]}, {"resolution": 4}])
def test_what_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ImagePreprocessing.model_validate({**IMAGENET, **change})
