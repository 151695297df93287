import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.search.bandit import Bandit, Gain
from graft.search.protocol import Checkpoint, Decision, Exploit, GoOn, Hold, Proposal, Report
from graft.search.schedulers.context import SchedulerContext
from graft.search.schedulers.population import Population
from graft.spec.search.phases import Phase
from graft.spec.search.schedulers import Pb2, Pbt
from graft.spec.search.searchers import RandomSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named

TWO_RATES = {"lr": {"choice": [0.01, 0.02]}}
RATES = {"lr": {"loguniform": [1e-4, 1e-1]}, "weight_decay": {"uniform": [0.0, 0.5]}}
Curve = Callable[[Proposal, int], float]


def context(
    spec: Pbt | Pb2, *, trials: int | None = 4, epochs: int = 8, metric: str = "accuracy", seed: int = 0, **space: Any
) -> SchedulerContext:
    phase = Phase(0, spec, RandomSearcher(), trials, epochs, False, True, False)
    return SchedulerContext(phase, metric_named(metric), seed, StrategySpace.parse(space or RATES))


def proposals(count: int, epochs: int = 8, **strategy: Any) -> list[Proposal]:
    return [Proposal(f"t{1 + index:02d}", Strategy(**strategy), epochs=epochs) for index in range(count)]


def with_rates(*rates: float, epochs: int = 8) -> list[Proposal]:
    pairs = zip(proposals(len(rates), epochs), rates, strict=True)
    return [replace(one, strategy=Strategy(lr=rate)) for one, rate in pairs]


def drawn(count: int, seed: int, epochs: int = 8, **space: Any) -> list[Proposal]:
    rng, parsed = random.Random(seed), StrategySpace.parse(space or RATES)
    return [replace(one, strategy=parsed.sample(rng)) for one in proposals(count, epochs)]


@dataclass
class Play:
    """Trials under a population: each trains until it is held; decisions are done as an executor does them."""

    population: Population
    curve: Curve
    order: random.Random = field(default_factory=lambda: random.Random(0))
    training: dict[str, tuple[Proposal, int]] = field(default_factory=dict)
    decisions: list[dict[str, Decision]] = field(default_factory=list)
    held: dict[str, tuple[Proposal, int]] = field(default_factory=dict)
    fails: frozenset[tuple[str, int]] = frozenset()

    def run(self, begun: Iterable[Proposal]) -> list[dict[str, Decision]]:
        for proposal in begun:
            self.begin(proposal)
        while self.training:
            self.step(self.order.choice(sorted(self.training)))
        assert not self.held
        return self.decisions

    def begin(self, proposal: Proposal) -> None:
        self.population.add(proposal)
        self.training[proposal.trial] = (proposal, proposal.start.epoch if proposal.start else 0)
        self.settle()

    def step(self, trial: str) -> None:
        proposal, epoch = self.training.pop(trial)
        epoch += 1
        verdict = self.population.report(Report(trial, epoch, self.curve(proposal, epoch)))
        assert epoch < proposal.epochs or verdict == GoOn()
        if epoch == proposal.epochs or (trial, epoch) in self.fails:
            self.held.pop(trial, None)
            self.population.remove(trial)
        elif isinstance(verdict, Hold):
            assert self.population.checkpoints.wants(epoch)
            self.held[trial] = (proposal, epoch)
        else:
            assert verdict == GoOn()
            self.training[trial] = (proposal, epoch)
        self.settle()

    def settle(self, no_more: bool = False) -> None:
        while decided := dict(self.population.settle(no_more)):
            self.decisions.append(decided)
            for trial, decision in decided.items():
                proposal, epoch = self.held.pop(trial)
                if isinstance(decision, Exploit):
                    start = decision.source
                    assert start.epoch == epoch
                    changed = replace(proposal, strategy=decision.strategy, start=start, segment=proposal.segment + 1)
                    self.population.add(changed)
                    self.training[trial] = (changed, epoch)
                else:
                    self.training[trial] = (proposal, epoch)


def exploits(decisions: Iterable[Mapping[str, Decision]]) -> list[tuple[str, Exploit]]:
    return [(trial, one) for decided in decisions for trial, one in decided.items() if isinstance(one, Exploit)]


