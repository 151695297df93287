"""Members of a final model: those that take the same inputs go through what they have in common together."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from graft.data.dataset import Dataset, Split
from graft.learner.ensemble.members import Member, answer, hear
from graft.learner.final_model import FinalModel
from graft.learner.fit import FitTask, fit
from graft.learner.training_data import training_data_of
from graft.models.backbone import Backbone
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.tasks.averaging import averaged

PROBE = Strategy(freeze=1.0, resolution=32, batch_size=10, lr=0.01)
UPPER = PROBE.model_copy(update={"freeze": 0.5, "lr": 0.1})
LARGER = PROBE.model_copy(update={"resolution": 40})


@pytest.fixture(scope="module")
def member(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Strategy, float], Member]:
    """``member(strategy, share)``: trained for an epoch."""
    job, place = parse_job({"name": "x", "data": "digits", "training": {"epochs": 1}}), tmp_path_factory.mktemp("final")
    made: list[Path] = []

    def fitted(strategy: Strategy, share: float) -> Member:
        made.append(place / f"{len(made)}.safetensors")
        model = FinalModel(job, dataset.directory, Schedule((Stretch(0, 1, strategy),)), made[-1])
        fit(FitTask(model, num_threads=1, seconds=None))
        return Member(model, share)

    return fitted


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How many batches of each side backbones begin with."""
    counted, begin = Counter[int](), Backbone.begin

    def counting(self: Backbone, batch: dict[str, torch.Tensor]) -> object:
        counted.update([next(iter(batch.values())).shape[-1]])
        return begin(self, batch)

    monkeypatch.setattr(Backbone, "begin", counting)
    return counted


@pytest.mark.parametrize("views", [1, 2])
def test_members_answer_as_they_do_alone_and_begin_together(
    member: Callable[[Strategy, float], Member], dataset: Dataset, begun: Counter[int], views: int
) -> None:
    strategies = (PROBE, LARGER, PROBE.model_copy(update={"lr": 0.1}), UPPER)
    members = [member(one, share) for one, share in zip(strategies, (0.4, 0.3, 0.2, 0.1), strict=True)]
    data = training_data_of(members[0].model.job, dataset, 1)
    rows = dataset.rows(Split.TEST)
    begun.clear()
    alone = [answer([one], data, rows, views) for one in members]
    batches = begun[40]
    assert begun[32] == 3 * batches > 0
    begun.clear()
    found = answer(members, data, rows, views)
    assert begun == {32: batches, 40: batches}
    assert torch.equal(found.alone, alone[0].alone)
    for view, outputs in enumerate(found.outputs):
        each = [one.outputs[view] for one in alone]
        wanted = averaged(data.task, each, [data.arrays.facts] * 4, [one.share for one in members])
        assert torch.equal(outputs, wanted)
    assert len(found.seconds) == views
    assert 0 < found.seconds_alone < found.seconds[0]


def test_another_precision_is_computed_apart(
    member: Callable[[Strategy, float], Member], dataset: Dataset, begun: Counter[int]
) -> None:
    one = member(PROBE, 0.5)
    strategy = PROBE.model_copy(update={"precision": "bf16"})
    coarse = replace(one, model=replace(one.model, schedule=Schedule((Stretch(0, 1, strategy),))))
    data = training_data_of(one.model.job, dataset, 1)
    rows = dataset.rows(Split.TEST)[:4]
    begun.clear()
    found = answer([one, coarse], data, rows)
    assert begun == {32: 2}
    assert torch.equal(found.alone, answer([one], data, rows).alone)
    assert np.isfinite(found.outputs[0].numpy()).all()


def test_solved_heads_are_heard_together_and_the_damaged_is_left_out(
    member: Callable[[Strategy, float], Member], dataset: Dataset, begun: Counter[int], tmp_path: Path
) -> None:
    solved = Strategy.model_validate({**PROBE.model_dump(), "head": {"kind": "ridge"}})
    shallow = Strategy.model_validate({**solved.model_dump(), "structure": {"keep": 0.5, "pool": "avg"}})
    members = [member(one, 1.0) for one in (PROBE, solved, PROBE, shallow)]
    torn = replace(members[1], model=replace(members[1].model, weights=tmp_path / "torn.safetensors"))
    torn.model.weights.write_bytes(b"torn")
    members = [*members, torn]
    data = training_data_of(members[0].model.job, dataset, 1)
    rows = dataset.rows(Split.VALIDATION)[:4]
    begun.clear()
    found = hear(members, data, rows)
    assert begun == {32: 3}, "two that were trained, and the heads together"
    assert sorted(found) == [0, 1, 2, 3]
    assert all(torch.equal(found[place], answer([members[place]], data, rows).alone) for place in found)
    assert hear([torn], data, rows) == {}
