import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from graft.spec.augmentation.mixing import MixUp
from graft.spec.base import kind_of, spec_types
from graft.spec.components.activation_penalty import BatchSpectralShrinkage, Delta, SupervisedContrast
from graft.spec.components.augmentation import NoAugmentation
from graft.spec.components.head import LinearHead, LogisticHead, MlpHead
from graft.spec.components.initialisation import Pretrained, Reinitialise
from graft.spec.components.optimizer import AdamW, Sgd
from graft.spec.components.penalty import L1, L1SP, L2, L2SP, NoPenalty
from graft.spec.components.schedule import Constant, Cosine
from graft.spec.components.selection import NoSelection
from graft.spec.components.structure import Structure
from graft.spec.components.tuning import AllWeights, BiasTuning, LowRank, NormTuning, Rescaling, SurgicalTuning
from graft.spec.components.unfreezing import AtOnce, Gradual, HeadFirst
from graft.spec.meta.episode_settings import EpisodeSettings
from graft.spec.modalities.image import LightAugmentation
from graft.spec.registry import members
from graft.spec.strategy import Strategy, modality_fields
from graft.spec.tasks.classification import ClassBalanced, CoTuning, CrossEntropy, Focal

losses = st.one_of(
    st.builds(CrossEntropy, label_smoothing=st.floats(0, 0.5)),
    st.builds(Focal, gamma=st.one_of(st.just(0.0), st.floats(0, 10))),
    st.builds(ClassBalanced, beta=st.one_of(st.just(0.0), st.floats(0, 0.9999))),
)
shares = st.one_of(st.sampled_from([0.0, -0.0, 0.25, 0.5, 1.0]), st.floats(0, 1))
head_strengths = st.one_of(st.just(0.0), st.floats(1e-6, 1))
penalties = st.one_of(
    st.just(NoPenalty()),
    st.builds(L1, strength=st.floats(1e-6, 1)),
    st.builds(L2, strength=st.floats(1e-6, 1)),
    st.builds(L2SP, strength=st.floats(1e-6, 1), head_strength=head_strengths),
    st.builds(L1SP, strength=st.floats(1e-6, 1), head_strength=head_strengths),
    st.builds(Delta, blocks=st.integers(1, 9), head_strength=head_strengths),
    st.builds(BatchSpectralShrinkage, smallest=st.integers(1, 9)),
    st.builds(SupervisedContrast, strength=st.floats(0.1, 10)),
    st.just(CoTuning()),
)
strategies = st.builds(
    Strategy,
    backbone=st.sampled_from(["efficientnet_lite0", "timm:resnet18.a1_in1k"]),
    init=st.one_of(st.just(Pretrained()), st.builds(Reinitialise, blocks=st.integers(1, 9))),
    freeze=shares,
    penalty=penalties,
    head=st.one_of(
        st.builds(LinearHead, dropout=st.floats(0, 0.9)),
        st.builds(MlpHead, width=st.integers(1, 9)),
        st.builds(LogisticHead, folds=st.integers(2, 5)),
    ),
    loss=losses,
    optimizer=st.one_of(st.just(AdamW()), st.builds(Sgd, momentum=st.sampled_from([0.0, 0.9]), nesterov=st.booleans())),
    lr=st.floats(1e-5, 10),
    head_lr_factor=st.floats(1e-3, 1000),
    schedule=st.one_of(st.just(Constant()), st.just(Cosine())),
    tune=st.one_of(
        st.just(AllWeights()),
        st.builds(SurgicalTuning, part=st.sampled_from(["first", "middle", "last"]), blocks=st.integers(1, 9)),
        st.just(BiasTuning()),
        st.builds(LowRank, rank=st.integers(1, 9), targets=st.sampled_from([(), ("query", "value")])),
    ),
    unfreeze=st.one_of(st.just(AtOnce()), st.builds(Gradual, groups=st.integers(1, 9)), st.just(HeadFirst())),
    lr_decay=st.one_of(st.just(1.0), st.floats(0.1, 1)),
    augment=st.one_of(st.just(NoAugmentation()), st.builds(LightAugmentation, magnitude=shares, share=shares)),
)
depths = st.one_of(st.none(), st.integers(1, 20))


@given(strategies, depths)
def test_canonical_is_idempotent_and_valid(strategy: Strategy, num_blocks: int | None) -> None:
    once = strategy.canonical(num_blocks)

    assert once.canonical(num_blocks) == once
    assert once.canonical(num_blocks).key() == once.key()
    assert Strategy.model_validate(once.model_dump(mode="json")) == once


