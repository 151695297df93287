import pickle
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.core.errors import SpecError
from graft.spec.components.head import MlpHead
from graft.spec.components.optimizer import Sgd
from graft.spec.components.penalty import L2SP, NoPenalty
from graft.spec.job import Job
from graft.spec.space.distributions import Choice, Distribution, LogUniform, RandInt, Uniform
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

PENALTIES = "none, l1, l2, l2_sp, l1_sp, delta, bss, contrast, co_tuning"

CONDITIONAL = {
    "penalty": {"choice": ["none", {"kind": "l2_sp", "strength": {"loguniform": [1e-4, 1e-1]}}]},
}


def draws(raw: dict[str, Any], count: int = 200) -> list[Strategy]:
    rng = random.Random(0)
    space = StrategySpace.parse(raw)
    return [space.sample(rng) for _ in range(count)]


def problems(raw: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        StrategySpace.parse(raw)
    return [str(problem) for problem in caught.value.problems]


def ranges(low: float, high: float) -> st.SearchStrategy[list[float]]:
    pair = st.tuples(st.floats(low, high), st.floats(low, high))
    return pair.filter(lambda both: both[0] != both[1]).map(sorted)


def numbers(low: float, high: float) -> st.SearchStrategy[Any]:
    value = st.floats(low, high)
    return st.one_of(
        value,
        st.builds(lambda pair: {"loguniform": pair}, ranges(low, high)),
        st.builds(lambda pair: {"uniform": pair}, ranges(low, high)),
        st.builds(lambda options: {"choice": options}, st.lists(value, min_size=1, max_size=3, unique=True)),
    )


penalties = st.one_of(
    st.sampled_from(["none", "l1", "l2"]),
    st.builds(lambda strength: {"kind": "l2_sp", "strength": strength}, numbers(1e-6, 1)),
)
spaces = st.fixed_dictionaries(
    {},
    optional={
        "lr": numbers(1e-5, 1),
        "freeze": numbers(0.1, 1),
        "resolution": st.one_of(st.integers(16, 64), st.just({"randint": [32, 64]})),
        "penalty": st.one_of(
            penalties,
            st.builds(lambda options: {"choice": options}, st.lists(penalties, min_size=1, max_size=3, unique_by=repr)),
            st.just({"kind": {"choice": ["l1", "l2"]}, "strength": {"uniform": [0.1, 0.5]}}),
        ),
        "optimizer": st.just({"kind": "sgd", "nesterov": {"choice": [True, False]}}),
    },
)


@given(spaces, st.integers(0, 2**32))
def test_what_is_read_can_be_drawn_dumped_and_read_again(raw: dict[str, Any], seed: int) -> None:
    space = StrategySpace.parse(raw)

    strategy = space.sample(random.Random(seed))

    assert StrategySpace.parse(space.dump()) == space
    assert StrategySpace.parse(space.dump()).sample(random.Random(seed)) == strategy
    assert pickle.loads(pickle.dumps(space)) == space
    assert hash(space) == hash(StrategySpace.parse(raw))


@given(spaces)
def test_the_order_of_keys_changes_no_draw(raw: dict[str, Any]) -> None:
    backwards = dict(reversed(raw.items()))
    one, other = StrategySpace.parse(raw), StrategySpace.parse(backwards)

    assert one.sample(random.Random(3)) == other.sample(random.Random(3))


def test_an_empty_space_is_the_default_strategy() -> None:
    space = StrategySpace.parse({})

    assert space == StrategySpace()
    assert space.sample(random.Random(0)) == Strategy()
    assert space.grid_size() == 1


def test_a_strategy_is_a_space_of_one() -> None:
    strategy = Strategy(freeze=0.5, penalty=L2SP(strength=0.3), head=MlpHead(width=7))
    space = StrategySpace.parse(strategy)

    assert space.sample(random.Random(0)) == strategy
    assert space.grid_size() == 1


def test_what_is_inside_an_option_is_drawn_only_with_it() -> None:
    penalties_drawn = [strategy.penalty for strategy in draws(CONDITIONAL)]
    pulls = [penalty.strength for penalty in penalties_drawn if isinstance(penalty, L2SP)]

    assert NoPenalty() in penalties_drawn
    assert len(set(pulls)) > 50
    assert all(1e-4 <= pull <= 1e-1 for pull in pulls)


def test_any_key_at_any_depth_may_be_a_distribution() -> None:
    drawn = draws(
        {
            "backbone": {"choice": ["a", "timm:b"]},
            "precision": {"choice": ["auto", "fp32"]},
            "batch_size": {"randint": [2, 5]},
            "head": {"kind": "mlp", "width": {"randint": [1, 3]}, "dropout": {"uniform": [0, 0.5]}},
            "optimizer": {"kind": "sgd", "nesterov": {"choice": [True, False]}, "momentum": 0.5},
            "loss": {"kind": "cross_entropy", "label_smoothing": {"choice": [0.0, {"uniform": [0.1, 0.2]}]}},
        }
    )

    assert {strategy.backbone for strategy in drawn} == {"a", "timm:b"}
    assert {strategy.precision for strategy in drawn} == {"auto", "fp32"}
    assert {strategy.batch_size for strategy in drawn} == {2, 3, 4, 5}
    assert {strategy.head.width for strategy in drawn if isinstance(strategy.head, MlpHead)} == {1, 2, 3}
    assert {strategy.optimizer.nesterov for strategy in drawn if isinstance(strategy.optimizer, Sgd)} == {True, False}
    smoothings = [strategy.loss.label_smoothing for strategy in drawn]
    assert 0 in smoothings
    assert all(value == 0 or 0.1 <= value <= 0.2 for value in smoothings)


def test_a_kind_may_be_a_distribution() -> None:
    raw = {"penalty": {"kind": {"choice": ["l1", "l2"]}, "strength": {"loguniform": [1e-3, 1e-2]}}}

    assert {strategy.penalty.kind for strategy in draws(raw, 50)} == {"l1", "l2"}
    assert StrategySpace.parse(raw).values("penalty") == ("l1", "l2")


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        ({"freeze": {"choice": [0.0, 0.5]}, "resolution": {"randint": [32, 34]}}, 6),
        ({"penalty": {"choice": ["none", {"kind": "l2", "strength": {"choice": [0.1, 0.2]}}]}}, 3),
        ({"lr": {"uniform": [0.1, 0.2]}, "freeze": {"choice": [0.0, 0.5]}}, None),
        (CONDITIONAL, None),
    ],
)
def test_grid_size_counts_the_strategies(raw: dict[str, Any], size: int | None) -> None:
    space = StrategySpace.parse(raw)
    rng = random.Random(0)

    assert space.grid_size() == size
    if size is not None:
        assert len({space.sample(rng) for _ in range(300)}) == size


