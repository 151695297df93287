"""What recommendations are worth, on the recorded curves of a bank of tasks. Nothing is trained.

`regret`: each task is held out; best less the best of the first k, in points, against a random order, the other tasks
alone and each score alone; also with few other tasks. `warm_start`: each task is searched with ASHA, on its recorded
curves, by random draws and by `meta`, which remembers the others; trials and simulated seconds until 99 % of the best
value of the task, over seeds; a search that never comes there counts whole. `robustness`: the same where a share of the
remembered trials is wrong, where all values are upside down, and where only tasks of another pool are remembered.
`same_task`: the memory holds an earlier search of the very task, of 4, 8 or 16 strategies drawn at random; how far the
first recommended strategy is below the best of them, in points, and at which place that one stands. `screening`: the
same searches without and with the scores of the task's own backbones, where nothing, or the other tasks are remembered,
or these with their scores; how much of the whole search the scores gain is what they may cost. `overhead`: seconds from
100,000 records to what a search is told. `curves`: how far predicted ends of learning curves are off, and how often the
80 % interval holds them, by the share of the epochs that was seen. `solved_first`: the heads that a default search
solves before all else, on one core and on two: seconds to half a point below the best of them, in the order that the
other tasks recommend ÷ in the fixed one, also with memories that are wrong. `stopping`: the searches of `warm_start`
with rules that stop, or spare, trials by their predicted curves, in seconds of those without.

`--half choose` and `--half report` look at every second task each: rules are chosen on the one, figures told of the
other.
"""

import argparse
import itertools
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from meta.replay import BankTask, Reached, bank_tasks, play, told_by
from reporting import json_line, provenance, table

from graft.core.seeds import derive_seed
from graft.meta.memory.importing import read_memory
from graft.meta.memory.records import HeldMemory, Record
from graft.meta.recommend.advice import Question, prior_for
from graft.meta.recommend.evaluation.evaluate import Evaluator
from graft.meta.recommend.pool import candidate_of
from graft.spec.search.searchers import MetaSearcher, RandomSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from meta import foreseeing, solving

EXAMPLE = """examples:
  python tests/benchmarks/recommendations.py --bank tests/assets/bank
  python tests/benchmarks/recommendations.py --bank tests/assets/bank --only warm_start --seeds 2
"""
FIGURES = (
    *("regret", "warm_start", "robustness", "same_task", "screening"),
    *("overhead", "curves", "solved_first", "stopping"),
)
WRONG = 0.3
Remembered = Callable[[Sequence[Record], BankTask], list[Record]]
_WRONG_MEMORIES: Mapping[str, Remembered] = {
    f"{WRONG:.0%} of trials wrong": lambda records, task: list(_wrong(records, WRONG)),
    "all upside down": lambda records, task: list(_upside_down(records)),
    "noise": lambda records, task: list(_wrong(records, 1.0)),
    "one other task": lambda records, task: _of_one(records),
}


def main() -> int:
    """Print a table and a JSON line for each figure."""
    options = _parser().parse_args()
    memory, origin = _bank(options.bank), provenance()
    for name in options.only:
        headers, rows = _MEASURES[name](memory, options)
        print(f"\n{name}\n{table(headers, rows)}\n")
        print(json_line(name, origin, {"rows": [dict(zip(headers, row, strict=True)) for row in rows]}), flush=True)
    return 0


def regret(memory: HeldMemory, options: argparse.Namespace) -> tuple[list[str], list[list[Any]]]:
    """Mean regret by method and k, for each modality."""
    counts, rows = (1, 3, 5, 10), []
    for modality in dict.fromkeys(one.modality for one in memory.records()):
        own = HeldMemory([one for one in memory.records() if one.modality == modality], (), memory.scores())
        found = Evaluator(counts, options.draws).evaluate(own)
        rows += [[modality, name, *_rounded(by_k, counts)] for name, by_k in found.mean.items()]
        for size, regrets in found.thinned.items():
            rows += [[modality, f"{name}, {size} others", *_rounded(by_k, counts)] for name, by_k in regrets.items()]
    return ["modality", "method", *(f"k={count}" for count in counts)], rows