@given(strategies, st.integers(1, 20))
def test_canonical_knows_no_more_without_the_depth(strategy: Strategy, num_blocks: int) -> None:
    assert strategy.canonical().canonical(num_blocks) == strategy.canonical(num_blocks)


@given(strategies.filter(lambda one: not one.head.is_solved), st.integers(1, 20))
def test_canonical_keeps_the_cut(strategy: Strategy, num_blocks: int) -> None:
    drawn_again = min(strategy.init.blocks, num_blocks) if isinstance(strategy.init, Reinitialise) else 0
    end = num_blocks - drawn_again
    cut, _ = strategy.tune.trained_blocks(min(round(strategy.freeze * num_blocks), end), end)

    assert strategy.canonical(num_blocks).freeze == cut / num_blocks


@given(strategies)
def test_equal_strategies_have_equal_keys(strategy: Strategy) -> None:
    again = Strategy.model_validate(strategy.model_dump(mode="json"))

    assert again == strategy
    assert again.key() == strategy.key()
    assert pickle.loads(pickle.dumps(strategy)) == strategy


@pytest.mark.parametrize(
    ("one", "other", "num_blocks"),
    [
        (Strategy(freeze=0.74), Strategy(freeze=0.76), 4),
        (Strategy(freeze=0.99), Strategy(freeze=1.0), 4),
        (Strategy(freeze=0.0), Strategy(freeze=-0.0), None),
        (
            Strategy(freeze=1, penalty=L2SP(strength=9, head_strength=0.5)),
            Strategy(freeze=1, penalty=L2(strength=0.5)),
            3,
        ),
        (Strategy(freeze=1, penalty=L2SP(head_strength=0)), Strategy(freeze=1), None),
        (Strategy(freeze=1, lr=0.5, head_lr_factor=4), Strategy(freeze=1, lr=2), None),
        (Strategy(init=Reinitialise(blocks=50)), Strategy(init=Reinitialise(blocks=4)), 4),
        (Strategy(init=Reinitialise(blocks=2), freeze=1), Strategy(init=Reinitialise(blocks=2), freeze=0.5), 4),
        (
            Strategy(freeze=1, init=Reinitialise(), penalty=L2SP(strength=1)),
            Strategy(freeze=1, init=Reinitialise(), penalty=L2SP(strength=2)),
            4,
        ),
        (
            Strategy(freeze=1, init=Reinitialise(), penalty=Delta(head_strength=0.5)),
            Strategy(freeze=1, init=Reinitialise(), penalty=L2(strength=0.5)),
            4,
        ),
        (Strategy(freeze=1, penalty=Delta(head_strength=0)), Strategy(freeze=1), None),
        (Strategy(freeze=1, penalty=BatchSpectralShrinkage()), Strategy(freeze=1), None),
        (Strategy(freeze=1, penalty=CoTuning()), Strategy(freeze=1), None),
        (Strategy(freeze=1, drop_path=0.1, backbone_dropout=0.2, stochastic_norm=0.3), Strategy(freeze=1), None),
        (Strategy(structure={"keep": 0.5}, penalty=CoTuning()), Strategy(structure={"keep": 0.5}), None),
        (Strategy(init=Reinitialise(), penalty=CoTuning()), Strategy(init=Reinitialise()), None),
        (Strategy(tune=SurgicalTuning(part="last", blocks=2)), Strategy(freeze=0.5), 4),
        (
            Strategy(tune=SurgicalTuning(part="middle", blocks=2)),
            Strategy(freeze=0.25, tune=SurgicalTuning(part="first", blocks=2)),
            4,
        ),
        (Strategy(tune=SurgicalTuning(blocks=4)), Strategy(), 4),
        (Strategy(freeze=1, tune=LowRank(), unfreeze=Gradual(), lr_decay=0.5), Strategy(freeze=1), None),
        (Strategy(freeze=0.99, tune=Rescaling(), unfreeze=HeadFirst(), lr_decay=0.5), Strategy(freeze=1), 4),
        (Strategy(freeze=0.75, lr_decay=0.5), Strategy(freeze=0.75), 4),
        (Strategy(unfreeze=Gradual(groups=9)), Strategy(unfreeze=Gradual(groups=4)), 4),
        (
            Strategy(tune=LowRank(), penalty=L2SP(head_strength=0.5)),
            Strategy(tune=LowRank(), penalty=L2(strength=0.5)),
            4,
        ),
        (Strategy(tune=NormTuning(), penalty=L2SP(head_strength=0)), Strategy(tune=NormTuning()), None),
        (Strategy(augment=LightAugmentation(magnitude=0)), Strategy(), None),
        (Strategy(augment=LightAugmentation(share=0)), Strategy(), None),
        (Strategy(mix=MixUp(share=0)), Strategy(), None),
        (Strategy(loss=Focal(gamma=0)), Strategy(), None),
        (Strategy(loss=ClassBalanced(beta=0)), Strategy(), None),
        (Strategy(optimizer=Sgd(momentum=0)), Strategy(optimizer=Sgd(momentum=0, nesterov=False)), None),
    ],
)
def test_equal_meaning_has_one_key(one: Strategy, other: Strategy, num_blocks: int | None) -> None:
    assert one.canonical(num_blocks).key() == other.canonical(num_blocks).key()


