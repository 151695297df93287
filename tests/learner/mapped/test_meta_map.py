"""A meta-learned map in front of a head gives what the meta-model gave, and is refused where it does not fit."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from pydantic import Field
from torch import nn

from graft.core.errors import ArtifactError, SpecError
from graft.data.feature_store.key import weights_digest
from graft.episodes.meta_model import MetaModel, MetaModelSpec, built, write_meta_model
from graft.episodes.samples import FEATURES, RAW
from graft.learner.mapped.meta_map import fill_mapping, mapping_state
from graft.models.backbone import Backbone
from graft.models.network import head_of
from graft.pipeline.zoo.meta_learned import settle_meta_models
from graft.spec.components.initialisation import MetaLearned
from graft.spec.meta.adapters import PrototypeAdapter
from graft.spec.meta.starts import MapStart, NetworkStart, StartSpec
from graft.spec.modalities.base import Preprocessing
from graft.spec.strategy import Strategy

WIDTH = 6


class Prepared(Preprocessing):
    of_source: ClassVar[frozenset[str]] = frozenset({"column"})
    kind: str = "prepared"
    blur: int = Field(0)
    column: str = Field("")
    resolution: int = Field(64)


def backbone(seed: int = 0) -> Backbone:
    torch.manual_seed(seed)
    return Backbone(nn.Linear(3, WIDTH), [nn.Linear(WIDTH, WIDTH), nn.ReLU()], nn.Identity(), WIDTH)


def meta_model(
    folder: Path,
    start: StartSpec,
    view: str = FEATURES,
    preprocessing: Preprocessing | None = None,
    network: Backbone | None = None,
) -> MetaModel:
    network = network or backbone()
    shapes = {view: (network.num_features,)}
    with torch.random.fork_rng(devices=[]):  # the same numbers whichever tests ran before
        torch.manual_seed(0)
        loss = built(start, PrototypeAdapter(), shapes)
        loss.start.settle({view: torch.randn(20, network.num_features) + 1})
    spec = MetaModelSpec(
        name="tiny",
        start=start,
        adapter=PrototypeAdapter(),
        shapes=shapes,
        backbone="net",
        backbone_digest=weights_digest([network.stem, *network.blocks]),
        preprocessing=(preprocessing or Prepared()).model_dump(mode="json"),
    )
    return write_meta_model(folder / "tiny", spec, loss.state_dict())


def settled(model: MetaModel) -> MetaLearned:
    raw: dict[str, Any] = {"strategy": {"init": {"kind": "meta", "source": str(model.directory)}}, "search": {}}
    assert settle_meta_models(raw) == []
    return MetaLearned.model_validate(raw["strategy"]["init"])


@pytest.mark.parametrize("start", [MapStart(width=4), MapStart(width=4, hidden=5)], ids=["linear", "hidden"])
def test_a_head_is_given_what_the_meta_model_makes_of_features(tmp_path: Path, start: MapStart) -> None:
    model = meta_model(tmp_path, start)
    init = settled(model)
    assert init.map_shape == (4, start.hidden)
    strategy, network = Strategy(init=init, freeze=1.0), backbone()
    head = head_of(strategy, network, 3)
    fill_mapping(head, init, network, Prepared())
    features = torch.randn(7, WIDTH)
    wanted = model.build().start({FEATURES: features})[0]
    torch.testing.assert_close(head[0](features), wanted)  # type: ignore[index]
    assert head(features).shape == (7, 3)
    assert {name.partition(".")[0] for name, _ in head.named_parameters()} == {"1"}, "no gradient changes the map"


def test_it_is_part_of_what_weights_must_agree_in(tmp_path: Path) -> None:
    init = settled(meta_model(tmp_path, MapStart(width=4)))
    strategy = Strategy(init=init, freeze=1.0, standardise=True).canonical(2)
    assert not strategy.standardise
    assert not strategy.scales_features(2)
    assert strategy.canonical(2) == strategy
    assert init.digest in strategy.architecture()
    assert "meta=tiny" in strategy.label()


def test_another_backbone_or_preprocessing_is_refused_in_a_line(tmp_path: Path) -> None:
    init = settled(meta_model(tmp_path, MapStart(width=4)))
    head = head_of(Strategy(init=init, freeze=1.0), backbone(), 3)
    with pytest.raises(SpecError, match="meta-model tiny was learned on features of net with other weights"):
        fill_mapping(head, init, backbone(seed=1), Prepared())
    with pytest.raises(SpecError, match="was learned with resolution 64, but the samples are prepared with 32"):
        fill_mapping(head, init, backbone(), Prepared(blur=3, resolution=32))
    with pytest.raises(SpecError, match="was learned with blur 0, but the samples are prepared with 3"):
        fill_mapping(head, init, backbone(), Prepared(blur=3))


def test_samples_of_another_source_are_given_to_the_backbone_alike(tmp_path: Path) -> None:
    init = settled(meta_model(tmp_path, MapStart(width=4)))
    head = head_of(Strategy(init=init, freeze=1.0), backbone(), 3)
    fill_mapping(head, init, backbone(), Prepared(column="picture"))


def test_one_that_has_changed_or_has_no_map_is_refused(tmp_path: Path) -> None:
    init = settled(meta_model(tmp_path, MapStart(width=4)))
    changed = init.model_copy(update={"digest": "0" * 64})
    head = head_of(Strategy(init=init, freeze=1.0), backbone(), 3)
    with pytest.raises(ArtifactError, match=r"has digest .*, but had 000000000000… when the experiment began"):
        fill_mapping(head, changed, backbone(), Prepared())
    other = meta_model(tmp_path / "other", NetworkStart(channels=4), RAW)
    with pytest.raises(SpecError, match="whose start is network, but it must be map"):
        mapping_state(other)
    raw: dict[str, Any] = {"strategy": {"init": {"kind": "meta", "source": str(other.directory)}}, "search": {}}
    assert "must be map" in str(settle_meta_models(raw)[0])
    raw["strategy"]["init"]["source"] = "no-such-meta-model"
    assert "there is no meta-model `no-such-meta-model`" in str(settle_meta_models(raw)[0])