def table(values: Mapping[str, Sequence[float]]) -> Curve:
    return lambda proposal, epoch: values[proposal.trial][epoch - 1]


def by_rate(proposal: Proposal, epoch: int) -> float:
    """The higher its lr, the faster a trial gets better; whatever it copies."""
    return epoch * proposal.strategy.lr + int(proposal.trial[1:]) * 1e-6


WORKED = {  # by hand: the worst of four copies the best, and its lr becomes the other of the two
    "t01": (0, 0.50, 0, 0.90, 0, 0.910, 0, 0.99),
    "t02": (0, 0.60, 0, 0.65, 0, 0.950, 0, 0.99),
    "t03": (0, 0.70, 0, 0.75, 0, 0.800, 0, 0.99),
    "t04": (0, 0.40, 0, 0.72, 0, 0.940, 0, 0.99),
}


def test_four_members_and_three_generations_worked_by_hand() -> None:
    population = Population(context(Pbt(interval=2, resample=0), **TWO_RATES))
    begun = [
        replace(one, strategy=Strategy(lr=lr)) for one, lr in zip(proposals(4), (0.01, 0.02, 0.01, 0.02), strict=True)
    ]

    decisions = Play(population, table(WORKED)).run(begun)

    assert [(trial, one.source, one.strategy.lr, one.changes) for trial, one in exploits(decisions)] == [
        ("t04", Checkpoint("t03", 0, 2), 0.02, {"lr": (0.01, 0.02)}),
        ("t02", Checkpoint("t01", 0, 4), 0.02, {"lr": (0.01, 0.02)}),
        ("t03", Checkpoint("t02", 1, 6), 0.01, {"lr": (0.02, 0.01)}),
    ]
    assert [sorted(decided) for decided in decisions] == [["t01", "t02", "t03", "t04"]] * 3
    assert exploits(decisions)[0][1].reason == (
        "accuracy 0.4000 is among the worst 1 of 4 at epoch 2; copies t03 (0.7000): lr 0.01 -> 0.02"
    )


def test_less_is_better_where_the_metric_says_so() -> None:
    population = Population(context(Pbt(interval=2, resample=0), metric="loss", **TWO_RATES))

    first = exploits(Play(population, table(WORKED)).run(proposals(4, lr=0.01)))[0]

    assert (first[0], first[1].source) == ("t03", Checkpoint("t04", 0, 2))
    assert first[1].reason.startswith("loss 0.7000 is among the worst 1 of 4 at epoch 2; copies t04 (0.4000)")


@pytest.mark.parametrize("spec", [Pbt(interval=2, quantile=0.5), Pb2(interval=1)], ids=["pbt", "pb2"])
def test_equal_seeds_decide_equally_whatever_the_order_of_arrival(spec: Pbt | Pb2) -> None:
    begun = drawn(4, seed=3, epochs=6)

    plays = [Play(Population(context(spec)), by_rate, random.Random(order)).run(begun) for order in range(3)]

    assert len(exploits(plays[0])) >= 2
    assert all(play == plays[0] for play in plays[1:])
    other = Play(Population(context(spec, seed=1)), by_rate).run(begun)
    assert exploits(other) != exploits(plays[0])


@pytest.mark.parametrize("spec", [Pbt(resample=0.5), Pb2()], ids=["pbt", "pb2"])
def test_what_is_copied_is_trained_afterwards_and_stays_in_its_bounds(spec: Pbt | Pb2) -> None:
    trained: dict[tuple[str, int], Strategy] = {}

    def curve(proposal: Proposal, epoch: int) -> float:
        trained[proposal.trial, epoch] = proposal.strategy
        return by_rate(proposal, epoch)

    play = Play(Population(context(spec, epochs=10)), curve)
    made = exploits(play.run(drawn(4, seed=1, epochs=10)))

    assert len(made) == 9
    for trial, one in made:
        assert trained[trial, one.source.epoch + 1] == one.strategy != trained[one.source.trial, one.source.epoch]
        assert 1e-4 <= one.strategy.lr <= 1e-1
        assert 0 <= one.strategy.weight_decay <= 0.5