@pytest.mark.parametrize(
    ("one", "other", "num_blocks"),
    [
        (Strategy(freeze=0.74), Strategy(freeze=0.76), None),
        (Strategy(freeze=0.6), Strategy(freeze=0.9), 4),
        (Strategy(freeze=0.5, penalty=L2SP(strength=1)), Strategy(freeze=0.5, penalty=L2SP(strength=2)), 4),
        (
            Strategy(freeze=0.5, init=Reinitialise(), penalty=L2SP(strength=1)),
            Strategy(freeze=0.5, init=Reinitialise(), penalty=L2SP(strength=2)),
            4,
        ),
        (Strategy(init=Reinitialise(blocks=9), penalty=L2SP()), Strategy(init=Reinitialise(blocks=9)), 4),
        (Strategy(penalty=CoTuning()), Strategy(), 4),
        (Strategy(init=Reinitialise(), penalty=BatchSpectralShrinkage()), Strategy(init=Reinitialise()), 4),
        (Strategy(clip_norm=1.0), Strategy(), 4),
        (Strategy(freeze=0.5, lr=0.5, head_lr_factor=4), Strategy(freeze=0.5, lr=2), 4),
        (Strategy(optimizer=Sgd()), Strategy(optimizer=Sgd(nesterov=False)), 4),
        (Strategy(tune=LowRank(rank=4)), Strategy(tune=LowRank()), 4),
        (Strategy(tune=BiasTuning()), Strategy(), 4),
        (Strategy(unfreeze=HeadFirst()), Strategy(), 4),
        (Strategy(lr_decay=0.9), Strategy(), 4),
        (Strategy(freeze=1, init=Reinitialise(), lr_decay=0.9, unfreeze=HeadFirst()), Strategy(freeze=0.5), 4),
        (Strategy(loss=Focal()), Strategy(), None),
        (Strategy(loss=Focal(gamma=1)), Strategy(loss=Focal()), None),
        (Strategy(loss=ClassBalanced()), Strategy(loss=Focal()), None),
        (Strategy(loss=CrossEntropy(label_smoothing=0.1)), Strategy(), None),
        (Strategy(precision="fp32"), Strategy(precision="auto"), 4),
        (Strategy(schedule=Cosine(warmup=0.2)), Strategy(), 4),
    ],
)
def test_different_meaning_has_different_keys(one: Strategy, other: Strategy, num_blocks: int | None) -> None:
    assert one.canonical(num_blocks).key() != other.canonical(num_blocks).key()


def test_key_is_stable_across_versions() -> None:
    """A changed key would make resumed searches train everything again; change it only on purpose."""
    assert Strategy().key() == Strategy(lr=0.001).key()
    assert len(Strategy().key()) == 12
    assert Strategy().key() == "cf75d17bef52"
    assert Strategy(freeze=0.5, penalty=L2SP(strength=0.1), resolution=32).key() == "1911aa80ee66"


@pytest.mark.parametrize(
    ("strategy", "label"),
    [
        (Strategy(), "efficientnet_lite0"),
        (
            Strategy(freeze=0.75, penalty=L2SP(), head=MlpHead(), lr=0.5),
            "efficientnet_lite0 freeze=0.75 l2_sp mlp",
        ),
        (
            Strategy(
                backbone="timm:resnet18",
                freeze=1 / 3,
                init=Reinitialise(blocks=2),
                optimizer=Sgd(),
                augment=LightAugmentation(),
            ),
            "timm:resnet18 freeze=0.333 reinitialise=2 sgd light",
        ),
        (Strategy(loss=CrossEntropy(label_smoothing=0.1)), "efficientnet_lite0"),
        (
            Strategy(tune=LowRank(targets=("query", "value")), unfreeze=Gradual(), lr_decay=0.8),
            "efficientnet_lite0 lora gradual lr_decay=0.8",
        ),
        (Strategy(loss=ClassBalanced(), head=MlpHead()), "efficientnet_lite0 mlp class_balanced"),
    ],
)
def test_label_tells_what_differs(strategy: Strategy, label: str) -> None:
    assert strategy.label() == label


