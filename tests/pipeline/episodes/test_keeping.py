"""An update goes on from a meta-model of the same features: by the rule by which a search takes one."""

from pathlib import Path
from typing import Any

import pytest

from graft.core.errors import SpecError
from graft.episodes.meta_model import MetaModel, MetaModelSpec
from graft.pipeline.episodes.keeping import Champion

FOLDER = {"kind": "image", "stored_size": 32, "resolution": 32, "mean": [0.5] * 3, "std": [0.5] * 3}


def spec_of(preprocessing: dict[str, Any] = FOLDER, **changes: Any) -> MetaModelSpec:
    told = {
        "name": "glyphs",
        "start": {"kind": "map", "width": 8},
        "adapter": {"kind": "prototypes"},
        "shapes": {"features": [1280]},
        "modality": "image",
        "backbone": "efficientnet_lite0",
        "backbone_digest": "a" * 64,
    }
    return MetaModelSpec.model_validate({**told, "preprocessing": preprocessing, **changes})


CHAMPION = Champion(MetaModel(Path("glyphs"), spec_of(), "b" * 64))


@pytest.mark.parametrize("of_source", [{"channels": 1}, {"image_column": "picture"}, {"aspect": "crop"}])
def test_where_the_samples_come_from_does_not_matter(of_source: dict[str, Any]) -> None:
    CHAMPION.require_same_features(spec_of({**FOLDER, **of_source}))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (spec_of({**FOLDER, "resolution": 48}), "learned with resolution 32, but the samples are prepared with 48"),
        (spec_of(backbone_digest="c" * 64), "learned on features of efficientnet_lite0 with other weights"),
        (spec_of(start={"kind": "map", "width": 9}), r"start: is .*9.*, but that of meta-model glyphs is .*8"),
    ],
)
def test_other_features_are_refused(other: MetaModelSpec, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        CHAMPION.require_same_features(other)
