"""What a job leaves open is decided from its data, and what does not fit is told, all of it, before anything starts."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from graft.core.errors import DataError, SpecError
from graft.pipeline import resolve as module
from graft.pipeline.resolve import resolve_job
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.tasks.auto import AutoTask

WORDS = ["good", "bad", "good", "bad"] * 5
SCORES = [f"{number * 0.37:.2f}" for number in range(20)]
TAGS = ["red;blue", "red", "blue;green", "green"] * 5

MakeTable = Callable[..., Job]


@pytest.fixture
def table(tmp_path: Path) -> MakeTable:
    """``table(labels, strategy={…})``: a job on twenty texts with these labels."""

    def make(labels: Sequence[str], **sections: Any) -> Job:
        path = tmp_path / "reviews.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            writer.writerows((f"text number {number}", label) for number, label in enumerate(labels))
        data = {"kind": "table", "path": str(path), "text": "text", "label": "label"}
        return parse_job({"name": "x", "data": data, **sections})

    return make


def folder_job(path: Path, **sections: Any) -> Job:
    return parse_job({"name": "x", "data": {"kind": "image_folder", "path": str(path)}, **sections})


def problems_of(job: Job) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        resolve_job(job)
    found = {problem.where: problem.message for problem in caught.value.problems}
    assert len(found) == len(caught.value.problems)
    assert not [message for message in found.values() if "\n" in message]
    return found


def images_in(folder: Path, count: int) -> Path:
    """A folder of two classes; what is counted is not opened."""
    for place in range(count):
        path = folder / f"c{place % 2}" / f"{place}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return folder


class TestImages:
    def test_they_are_not_looked_at_where_nothing_depends_on_how_many_there_are(self, tmp_path: Path) -> None:
        job = folder_job(tmp_path / "does not exist", strategy={"lr": 0.01}, training={"epochs": 3})
        assert isinstance(job.task, AutoTask)
        resolved = resolve_job(job)
        assert (resolved.job.task.kind, resolved.reason, resolved.listing) == (
            "classification",
            "each folder is a class",
            None,
        )
        assert resolved.job.search.metric == "accuracy"
        assert resolved.job.strategy.values("backbone") == ("efficientnet_lite0",)
        assert resolved.job.strategy.values("loss") == ("cross_entropy",)

    def test_nor_if_the_job_names_the_task(self, tmp_path: Path) -> None:
        resolved = resolve_job(folder_job(tmp_path / "does not exist", task="classification"), look=False)
        assert (resolved.job.task.kind, resolved.reason) == ("classification", "given by the job")

    def test_what_the_job_says_stays(self, tmp_path: Path) -> None:
        strategy = {"backbone": "efficientnet_lite1", "loss": "focal", "resolution": 96, "augment": "light"}
        job = folder_job(tmp_path, search={"metric": "macro_f1"}, strategy=strategy, training={"epochs": 3})
        found = resolve_job(job).job
        assert found.search.metric == "macro_f1"
        assert found.strategy.dump() == job.strategy.dump()

    def test_a_job_that_says_nothing_gets_the_space_of_its_samples(self, tmp_path: Path) -> None:
        job = folder_job(images_in(tmp_path, 40))
        found = resolve_job(job).job
        assert found.strategy == found.space
        assert set(found.strategy.dump()) >= set(job.space.dump())
        solved, trained = ([one for one in found.first if one.head.is_solved is is_so] for is_so in (True, False))
        assert [one.freeze for one in trained] == [0.0, 0.5, 0.75, 0.0]
        assert {(one.loss.label_smoothing, one.clip_norm, one.resolution) for one in trained} == {(0.1, 1.0, 128)}
        quick = [one for one in solved if one.resolution in (96, 128)][:4]
        assert (*quick, trained[0], *solved[4:], *trained[1:]) == found.first, "the longest training begins beside them"
        assert {one.resolution for one in solved} == {96, 128, 160}
        assert found.search.budget.trials == job.phases[0].trials + len(solved)  # they come on top of the usual number
        assert resolve_job(found).job == found

    def test_how_long_a_training_is_follows_from_how_many_there_are(self, tmp_path: Path) -> None:
        job = folder_job(images_in(tmp_path, 40), strategy={"batch_size": {"choice": [4, 8]}})
        found = resolve_job(job).job
        assert (found.training.epochs, found.search.scheduler.grace_epochs, found.first) == (30, 20, ())
        named = resolve_job(folder_job(tmp_path, strategy={"batch_size": 8}, training={"epochs": 5})).job
        assert (named.training.epochs, named.phases[0].scheduler.grace) == (5, 1)
        assert (found.training.shorten, named.training.shorten) == (True, None), "named epochs are trained"
        asked = folder_job(
            tmp_path, strategy={"batch_size": 8}, search={"scheduler": {"kind": "median", "grace_epochs": 44}}
        )
        assert (resolve_job(asked).job.training.epochs, resolve_job(asked).job.search.scheduler.grace_epochs) == (
            44,
            44,
        )

    def test_a_preset_says_how_much_is_tried(self, tmp_path: Path) -> None:
        images_in(tmp_path, 40)
        fast = resolve_job(folder_job(tmp_path, preset="fast")).job
        assert [one.freeze for one in fast.first if not one.head.is_solved] == [0.75, 1.0]
        assert min(map(float, fast.strategy.values("freeze"))) == 0.75
        usual, best = (resolve_job(folder_job(tmp_path, preset=preset)) for preset in ("balanced", "best"))
        assert (usual.job.training.epochs, best.job.training.epochs) == (30, 60)
        assert (usual.job.export.tta, best.job.export.tta) == (1, 2)
        assert best.job.strategy.values("resolution") > usual.job.strategy.values("resolution")
        assert best.reasons.preset.startswith("best: larger inputs")
        assert (fast.training.fit.ensemble, usual.job.training.fit.ensemble, best.job.training.fit.ensemble) == (
            "off",
            "auto",
            "auto",
        )
        off = resolve_job(folder_job(tmp_path, preset="best", training={"fit": {"ensemble": "off"}})).job
        assert off.training.fit.ensemble == "off"
        said = resolve_job(folder_job(tmp_path, preset="best", export={"tta": 4})).job
        assert (said.export.tta, said.training.fit.soup) == (4, "none")
        own = resolve_job(folder_job(tmp_path, preset="fast", strategy={"lr": 0.01}))
        assert (own.reasons.preset, own.job.first) == ("", ())

    def test_many_samples_make_an_average_worth_more_than_training_on_the_validation_samples(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("graft.pipeline.resolve.SOUP_SAMPLES", 10)
        best = resolve_job(folder_job(images_in(tmp_path, 40), preset="best")).job
        assert (best.training.final_on, best.training.fit.soup) == ("train", "greedy")
        said = folder_job(tmp_path, preset="best", training={"final_on": "train+validation"})
        assert resolve_job(said).job.training.fit.soup == "none"

    def test_a_population_is_drawn(self, tmp_path: Path) -> None:
        assert resolve_job(folder_job(images_in(tmp_path, 40), search={"scheduler": "pbt"})).job.search.first == []

    def test_a_resolution_below_what_a_network_takes_is_refused_with_the_smallest(self, tmp_path: Path) -> None:
        (tmp_path / "w.safetensors").write_bytes(b"no weights")
        name = f"local:timm/test_convnext:{tmp_path / 'w.safetensors'}"
        strategy = {"backbone": {"choice": ["efficientnet_lite0", name]}, "resolution": {"choice": [16, 32]}}
        found = problems_of(folder_job(tmp_path, strategy=strategy))
        assert found.keys() == {"strategy.resolution", "strategy.backbone"}
        assert "has no header of safetensors" in found["strategy.backbone"], "nor can its weights be read"
        assert found["strategy.resolution"].startswith("is 16, which timm:test_convnext cannot take (")
        assert found["strategy.resolution"].endswith("the smallest that works is 32")

    def test_tokens_and_text_backbones_do_not_belong_to_them(self, tmp_path: Path) -> None:
        strategy = {"max_tokens": 64, "backbone": {"choice": ["minilm_l6", "efficientnet_lite0"]}}
        found = problems_of(folder_job(tmp_path, strategy=strategy))
        assert found.keys() == {"strategy.max_tokens", "strategy.backbone"}
        assert found["strategy.max_tokens"] == ("is given, but belongs to texts, and the data are images; leave it out")
        assert found["strategy.backbone"] == "is minilm_l6, which takes texts, but the data are images; name another"


class TestTables:
    @pytest.mark.parametrize(
        ("labels", "kind", "reason", "metric", "loss"),
        [
            (WORDS, "classification", "`label` holds 2 different values", "accuracy", "cross_entropy"),
            (SCORES, "regression", "`label` holds 20 different numbers, some with fractions", "mae", "huber"),
            (
                TAGS,
                "multilabel",
                "`label` holds 3 labels, separated by `;` in 50% of the rows",
                "map",
                "binary_cross_entropy",
            ),
        ],
        ids=["classification", "regression", "multilabel"],
    )
    def test_the_labels_say_which_task_it_is(
        self, table: MakeTable, labels: list[str], kind: str, reason: str, metric: str, loss: str
    ) -> None:
        resolved = resolve_job(table(labels))
        assert (resolved.job.task.kind, resolved.reason) == (kind, reason)
        assert (resolved.job.search.metric, resolved.job.objective.name) == (metric, metric)
        assert resolved.job.strategy.values("loss") == (loss,)
        assert resolved.job.strategy.values("backbone") == ("minilm_l6",)
        assert resolved.listing is not None
        assert len(resolved.listing.sources) == 20

    @pytest.mark.parametrize("labels", [WORDS, SCORES, TAGS], ids=["words", "numbers", "tags"])
    def test_twice_changes_nothing(self, table: MakeTable, labels: list[str]) -> None:
        once = resolve_job(table(labels)).job
        twice = resolve_job(once).job
        assert twice == once
        assert parse_job(once.model_dump(mode="json")) == once

    def test_a_task_that_is_named_must_fit_the_labels(self, table: MakeTable) -> None:
        assert resolve_job(table(SCORES, task="regression")).reason == "given by the job"
        with pytest.raises(DataError) as caught:
            resolve_job(table(WORDS, task="regression"))
        assert "\n" not in str(caught.value)

    def test_all_that_does_not_belong_is_told_at_once(self, table: MakeTable) -> None:
        strategy = {
            "loss": {"choice": ["focal", "squared_error"]},
            "augment": "light",
            "backbone": "efficientnet_lite0",
            "resolution": 64,
        }
        found = problems_of(table(SCORES, strategy=strategy, search={"metric": "accuracy"}))
        assert found.keys() == {
            "search.metric",
            "strategy.loss",
            "strategy.augment",
            "strategy.resolution",
            "strategy.backbone",
        }
        assert found["search.metric"].startswith("is `accuracy`, but task regression is judged by one of mae, ")
        assert found["strategy.loss"].startswith("is focal, but task regression takes one of squared_error, ")
        assert "cross_entropy" not in found["strategy.loss"]
        assert found["strategy.augment"] == ("is light, which changes images, but the data are texts; leave it out")
        assert found["strategy.resolution"] == ("is given, but belongs to images, and the data are texts; leave it out")
        assert found["strategy.backbone"] == (
            "is efficientnet_lite0, which takes images, but the data are texts; name another"
        )

    def test_a_choice_with_a_key_of_another_modality_is_told_too(self, table: MakeTable) -> None:
        found = problems_of(table(WORDS, strategy={"resolution": {"choice": [32, 64]}}))
        assert found.keys() == {"strategy.resolution"}

    def test_the_table_is_read_once(self, table: MakeTable, monkeypatch: pytest.MonkeyPatch) -> None:
        read: list[Job] = []
        real = module.listing_of
        monkeypatch.setattr(module, "listing_of", lambda job: read.append(job) or real(job))
        resolve_job(table(WORDS))
        assert len(read) == 1

    def test_a_target_in_another_metric_is_told_in_a_line(self, table: MakeTable) -> None:
        found = problems_of(table(SCORES, search={"budget": {"target": {"accuracy": 0.9}}}))
        assert found == {
            "search.budget.target": "is a value of `accuracy`, but must be one of `mae`, by which task "
            "regression is judged; or set search.metric"
        }
