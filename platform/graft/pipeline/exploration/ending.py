"""The normal experiment that an exploration ends in: the labels that were given, as the data of a job of one strategy.

It goes the way of every run, and leaves what every run leaves: journal, report with intervals, MLflow run, model. What
it is tested on was never in the hands of those who chose the strategy's labels: the test samples of a job's own where
it has some, and else the samples of the audit, which then are not trained on.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from graft.core.storage import Home, read_json, write_json
from graft.core.stores.copy import publish
from graft.experiments.directory import Experiment, new_name
from graft.exploration.head import STRENGTH
from graft.exploration.labels import Labels
from graft.modalities.frames.frame import make_frame
from graft.modalities.frames.rows import SPLIT, Columns
from graft.pipeline.draft.draft_job import model_name
from graft.pipeline.exploration.pool import Pool
from graft.pipeline.resolve import resolve_job
from graft.spec.job import Job
from graft.spec.load import parse_job

VALIDATION = 5
"""Of so many labels of a class that are trained on, one is held out until the final fit."""
_POINTER = "experiment.json"


@dataclass(frozen=True)
class Labelled:
    """What is known of a pool in the end.

    Attributes:
        train: labels by the id of the sample, in the order in which they were given.
        test: the same, of samples of the pool that are not trained on.
        own_tests: how many test samples of its own the source has.
    """

    train: Mapping[str, str]
    test: Mapping[str, str]
    own_tests: int = 0

    @classmethod
    def of(cls, labels: Labels, ids: tuple[str, ...], own_tests: int) -> "Labelled":
        """The labels of an exploration; the audit is trained on where it is not needed to test."""
        train, audit = _told(labels.train, ids), _told(labels.audit, ids)
        return cls({**train, **audit}, {}, own_tests) if own_tests else cls(train, audit)

    @property
    def tests(self) -> int:
        """Samples that it is tested on."""
        return self.own_tests + len(self.test)

    @property
    def problem(self) -> str:
        """Why no experiment can be made of it; empty if one can."""
        counts = Counter(self.train.values())
        if len(counts) < 2:
            return f"labels of {len(counts)} class are trained on, but there must be two; give it a larger budget"
        if max(counts.values()) < 2:
            return "no class has two labels to train on, but one must be held out; give it a larger budget"
        return "" if self.tests else "no label of the audit has been given that it could be tested on"

    def splits(self) -> dict[str, str]:
        """What each sample that is trained on is for, by its id: some of each class are held out, single ones never."""
        seen: Counter[str] = Counter()
        counts, found = Counter(self.train.values()), dict[str, str]()
        for sample, name in self.train.items():
            # The second of each five: there is one of every class with two.
            found[sample] = "validation" if counts[name] > 1 and seen[name] % VALIDATION == 1 else "train"
            seen[name] += 1
        return found


@dataclass(frozen=True)
class Ending:
    """What became of it.

    Attributes:
        experiment: its name; empty if there is none.
        summary: the result of the run.
        problem: why there is none.
        tests: samples that it was tested on.
    """

    experiment: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    tests: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        kept = {name: self.summary.get(name) for name in ("test", "test_interval", "model_uri")}
        bundle = {"bundle": self.summary["bundle"]} if "bundle" in self.summary else {}
        told = {"test_samples": self.tests, "no_experiment": self.problem or None}
        return {"experiment": self.experiment or None, **kept, **told, **bundle}

    def __str__(self) -> str:
        if not self.experiment:
            return f"no experiment: {self.problem}"
        low, high = self.summary["test_interval"]
        scored = f"test accuracy {self.summary['test']:.3f} ({low:.3f} to {high:.3f}) on {self.tests} untouched samples"
        uri = self.summary.get("model_uri")
        registered = f"registered as {uri}" if uri else "not registered, because the requirement is not shown"
        return f"experiment {self.experiment}: {scored}; {registered}"


def job_of(pool: Pool, labelled: Labelled, home: Home, is_reached: bool) -> Job:
    """The job of the experiment: labelled samples in a table under the home, the pool's backbone and map, its head.

    Args:
        pool: the samples.
        labelled: their labels.
        home: where the table goes.
        is_reached: whether the requirement is shown, so that the model may become the champion.

    Raises:
        DataError: a sample that was labelled has gone.
    """
    splits = labelled.splits()
    rows = [(pool.sample(one), name, splits[one]) for one, name in labelled.train.items()]
    rows += [(pool.sample(one), name, "test") for one, name in labelled.test.items()]
    rows += [(sample, name, "test") for sample, name in pool.tests]
    modality = pool.embedding.modality.name
    columns = Columns(dict(zip(("sample", "label", SPLIT), map(list, zip(*rows, strict=True)), strict=True)))
    frame = make_frame(columns, {modality: "sample"}, "label", {SPLIT: SPLIT})
    fixed = {**pool.embedding.section, "head": {"kind": "logistic", "strength": STRENGTH}}
    return resolve_job(
        parse_job(
            {
                "version": 1,
                "name": model_name(pool.name),
                "task": "classification",
                "data": frame.section(home),
                "strategy": fixed,
                "training": {"epochs": 1},
                "search": {"scheduler": "none", "budget": {"trials": 1}},
                **pool.sections,
                "export": {**pool.sections.get("export", {}), "register": is_reached},
            }
        )
    ).job


def experiment_of(directory: Path, pool: Pool, labelled: Labelled, home: Home, is_reached: bool) -> Experiment | str:
    """The experiment of an exploration, begun or not; or why there can be none.

    Args:
        directory: of the exploration, which remembers its experiment, so that a killed one goes on.
        pool: the samples.
        labelled: their labels.
        home: where it is kept.
        is_reached: whether the requirement is shown.
    """
    if problem := _problem(pool, labelled):
        return problem
    pointer = directory / _POINTER
    if pointer.is_file() and (name := str(read_json(pointer)["name"])) in Experiment.names(home):
        return Experiment.at(home, name)
    job = job_of(pool, labelled, home, is_reached)
    name = new_name(job)
    write_json(pointer, {"name": name})
    publish(pointer)
    return Experiment.create(home, job, name)


def _problem(pool: Pool, labelled: Labelled) -> str:
    modality = pool.embedding.modality.name
    if find_spec(f"graft.modalities.{modality}.frame_cells") is None:
        return f"samples of kind {modality} cannot be kept in a table"
    return labelled.problem


def _told(labels: Mapping[int, str | None], ids: tuple[str, ...]) -> dict[str, str]:
    return {ids[row]: name for row, name in labels.items() if name is not None}