def test_values_are_all_options_or_both_bounds() -> None:
    space = StrategySpace.parse(
        {
            "backbone": {"choice": ["a", "b"]},
            "resolution": {"randint": [32, 64]},
            "lr": {"choice": [0.5, {"uniform": [0.1, 0.5]}]},
            **CONDITIONAL,
        }
    )

    assert space.values("backbone") == ("a", "b")
    assert space.values("resolution") == (32, 64)
    assert space.values("lr") == (0.5, 0.1)
    assert space.values("penalty") == ("none", "l2_sp")
    assert space.values("batch_size") == (64,)
    assert space.values("augment") == ("none",)
    with pytest.raises(ValueError, match="not a key of strategy"):
        space.values("epochs")


def test_distributions_are_named_by_their_key() -> None:
    space = StrategySpace.parse({**CONDITIONAL, "lr": {"uniform": [0.1, 0.2]}, "batch_size": {"randint": [2, 9]}})
    found = space.distributions()

    assert list(found) == ["penalty", "penalty.l2_sp.strength", "lr", "batch_size"]
    assert isinstance(found["penalty"], Choice)
    assert found["penalty.l2_sp.strength"] == LogUniform(1e-4, 1e-1)
    assert found["lr"] == Uniform(0.1, 0.2)
    assert found["batch_size"] == RandInt(2, 9)


def test_no_two_distributions_share_a_key() -> None:
    pulls = [{"kind": "l2_sp", "strength": {"uniform": [low, low + 0.1]}} for low in (0.1, 0.5)]
    space = StrategySpace.parse(
        {
            "penalty": {"choice": ["none", *pulls, {"kind": "l2", "strength": {"uniform": [0.1, 0.2]}}]},
            "lr": {"choice": [0.5, {"uniform": [0.1, 0.2]}, {"choice": [0.01, 0.02]}]},
        }
    )

    assert list(space.distributions()) == [
        "penalty",
        "penalty[1].l2_sp.strength",
        "penalty[2].l2_sp.strength",
        "penalty.l2.strength",
        "lr",
        "lr[1]",
        "lr[2]",
    ]