def warm_start(memory: HeldMemory, options: argparse.Namespace) -> tuple[list[str], list[list[Any]]]:
    """Trials and seconds to the target, meta and random, by task and in total."""
    return _compared(memory, options, {"all others": lambda records, task: list(records)}, by_task=True)


def robustness(memory: HeldMemory, options: argparse.Namespace) -> tuple[list[str], list[list[Any]]]:
    """The same in total, with memories that are wrong."""
    return _compared(memory, options, _WRONG_MEMORIES, by_task=False)


def same_task(memory: HeldMemory, options: argparse.Namespace) -> tuple[list[str], list[list[Any]]]:
    """The first recommended strategy against the best that an earlier search of the same task has found."""
    rows = []
    for count in (4, 8, 16):
        found = [
            _again(memory, task, count, seed) for task in _looked_at(memory, options) for seed in range(options.seeds)
        ]
        below, below_3, place = (sum(column) / len(found) for column in zip(*found, strict=True))
        rows.append([count, round(below, 2), round(below_3, 2), round(place, 2)])
    return ["strategies tried before", "first pick below their best", "best of 3", "place of their best"], rows


def _again(memory: HeldMemory, task: BankTask, count: int, seed: int) -> tuple[float, float, int]:
    rng = random.Random(derive_seed(seed, "same task", task.name))
    worth = {candidate_of(one).strategy_json: 100 * curve.best for one, curve in task.curves.items()}
    tried = rng.sample(list(worth), min(count, len(worth)))
    names = {one.strategy_json: _name(one) for one in memory.records() if one.task == task.name}
    own = [one for one in memory.records() if one.task == task.name and names[one.strategy_json] in tried]
    prior = told_by(own, task, (), memory.tasks())
    order = [prior.expected[place].strategy_json for place in prior.portfolio]
    best = max(tried, key=worth.__getitem__)
    place = order.index(best) if best in order else len(order)
    return worth[best] - worth[order[0]], worth[best] - max(map(worth.__getitem__, order[:3])), place + 1


def _name(record: Record) -> str:
    """Of its strategy, with the fields that strategies have today."""
    return candidate_of(Strategy.read_stored(record.nested_strategy or {})).strategy_json


def screening(memory: HeldMemory, options: argparse.Namespace) -> tuple[list[str], list[list[Any]]]:
    """Simulated seconds to the target without and with scores, and the gain as a share of the whole search."""
    rows = []
    scores, tasks = list(memory.scores()), _looked_at(memory, options)
    for modality in dict.fromkeys(task.modality for task in tasks):
        mine = [task for task in tasks if task.modality == modality]
        for name in ("nothing", "other tasks", "other tasks, scored"):
            with_theirs = name.endswith("scored")
            found: dict[bool, list[Reached]] = {False: [], True: []}
            for task, is_scored in itertools.product(mine, found):
                others = [] if name == "nothing" else [one for one in memory.records() if one.task != task.name]
                own = [one for one in scores if is_scored and (with_theirs or one.task == task.name)]
                prior = told_by(others, task, own, memory.tasks()) if others or own else None
                found[is_scored] += [play(task, MetaSearcher(), prior, seed) for seed in range(options.seeds)]
            rows.append([modality, name, *_gain(found[False], found[True])])
    headers = ["modality", "remembered", "trials", "scored", "ratio", "seconds", "scored s", "ratio s", "± (log)"]
    return [*headers, "gain of whole"], rows


def _gain(plain: Sequence[Reached], scored: Sequence[Reached]) -> list[Any]:
    """Means and their ratios, the standard error of log(seconds / seconds), and what is gained of the whole search."""
    means = [
        [sum(getattr(one, what) for one in runs) / len(runs) for runs in (plain, scored)]
        for what in ("trials", "seconds", "whole")
    ]
    (trials, trials_scored), (seconds, seconds_scored), (whole, _) = means
    logs = [math.log(b.seconds / a.seconds) for a, b in zip(plain, scored, strict=True)]
    error = statistics.stdev(logs) / len(logs) ** 0.5
    shown = [trials, trials_scored, trials_scored / trials, seconds, seconds_scored, seconds_scored / seconds, error]
    return [*(round(one, 2) for one in shown), round((seconds - seconds_scored) / whole, 3)]


