"""Several networks that answer as one: each by what it was trained on, together by the mean of what they decide."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from graft.core.errors import ArtifactError
from graft.modalities.protocol import Readings
from graft.models.bundle import EnsembleSpec, MemberBundle, read_bundle, write_bundle
from graft.serving.mlflow_model import BundleModel
from graft.serving.network import ServedNetworks
from graft.serving.predictor import Predictor

SHARES = (0.75, 0.25)


@pytest.fixture(scope="module")
def parts(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models that know the same classes, the second with another head, resolution and stored form."""
    first = read_bundle(bundle)
    network = first.build()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        torch.nn.init.normal_(network.head[1].weight, std=0.05)  # type: ignore[index]
    preprocessing = first.spec.preprocessing.model_copy(update={"resolution": 48, "stored_size": 56})
    second = tmp_path_factory.mktemp("second") / "pets"
    write_bundle(second, network, first.spec.model_copy(update={"preprocessing": preprocessing}))
    return [bundle, second]


@pytest.fixture(scope="module")
def together(parts: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The average of both, calibrated by a temperature of its own."""
    one, other = map(read_bundle, parts)
    facts = {**one.spec.facts, "temperature": 2.0}
    ensemble = EnsembleSpec(share=SHARES[0], facts=dict(one.spec.facts))
    spec = one.spec.model_copy(update={"ensemble": ensemble, "facts": facts})
    directory = tmp_path_factory.mktemp("together") / "pets"
    write_bundle(directory, one.build(), spec, None, [MemberBundle("t02", SHARES[1], other.build(), other.spec, {})])
    return directory


@pytest.fixture(scope="module")
def predictor(together: Path) -> Predictor:
    return Predictor.from_directory(together)


def expected(parts: list[Path], samples: list[np.ndarray]) -> np.ndarray:
    each = [Predictor.from_directory(part).predict_proba(samples) for part in parts]
    mean = sum(share * one for share, one in zip(SHARES, each, strict=True))
    cooled = np.asarray(mean) ** 0.5
    return np.asarray(cooled / cooled.sum(axis=1, keepdims=True))


def test_it_answers_with_the_calibrated_mean(predictor: Predictor, parts: list[Path], pixels: np.ndarray) -> None:
    samples = [pixels, 255 - pixels, pixels[::-1].copy()]
    found = predictor.predict_proba(samples)
    assert found == pytest.approx(expected(parts, samples), abs=1e-6)
    alone = Predictor.from_directory(parts[0]).predict_proba(samples)
    assert np.abs(found - alone).max() > 1e-3


def test_a_sample_that_cannot_be_read_is_named_once(predictor: Predictor, pixels: np.ndarray) -> None:
    found = predictor.predict([pixels, b"no picture", 255 - pixels])
    assert [one.error is None for one in found] == [True, False, True]
    assert predictor.predict_proba([255 - pixels])[0] == pytest.approx(list(found[2].probabilities.values()))


def test_a_sample_that_is_gone_between_two_networks_is_no_wrong_answer(
    together: Path, pixels: np.ndarray, tmp_path: Path, encode: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(encode(pixels))
    predictor = Predictor.from_directory(together)
    outputs = ServedNetworks.outputs

    def then_gone(self: ServedNetworks, columns: object) -> object:
        picture.unlink(missing_ok=True)
        return outputs(self, columns)  # type: ignore[arg-type]

    monkeypatch.setattr(ServedNetworks, "outputs", then_gone)
    with pytest.raises(ArtifactError, match=r"a\.png was readable a moment ago, but .*; predict again"):
        predictor.predict([picture])


def test_what_it_costs_stands_beside_the_first_alone(together: Path, pixels: np.ndarray) -> None:
    predictor = Predictor.from_directory(together, tta=2)
    predictor.predict([pixels] * 3)
    cost = predictor.cost.to_dict()
    assert (cost["members"], cost["views"]) == (2, 2)
    assert cost["ms"] > cost["ms_plain"] > cost["ms_first"] > 0


def test_views_are_averaged_behind_the_networks(together: Path, parts: list[Path], pixels: np.ndarray) -> None:
    several = Predictor.from_directory(together, tta=2)
    networks = several._networks
    read = networks[0].read([pixels])

    def passed(one: ServedNetworks, read: Readings, view: int) -> list[torch.Tensor]:
        return list(one.outputs(one.reread([pixels], networks[0], read).columns)[view].outputs.values())

    views = [
        several._decided([outputs for one in networks for outputs in passed(one, read, view)]) for view in range(2)
    ]
    assert several.predict_proba([pixels]) == pytest.approx(np.mean(views, axis=0))


@pytest.mark.parametrize(("apart", "passes"), [(0.0, 1), (1e-3, 2)], ids=["equal", "a value apart"])
@pytest.mark.parametrize("tta", [1, 2])
def test_a_backbone_that_members_have_in_common_runs_once_a_batch(
    parts: list[Path], pixels: np.ndarray, tmp_path: Path, apart: float, passes: int, tta: int
) -> None:
    one, other = (read_bundle(part) for part in parts)
    network, spec = other.build(), other.spec.model_copy(update={"preprocessing": one.spec.preprocessing})
    with torch.no_grad():
        next(network.backbone.parameters()).view(-1)[0] += apart
    write_bundle(tmp_path / "other", network, spec)
    ensemble = one.spec.model_copy(update={"ensemble": EnsembleSpec(share=SHARES[0], facts=dict(one.spec.facts))})
    write_bundle(tmp_path / "both", one.build(), ensemble, None, [MemberBundle("t02", SHARES[1], network, spec, {})])
    predictor = Predictor.from_directory(tmp_path / "both", tta=tta)
    (together,) = predictor._networks
    stems = {id(stem): stem for stem in (each.backbone.stem for each in together._model.networks)}
    ran = Counter[str]()
    for stem in stems.values():
        stem.register_forward_hook(lambda *_: ran.update(["stem"]))
    samples = [pixels, 255 - pixels, pixels[::-1].copy()]
    found = together.outputs(together.read(samples).columns)
    assert ran["stem"] == passes * tta
    for place, part in enumerate((parts[0], tmp_path / "other")):
        alone = Predictor.from_directory(part, tta=tta)._networks[0]
        for view, passed in enumerate(alone.outputs(alone.read(samples).columns)):
            assert torch.equal(found[view].outputs[place], passed.outputs[0])
    each = [Predictor.from_directory(part, tta=tta).predict_proba(samples) for part in (parts[0], tmp_path / "other")]
    assert predictor.predict_proba(samples) == pytest.approx(np.tensordot(SHARES, each, axes=1), abs=1e-6)


def test_it_says_who_answers(predictor: Predictor) -> None:
    assert repr(predictor).count("efficientnet_lite0") == 2


def test_the_mlflow_flavour_answers_alike(
    predictor: Predictor, together: Path, pixels: np.ndarray, encode: Callable[..., bytes]
) -> None:
    import base64

    import pandas as pd

    table = pd.DataFrame({"image": [base64.b64encode(encode(pixels)).decode()]})
    answer = BundleModel(Predictor.from_directory(together)).predict(table)
    (plain,) = predictor.predict([pixels])
    assert answer["label"].tolist() == [plain.label]
    assert answer["probability"].tolist() == pytest.approx([plain.probability])


def test_a_member_is_a_model_by_itself(together: Path, parts: list[Path], pixels: np.ndarray) -> None:
    alone = Predictor.from_directory(together / "member-t02").predict_proba([pixels])
    assert alone == pytest.approx(Predictor.from_directory(parts[1]).predict_proba([pixels]))


def test_it_can_be_copied_elsewhere(predictor: Predictor, together: Path, pixels: np.ndarray, tmp_path: Path) -> None:
    shutil.copytree(together, tmp_path / "copy")
    assert np.array_equal(
        Predictor.from_directory(tmp_path / "copy").predict_proba([pixels]), predictor.predict_proba([pixels])
    )
