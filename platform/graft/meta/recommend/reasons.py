"""Why a candidate is recommended, in a line."""

from collections.abc import Mapping, Sequence

from graft.meta.recommend.kernel import Fields
from graft.meta.recommend.normalise import below_best, standardised
from graft.meta.recommend.outcomes import Candidate, TaskOutcomes
from graft.meta.recommend.pool import read_strategy
from graft.meta.recommend.table import Similarity

# Tasks that are looked at, the most alike first.
MOST_TASKS = 20
# Backbones that are ranked by a score must be more than this.
_FEWEST_RANKED = 2
# What is this far from the best, in units of `below_best`, has done well.
_WELL = -0.25


class Reasons:
    """Finds the earlier task that speaks for a candidate, and what the scores say of its backbone.

    Args:
        task: the new one.
        outcomes: of the earlier ones.
        scores: name of the score -> backbone -> its value on the new task.
        similarity: of tasks.
        titles: what people call the tasks.
        varied: keys of a strategy that are worth telling.
    """

    def __init__(
        self,
        task: str,
        outcomes: Sequence[TaskOutcomes],
        scores: Mapping[str, Mapping[str, float]],
        similarity: Similarity,
        titles: Mapping[str, str] | None = None,
        varied: Sequence[str] = (),
    ) -> None:
        order = sorted(outcomes, key=lambda one: -similarity(task, one.task))[:MOST_TASKS]
        self._tasks = [(one, below_best({at: out.value for at, out in one.outcomes.items()})) for one in order]
        self._scores, self._titles, self._varied = scores, titles or {}, varied
        self._likeness = {one.task: similarity(task, one.task) for one in outcomes}

    def of(self, candidate: Candidate, pool: Sequence[Candidate]) -> str:
        """In a line: ``like task pets (0.83), where … won; logme 2nd of 6``; of what is new, that it is.

        Args:
            candidate: one of the pool.
            pool: all that were compared.
        """
        told = [self._of_task(candidate), self._of_scores(candidate, pool)]
        untried = f"no earlier task has tried {candidate.backbone}, so there is most to learn of it"
        return "; ".join(part for part in told if part) or untried

    def _of_task(self, candidate: Candidate) -> str:
        best: tuple[float, str] | None = None
        for task, losses in self._tasks:
            found = _nearest(candidate, losses)
            if found is None:
                continue
            at, apart = found
            worth = losses[at] - 0.5 * apart + self._likeness[task.task]
            if best is None or worth > best[0]:
                best = (worth, self._sentence(task, at, losses[at]))
        return best[1] if best else ""

    def _sentence(self, task: TaskOutcomes, at: Candidate, loss: float) -> str:
        name = self._titles.get(task.task) or task.task
        likeness = self._likeness[task.task]
        like = f"like task {name} ({likeness:.2f} alike)" if likeness > 0 else f"task {name}"
        strategy = read_strategy(at)
        what = strategy.label(self._varied) if strategy else at.backbone
        if loss >= 0:
            return f"{like}, where {what} won among {len(task.outcomes)}"
        did = "was near the best" if loss >= _WELL else "was the nearest that was tried"
        return f"{like}, where {what} {did} of {len(task.outcomes)}"

    def _of_scores(self, candidate: Candidate, pool: Sequence[Candidate]) -> str:
        """The place of its backbone: by a score, or by the mean of several."""
        backbones = {one.backbone for one in pool}
        worth: dict[str, list[float]] = {}
        names = [name for name in self._scores if "@" not in name]
        for name in names:
            known = {backbone: value for backbone, value in self._scores[name].items() if backbone in backbones}
            for backbone, value in standardised(known).items():
                worth.setdefault(backbone, []).append(value)
        if candidate.backbone not in worth or len(worth) < _FEWEST_RANKED:
            return ""
        means = {backbone: sum(values) / len(values) for backbone, values in worth.items()}
        rank = 1 + sum(value > means[candidate.backbone] for value in means.values())
        return f"{names[0] if len(names) == 1 else 'screening'} {ordinal(rank)} of {len(means)}"


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``11th``."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _nearest(candidate: Candidate, losses: Mapping[Candidate, float]) -> tuple[Candidate, float] | None:
    """The candidate of a task that is most like one, and how far they are apart, of one backbone alone."""
    alike = [at for at in losses if at.backbone == candidate.backbone]
    if not alike:
        return None
    apart = Fields((candidate, *(at for at in alike if at != candidate))).distance([candidate], alike)[0]
    place = min(range(len(alike)), key=lambda one: (apart[one], -losses[alike[one]], alike[one]))
    return alike[place], float(apart[place])
