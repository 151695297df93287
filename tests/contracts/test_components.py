"""What every component of every group must keep, whichever package it comes from.

- it is a documented, frozen spec that goes through JSON and comes back, and refuses what it does not know;
- the schema of job files, `graft components` and the constructor know it by the same name;
- its implementation can be built, does what its group is for, and gives the same for the same seed.

`test_third_party` runs these tests once more with another package installed.
"""

import copy
import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest
import torch
from torch import nn

from graft.cli.assets.components import registered
from graft.models.backbone import Backbone
from graft.models.network import Network
from graft.search.schedulers.build import build_scheduler
from graft.search.searchers.build import build_searcher
from graft.spec.base import Component
from graft.spec.components.activation_penalty import ActivationPenaltySpec
from graft.spec.components.head import HeadSpec
from graft.spec.components.initialisation import Initialisation
from graft.spec.components.optimizer import OptimizerSpec
from graft.spec.components.penalty import PenaltySpec
from graft.spec.components.schedule import ScheduleSpec
from graft.spec.components.selection import SelectionSpec
from graft.spec.components.tuning import TuningSpec
from graft.spec.components.unfreezing import UnfreezingSpec
from graft.spec.modalities.base import DataSpec, ModalitySpec
from graft.spec.registry import GROUPS, build, implementation, members, union
from graft.spec.schema import job_schema
from graft.spec.search.phases import Phase
from graft.spec.search.schedulers import SchedulerSpec
from graft.spec.search.searchers import RandomSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.base import LossSpec, TaskSpec
from graft.spec.tasks.lookup import metric_named
from graft.transfer.freezing import AdaptedModel
from graft.transfer.parameter_groups import TrainableParts
from graft.transfer.penalties.activations import Examples, build_activation_penalty, watching
from graft.transfer.penalties.weights import build_penalty
from graft.transfer.unfreezing import Moment

GIVEN: dict[str, dict[str, Any]] = {
    "idx": {"path": "/nowhere"},
    "image_folder": {"path": "/nowhere"},
    "text_folder": {"path": "/nowhere"},
    "table": {"path": "/nowhere.csv", "text": "text", "label": "label"},
    "webdataset": {"path": "/nowhere", "text": "txt"},
    "huggingface": {"path": "/nowhere", "text": "text"},
    "numpy": {"path": "/nowhere.npz"},
    "coco": {"path": "/nowhere.json"},
    "image_metadata": {"path": "/nowhere"},
}
"""What a kind must be given: the others have a default for everything."""

SPACE = StrategySpace.parse({"lr": {"loguniform": [1e-4, 1e-1]}, "freeze": {"choice": [0.0, 0.5, 1.0]}})
FEATURES, OUTPUTS = 6, 3


def specs(*groups: str) -> list[Any]:
    return [
        pytest.param(group, spec.model_validate(GIVEN.get(kind, {})), id=f"{group}-{kind}")
        for group in groups or GROUPS
        for kind, spec in members(group).items()
    ]


def every(group: str) -> Any:
    return pytest.mark.parametrize("spec", [pytest.param(*one.values[1:], id=one.id) for one in specs(group)])


@pytest.mark.parametrize(("group", "spec"), specs())
class TestSpec:
    def test_it_goes_through_json_and_comes_back(self, group: str, spec: Component) -> None:
        written = json.loads(json.dumps(spec.model_dump(mode="json")))
        assert pydantic.TypeAdapter(union(group)).validate_python(written) == spec
        assert type(spec).read_stored({**written, "of a newer version": 1}) == spec
        assert pickle.loads(pickle.dumps(spec)) == spec

    def test_its_name_is_enough(self, group: str, spec: Component) -> None:
        if spec.kind not in GIVEN:
            assert pydantic.TypeAdapter(union(group)).validate_python(spec.kind) == spec

    def test_what_it_does_not_know_is_refused(self, group: str, spec: Component) -> None:
        with pytest.raises(pydantic.ValidationError, match="not permitted"):
            pydantic.TypeAdapter(union(group)).validate_python({**spec.model_dump(mode="json"), "unknown": 1})
        with pytest.raises(pydantic.ValidationError, match="frozen"):
            spec.kind = "another"

    def test_it_is_listed_and_documented(self, group: str, spec: Component) -> None:
        (listed,) = [one for one in registered() if (one["group"], one["kind"]) == (group, spec.kind)]
        assert listed["doc"]
        undocumented = [name for name, one in type(spec).model_fields.items() if name != "kind" and not one.description]
        plain = [name for name in undocumented if listed["package"] == "graft"]
        assert plain == []

    def test_its_implementation_is_there(self, group: str, spec: Component) -> None:
        if spec.built_by:
            assert callable(implementation(spec))
        else:  # the spec itself says all there is to say
            assert group in ("initialisation", "skip", "augmentation", "mix", "task", "head_start")


