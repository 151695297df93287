"""What every task keeps, whoever wrote it: from labels to answers, on generated data."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from graft.core.errors import DataError
from graft.data.split import LEFT_OUT, UNASSIGNED, Split
from graft.data.targets import RawTargets
from graft.spec.registry import members
from graft.tasks.registry import build_task

NUM = 240
KINDS = [kind for kind in members("task") if kind != "auto"]
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Settings:
    validation: float = 0.2
    test: float = 0.2
    limit: int | None = None
    seed: int = 0


def candidates():
    """Labels of every shape; a task gets the first it can read."""
    rng = np.random.default_rng(4)
    words = np.array(["owl", "cat", "dog"])[rng.integers(0, 3, NUM)]
    tags = np.array([";".join(np.array(["a", "b", "c", "d"])[rng.random(4) < 0.4]) for _ in range(NUM)], dtype=object)
    return [RawTargets(words), RawTargets(rng.normal(50, 9, (NUM, 2)), columns=("age", "size")), RawTargets(tags)]


class Case:
    """A task with what it made of its labels."""

    def __init__(self, kind):
        self.task = build_task(members("task")[kind]())
        for raw in candidates():
            try:
                self.targets = self.task.read(raw, "the test data")
                break
            except DataError:
                continue
        self.given = np.full(NUM, UNASSIGNED, np.uint8)
        self.splits = self.task.split(self.given, self.targets, Settings())
        self.training = self.targets.values[self.splits == Split.TRAIN]
        self.names = self.targets.names
        self.facts = self.task.facts(self.training, self.names)
        self.test = self.targets.values[self.splits == Split.TEST]
        self.num = self.task.num_outputs(self.names)
        self.ids = [f"row/{k}" for k in range(len(self.test))]

    def outputs(self, count, seed=0, **options):
        return torch.randn(count, self.num, generator=torch.Generator().manual_seed(seed)).to(**options)

    def loss(self):
        spec = members("loss")[type(self.task.spec).default_loss]()
        return self.task.loss(spec, self.training, self.facts, torch.device("cpu"))

    def predictions(self, seed=0):
        return self.task.decide(self.outputs(len(self.test), seed), self.facts)

    def report(self, seed=0):
        return self.task.report(self.predictions(), self.test, self.ids, self.names, self.facts, seed)


@pytest.fixture(params=KINDS, scope="module")
def case(request):
    return Case(request.param)


def test_the_spec_says_what_the_task_computes(case):
    spec = type(case.task.spec)
    names = {one.name for one in spec.metrics}
    assert spec.metric(spec.default_metric) is not None
    assert case.task.spec.kind in members("loss")[spec.default_loss].tasks
    assert set(case.task.trial_metrics) <= names
    assert spec.default_metric in case.task.trial_metrics
    found = case.task.score(case.predictions(), case.test, sorted(names), case.facts)
    assert set(found) == names
    assert np.isfinite([*found.values()]).all()


def test_targets_are_rows_with_a_name_for_each_output(case):
    assert len(case.targets) == NUM
    assert case.facts["num_outputs"] == case.num
    assert len(case.names) >= 1
    assert json.loads(json.dumps(case.facts, allow_nan=False)) == case.facts
    json.dumps(case.task.counts(case.training, case.names), allow_nan=False)


def test_targets_of_other_data_stand_under_the_names_of_the_model(case):
    assert np.array_equal(case.task.align(case.targets, case.names), case.targets.values)
    strange = replace(case.targets, names=tuple(f"strange {name}" for name in case.names))
    if len(case.names) > 1:
        with pytest.raises(DataError, match=r"strange|has no target"):
            case.task.align(strange, case.names)


def test_labels_are_columns_of_a_table_with_the_names_of_answers(case):
    columns = case.task.labels(case.test, case.names)
    assert {len(column) for column in columns.values()} == {len(case.test)}
    assert set(columns) <= set(case.task.answers(case.predictions(), case.names, case.facts))
    json.dumps(columns, allow_nan=False)


def test_splits_have_their_shares_and_follow_the_seed(case):
    sizes = [int(np.sum(case.splits == split)) for split in Split]
    assert sizes == pytest.approx([0.6 * NUM, 0.2 * NUM, 0.2 * NUM], abs=4)
    again = case.task.split(case.given, case.targets, Settings())
    other = case.task.split(case.given, case.targets, Settings(seed=1))
    np.testing.assert_array_equal(case.splits, again)
    assert np.any(case.splits != other)


def test_a_limit_spares_the_test_set(case):
    limited = case.task.split(case.given, case.targets, Settings(limit=60))
    np.testing.assert_array_equal(limited == Split.TEST, case.splits == Split.TEST)
    assert int(np.sum((limited == Split.TRAIN) | (limited == Split.VALIDATION))) == 60
    assert np.any(limited == LEFT_OUT)


def test_what_the_source_gives_is_kept(case):
    given = case.given.copy()
    given[:50], given[50:90] = Split.TEST, Split.VALIDATION
    codes = case.task.split(given, case.targets, Settings(limit=100))
    np.testing.assert_array_equal(codes == Split.TEST, given == Split.TEST)
    assert set(codes[50:90]) == {int(Split.VALIDATION), LEFT_OUT}
    assert int(np.sum((codes == Split.TRAIN) | (codes == Split.VALIDATION))) == 100
    with pytest.raises(DataError, match=r"data\.test is 0"):
        case.task.split(case.given, case.targets, Settings(test=0.0))


def test_a_split_without_a_readable_sample_is_refused(case):
    ids = [f"row/{k}" for k in range(NUM)]
    case.task.check_left(case.targets, case.splits, np.ones(NUM, bool), ids)
    for split in Split:
        with pytest.raises(DataError, match=rf"{split.name.lower()} \(row/\d+ and \d+ more cannot be read\)"):
            case.task.check_left(case.targets, case.splits, case.splits != split, ids)


def test_every_loss_is_finite_differentiable_and_additive(case):
    rows = torch.from_numpy(case.training[:12])
    kinds = [kind for kind, spec in members("loss").items() if case.task.spec.kind in getattr(spec, "tasks", ())]
    assert kinds
    for kind in kinds:
        loss = case.task.loss(members("loss")[kind](), case.training, case.facts, torch.device("cpu"))
        outputs = case.outputs(12).requires_grad_()
        whole = loss(outputs, rows)
        assert whole.shape == ()
        assert whole.dtype == torch.float32
        whole.backward()
        assert torch.isfinite(outputs.grad).all()
        assert outputs.grad.abs().sum() > 0
        parts = [(slice(0, 7), 7), (slice(7, 8), 1), (slice(8, 12), 4)]
        joined = sum(loss(outputs[part], rows[part]) * size for part, size in parts) / 12
        torch.testing.assert_close(joined, whole)
        assert loss(outputs.to(torch.bfloat16), rows).dtype == torch.float32
        torch.testing.assert_close(loss(outputs, rows, torch.ones(12)), whole)
        each = torch.stack([loss(outputs[k : k + 1], rows[k : k + 1]) for k in range(12)])
        weights = torch.arange(12.0) / 5.5  # the first sample does not count
        torch.testing.assert_close(loss(outputs, rows, weights), (each * weights).mean())


def test_following_the_gradient_improves_the_metric(case):
    """Loss, decision and metric mean the same thing."""
    outputs = torch.zeros(len(case.test), case.num, requires_grad=True)
    optimizer = torch.optim.Adam([outputs], lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        case.loss()(outputs, torch.from_numpy(case.test)).backward()
        optimizer.step()
    metric = type(case.task.spec).metric(type(case.task.spec).default_metric)
    before, after = (
        case.task.score(case.task.decide(made, case.facts), case.test, [metric.name], case.facts)[metric.name]
        for made in (torch.zeros_like(outputs), outputs.detach())
    )
    assert metric.is_better(after, before)


def test_predictions_are_float64_of_outputs_of_any_type(case):
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        found = case.task.decide(case.outputs(5, dtype=dtype), case.facts)
        assert found.dtype == np.float64
        assert len(found) == 5


def test_a_prediction_that_is_not_finite_scores_nothing(case):
    predictions = case.predictions()
    predictions[3] = np.nan
    names = [one.name for one in type(case.task.spec).metrics]
    found = case.task.score(predictions, case.test, names, case.facts)
    assert [*found] == names
    assert np.isnan([*found.values()]).all()


def test_nothing_to_score_is_refused(case):
    with pytest.raises(ValueError, match="no sample to score"):
        case.task.score(case.predictions()[:0], case.test[:0], ["loss"], case.facts)
    with pytest.raises(ValueError, match="shapes are"):
        case.task.score(case.predictions()[:3], case.test, ["loss"], case.facts)
    with pytest.raises(ValueError, match="metric is `nonsense`, but must be one of"):
        case.task.score(case.predictions(), case.test, ["nonsense"], case.facts)


def test_no_labels_at_all_are_refused(case):
    for raw in (RawTargets(np.empty(0)), RawTargets(np.full(9, np.nan)), RawTargets(np.array([], dtype=object))):
        with pytest.raises(DataError) as caught:
            case.task.read(raw, "the test data")
        assert "\n" not in str(caught.value)
        assert ", but " in str(caught.value)


def test_the_report_is_json_with_an_interval_for_every_metric(case):
    report = case.report()
    assert json.loads(json.dumps(report, allow_nan=False)) == json.loads(json.dumps(report))
    assert (report["task"], report["num_samples"]) == (case.task.spec.kind, len(case.test))
    names = {one.name for one in type(case.task.spec).metrics}
    assert set(report["metrics"]) == set(report["intervals"]) == names
    for name, value in report["metrics"].items():
        one = report["intervals"][name]
        assert one["low"] <= one["high"]
        assert one["method"] in ("wilson", "bootstrap")
        if name != "ece":  # its bootstrap is biased upwards: resampled gaps are wider
            assert one["low"] <= value <= one["high"], name
    assert report["worst"]
    assert {one["id"] for one in report["worst"]} <= set(case.ids)


def test_the_seed_fixes_the_report(case):
    assert case.report() == case.report()
    assert case.report(seed=1)["intervals"] != case.report()["intervals"]


def test_figures_are_pictures_with_and_without_previews(case):
    report = json.loads(json.dumps(case.report()))
    without = case.task.figures(report)
    texts = case.task.figures(report, lambda ids: [f"a text of {name}, costs $5 or $6" for name in ids])
    arrays = case.task.figures(report, lambda ids: [np.full((6, 6, 3), 90, np.uint8) for _ in ids])
    assert set(without) < set(texts) == set(arrays)
    assert set(texts) - set(without) == {"worst_examples.png"}
    assert all(png.startswith(PNG) for found in (without, texts, arrays) for png in found.values())
    assert texts["worst_examples.png"] != arrays["worst_examples.png"]


def test_answers_have_a_value_for_each_row(case):
    predictions = case.predictions()
    plain = case.task.answers(predictions, case.names, case.facts)
    full = case.task.answers(predictions, case.names, case.facts, probabilities=True)
    assert {len(column) for column in full.values()} == {len(predictions)}
    assert [*full][: len(plain)] == [*plain]
    json.dumps(full, allow_nan=False)
    assert {len(column) for column in case.task.answers(predictions[:0], case.names, case.facts).values()} == {0}


def test_calibration_adds_facts_that_decisions_and_answers_take(case):
    outputs = case.outputs(len(case.test))
    added = case.task.calibrate(outputs, case.test, case.facts)
    facts = json.loads(json.dumps({**case.facts, **added}, allow_nan=False))
    predictions = case.task.decide(outputs, facts)
    report = case.task.report(predictions, case.test, case.ids, case.names, facts)
    assert np.isfinite([*report["metrics"].values()]).all()
    assert case.task.answers(predictions, case.names, facts)
