"""What is wrong with a user's files is told in one clear line, with the right exit code, and leaves nothing behind.

Every line is held against its three parts: the value, the rule, and what to do.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import yaml

from graft.core.errors import ArtifactError, TrialError
from graft.core.storage import Home
from graft.data.dataset import open_dataset
from graft.experiments.directory import Experiment
from graft.journal import events
from graft.journal.journal import read
from graft.models.load import load_backbone
from graft.pipeline import run as run_module


class NoRelay:
    """Stands for the process that ships to MLflow: what is tested here ends before it has anything to ship."""

    def drain(self, timeout: float) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "start_relay", lambda directory, target: NoRelay())


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Path]:
    """Writes a job file: `job(data={...}, training={...})`."""

    def write(**sections: Any) -> Path:
        path = tmp_path / "job.yaml"
        small = {"resolution": 32}
        path.write_text(yaml.safe_dump({"name": "bad", "strategy": small, **sections}, sort_keys=False))
        return path

    return write


@pytest.fixture
def folder_job(job: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A job on the folder `photos` beside it: `folder_job(limit=5)`."""
    return lambda **data: job(data={"kind": "image_folder", "path": "photos", **data})


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tmp_path / "photos"


def one_line(outcome: Any, exit_code: int, *parts: str) -> None:
    """The command ended with that code and one line in which these patterns follow each other."""
    assert outcome.exit_code == exit_code, outcome.err
    assert outcome.out == ""
    assert len(outcome.told) == 1, outcome.err
    assert re.search(".*".join(parts), outcome.told[0]), outcome.told[0]


def assert_untouched(home: Path) -> None:
    assert not home.exists(), sorted(home.rglob("*"))


def assert_nothing_half_written(home: Path) -> None:
    """Of a run that failed in its first stage there is the record, and nothing that looks like a result."""
    datasets = Home(home).datasets
    assert [path for path in datasets.glob("*") if path.suffix != ".lock"] == []
    # Whatever is being written has a hidden name until it is whole.
    assert [path for path in home.rglob(".*")] == []
    (experiment,) = Home(home).experiments.iterdir()
    record = {"job.yaml", "journal.jsonl", "journal.jsonl.lease.1", "log.txt"}
    assert {path.name for path in experiment.iterdir()} <= record
    *_, last = (event for _, event in read(experiment / "journal.jsonl"))
    assert isinstance(last, events.ExperimentFinished)
    assert last.status is events.ExperimentStatus.FAILED
    assert last.detail