@pytest.fixture(scope="module")
def kinds_in_schema() -> set[str | None]:
    """Of all components in the schema of job files, which takes a while to make."""
    schema = job_schema()
    return {one.get("properties", {}).get("kind", {}).get("const") for one in [*schema["$defs"].values(), schema]}


@pytest.mark.parametrize(("group", "spec"), specs("data_kind", "task", "loss", "penalty", "scheduler", "exporter"))
def test_the_schema_of_job_files_knows_it(kinds_in_schema: set[str | None], group: str, spec: Component) -> None:
    assert spec.kind in kinds_in_schema or len(members(group)) == 1


@every("initialisation")
def test_no_more_is_redrawn_than_there_is(spec: Initialisation) -> None:
    assert all(0 <= spec.redrawn(blocks) <= blocks for blocks in range(8))


@every("head")
def test_a_head_makes_outputs_of_features(spec: HeadSpec) -> None:
    heads = []
    for _ in range(2):
        torch.manual_seed(0)
        heads.append(build(spec, FEATURES, OUTPUTS).eval())
    features = torch.randn(5, FEATURES)
    assert heads[0](features).shape == (5, OUTPUTS)
    torch.testing.assert_close(heads[0](features), heads[1](features), rtol=0, atol=0)
    assert heads[0](features[:0]).shape == (0, OUTPUTS)
    assert set(type(spec).without_weights) <= set(type(spec).model_fields) | {"dropout"}


@every("selection")
@pytest.mark.parametrize("shape", ["codes", "numbers", "indicators"])
def test_a_selection_keeps_what_tells_something(spec: SelectionSpec, shape: str) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(300, 8)).astype(np.float32)
    features[:, 7] = 1  # tells nothing at all
    codes = (features[:, 0] > 0).astype(np.int64) + (features[:, 1] > 0)
    targets = {
        "codes": codes,
        "numbers": features[:, :2].astype(np.float64),
        "indicators": np.stack([codes > 0, codes > 1, codes > 5], axis=1).astype(np.uint8),
    }[shape]
    kept = build(spec, features, targets)
    assert (kept.dtype, kept.shape) == (bool, (8,))
    assert kept[:2].all()
    assert spec.kind == "none" or not kept[7]
    assert np.array_equal(build(spec, features, targets), kept)


@every("penalty")
def test_gradients_of_a_penalty_are_those_of_its_value(spec: PenaltySpec) -> None:
    def parts() -> TrainableParts:
        torch.manual_seed(0)
        block, head = nn.Linear(FEATURES, FEATURES), nn.Linear(FEATURES, OUTPUTS)
        return TrainableParts(
            pretrained={f"block.{name}": one for name, one in block.named_parameters()},
            head={f"head.{name}": one for name, one in head.named_parameters()},
        )

    by_value, added = parts(), parts()
    value_of, adds = build_penalty(spec, by_value), build_penalty(spec, added)
    for one in (by_value, added):
        for parameter in (*one.pretrained.values(), *one.head.values()):
            parameter.data.add_(0.1)  # away from where it started
            parameter.grad = torch.zeros_like(parameter)
    value = value_of.value()
    assert float(value.detach()) >= 0
    if value.requires_grad:
        value.backward()  # type: ignore[no-untyped-call]
    adds.add_gradients()
    for one, other in zip(
        (*by_value.pretrained.values(), *by_value.head.values()),
        (*added.pretrained.values(), *added.head.values()),
        strict=True,
    ):
        torch.testing.assert_close(one.grad, other.grad)