def test_building_asks_only_for_what_has_been_chosen() -> None:
    space = StrategySpace.parse({**CONDITIONAL, "lr": {"uniform": [0.1, 0.2]}})
    asked: list[str] = []

    def last(key: str, distribution: Distribution) -> Any:
        asked.append(key)
        return distribution.at(1.0)

    def first(key: str, distribution: Distribution) -> Any:
        asked.append(key)
        return distribution.at(0.0)

    assert space.build(last) == Strategy(penalty=L2SP(strength=0.1), lr=0.2)
    assert asked == ["penalty", "penalty.l2_sp.strength", "lr"]
    asked.clear()
    assert space.build(first) == Strategy(lr=0.1)
    assert asked == ["penalty", "lr"]


def test_dimensions_and_ranges_are_those_of_one_strategy() -> None:
    pulls = {"kind": "l2_sp", "strength": {"uniform": [0.1, 0.2]}, "head_strength": {"choice": [0.1, 0.2]}}
    raw = {
        "penalty": {"choice": [pulls, {"kind": "l2", "strength": {"uniform": [0.1, 0.2]}}, "none"]},
        "lr": {"choice": [0.1, 0.2]},
        "optimizer": {"kind": "sgd", "momentum": {"uniform": [0, 0.9]}},
        "augment": {"choice": [{"kind": "light", "magnitude": {"uniform": [0, 1]}, "share": {"uniform": [0, 1]}}]},
    }
    space = StrategySpace.parse(raw)

    assert space.dimensions() == 3 + 1 + 1 + 3
    assert space.ranges() == {"optimizer.sgd.momentum": Uniform(0, 0.9)}
    assert StrategySpace().dimensions() == 0


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (3, "strategy: is 3, but must be a mapping of strategy keys to values or distributions"),
        ({"freeze": 1.4}, "strategy.freeze: is 1.4, but must be between 0 and 1"),
        ({"freeze": {"choice": [0.1, 1.4]}}, "strategy.freeze.choice[1]: is 1.4, but must be between 0 and 1"),
        ({"lr": {"uniform": [0, 1]}}, "strategy.lr.uniform[0]: is 0.0, but must be > 0 and <= 10"),
        ({"lr": "0.1"}, "strategy.lr: is the text '0.1', but must be a number; remove the quotes"),
        (
            {"lr": {"choice": ["0.1"]}},
            "strategy.lr.choice[0]: is the text '0.1', but must be a number; remove the quotes",
        ),
        ({"lr": {"choice": []}}, "strategy.lr.choice: is an empty list, but must be a list of one or more options"),
        ({"backbone": {"choice": "lite0"}}, "strategy.backbone.choice: is `lite0`, but must be a list of one or more"),
        (
            {"lr": {"loguniform": 3}},
            "strategy.lr.loguniform: is 3, but must be two numbers, as in `loguniform: [low, high]`",
        ),
        (
            {"lr": {"uniform": [0.2, 0.1]}},
            "strategy.lr.uniform: is from 0.2 to 0.1, but the lower bound must come first",
        ),
        (
            {"lr": {"uniorm": [0.1, 0.2]}},
            "but must be a value or one of the distributions choice, uniform, loguniform, "
            "randint; did you mean `uniform`?",
        ),
        (
            {"lr": {"uniform": [0.1, 0.2], "choice": [1]}},
            "strategy.lr: has `uniform` beside `choice`, but a distribution",
        ),
        ({"resolution": {"uniform": [32, 64]}}, "draws fractions, but must draw whole numbers here; use `randint`"),
        ({"precision": {"uniform": [0, 1]}}, "strategy.precision.uniform: draws numbers, but the values here are no"),
        (
            {"structure": {"uniform": [0, 1]}},
            "draws numbers, but must be a mapping of the keys `keep`, `skip`, `deepen`",
        ),
        ({"penalty": {"randint": [0, 1]}}, f"draws numbers, but must be one of {PENALTIES}; use `choice`"),
        (
            {"penalty": "l2sp"},
            f"strategy.penalty: is `l2sp`, but must be one of {PENALTIES}; did you mean `l2_sp`?",
        ),
        ({"penalty": None}, f"strategy.penalty: is empty, but must be one of {PENALTIES}"),
        ({"penalty": {"strength": 1}}, f"strategy.penalty: has no `kind`, which must be one of {PENALTIES}"),
        ({"penalty": {"chioce": ["l1"]}}, "did you mean `choice`?"),
        (
            {"penalty": {"kind": "none", "strength": 1}},
            "strategy.penalty.strength: is not a key of strategy.penalty of kind none; it has no keys",
        ),
        (
            {"penalty": {"kind": {"choice": ["l1", "l3"]}}},
            "strategy.penalty.kind.choice[1]: is `l3`, but must be one of",
        ),
        ({"frezee": 1}, "strategy.frezee: is not a key of strategy; did you mean `freeze`?"),
        (
            {"width": 1},
            "strategy.width: is not a key of strategy; did you mean `strategy.init.width` or `strategy.head.width`?",
        ),
        ({"kind": "x"}, "strategy.kind: is not a key of strategy; its keys are backbone, init"),
        ({"lr": {"choice": [0.1, 0.1]}}, "strategy.lr.choice[1]: is 0.1, which is in the list already"),
        (
            {"penalty": {"choice": ["l1", {"kind": "l1"}]}},
            "strategy.penalty.choice[1]: is a mapping, which is in the list",
        ),
        ({"lr": [0.1]}, "strategy.lr: is a list, but must be a number"),
        ({"lr": True}, "strategy.lr: is true, but must be a number"),
        ({"lr": float("inf")}, "strategy.lr: is inf, but must be"),
        ({"lr": 10**400}, "strategy.lr: is "),
        ({"backbone": 3}, "strategy.backbone: is 3, but must be text; put it in quotes"),
        ({"precision": "fp16"}, "strategy.precision: is `fp16`, but must be one of auto, fp32, bf16"),
    ],
)
def test_what_is_wrong_is_told_where_it_is(raw: Any, expected: str) -> None:
    found = problems(raw)

    assert len(found) == 1
    assert expected in found[0]


