"""An exploration goes on where it was killed, asks nothing twice, and is refused to a second process."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures import pools

from graft.core.errors import ArtifactError, DataError, ResourceError, SpecError
from graft.core.storage import Home
from graft.exploration.requirement import Requirement
from graft.journal.explorations import ExplorationStarted, ExplorationStopped, LabelGiven, LabelWithdrawn
from graft.journal.journal import Journal, journal_path, read
from graft.pipeline.exploration.backbone import PoolFeatures
from graft.pipeline.exploration.explore import Exploration
from graft.pipeline.exploration.explored import WANTED, Explored
from graft.pipeline.exploration.pool import Pool
from graft.pipeline.exploration.settings import Settings
from graft.pipeline.exploration.sources import Answer, Called, LabelSource, Oracle, Question, TakeBack, labels_of_file
from graft.pipeline.exploration.start import begun_with
from graft.spec.components.initialisation import Initialisation, MetaLearned, Pretrained
from graft.spec.meta.proposers import TypicalThenMargin
from graft.spec.strategy import Strategy

SETTINGS = Settings(Requirement(0.75), 260, 0, TypicalThenMargin())


class Vectors:
    """In place of a backbone: samples are vectors, None is one that cannot be read."""

    def __init__(self, init: Initialisation = Pretrained(), size: int = 32) -> None:  # noqa: B008 - it is frozen
        self.strategy = Strategy(backbone="none", init=init, freeze=1.0)
        self.prepared = {"resolution": size}

    def features(self, samples: Sequence[Any], scratch: Path, told: Any) -> PoolFeatures:
        errors = {place: "is damaged" for place, one in enumerate(samples) if one is None}
        readable = [one for one in samples if one is not None]
        return PoolFeatures(np.array(readable, np.float32).reshape(len(readable), 8), errors)


@pytest.fixture(autouse=True)
def _no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(directory: Path, name: str, embedding: Any, features: np.ndarray, labels: dict[int, str]) -> None:
        directory.mkdir(exist_ok=True)

    monkeypatch.setattr("graft.pipeline.exploration.explore.write_model", write)


def pool_of(points: pools.Pool, samples: Sequence[Any] | None = None) -> Pool:
    given: Sequence[Any] = list(points.features) if samples is None else samples
    ids = tuple(f"{row:04}.png" for row in range(len(given)))
    embedding: Any = Vectors()
    return Pool("points", "points", embedding, ids, given)


def oracle_of(points: pools.Pool) -> Oracle:
    return Oracle({f"{row:04}.png": points.name(row) for row in range(len(points.codes))})


def explored(home: Home, points: pools.Pool, source: LabelSource, settings: Settings = SETTINGS) -> Explored:
    with Exploration(home, "points", pool_of(points), settings, lambda done, of: None) as one:
        return one.run(source, lambda standing: None)


def answers(home: Home) -> list[LabelGiven]:
    path = journal_path(home.explorations / "points")
    return [event for _, event in read(path) if isinstance(event, LabelGiven)]


def test_a_killed_exploration_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    points = pools.Pool()
    whole = explored(Home(tmp_path / "whole"), points, oracle_of(points))
    assert whole.stopped_by == "reached"
    assert whole.bundle
    assert whole.bundle.is_dir()
    truth, asked = oracle_of(points), list[str]()

    def dying(sample: str, why: str) -> Answer | None:
        asked.append(sample)
        if len(asked) in (1, 17, 58):
            asked.pop()
            asked.append("")
            raise KeyboardInterrupt
        return Answer(truth.truth[sample])

    cut = Home(tmp_path / "cut")
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            explored(cut, points, Called(dying, "me", repeats=False))
    again = explored(cut, points, Called(dying, "me", repeats=False))
    told = [one for one in asked if one]
    assert len(told) == len(set(told))
    assert (again.stopped_by, again.standing) == (whole.stopped_by, whole.standing)
    given = [[(one.sample, one.label, one.role) for one in answers(Home(tmp_path / name))] for name in ("whole", "cut")]
    assert given[0] == given[1]
    assert {(one.by, bool(one.why), one.time > 0) for one in answers(cut)} == {("me", True, True)}


def test_names_that_mean_other_samples_by_now_are_not_asked_about(tmp_path: Path) -> None:
    """A table was sorted between two calls: labels and features would be of different samples."""
    points, home = pools.Pool(count=60), Home(tmp_path)
    truth = oracle_of(points)

    def few(sample: str, why: str) -> Answer | None:
        return Answer(truth.truth[sample]) if len(answers(home)) < 5 else None

    assert explored(home, points, Called(few, "me", repeats=False)).stopped_by == WANTED
    known = len(answers(home))
    later = pool_of(points, [*points.features[1:], points.features[0]])
    with (
        Exploration(home, "points", later, SETTINGS, lambda done, of: None) as one,
        pytest.raises(DataError, match=r"\.png of points is not the sample that it was .* put the samples back"),
    ):
        one.run(truth, lambda standing: None)
    assert len(answers(home)) == known
    more = pool_of(points, [*points.features, points.features[0]])
    with Exploration(home, "points", more, SETTINGS, lambda done, of: None) as one:
        assert one.run(truth, lambda standing: None).stopped_by != WANTED
        assert one.asked.sample("0000.png") is one.asked.samples[0]


def test_what_has_ended_says_so_again_and_asks_nothing(tmp_path: Path) -> None:
    points, home = pools.Pool(), Home(tmp_path)
    first = explored(home, points, oracle_of(points))
    count = len(answers(home))
    assert explored(home, points, oracle_of(points)).to_dict() == first.to_dict()
    assert len(answers(home)) == count
    ends = [event for _, event in read(journal_path(home.explorations / "points"))]
    assert sum(isinstance(event, ExplorationStopped) for event in ends) == 1


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    points, home = pools.Pool(count=60), Home(tmp_path)
    with Exploration(home, "points", pool_of(points), SETTINGS, lambda done, of: None):  # noqa: SIM117
        with pytest.raises(ResourceError, match="is being written by another process"):
            explored(home, points, oracle_of(points))


def test_a_requirement_is_not_changed_when_its_audit_has_been_seen(tmp_path: Path) -> None:
    points, home = pools.Pool(count=60), Home(tmp_path)
    explored(home, points, oracle_of(points))
    with pytest.raises(SpecError, match=r"requirement is accuracy >= 0.7 at 95 %, but .* begun with accuracy >= 0.75"):
        explored(home, points, oracle_of(points), Settings(Requirement(0.7), 260, 0, TypicalThenMargin()))


def mapped(digest: str) -> Pool:
    init = MetaLearned(source="/tiny", digest=digest, version="models:/tiny.meta/1", width=8)
    return replace(pool_of(pools.Pool(count=60)), embedding=Vectors(init), meta_model="models:/tiny.meta@champion")


def test_the_meta_model_is_in_the_journal_and_another_one_is_refused(tmp_path: Path) -> None:
    home, one = Home(tmp_path), mapped("1" * 64)
    assert begun_with(home, "points") is None
    with Exploration(home, "points", one, SETTINGS, lambda done, of: None) as begun:
        found = begun.run(Called(lambda *_: None, "me"), lambda standing: None)
    assert found.to_dict()["init"] == one.embedding.strategy.init.model_dump(mode="json")
    known = begun_with(home, "points")
    assert known is not None
    assert (known.asked, known.init) == ("models:/tiny.meta@champion", one.embedding.strategy.init)
    told = "but exploration points was begun with meta-model 111111111111; give that again"
    for other, name in ((mapped("2" * 64), "meta-model 222222222222"), (pool_of(pools.Pool(count=60)), "pretrained")):
        with pytest.raises(SpecError, match=f"init is {name}, {told}"):
            Exploration(home, "points", other, SETTINGS, lambda done, of: None)


def test_an_exploration_of_plain_features_gets_no_meta_model(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with Exploration(home, "points", pool_of(pools.Pool(count=60)), SETTINGS, lambda done, of: None):
        assert begun_with(home, "points") is None
    path = journal_path(home.explorations / "points")
    settings = next(event for _, event in read(path) if isinstance(event, ExplorationStarted)).settings
    older = {name: value for name, value in settings.items() if name != "init"}
    path.unlink()
    with Journal(path) as journal:  # as it was written before meta-models were explored with
        journal.append(ExplorationStarted("points", "points", 60, older))
    with pytest.raises(SpecError, match=r"init is meta-model 222222222222, but .* begun with pretrained"):
        Exploration(home, "points", mapped("2" * 64), SETTINGS, lambda done, of: None)
    Exploration(home, "points", pool_of(pools.Pool(count=60)), SETTINGS, lambda done, of: None).__exit__()


def test_features_of_samples_of_another_size_are_not_gone_on_with(tmp_path: Path) -> None:
    home, plain = Home(tmp_path), pool_of(pools.Pool(count=60))
    Exploration(home, "points", plain, SETTINGS, lambda done, of: None).__exit__()
    with pytest.raises(SpecError, match="resolution is 64, but exploration points was begun with 32; give that again"):
        Exploration(home, "points", replace(plain, embedding=Vectors(size=64)), SETTINGS, lambda done, of: None)


def test_features_that_no_journal_tells_of_are_read_anew(tmp_path: Path) -> None:
    home, points = Home(tmp_path), pools.Pool(count=60)
    kept = home.explorations / "points" / "pool"
    kept.mkdir(parents=True)
    (kept / "pool.json").write_text('{"ids": [], "left_out": {}}')
    with Exploration(home, "points", pool_of(points), SETTINGS, lambda done, of: None) as one:
        assert len(one.pool.ids) == 60


def test_a_file_of_labels_grows(tmp_path: Path) -> None:
    points, home, file = pools.Pool(), Home(tmp_path), tmp_path / "answers.csv"
    file.write_text("id,label\n")
    known = set(pool_of(points).ids)
    for _ in range(200):
        found = explored(home, points, labels_of_file(file, known))
        if found.stopped_by != WANTED:
            break
        with (found.directory / "wanted.csv").open() as stream:
            wanted = [row["id"] for row in csv.DictReader(stream)]
        assert wanted == list(found.wanted)
        with file.open("a") as stream:
            stream.writelines(f"{one},{points.name(int(one[:4]))}\n" for one in wanted)
    assert found.stopped_by == "reached"
    assert not (found.directory / "wanted.csv").exists()
    assert {one.by for one in answers(home)} == {"file answers.csv"}
    assert not found.standing.noise.pairs, "a file says the same when it is asked again"


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("id,label\nnobody.png,cat\n", "line 2 labels `nobody.png`, which is not in the pool"),
        ("id,label\n0001.png,cat\n0001.png,dog\n", "says `dog` of `0001.png`, which has been called `cat` before"),
        ("name,kind\n", "whose columns are name, kind, but must be"),
        ("", r"whose columns are \(none\)"),
    ],
)
def test_files_that_cannot_be_meant(tmp_path: Path, rows: str, told: str) -> None:
    file = tmp_path / "answers.csv"
    file.write_text(rows)
    with pytest.raises((SpecError, DataError), match=told):
        labels_of_file(file, {"0001.png"})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read as CSV"):
        labels_of_file(tmp_path / "none.csv", set())


def test_samples_that_cannot_be_read_are_left_out_and_named(tmp_path: Path) -> None:
    points = pools.Pool(count=80)
    samples: list[Any] = [None if row % 8 == 0 else one for row, one in enumerate(points.features)]
    with Exploration(Home(tmp_path), "points", pool_of(points, samples), SETTINGS, lambda done, of: None) as one:
        found = one.run(oracle_of(points), lambda standing: None)
    assert len(found.left_out) == 10
    assert not {one.sample for one in answers(Home(tmp_path))} & set(found.left_out)


def test_a_pool_of_unreadable_samples_alone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of the 2 samples of points can be read: 0000.png is damaged; repair"):
        Exploration(Home(tmp_path), "points", pool_of(pools.Pool(), [None, None]), SETTINGS, lambda done, of: None)


def test_a_person_who_leaves_is_not_asked_on(tmp_path: Path) -> None:
    points, truth, asked = pools.Pool(), oracle_of(pools.Pool()), list[str]()

    def leaving(sample: str, why: str) -> Answer | None:
        asked.append(sample)
        return Answer(truth.truth[sample]) if len(asked) < 5 else None

    found = explored(Home(tmp_path), points, Called(leaving, "me"))
    assert (found.stopped_by, len(asked), found.standing.labels) == (WANTED, 5, 4)
    assert len(found.wanted) == 6


def test_a_damaged_journal_is_not_gone_on_with(tmp_path: Path) -> None:
    points, home = pools.Pool(count=60), Home(tmp_path)
    explored(home, points, oracle_of(points))
    path = journal_path(home.explorations / "points")
    path.write_bytes(path.read_bytes().replace(b"class 1", b"class 9", 1))
    with pytest.raises(ArtifactError, match="checksum"):
        explored(home, points, oracle_of(points))


class Slipping:
    """A person who takes back every seventh answer, and may be cut off."""

    by, repeats = "me", False

    def __init__(self, truth: dict[str, str | None], most: int = 10_000) -> None:
        self.truth, self.most, self.given, self.slips = truth, most, 0, 0
        self.has_slipped = False

    def ask(self, question: Question) -> Answer | TakeBack:
        if self.given == self.most:
            raise KeyboardInterrupt
        if self.has_slipped and question.last is not None:
            self.has_slipped = False
            return TakeBack()
        self.has_slipped = self.given % 7 == 3
        self.slips += self.has_slipped
        self.given += 1
        return Answer("a slip" if self.has_slipped else self.truth[question.sample])


def test_answers_that_were_taken_back_are_so_when_it_goes_on(tmp_path: Path) -> None:
    points = pools.Pool()
    truth = oracle_of(points).truth
    whole = explored(Home(tmp_path / "whole"), points, Slipping(truth))
    cut, source = Home(tmp_path / "cut"), Slipping(truth, most=40)
    with pytest.raises(KeyboardInterrupt):
        explored(cut, points, source)
    source.most = 10_000
    again = explored(cut, points, source)
    assert source.slips > 5
    assert (again.stopped_by, again.standing) == (whole.stopped_by, whole.standing)
    events = [event for _, event in read(journal_path(cut.explorations / "points"))]
    withdrawn = [event.sample for event in events if isinstance(event, LabelWithdrawn)]
    assert len(withdrawn) > 5
    counted = {event.sample for event in events if isinstance(event, LabelGiven)}
    assert whole.standing.labels == len(counted)


@pytest.mark.parametrize(("is_whole", "times"), [(True, 1), (False, 2)])
def test_what_has_ended_leaves_its_model_as_it_is_unless_that_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_whole: bool, times: int
) -> None:
    points, home, written = pools.Pool(), Home(tmp_path), list[Path]()
    monkeypatch.setattr("graft.pipeline.exploration.explore.write_model", lambda to, *_: written.append(to))
    monkeypatch.setattr("graft.pipeline.exploration.explore.is_whole", lambda _: is_whole)
    for _ in range(2):
        explored(home, points, oracle_of(points))
    assert len(written) == times