def test_the_label_of_a_solved_head_says_nothing_of_training() -> None:
    strategy = Strategy.model_validate({"head": "ridge", "freeze": 1.0, "structure": {"keep": 0.5}, "resolution": 96})
    varied = ("freeze", "lr", "head_lr_factor", "loss", "loss.label_smoothing", "head", "resolution")
    assert strategy.label() == "efficientnet_lite0 keep=0.5 ridge"
    assert strategy.label(varied) == "efficientnet_lite0 keep=0.5 ridge resolution=96"


def test_flat_is_one_level_of_plain_values() -> None:
    flat = Strategy(penalty=L2SP(strength=0.5), loss=Focal(gamma=1.5)).flat()

    assert flat["backbone"] == "efficientnet_lite0"
    assert flat["penalty"] == "l2_sp"
    assert flat["penalty.strength"] == 0.5
    assert flat["optimizer"] == "adamw"
    assert (flat["loss"], flat["loss.gamma"]) == ("focal", 1.5)
    assert "loss.label_smoothing" not in flat
    assert "penalty.kind" not in flat
    assert all(isinstance(value, str | int | float | bool) for value in flat.values())


def test_a_bare_name_is_the_component_with_its_defaults() -> None:
    assert Strategy.model_validate({"penalty": "l2", "head": "mlp"}) == Strategy(penalty=L2(), head=MlpHead())
    for name, loss in {"cross_entropy": CrossEntropy(), "focal": Focal(), "class_balanced": ClassBalanced()}.items():
        assert Strategy.model_validate({"loss": name}) == Strategy(loss=loss)


@pytest.mark.parametrize(
    "name", ["lite0", "timm:resnet18.a1_in1k", "local:timm/resnet18:/a dir/w.safetensors", "hf:a/b"]
)
def test_backbone_names_that_are_well_formed(name: str) -> None:
    assert Strategy(backbone=name).backbone == name


@pytest.mark.parametrize("name", ["", " ", "a b", ":x", "timm:", "timm: x", "../x", "a\nb", "timm:a\nb"])
def test_backbone_names_that_are_not(name: str) -> None:
    with pytest.raises(ValidationError):
        Strategy(backbone=name)


def test_nothing_is_converted() -> None:
    for bad in ({"lr": "0.1"}, {"resolution": 64.0}, {"freeze": True}, {"optimizer": {"kind": "sgd", "nesterov": 1}}):
        with pytest.raises(ValidationError):
            Strategy.model_validate(bad)


def test_every_key_has_a_default_and_a_description() -> None:
    """Spaces, bare names and stored strategies of older versions all need the defaults."""
    components = [spec for field in Strategy.model_fields.values() for spec in spec_types(field.annotation)]
    for spec in (Strategy, *components):
        for name, field in spec.model_fields.items():
            assert not field.is_required(), (spec, name)
            assert name == "kind" or field.description, (spec, name)
        assert spec in (Strategy, Structure, EpisodeSettings) or kind_of(spec)


def test_a_stored_strategy_of_a_newer_version_is_read() -> None:
    stored = {**Strategy(penalty=L2()).model_dump(mode="json"), "novelty": 1}
    stored["penalty"]["novelty"] = {"deep": 1}

    assert Strategy.read_stored(stored) == Strategy(penalty=L2())
    with pytest.raises(ValidationError):
        Strategy.model_validate(stored)


def test_a_key_of_another_modality_is_nowhere_to_be_seen() -> None:
    strategy, of_images = Strategy(), Strategy(resolution=32)

    for name in modality_fields():
        assert name not in strategy.model_dump()
        assert name not in strategy.model_dump(mode="json")
        assert name not in json.loads(strategy.model_dump_json())
        assert name not in strategy.flat()
        assert name not in strategy.label()
    assert of_images.model_dump(mode="json") == {**strategy.model_dump(mode="json"), "resolution": 32}
    assert (of_images.flat()["resolution"], of_images.label()) == (32, strategy.label())
    assert of_images.key() != strategy.key()


def test_each_modality_brings_its_own_keys() -> None:
    assert modality_fields() == {"resolution": "image", "aspect": "image", "max_tokens": "text"}
    for kind, modality in members("modality").items():
        assert {name for name, owner in modality_fields().items() if owner == kind} == set(modality.fields.model_fields)
        assert set(modality.usual) <= set(modality.fields.model_fields)