@every("penalty")
def test_a_penalty_of_activations_is_a_term_of_the_batch(spec: PenaltySpec) -> None:
    """Its gradients are those of finite differences, and the same network, samples and targets give the same term."""
    if not isinstance(spec, ActivationPenaltySpec):
        return
    torch.manual_seed(0)
    layers = [nn.Sequential(nn.Linear(FEATURES, FEATURES), nn.Tanh()) for _ in range(3)]
    network = Network(Backbone(layers[0], layers[1:], nn.Identity(), FEATURES), nn.Linear(FEATURES, OUTPUTS)).double()
    source_head = nn.Linear(FEATURES, 5).double()
    inputs, targets = torch.randn(8, FEATURES, dtype=torch.float64), torch.arange(8) % OUTPUTS

    def fitted(strength: float) -> Any:
        model = AdaptedModel(network, 0)
        penalty = build_activation_penalty(spec.model_copy(update={"strength": strength}), model, 0)
        assert penalty is not None
        penalty.fit(Examples(lambda: [(inputs, targets.numpy())], lambda: copy.deepcopy(source_head).float()))
        return penalty

    def term(penalty: Any) -> torch.Tensor:
        with watching(network, penalty.blocks) as seen:
            network(inputs)
        found: torch.Tensor = penalty.term(inputs, targets, seen)
        return found

    one, other, twice = fitted(0.5), fitted(0.5), fitted(1.0)
    parameters = [parameter for layer in layers for parameter in layer.parameters()]
    with torch.no_grad():
        for parameter in parameters:
            parameter += 0.3 * torch.randn_like(parameter)  # away from where the penalty was fitted
    value = term(one)
    assert value.item() > 0
    assert torch.equal(value, term(other))
    torch.testing.assert_close(term(twice), 2 * value)
    gradients = torch.autograd.grad(value, parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        with torch.no_grad():
            direction = torch.randn_like(parameter)
            values = []
            for step in (1e-2, -2e-2):
                parameter += step * direction
                values.append(float(term(one)))
            parameter += 1e-2 * direction
        expected = 0.0 if gradient is None else float((gradient * direction).sum())
        assert (values[0] - values[1]) / 2e-2 == pytest.approx(expected, rel=0.05, abs=1e-3)


@every("tuning")
def test_a_tuning_narrows_what_trains_and_changes_no_output(spec: TuningSpec) -> None:
    def network() -> Network:
        torch.manual_seed(0)
        blocks = [nn.Sequential(nn.Linear(FEATURES, FEATURES), nn.LayerNorm(FEATURES)) for _ in range(3)]
        return Network(
            Backbone(nn.Sequential(nn.Linear(FEATURES, FEATURES)), blocks, nn.Identity(), FEATURES), nn.Identity()
        )

    tuned, again, plain = network(), network(), network()
    for one in (tuned, again):
        still = build(spec, one.parts()[:-1], 7)
        assert all(isinstance(module, nn.Module) for module in still)
    samples = torch.randn(4, FEATURES)
    assert torch.equal(tuned(samples), plain(samples))
    trained = {name for name, parameter in tuned.named_parameters() if parameter.requires_grad}
    assert trained
    assert spec.has_adapters == (not trained <= {name for name, _ in plain.named_parameters()})
    for (name, one), (other_name, other) in zip(tuned.named_parameters(), again.named_parameters(), strict=True):
        assert (name, one.requires_grad) == (other_name, other.requires_grad)
        assert torch.equal(one, other)
    assert bool(spec.shape()) == spec.has_adapters


@every("tuning")
@pytest.mark.parametrize(("start", "stop"), [(0, 4), (1, 4), (2, 3), (3, 3)])
def test_a_tuning_trains_blocks_above_the_cut_and_has_one_form(spec: TuningSpec, start: int, stop: int) -> None:
    begin, end = spec.trained_blocks(start, stop)
    assert start <= begin <= end <= stop
    simplest = spec.simplest(begin, stop)
    assert simplest.trained_blocks(begin, stop) == (begin, end)
    assert simplest.simplest(begin, stop) == simplest


@every("unfreezing")
@pytest.mark.parametrize(("steps", "epochs"), [(1, 1), (5, 1), (1, 8), (3, 7), (7, 2)])
@pytest.mark.parametrize(("start", "stop"), [(0, 4), (1, 5), (2, 3), (3, 3)])
def test_an_unfreezing_lets_go_more_and_more_until_all_trains(
    spec: UnfreezingSpec, steps: int, epochs: int, start: int, stop: int
) -> None:
    phases = [build(spec, Moment(step, steps, epochs, start, stop)) for step in range(steps * epochs)]
    held = [phase.held for phase in phases]
    assert held == sorted(held, reverse=True)
    assert all(start <= one <= stop for one in held)
    assert held[-1] == start
    assert all(0 < phase.factor <= 1 for phase in phases)
    simplest = spec.simplest(stop - start)
    assert simplest.simplest(stop - start) == simplest
    assert [build(simplest, Moment(0, steps, epochs, start, stop)).held] == held[:1]


@every("optimizer")
def test_an_optimiser_goes_on_from_its_state(spec: OptimizerSpec) -> None:
    def trained(steps: int, state: Any = None) -> tuple[nn.Linear, torch.optim.Optimizer]:
        torch.manual_seed(0)
        layer = nn.Linear(FEATURES, OUTPUTS)
        groups = [{"name": "head", "params": [*layer.parameters()], "names": ["w", "b"], "lr": 0.05, "weight_decay": 0}]
        optimizer = build(spec, groups)
        if state is not None:
            layer.load_state_dict(state[0])
            optimizer.load_state_dict(state[1])
        for _ in range(steps):
            optimizer.zero_grad()
            layer(torch.ones(2, FEATURES)).square().sum().backward()
            optimizer.step()
        return layer, optimizer

    layer, optimizer = trained(2)
    half = pickle.loads(pickle.dumps((layer.state_dict(), optimizer.state_dict())))
    whole, resumed = trained(4)[0], trained(2, half)[0]
    torch.testing.assert_close(whole.weight, resumed.weight, rtol=0, atol=0)
    assert not torch.equal(whole.weight, trained(0)[0].weight)


@every("schedule")
def test_a_schedule_is_a_factor(spec: ScheduleSpec) -> None:
    for total in (1, 2, 100):
        factors = [build(spec, step, total) for step in range(total + 2)]
        assert all(math.isfinite(factor) and 0 <= factor <= 1 for factor in factors)
        assert max(factors) > 0
        assert factors == [build(spec, step, total) for step in range(total + 2)]


@every("loss")
def test_a_loss_belongs_to_a_task_that_can_minimise_it(spec: LossSpec) -> None:
    assert set(type(spec).tasks) <= set(members("task"))
    assert type(spec).tasks


@every("task")
def test_a_task_names_its_metrics(spec: TaskSpec) -> None:
    metrics = {metric.name: metric for metric in type(spec).metrics}
    if spec.kind != "auto":
        assert type(spec).default_metric in metrics
        assert type(spec).default_loss in members("loss")
    assert {metric.mode for metric in metrics.values()} <= {"min", "max"}


@every("data_kind")
def test_a_data_kind_is_of_a_modality(spec: DataSpec) -> None:
    assert spec.modality in members("modality")
    assert json.loads(json.dumps(spec.decoding())) == spec.decoding()
    hint = type(spec).task_hint
    assert hint is None or hint[0] in members("task")


@every("modality")
def test_a_modality_adds_keys_with_defaults(spec: ModalitySpec) -> None:
    keys = type(spec).fields.model_validate({})
    assert set(type(spec).usual) <= set(type(keys).model_fields)
    assert set(type(keys).model_fields) <= set(Strategy.model_fields)
    assert type(spec).preprocessing.model_fields["kind"].default == spec.kind
    assert type(spec).takes


@every("scheduler")
def test_a_scheduler_begins(spec: SchedulerSpec) -> None:
    phase = Phase(0, spec, RandomSearcher(), 4, 6, False, False, False)
    scheduler = build_scheduler(phase, metric_named("accuracy"), 0, SPACE)
    assert scheduler.settle(True) == {}
    assert 0 < spec.expected_epochs(phase, 0) <= phase.epochs


@every("searcher")
def test_a_searcher_draws_from_the_space(spec: Any) -> None:
    searchers = [build_searcher(spec, SPACE, metric_named("accuracy"), 3) for _ in range(2)]
    drawn = [one.draw(0, ()) for one in searchers]
    assert drawn[0] == drawn[1]


@every("exporter")
def test_an_exporter_takes_a_bundle_that_is_none(spec: Any, tmp_path: Path) -> None:
    """Whole bundles are exported by the runs of `test_modalities`; here is none, which must not look like success."""
    from graft.core.errors import GraftError

    with pytest.raises((GraftError, OSError)):
        build(spec, tmp_path / "no bundle")(tmp_path / "target")