class TestJobFile:
    """Told by `graft validate`; `graft run` says the same before anything is made."""

    @pytest.mark.parametrize(
        ("sections", "parts"),
        [
            pytest.param(
                {"trianing": {"epochs": 3}},
                (r"job\.yaml:\d+ trianing: is not a key of a job", "did you mean `training`"),
                id="unknown key",
            ),
            pytest.param(
                {"search": {"scheduler": {"kind": "asha", "grace": 2}}},
                (r"job\.yaml:\d+ search\.scheduler\.grace: is not a key of asha|search\.scheduler\.grace: is not",
                 "grace_epochs"),
                id="unknown key, deep",
            ),
            pytest.param(
                {"training": {"epochs": [3]}},
                (r"job\.yaml:\d+ training\.epochs: is ", "but must be a whole number"),
                id="wrong type",
            ),
            pytest.param(
                {"strategy": "linear"},
                (r"job\.yaml:\d+ strategy: is ", "linear", "but must be"),
                id="wrong type of a section",
            ),
            pytest.param(
                {"strategy": {"lr": "0.001"}},
                (r"job\.yaml:\d+ strategy\.lr: is the text '0\.001', but must be a number", "remove the quotes"),
                id="number as text",
            ),
            pytest.param(
                {"training": {"epochs": "3"}},
                (r"job\.yaml:\d+ training\.epochs: is the text '3', but must be a whole number", "remove the quotes"),
                id="whole number as text",
            ),
            pytest.param(
                {"search": {"metric": "f1"}},
                (r"job\.yaml:\d+ search\.metric: is `f1`, but must be one of accuracy, balanced_accuracy, macro_f1",),
                id="metric that does not exist",
            ),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("command", ["validate", "run"])
    def test_it_is_told_with_its_line(self, graft, job, home, command, sections, parts):
        one_line(graft(command, job(data={"kind": "digits"}, **sections)), 2, *parts)
        assert_untouched(home)

    def test_all_of_them_are_told_at_once(self, graft, job, home):
        path = job(
            data={"kind": "digits"},
            training={"epochs": "3", "epoks": 3},
            search={"metric": "f1", "budget": {"trials": 0}},
        )
        done = graft("validate", path, "--json")
        found = json.loads(done.out)
        assert (done.exit_code, found["exit_code"], found["status"]) == (2, 2, "failed")
        keys = [re.search(r"job\.yaml:\d+ ([\w.]+): ", problem)[1] for problem in found["problems"]]
        assert sorted(keys) == ["search.budget.trials", "search.metric", "training.epochs", "training.epoks"]
        assert_untouched(home)

    def test_a_backbone_that_does_not_exist_is_told(self, graft, job, home):
        path = job(data={"kind": "digits"}, strategy={"backbone": "efficientnet_light0"})
        one_line(
            graft("run", path), 2, r"strategy\.backbone: .*`efficientnet_light0`, but must be one of ",
            r"did you mean `efficientnet_lite0`\?",
        )  # fmt: skip
        assert_untouched(home)


class TestHome:
    def test_a_home_below_a_file_exits_2(self, graft, job, tmp_path):
        (tmp_path / "file").write_text("x")
        home = tmp_path / "file" / "home"
        one_line(
            graft("run", job(data={"kind": "digits"}), "--home", home), 2,
            f"home directory {home} cannot be written", "choose another with --home or GRAFT_HOME",
        )  # fmt: skip
        assert (tmp_path / "file").read_text() == "x"

    def test_a_home_that_is_a_file_exits_2(self, graft, job, tmp_path):
        (tmp_path / "file").write_text("x")
        one_line(
            graft("run", job(data={"kind": "digits"}), "--home", tmp_path / "file"), 2,
            f"home directory {tmp_path / 'file'} cannot be written", "choose another with --home or GRAFT_HOME",
        )  # fmt: skip

    def test_a_home_with_a_directory_that_cannot_be_written_exits_3(self, graft, job, home):
        home.mkdir()
        (home / "experiments").write_text("x")
        one_line(graft("run", job(data={"kind": "digits"})), 3, str(home / "experiments"), "--home")


@pytest.mark.ray
class TestListing:
    """Told by `graft run` after a look at the names, before anything is made."""

    def test_a_missing_directory(self, graft, folder_job, photos, home):
        told = rf"job.yaml:\d+ data.path: is {photos}, but there is nothing there"
        one_line(graft("run", folder_job()), 2, told, "check the path")
        assert_untouched(home)

    def test_a_file_instead_of_a_directory(self, graft, folder_job, photos, home):
        photos.write_bytes(b"PK")
        one_line(graft("run", folder_job()), 2, f"data.path is {photos}, but must be a directory", "unpack it")
        assert_untouched(home)

    def test_an_empty_class_folder(self, graft, folder_job, photos, image_folder, home):
        image_folder(photos, {"cat": 6, "dog": 6, "emu": 0})
        one_line(graft("run", folder_job()), 2, f"class folder {photos / 'emu'} is empty", "add images or remove it")
        assert_untouched(home)

    def test_one_class_only(self, graft, folder_job, photos, image_folder, home):
        image_folder(photos, {"cat": 6})
        one_line(graft("run", folder_job()), 2, re.escape(str(photos)), r"1 class \(cat\), but needs at least 2")
        assert_untouched(home)

    def test_two_classes_that_differ_only_in_case(self, graft, folder_job, photos, image_folder, home):
        photos.mkdir()
        (photos / "probe").touch()
        if (photos / "PROBE").exists():
            pytest.skip("this file system does not tell cases apart")
        image_folder(photos, {"Cat": 6, "cat": 6})
        one_line(
            graft("run", folder_job()), 2, "classes `Cat` and `cat`, but names must differ in more than case",
            "rename or merge them",
        )  # fmt: skip
        assert_untouched(home)

    def test_fewer_samples_than_splits(self, graft, folder_job, photos, image_folder, home):
        image_folder(photos, {"cat": 6, "dog": 2})
        one_line(
            graft("run", folder_job()), 2, "class `dog` has 2 samples, but needs at least 3, one for each split",
            "add some or remove the class",
        )  # fmt: skip
        assert_untouched(home)

    def test_a_limit_below_classes_times_splits(self, graft, job, home):
        path = job(data={"kind": "digits", "limit": 12})
        one_line(graft("run", path), 2, r"data\.limit is 12, but 10 classes need at least 20", "raise it")
        assert_untouched(home)

    def test_the_same_is_told_in_json(self, graft, folder_job, photos, home):
        path = folder_job()
        line = 1 + next(at for at, one in enumerate(path.read_text().splitlines()) if one.strip().startswith("path:"))
        done = graft("run", path, "--json")
        found = json.loads(done.out)
        assert (done.exit_code, done.err, found["exit_code"]) == (2, "", 2)
        told = f"{path}:{line} data.path: is {photos}, but there is nothing there; check the path"
        assert found["problems"] == [told]
        assert_untouched(home)

    def test_the_plan_tells_it_too(self, graft, folder_job, photos, home):
        told = rf"job.yaml:\d+ data.path: is {photos}, but there is nothing there"
        one_line(graft("plan", folder_job()), 2, told, "check the path")
        assert_untouched(home)


@pytest.mark.usefixtures("ray_session")
class TestContents:
    """Told by `graft run` in its first stage, before an image is decoded."""

    @pytest.mark.parametrize(
        ("claimed", "parts"),
        [
            ((40, 8, 8), ("train-images-idx3-ubyte", "2560", "1920")),
            ((20, 8, 8), ("train-images-idx3-ubyte", "1280")),
            ((2**32 - 1, 2**16, 2**16), ("train-images-idx3-ubyte", "promises", "may at most")),
        ],
        ids=["too much", "too little", "absurdly much"],
    )
    def test_an_idx_header_that_lies_about_its_size(self, graft, job, tmp_path, write_idx, home, claimed, parts):
        directory = tmp_path / "idx"
        directory.mkdir()
        labels = np.arange(30) % 3
        write_idx(directory / "train-images-idx3-ubyte", np.zeros((30, 8, 8)), claimed)
        write_idx(directory / "train-labels-idx1-ubyte", labels)
        one_line(graft("run", job(data={"kind": "idx", "path": "idx"})), 2, *parts)
        assert_nothing_half_written(home)

    def test_an_idx_file_without_a_byte(self, graft, job, tmp_path, write_idx, home):
        directory = tmp_path / "idx"
        directory.mkdir()
        (directory / "train-images-idx3-ubyte").touch()
        write_idx(directory / "train-labels-idx1-ubyte", np.arange(30) % 3)
        one_line(
            graft("run", job(data={"kind": "idx", "path": "idx"})), 2,
            "train-images-idx3-ubyte starts with nothing, but IDX bytes in 3 dimensions start with 00000803",
        )  # fmt: skip
        assert_nothing_half_written(home)


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
class TestUnreadable:
    """Found when the images are decoded."""

    @pytest.fixture
    def bad_photos(self, photos, image_folder, jpeg, png_of) -> dict[str, str]:
        """Twenty good images, and five bad ones with the reasons expected."""
        image_folder(photos, {"cat": 10, "dog": 10})
        contents = {
            "cat/cut.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
            "cat/empty.png": (b"", "is empty"),
            "cat/text.png": (b"I am not an image\n", "is text, but must be an image"),
            "dog/bomb.png": (png_of(60_000, 60_000), "has more pixels than any image should"),
            "dog/large.png": (png_of(8_000, 8_000), r"has 8000 x 8000 pixels, more than data.max_pixels allows"),
        }
        for name, (content, _) in contents.items():
            (photos / name).write_bytes(content)
        return {name: reason for name, (_, reason) in contents.items()}

    def test_they_are_quarantined_by_name_and_the_run_goes_on(self, graft, folder_job, bad_photos, home, monkeypatch):
        def search(*args: object) -> None:
            raise TrialError("the search was reached")

        monkeypatch.setattr("graft.pipeline.stages.search.run_search", search)
        done = graft("run", folder_job(max_unreadable=0.25))
        assert done.told == ["the search was reached"]
        assert "5 unreadable left out" in done.err

        experiment = Experiment.find(Home(home), "bad")
        (ready,) = [event for _, event in read(experiment.journal_file) if isinstance(event, events.DatasetReady)]
        assert sum(ready.counts.values()) == 20
        named = {entry["path"]: entry["reason"] for entry in ready.quarantine}
        assert sorted(named) == sorted(bad_photos)
        assert {name: reason for name, reason in bad_photos.items() if reason not in named[name]} == {}

        (directory,) = [path for path in Home(home).datasets.iterdir() if path.is_dir()]
        assert set(open_dataset(directory, verify=True).ids).isdisjoint(bad_photos)

    def test_too_many_of_them_end_the_run_by_name(self, graft, folder_job, bad_photos, home):
        one_line(
            graft("run", folder_job()), 2, r"5 of 25 samples cannot be read, but data\.max_unreadable allows 0\.1: ",
            "cat/cut.jpg", "cat/empty.png is empty", "cat/text.png is text", "dog/bomb.png", "dog/large.png",
            r"repair or remove them, or raise data\.max_unreadable",
        )  # fmt: skip
        assert_nothing_half_written(home)

    def test_a_class_that_loses_all_its_images_ends_the_run(self, graft, folder_job, photos, image_folder, home):
        image_folder(photos, {"cat": 10, "dog": 3})
        for path in (photos / "dog").iterdir():
            path.write_bytes(b"no picture")
        one_line(
            graft("run", folder_job(max_unreadable=1.0)), 2, "class `dog` has no readable sample left for train",
            r"dog/00\d\.png", "cannot be read", "repair or remove",
        )  # fmt: skip
        assert_nothing_half_written(home)


class TestWeights:
    @pytest.fixture
    def misfit(self, tmp_path: Path) -> Path:
        """Weights of a network whose first convolution has another shape."""
        state = timm.create_model("test_efficientnet", pretrained=False).state_dict()
        state["conv_stem.weight"] = torch.zeros(7, 3, 3, 3)
        path = tmp_path / "misfit.pth"
        torch.save(state, path)
        return path

    def test_weights_whose_shapes_do_not_fit_are_told_by_key_and_shapes(self, misfit):
        name = f"local:timm/test_efficientnet:{misfit}"
        with pytest.raises(ArtifactError) as caught:
            load_backbone(name, 32)
        assert len(str(caught.value).splitlines()) == 1
        assert str(misfit) in str(caught.value)
        assert re.search(r"conv_stem\.weight.*7.*3.*3.*3", str(caught.value))

    def test_a_file_that_is_missing_is_told_before_anything_starts(self, graft, job, home, tmp_path):
        name = f"local:timm/test_efficientnet:{tmp_path}/nope.pth"
        path = job(data={"kind": "digits"}, strategy={"backbone": name})
        one_line(graft("run", path), 2, r"strategy\.backbone: ", f"weights file {tmp_path}/nope.pth does not exist")
        assert_untouched(home)

    def test_a_run_with_them_ends_with_that_line_before_anything_starts(self, graft, job, home, misfit):
        name = f"local:timm/test_efficientnet:{misfit}"
        path = job(data={"kind": "digits", "limit": 40}, strategy={"backbone": name, "resolution": 32})
        one_line(
            graft("run", path),
            2,
            r"strategy\.backbone: ",
            r"conv_stem\.weight is 7×3×3×3, but .* must be .*; name the one",
        )
        assert_untouched(home)