def test_all_problems_are_told_at_once() -> None:
    found = problems({"freeze": 2, "lr": {"choice": [0.1, -1, "x"]}, "foo": 1, "penalty": {"choice": ["l2", "l9"]}})

    assert [line.split(":")[0] for line in found] == [
        "strategy.foo",
        "strategy.freeze",
        "strategy.penalty.choice[1]",
        "strategy.lr.choice[1]",
        "strategy.lr.choice[2]",
    ]


def test_choices_nested_without_end_are_refused() -> None:
    raw: Any = 0.1
    for _ in range(500):
        raw = {"choice": [raw]}

    assert "nested more than" in problems({"lr": raw})[0]


def test_where_names_another_place() -> None:
    with pytest.raises(SpecError) as caught:
        StrategySpace.parse({"lr": 99}, where="prior")
    assert caught.value.problems[0].where == "prior.lr"


def test_it_lives_inside_a_job() -> None:
    job = Job.model_validate({"name": "j", "data": "digits", "strategy": CONDITIONAL})

    assert job.strategy == StrategySpace.parse(CONDITIONAL)
    assert job.model_dump(mode="json")["strategy"] == CONDITIONAL


def test_a_stored_space_of_a_newer_version_is_read() -> None:
    stored = {
        "name": "j",
        "data": "digits",
        "strategy": {"novelty": 1, "penalty": {"kind": "l2", "novelty": 1}},
        "x": 1,
    }

    assert Job.read_stored(stored).strategy == StrategySpace.parse({"penalty": "l2"})


@pytest.mark.parametrize(
    ("space", "varied"),
    [
        ({}, ()),
        ({"lr": 0.1, "freeze": 0.5}, ()),
        ({"lr": {"loguniform": [1e-4, 1e-1]}, "freeze": {"choice": [0.0, 1.0]}}, ("freeze", "lr")),
        ({"lr": {"choice": [0.1, {"uniform": [0.2, 0.3]}]}}, ("lr",)),
        ({"penalty": {"kind": "l2", "strength": {"uniform": [0.1, 1]}}}, ("penalty.strength",)),
        ({"penalty": {"choice": ["none", {"kind": "l2", "strength": {"uniform": [0.1, 1]}}]}},
         ("penalty", "penalty.strength")),
        ({"penalty": {"choice": [{"kind": "l2", "strength": 0.1}, {"kind": "l2", "strength": 0.2}]}},
         ("penalty", "penalty.strength")),
    ],
)  # fmt: skip
def test_the_fields_that_vary_have_the_keys_of_a_flat_strategy(space, varied):
    found = StrategySpace.parse(space)
    assert found.varied() == varied
    for number in range(20):
        assert set(varied) & set(found.sample(random.Random(number)).flat()) or not varied