def test_quantiles_name_how_many_copy_and_from_how_many() -> None:
    population = Population(context(Pbt(interval=4, quantile=0.29, resample=0), trials=100))
    values = {f"t{index:02d}": index / 100 for index in range(1, 101)}

    decided = Play(population, lambda one, _: values[one.trial]).run(proposals(100))

    copied = exploits(decided)
    assert {trial for trial, _ in copied} == {f"t{index:02d}" for index in range(1, 30)}
    donors = {one.source.trial for _, one in copied}
    assert donors <= {f"t{index:02d}" for index in range(72, 101)}
    assert len(donors) > 5


def test_of_two_one_copies_the_other_and_a_single_one_goes_on() -> None:
    pair = Play(Population(context(Pbt(interval=4), trials=2)), by_rate).run(with_rates(0.01, 0.02))
    alone = Play(Population(context(Pbt(interval=4), trials=1)), by_rate).run(proposals(1))

    assert [trial for trial, _ in exploits(pair)] == ["t01"]
    assert alone == [{"t01": GoOn()}]


def test_equals_do_not_copy_from_each_other() -> None:
    decisions = Play(Population(context(Pbt())), lambda proposal, epoch: 0.5).run(proposals(4))

    assert len(decisions) == 7
    assert exploits(decisions) == []


def test_equals_are_ranked_by_name_whoever_was_added_first() -> None:
    values = {"t01": 0.5, "t02": 0.5, "t03": 0.1, "t04": 0.1}
    plays = [
        Play(Population(context(Pbt(interval=4))), lambda proposal, epoch: values[proposal.trial]).run(begun)
        for begun in (proposals(4), proposals(4)[::-1])
    ]

    assert plays[0] == plays[1]
    assert [(trial, one.source.trial) for trial, one in exploits(plays[0])] == [("t04", "t01")]


def test_each_generation_has_its_own_dice() -> None:
    population = Population(context(Pbt(resample=0), trials=2, lr=RATES["lr"]))

    made = exploits(Play(population, lambda proposal, _: int(proposal.trial[1:])).run(proposals(2, epochs=12, lr=0.01)))

    assert {one.strategy.lr for _, one in made} == {0.01 * 1.2, 0.01 * 0.8}


def test_the_last_epoch_is_not_compared() -> None:
    decisions = Play(Population(context(Pbt(interval=4), epochs=8)), by_rate).run(proposals(4))

    assert len(decisions) == 1


@pytest.mark.parametrize("trials", [4, None])
def test_nobody_is_compared_before_the_population_is_complete(trials: int | None) -> None:
    population = Population(context(Pbt(interval=1), trials=trials))
    play = Play(population, by_rate)
    for one in proposals(3):
        play.begin(one)
        play.step(one.trial)
    assert sorted(play.held) == ["t01", "t02", "t03"]

    play.settle(no_more=True)

    assert sorted(play.decisions[0]) == ["t01", "t02", "t03"]


@pytest.mark.parametrize("fails", ["t02", "t04"])
def test_nobody_waits_for_a_member_that_fails_at_the_border_or_copies_from_it(fails: str) -> None:
    """t04 is the best, and t02 in the middle; each fails while it is held, before the last has come."""
    play = Play(Population(context(Pbt(interval=1))), by_rate)
    for one in proposals(4):
        play.begin(one)
    for trial in ("t02", "t03", "t04"):
        play.step(trial)
    assert len(play.held) == 3

    play.held.pop(fails)
    play.population.remove(fails)
    play.step("t01")

    assert sorted(play.decisions[0]) == sorted({"t01", "t02", "t03", "t04"} - {fails})
    assert [(trial, one.source.trial) for trial, one in exploits(play.decisions)] == [
        ("t01", "t03" if fails == "t04" else "t04")
    ]


def test_a_member_that_fails_before_the_border_frees_those_who_wait() -> None:
    play = Play(Population(context(Pbt(interval=2))), by_rate)
    for one in proposals(4):
        play.begin(one)
    for trial in ("t01", "t02", "t03"):
        play.step(trial)
        play.step(trial)
    assert play.decisions == []

    play.training.pop("t04")
    play.population.remove("t04")
    play.settle()

    assert sorted(play.decisions[0]) == ["t01", "t02", "t03"]