@pytest.mark.parametrize("usual", [{"resolution": 64}, {"max_tokens": 128}, {"aspect": "crop"}])
def test_the_usual_size_is_the_same_strategy_named_or_not(usual: dict[str, int | str]) -> None:
    assert Strategy(**usual).key() == Strategy().key()
    assert Strategy(**usual) != Strategy()


# As graft wrote it into journals before there were texts, when each strategy had a resolution.
STORED = {
    "backbone": "efficientnet_lite1",
    "init": {"kind": "pretrained"},
    "freeze": 0.75,
    "penalty": {"kind": "l2_sp", "strength": 0.02, "head_strength": 0.001},
    "head": {"kind": "mlp", "width": 128, "depth": 1, "dropout": 0.1},
    "loss": {"kind": "cross_entropy", "label_smoothing": 0.0},
    "optimizer": {"kind": "adamw"},
    "lr": 0.002,
    "head_lr_factor": 1.0,
    "weight_decay": 0.01,
    "schedule": {"kind": "cosine", "warmup": 0.1},
    "augment": {"kind": "light", "magnitude": 0.3, "share": 1.0, "views": None},
    "batch_size": 64,
    "precision": "auto",
}


@pytest.mark.parametrize("resolution", [32, 64])
def test_a_strategy_that_an_older_graft_has_stored_is_read(resolution: int) -> None:
    read = Strategy.read_stored({**STORED, "resolution": resolution})

    assert read.resolution == resolution
    assert read.mix.kind == "none"
    assert (read.penalty, read.head) == (L2SP(strength=0.02), MlpHead(width=128, dropout=0.1))
    assert read.canonical(4) == read
    assert Strategy.read_stored(read.model_dump(mode="json")) == read
    assert (read.key() == Strategy.read_stored(STORED).key()) == (resolution == 64), "what was tried is known again"


class TestScaledFeatures:
    """`standardise` and `select` came when experiments had been written, and concern linear probes alone."""

    def test_without_effect_they_are_left_out(self):
        assert not {"standardise", "select"} & {*Strategy().model_dump(mode="json")}
        assert not {"standardise", "select"} & {*Strategy().flat()}
        assert Strategy(select={"kind": "none"}, standardise=False).key() == Strategy().key()

    def test_they_come_back_from_json(self):
        one = Strategy(freeze=1.0, standardise=True, select={"kind": "l1", "strength": 0.1})
        assert Strategy.model_validate(json.loads(json.dumps(one.model_dump(mode="json")))) == one

    def test_a_backbone_that_is_trained_has_none(self):
        probe = Strategy(freeze=1.0, standardise=True, select="variance")
        trained = probe.model_copy(update={"freeze": 0.5})
        redrawn = probe.model_copy(update={"init": Reinitialise(blocks=1)})
        assert probe.scales_features(4)
        assert probe.canonical(4).key() == probe.key()
        for one in (trained, redrawn):
            assert not one.scales_features(4)
            assert not one.canonical(4).standardise
            assert one.canonical(4).select == NoSelection()
        assert probe.model_copy(update={"freeze": 0.9}).scales_features(4), "snapped to all of four blocks"

    def test_to_keep_all_is_no_selection(self):
        one = Strategy(freeze=1.0, select={"kind": "mutual_information", "keep": 1.0})
        assert one.canonical(4).key() == Strategy(freeze=1.0).canonical(4).key()

    def test_heads_on_other_features_do_not_copy_weights(self):
        kinds = [{}, {"standardise": True}, {"select": "variance"}, {"select": {"kind": "variance", "threshold": 1.0}}]
        assert len({Strategy(freeze=1.0, **one).architecture() for one in kinds}) == 4

    def test_the_label_tells_them(self):
        label = Strategy(freeze=1.0, standardise=True, select="l1").label()
        assert label == "efficientnet_lite0 freeze=1 l1 standardise"


def test_a_solved_head_is_all_there_is_of_a_strategy() -> None:
    busy = Strategy(
        head="ridge", freeze=0.5, init={"kind": "reinitialise", "blocks": 2}, lr=0.1, batch_size=8, clip_norm=1.0,
        loss=Focal(), penalty="l2_sp", augment="light", schedule="constant", weight_decay=0.3, resolution=64,
    )  # fmt: skip
    assert busy.canonical(8) == Strategy(head="ridge", freeze=1.0, resolution=64)
    assert busy.canonical().canonical(8) == busy.canonical(8)
