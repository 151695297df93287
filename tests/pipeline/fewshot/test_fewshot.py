"""A model of a few samples a class: what is compared, what is chosen, what is written, what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import SafetensorError

import graft
from graft.core.errors import DataError, GraftError, ResourceError, SpecError
from graft.core.storage import directory_digest
from graft.data.draft import Wish
from graft.data.feature_store.key import weights_digest
from graft.episodes.meta_model import MetaModelSpec, built, write_meta_model
from graft.episodes.samples import FEATURES
from graft.models import bundle
from graft.models.bundle import read_bundle
from graft.pipeline.fewshot import answer
from graft.pipeline.fewshot.answer import answer_few_shots
from graft.pipeline.fewshot.asked import adapters_named, few_shot_job
from graft.pipeline.fewshot.candidates import Candidate, _folds, candidates_of, chosen, embedded_in
from graft.pipeline.fewshot.heads import Method
from graft.pipeline.fewshot.shots import Shots, shots_of
from graft.spec.meta.adapters import MamlAdapter
from graft.spec.meta.starts import MapStart
from graft.spec.strategy import Strategy

CLASSES = {"red": 0, "green": 1, "blue": 2}


def paint(path: Path, channel: int, seed: int) -> None:
    """A noisy square of one colour."""
    pixels = np.random.default_rng(seed).integers(0, 90, (40, 40, 3))
    pixels[..., channel] += 120
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def painted(root: Path, shots: int, split: str = "") -> Path:
    for name, channel in CLASSES.items():
        for index in range(shots):
            paint(root / split / name / f"{index}.png", channel, 10 * channel + index + 1000 * (split == "test"))
    return root


def shots_in(root: Path, *overrides: str) -> Shots:
    return shots_of(few_shot_job(root, Wish(), ("strategy.resolution=32", *overrides)))


def test_all_heads_are_compared_on_samples_they_have_not_seen_and_the_model_answers(tmp_path: Path) -> None:
    painted(tmp_path / "colours", 3, "train")
    shots = shots_in(painted(tmp_path / "colours", 4, "test"))
    assert (shots.k, len(shots.rows)) == (3, 9)
    found = answer_few_shots(shots, tmp_path / "bundle")
    assert {one.strategy.head.kind for one in found.candidates} == {"ridge", "logistic", "prototype"}
    assert all(0 <= one.interval.low <= one.estimate <= one.interval.high <= 1 for one in found.candidates)
    assert found.test["accuracy"] > 0.8
    told = json.loads(json.dumps(found.to_dict()))
    assert told["chosen"] in [one["method"] for one in told["candidates"]]
    assert read_bundle(tmp_path / "bundle").spec.strategy.head.is_solved
    model = graft.load(str(tmp_path / "bundle"))
    paint(tmp_path / "new.png", 2, 77)
    assert model.predict(str(tmp_path / "new.png"))[0].label == "blue"


def test_one_sample_of_each_class_has_no_estimate_but_a_model(tmp_path: Path) -> None:
    found = answer_few_shots(shots_in(painted(tmp_path / "colours", 1)), tmp_path / "bundle")
    assert found.chosen.strategy.head.kind == "ridge"
    assert [one.estimate for one in found.candidates] == [None] * 3
    assert "no class has two samples" in "\n".join(found.lines())
    assert found.to_dict()["estimate"] is None


def test_a_class_of_one_sample_is_always_learned_from(tmp_path: Path) -> None:
    root = painted(tmp_path / "colours", 4)
    for path in (root / "blue").iterdir():
        if path.name != "0.png":
            path.unlink()
    shots = shots_in(root)
    (one,) = embedded_in(shots)
    candidates = candidates_of(shots, [one])
    assert shots.k == 1
    assert all(len(one.right) == 8 for one in candidates), "it is never asked about, so never wrong"
    assert all(one.estimate > 0.5 for one in candidates)
    assert all(one.interval.low <= one.estimate <= one.interval.high for one in candidates)


def test_every_backbone_and_size_of_the_job_is_tried(tmp_path: Path) -> None:
    shots = shots_in(painted(tmp_path / "colours", 2), "strategy.resolution={choice: [32, 48]}")
    embedded = list(embedded_in(shots))
    assert {one.strategy.resolution for one in embedded} == {32, 48}
    methods = [one.method for one in candidates_of(shots, embedded)]
    assert len(set(methods)) == 6
    assert "ridge on efficientnet_lite0 at 48" in methods


def test_the_same_samples_give_the_same_model(tmp_path: Path) -> None:
    root = painted(tmp_path / "colours", 3)
    first, second = (answer_few_shots(shots_in(root), tmp_path / name) for name in ("a", "b"))
    assert first.chosen.method == second.chosen.method
    assert [one.estimate for one in first.candidates] == [one.estimate for one in second.candidates]
    assert (tmp_path / "a" / "weights.safetensors").read_bytes() == (
        tmp_path / "b" / "weights.safetensors"
    ).read_bytes()


@pytest.mark.parametrize(
    ("rights", "k", "expected"),
    [
        ({"ridge": 0.5, "prototype": 0.5, "logistic": 0.5}, 1, "ridge"),
        ({"ridge": 0.5, "prototype": 0.5, "logistic": 0.5}, 5, "logistic"),
        ({"ridge": 0.5, "prototype": 0.9, "logistic": 0.5}, 5, "prototype"),
        ({"ridge": 0.5, "prototype": 0.52, "logistic": 0.5}, 1, "ridge"),
        ({"ridge": None, "prototype": None, "logistic": None}, 1, "ridge"),
    ],
)
def test_the_prior_decides_between_heads_that_are_as_good(
    rights: dict[str, float | None], k: int, expected: str
) -> None:
    noise = np.random.default_rng(0)
    candidates = [
        Candidate(
            Method(Strategy(head=kind, freeze=1.0)),
            None,
            None if right is None else noise.permutation(50) < 50 * right,
            None,
            0.0,
        )
        for kind, right in rights.items()
    ]
    candidates = [one if one.right is None else replace(one, right=one.right.astype(float)) for one in candidates]
    assert chosen(candidates, k).strategy.head.kind == expected


def test_copies_of_a_sample_are_held_out_together(tmp_path: Path) -> None:
    root = tmp_path / "noise"
    for name in ("a", "b"):
        for index in range(4):
            paint(root / name / f"{index}.png", 0, index // 2 + 10 * (name == "b"))
    shots = shots_in(root)
    for train, held in _folds(shots):
        assert not {shots.contents[row] for row in train} & {shots.contents[row] for row in held}


def test_what_is_learned_from_is_not_tested_on(tmp_path: Path) -> None:
    root = painted(painted(tmp_path / "colours", 2, "train"), 2, "test")
    paint(root / "train" / "red" / "again.png", 0, 1000)
    told = r"1 of the samples to learn from are test samples, too, such as train/red/again.png \(as test/red/0.png\)"
    with pytest.raises(DataError, match=told):
        shots_in(root)
    kept, dropped = (shots_in(root, f"data.clean.split_leak={action}") for action in ("keep", "drop"))
    assert (len(kept.rows), len(dropped.rows)) == (7, 6)
    assert "train/red/again.png" in set(kept.ids) - set(dropped.ids)


def test_a_sample_of_two_classes_is_told(tmp_path: Path) -> None:
    root = painted(tmp_path / "colours", 2)
    assert not shots_in(root).contradiction
    paint(root / "blue" / "again.png", 0, 0)
    told = "1 sample has labels of several classes, of which one at most is right: "
    assert shots_in(root).contradiction == told + "blue/again.png (blue) and red/0.png (red)"


def test_texts_of_a_table(tmp_path: Path) -> None:
    rows = [
        ("the match ended two to one", "sport"),
        ("our striker scored twice", "sport"),
        ("the team won the cup", "sport"),
        ("the court has ruled on the tax", "law"),
        ("a judge fined the company", "law"),
        ("the new law passed", "law"),
    ]
    table = tmp_path / "news.csv"
    table.write_text("text,label\n" + "\n".join(f"{text},{label}" for text, label in rows) + "\n")
    found = answer_few_shots(shots_of(few_shot_job(table, Wish())), tmp_path / "bundle")
    assert found.k == 3
    predicted = graft.load(str(tmp_path / "bundle")).predict("the goalkeeper saved a penalty")
    assert predicted[0].label == "sport"


@pytest.mark.parametrize(
    ("shots", "told"),
    [
        (lambda root: paint(root / "red" / "0.png", 0, 1), "class"),
        (lambda root: root.mkdir(), "nothing that graft can learn from"),
    ],
)
def test_what_cannot_be_learned_from_is_told(tmp_path: Path, shots, told: str) -> None:
    shots(tmp_path / "colours")
    with pytest.raises(GraftError, match=told):
        shots_in(tmp_path / "colours")


def test_too_many_samples_are_for_a_search(tmp_path: Path) -> None:
    job = few_shot_job(painted(tmp_path / "colours", 3), Wish(), ("strategy.resolution=32",))
    told = "there are 3 samples a class, but graft fewshot is for 2 at most; use graft run"
    with pytest.raises(DataError, match=told):
        shots_of(job, most=2)


def test_what_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    root = painted(tmp_path / "colours", 3)
    (root / "red" / "bad.png").write_bytes(b"no picture")
    shots = shots_in(root, "data.max_unreadable=0.5")
    assert [one.path for one in shots.left_out] == ["red/bad.png"]
    assert shots.counts.tolist() == [3, 3, 3]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"letter.txt": "dear"}, "it has no manifest.json of a bundle"),
        ({"manifest.json": '{"name": "an extension of a browser"}'}, "it has no manifest.json of a bundle"),
        ({"manifest.json": '{"format": 2, "files": {}}', "letter.txt": "dear"}, "it also holds letter.txt"),
    ],
)
def test_a_directory_of_other_things_is_not_replaced(tmp_path: Path, files: dict[str, str], told: str) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for name, text in files.items():
        (mine / name).write_text(text)
    with pytest.raises(SpecError, match=f"is no bundle that could be replaced: {told}; name another with --output"):
        answer_few_shots(shots_in(painted(tmp_path / "colours", 1)), mine)
    assert {one.name: one.read_text() for one in mine.iterdir()} == files


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), ResourceError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_model_is_replaced_by_a_whole_one_or_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, told: type[BaseException]
) -> None:
    shots, place = shots_in(painted(tmp_path / "colours", 1)), tmp_path / "models" / "colours"
    answer_few_shots(shots, place)
    before = directory_digest(place)

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(bundle, "save_model", fail)
        with pytest.raises(told):
            answer_few_shots(shots, place)
    assert directory_digest(place) == before
    assert [one.name for one in place.parent.iterdir()] == ["colours"]
    answer_few_shots(shots, place)


class TestAMetaModel:
    """A map that was meta-learned, in front of the heads, and adapted by gradient."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return painted(tmp_path / "colours", 3)

    @pytest.fixture
    def source(self, tmp_path: Path, root: Path) -> Path:
        """One on the features of these samples, with what MAML has learned over tasks."""
        shots = shots_in(root)
        (embedded,) = embedded_in(shots)
        backbone, start = embedded.network.backbone, MapStart(width=8)
        shapes = {FEATURES: (backbone.num_features,)}
        torch.manual_seed(0)
        loss = built(start, MamlAdapter(), shapes)
        loss.start.settle({FEATURES: embedded.features})
        spec = MetaModelSpec(
            name="tiny",
            start=start,
            adapter=MamlAdapter(),
            shapes=shapes,
            backbone="efficientnet_lite0",
            backbone_digest=weights_digest([backbone.stem, *backbone.blocks]),
            preprocessing=embedded.preprocessing.model_dump(mode="json"),
        )
        return write_meta_model(tmp_path / "tiny", spec, loss.state_dict()).directory

    def test_heads_and_adapters_are_compared_behind_its_map(self, root: Path, source: Path) -> None:
        shots = shots_in(root, f"strategy.init={{choice: [pretrained, {{kind: meta, source: {source}}}]}}")
        embedded = list(embedded_in(shots))
        found = candidates_of(shots, embedded, adapters_named(["lp_ft", "bit_fit", "lora"]))
        of_meta = [one.how.kind for one in found if one.strategy.init.kind == "meta"]
        assert sorted(of_meta) == ["bit_fit", "logistic", "lora", "lp_ft", "maml", "prototype", "ridge"]
        assert len(found) == len(of_meta) + 3, "without a map there is nothing that an adapter could adapt"
        assert all(one.estimate > 0.6 for one in found), {one.method: one.estimate for one in found}
        assert {f"{kind} on efficientnet_lite0 (meta) at 32" for kind in of_meta} <= {one.method for one in found}

    @pytest.mark.parametrize("kind", ["ridge", "maml", "lora"])
    def test_its_bundle_answers_as_it_does(
        self, root: Path, source: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(answer, "chosen", lambda found, k: next(one for one in found if one.how.kind == kind))
        shots = shots_in(root, f"strategy.init={{kind: meta, source: {source}}}")
        found = answer_few_shots(shots, tmp_path / "bundle", adapters_named(["lora"]))
        assert found.chosen.method.startswith(f"{kind} on")
        paint(tmp_path / "new.png", 2, 77)
        assert graft.load(str(tmp_path / "bundle")).predict(str(tmp_path / "new.png"))[0].label == "blue"

    @pytest.mark.parametrize(
        ("names", "told"),
        [
            (["prototypes"], "which is solved in closed form, but must go by gradient"),
            (["lorra"], "did you mean `lora`"),
            (["lora"], "which adapts a meta-learned map, but strategy.init names none"),
        ],
    )
    def test_an_adapter_that_cannot_be_is_told(self, root: Path, names: list[str], told: str) -> None:
        with pytest.raises(GraftError, match=told):
            candidates_of(shots_in(root), list(embedded_in(shots_in(root))), adapters_named(names))