def test_two_architectures_are_two_populations() -> None:
    space = {**RATES, "head": {"choice": ["linear", {"kind": "mlp", "width": 64}]}}
    begun = drawn(8, seed=0, **space)
    kinds = {one.trial: one.strategy.architecture() for one in begun}
    assert len(set(kinds.values())) == 2

    made = exploits(Play(Population(context(Pbt(), trials=8, **space)), by_rate).run(begun))

    assert {kinds[trial] for trial, _ in made} == set(kinds.values())
    assert all(kinds[trial] == kinds[one.source.trial] == one.strategy.architecture() for trial, one in made)


def test_an_architecture_does_not_wait_for_another() -> None:
    space = {**TWO_RATES, "head": {"choice": ["linear", "mlp"]}}
    play = Play(Population(context(Pbt(), **space)), by_rate)
    deep = Strategy.model_validate({"lr": 0.01, "head": "mlp"})
    for one in proposals(4, lr=0.01):
        play.begin(one if one.trial in ("t01", "t02") else replace(one, strategy=deep))

    play.step("t01")
    play.step("t02")

    assert [sorted(decided) for decided in play.decisions] == [["t01", "t02"]]


def test_survivors_of_another_phase_take_part_from_the_next_border_on() -> None:
    """t01 begins at epoch 5 and t02 at 2: at 4 there is only t02, and at 6 t01 waits for it."""
    start = {"t01": Checkpoint("a", 0, 5), "t02": Checkpoint("b", 0, 2)}
    play = Play(Population(context(Pbt(interval=2), trials=2, **TWO_RATES)), by_rate)
    for one in proposals(2, lr=0.01):
        play.begin(replace(one, start=start[one.trial]))

    play.step("t01")
    assert list(play.held) == ["t01"]
    for _ in range(4):
        play.step("t02")

    assert play.decisions[0] == {"t02": GoOn()}
    assert sorted(play.decisions[1]) == ["t01", "t02"]
    assert exploits(play.decisions)[0][1].source == Checkpoint("t02", 0, 6)


def test_a_trial_that_is_started_again_is_not_decided_about_twice() -> None:
    """It fell back behind a border that was decided, and trains its epochs again."""
    population = Population(context(Pbt(interval=2), trials=2))
    play = Play(population, lambda proposal, epoch: 0.5)
    begun = proposals(2)
    for one in begun:
        play.begin(one)
    for trial in ("t01", "t02"):
        play.step(trial)
        play.step(trial)
    assert len(play.decisions) == 1

    population.add(begun[0])

    assert population.report(Report("t01", 1, 0.1)) == GoOn()
    assert population.report(Report("t01", 2, 0.1)) == GoOn()
    assert population.report(Report("t01", 3, 0.1)) == GoOn()
    assert population.report(Report("t01", 4, 0.1)) == Hold()


@pytest.mark.parametrize("came", [(3, 4), (4,)])
def test_a_border_whose_report_was_lost_is_passed(came: tuple[int, ...]) -> None:
    population = Population(context(Pbt(interval=2), trials=2))
    for one in proposals(2):
        population.add(one)

    verdicts = [population.report(Report("t01", epoch, 0.5)) for epoch in came]

    assert verdicts == [GoOn(), Hold()][-len(came) :]
    assert population.report(Report("t02", 2, 0.5)) == Hold()
    assert population.settle(False) == {"t02": GoOn()}


names = st.sampled_from([f"t{index:02d}" for index in range(1, 7)])