def overhead(memory: HeldMemory, options: argparse.Namespace) -> tuple[list[str], list[list[Any]]]:
    """Processor seconds of a recommendation from more and more records."""
    space = StrategySpace.parse({"freeze": {"choice": [0.0, 0.5, 1.0]}, "lr": {"loguniform": [1e-4, 1e-2]}})
    rows = []
    for count in (1_000, 10_000, options.records):
        records = list(_made_up(space, count))
        known = {f"t{task}": random.Random(task).random() for task in range(count)}
        question = Question(space, Strategy.canonical, "image", "classification", known)
        started = time.process_time()
        prior_for(HeldMemory(records), question)
        rows.append([len(records), len({one.task for one in records}), round(time.process_time() - started, 3)])
    return ["records", "tasks", "seconds"], rows


def curves(memory: HeldMemory, options: argparse.Namespace) -> tuple[list[str], list[list[Any]]]:
    """How right predicted learning curves are."""
    return foreseeing.error(memory, _looked_at(memory, options))


def solved_first(memory: HeldMemory, options: argparse.Namespace) -> tuple[list[str], list[list[Any]]]:
    """Geometric mean over the tasks of seconds in the recommended order ÷ in the fixed one, and its standard error."""
    tasks = [task for task in _looked_at(memory, options) if len(solving.solved_heads(task)) >= solving.FEWEST]
    memories = {"all others": lambda records, task: list(records), **_WRONG_MEMORIES}
    rows = []
    for modality, slots, name in itertools.product(dict.fromkeys(one.modality for one in tasks), (1, 2), memories):
        logs = []
        for task in (one for one in tasks if one.modality == modality):
            others = memories[name]([one for one in memory.records() if one.task != task.name], task)
            orders = solving.in_order_of(others, task, memory.tasks(), slots), solving.solved_heads(task)
            told, fixed = (solving.seconds_to_the_best(task, order, slots) for order in orders)
            logs.append(math.log(told / fixed))
        error = statistics.stdev(logs) / len(logs) ** 0.5
        rows.append([modality, slots, name, len(logs), round(math.exp(statistics.mean(logs)), 2), round(error, 2)])
    return ["modality", "cores", "remembered", "tasks", "told ÷ fixed", "± (log)"], rows


def stopping(memory: HeldMemory, options: argparse.Namespace) -> tuple[list[str], list[list[Any]]]:
    """What stopping by predicted curves is worth, also with memories that are wrong."""
    memories = {
        "nothing": lambda held: HeldMemory(),
        "other tasks": lambda held: held,
        f"{WRONG:.0%} of values wrong": lambda held: HeldMemory(list(_wrong(held.records(), WRONG)), held.tasks()),
        "all upside down": lambda held: HeldMemory(list(_upside_down(held.records())), held.tasks()),
        "noise": lambda held: HeldMemory(list(_wrong(held.records(), 1.0)), held.tasks()),
    }
    return foreseeing.stopping(memory, _looked_at(memory, options), options.seeds, memories)


_MEASURES: Mapping[str, Callable[[HeldMemory, argparse.Namespace], tuple[list[str], list[list[Any]]]]] = {
    "regret": regret,
    "warm_start": warm_start,
    "robustness": robustness,
    "same_task": same_task,
    "screening": screening,
    "overhead": overhead,
    "curves": curves,
    "solved_first": solved_first,
    "stopping": stopping,
}


def _compared(
    memory: HeldMemory, options: argparse.Namespace, memories: Mapping[str, Remembered], by_task: bool
) -> tuple[list[str], list[list[Any]]]:
    tasks = _looked_at(memory, options)
    seeds = range(options.seeds)
    plain = {task.name: [play(task, RandomSearcher(), None, seed) for seed in seeds] for task in tasks}
    rows = []
    for name, remembered in memories.items():
        told: dict[str, list[Reached]] = {}
        for task in tasks:
            others = [one for one in memory.records() if one.task != task.name]
            prior = told_by(remembered(others, task), task, memory.scores(), memory.tasks())
            told[task.name] = [play(task, MetaSearcher(), prior, seed) for seed in seeds]
            if by_task:
                rows.append([task.name, *_row(plain[task.name], told[task.name])])
        every = [[one for task in tasks for one in runs[task.name]] for runs in (plain, told)]
        rows.append([f"total, {name}", *_row(*every)])
    headers = ["task", "random trials", "meta trials", "ratio", "random s", "meta s", "ratio s", "best lost"]
    return headers, rows