@settings(max_examples=40)
@given(
    starts=st.lists(st.integers(0, 6), min_size=6, max_size=6),
    fails=st.frozensets(st.tuples(names, st.integers(1, 8)), max_size=4),
    interval=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_every_trial_comes_to_its_end(
    starts: list[int], fails: frozenset[tuple[str, int]], interval: int, seed: int
) -> None:
    """`Play.run` finds no trial held when nothing trains any more, and each trial is decided about once a border."""
    space = {**RATES, "head": {"choice": ["linear", "mlp"]}}
    begun = [
        replace(one, start=Checkpoint(f"before-{one.trial}", 0, start) if start else None)
        for one, start in zip(drawn(6, seed, **space), starts, strict=True)
    ]
    play = Play(Population(context(Pbt(interval=interval), trials=6, **space)), by_rate, random.Random(seed))

    play.fails = fails
    decisions = play.run(begun)

    counts = {one.trial: sum(one.trial in decided for decided in decisions) for one in begun}
    for one, start in zip(begun, starts, strict=True):
        borders = [epoch for epoch in range(start + 1, 8) if epoch % interval == 0]
        failed = min((epoch for trial, epoch in fails if trial == one.trial and epoch > start), default=8)
        assert counts[one.trial] == sum(border < failed for border in borders)


def test_replaying_the_calls_gives_the_same_decisions() -> None:
    """As after a crash: the calls are repeated, and what was decided is not told by anyone."""
    calls: list[tuple[str, Any]] = []

    class Recorded(Population):
        def add(self, proposal: Proposal) -> None:
            calls.append(("add", proposal))
            super().add(proposal)

        def report(self, report: Report) -> Any:
            calls.append(("report", report))
            return super().report(report)

        def remove(self, trial: str) -> None:
            calls.append(("remove", trial))
            super().remove(trial)

    known = context(Pb2(), epochs=6)
    decisions = Play(Recorded(known), by_rate).run(drawn(4, seed=2, epochs=6))

    again, replayed = Population(known), []
    for name, argument in calls:
        getattr(again, name)(argument)
        if decided := dict(again.settle(False)):
            replayed.append(decided)

    assert exploits(decisions)
    assert replayed == decisions


def test_pb2_is_told_what_each_interval_has_gained_and_what_is_trained_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: t02 and t04 copy t03 at 2, so their gains at 4 count from its value; at 2 nothing is known."""
    told: list[tuple[str, int, list[tuple[int, float, float]], list[float]]] = []

    def choose(
        self: Bandit,
        donor: Strategy,
        epoch: int,
        gains: Sequence[Gain],
        pending: Sequence[Strategy],
        rng: random.Random,
    ) -> tuple[Strategy, dict[str, Any]]:
        rows = [(gain.epoch, gain.strategy.lr, round(gain.value, 6)) for gain in gains]
        told.append((donor.lr, epoch, rows, [one.lr for one in pending]))
        return Strategy(lr=donor.lr * 2), {}

    monkeypatch.setattr(Bandit, "choose", choose)
    values = {
        "t01": (0, 0.6, 0, 0.65, 0, 0.7),
        "t02": (0, 0.3, 0, 0.35, 0, 0.4),
        "t03": (0, 0.7, 0, 0.80, 0, 0.9),
        "t04": (0, 0.4, 0, 0.75, 0, 0.8),
    }
    population = Population(context(Pb2(interval=2, quantile=0.5), epochs=6, lr=RATES["lr"]))

    monkeypatch.setattr(random.Random, "randrange", lambda self, count: 0)
    Play(population, table(values)).run(with_rates(0.125, 0.25, 0.5, 1.0, epochs=6))

    known = [(4, 0.5, 0.1), (4, 1.0, 0.05), (4, 0.125, 0.05), (4, 1.0, -0.35)]
    assert told == [
        (0.5, 2, [], [0.125, 0.5]),
        (0.5, 2, [], [0.125, 0.5, 1.0]),
        (0.5, 4, known, [0.5, 1.0]),
        (0.5, 4, known, [0.5, 1.0, 1.0]),
    ]


def test_pb2_learns_from_what_each_interval_gained() -> None:
    """The gain of an interval is 1 at lr 0.01 and falls with the distance; copies gather there."""
    gained: dict[tuple[str, int, int], float] = {}

    def curve(proposal: Proposal, epoch: int) -> float:
        start = proposal.start
        before = gained.get((proposal.trial, proposal.segment, epoch - 1), 0.0)
        if start is not None and start.epoch == epoch - 1:
            before = gained[start.trial, start.segment, start.epoch]
        now = before + math.exp(-((math.log10(proposal.strategy.lr) + 2) ** 2))
        gained[proposal.trial, proposal.segment, epoch] = now
        return now

    space = {"lr": {"loguniform": [1e-6, 1.0]}}
    begun = with_rates(1e-6, 1e-5, 1e-4, 1.0, epochs=14)
    made = exploits(Play(Population(context(Pb2(), epochs=14, **space)), curve).run(begun))

    late = [one.strategy.lr for _, one in made if one.source.epoch >= 9]
    assert sum(1e-3 < lr < 1e-1 for lr in late) >= len(late) - 1 >= 3