def _looked_at(memory: HeldMemory, options: argparse.Namespace) -> list[BankTask]:
    """All tasks, or every second one of each modality, by name."""
    tasks = sorted(bank_tasks(memory.records()), key=lambda task: (task.modality, task.name))
    if options.half == "all":
        return tasks
    numbered: dict[str, list[BankTask]] = {}
    for task in tasks:
        numbered.setdefault(task.modality, []).append(task)
    return [task for of in numbered.values() for task in of[options.half == "report" :: 2]]


def _row(plain: Sequence[Reached], told: Sequence[Reached]) -> list[Any]:
    """Means of both, their ratios, and how much lower the best value of the whole search is, in points."""
    trials = [sum(one.trials for one in runs) / len(runs) for runs in (plain, told)]
    seconds = [sum(one.seconds for one in runs) / len(runs) for runs in (plain, told)]
    best = [sum(one.best for one in runs) / len(runs) for runs in (plain, told)]
    shown = [round(one, 2) for one in (*trials, trials[1] / trials[0], *seconds, seconds[1] / seconds[0])]
    return [*shown, round(100 * (best[0] - best[1]), 2)]


def _wrong(records: Sequence[Record], share: float) -> Iterator[Record]:
    """A share of the trials has values of another trial of its task."""
    values: dict[str, list[float]] = {}
    for one in records:
        values.setdefault(one.task, []).append(one.value or 0.0)
    for one in records:
        rng = random.Random(derive_seed(0, "wrong", one.trial))
        yield replace(one, value=rng.choice(values[one.task])) if rng.random() < share else one


def _upside_down(records: Sequence[Record]) -> Iterator[Record]:
    bounds: dict[str, tuple[float, float]] = {}
    for one in records:
        low, high = bounds.get(one.task, (1.0, 0.0))
        bounds[one.task] = min(low, one.value or 0.0), max(high, one.value or 0.0)
    for one in records:
        yield replace(one, value=sum(bounds[one.task]) - (one.value or 0.0))


def _of_one(records: Sequence[Record]) -> list[Record]:
    return [one for one in records if one.task == records[0].task]


def _made_up(space: StrategySpace, count: int) -> Iterator[Record]:
    """Ten epochs a trial, thirty trials a task."""
    rng = random.Random(0)
    for trial in range(count // 10):
        strategy = space.sample(rng).canonical()
        told, task = candidate_of(strategy).strategy_json, f"t{trial // 30}"
        for epoch in range(1, 11):
            kind = (task, "image", "classification", strategy.backbone, "accuracy", "max")
            yield Record(*kind, rng.random(), told, epoch, 10, float(epoch), trial=str(trial))  # type: ignore[arg-type]


def _bank(directory: Path) -> HeldMemory:
    """What `graft memory export` writes: records, and where they are there scores and tasks."""
    files = [directory / f"{name}.parquet" for name in ("records", "scores", "tasks")]
    return read_memory(files[0], *(path if path.exists() else None for path in files[1:]))


def _rounded(by_k: Mapping[int, float], counts: Sequence[int]) -> list[float]:
    return [round(by_k[count], 3) for count in counts]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--bank", type=Path, required=True, help="directory of records.parquet, scores.parquet, tasks.parquet")
    add("--only", type=lambda text: text.split(","), default=list(FIGURES), help=f"of {','.join(FIGURES)}")
    add("--seeds", type=int, default=5, help="searches of each task (default: 5)")
    add("--half", choices=("all", "choose", "report"), default="all", help="tasks that are searched (default: all)")
    add("--draws", type=int, default=5, help="draws of the other tasks of a thinned memory (default: 5)")
    add("--records", type=int, default=100_000, help="the most of the overhead (default: 100000)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
