"""What a job makes of a cluster, as lines for the terminal."""

from collections.abc import Sequence
from itertools import pairwise

from graft.pipeline.scaling.cluster_plan import ClusterPlan

_BARS = " ▁▂▃▄▅▆▇█"
WIDTH = 40


def describe_on_cluster(plan: ClusterPlan) -> list[str]:
    """The plan as lines; of one that does not fit, its problems."""
    if not plan.fits or plan.bill is None:
        return [f"does not fit: {one}" for one in plan.problems]
    most, end = max(one.total for one in plan.over_time), plan.over_time[-1].seconds
    name = max(len(kind) for kind in ("head", *plan.peak))
    trials = f"{plan.trials} trials, {plan.at_once} at once" + (
        f", until {plan.ended_by} is spent" if plan.ended_by else ""
    )
    lines = [f"asks for   {plan.trial} a trial; {trials}"]
    for kind, peak in plan.peak.items():
        line = sparkline([(one.seconds, one.nodes[kind]) for one in plan.over_time], end, most)
        hours = plan.bill.node_seconds[kind] / 3600
        lines.append(f"nodes      {kind:<{name}} |{line}| {peak:>3} at most, {hours:6.1f} h {_money(plan, kind)}")
    lines.append(f"nodes      {'head':<{name}} |{'─' * WIDTH}|   1 always,  {end / 3600:6.1f} h {_money(plan, 'head')}")
    total = "unknown" if plan.bill.total is None else f"about {plan.bill.total:.2f} {plan.bill.currency}"
    left = f", the last node leaves after {minutes(end)}" if end > plan.seconds else ""
    lines.append(f"ends       after about {minutes(plan.seconds)}{left}")
    lines.append(f"cost       {total}, at the prices of {plan.bill.date}")
    return [*lines, *(f"note       {note}" for note in plan.notes)]


def sparkline(steps: Sequence[tuple[float, int]], end: float, most: int) -> str:
    """A number over time as one line of bars: in each place the most of its stretch of time."""
    edges = [end * place / WIDTH for place in range(WIDTH + 1)]
    bars = []
    for low, high in pairwise(edges):
        before = [value for seconds, value in steps if seconds <= low]
        within = [value for seconds, value in steps if low < seconds < high]
        value = max([*before[-1:], *within], default=0)
        bars.append(_BARS[-(-value * (len(_BARS) - 1) // max(1, most))])
    return "".join(bars)


def minutes(seconds: float) -> str:
    """A length of time in words: ``47 min``, ``2 h 05 min``."""
    whole = round(seconds / 60)
    return f"{whole} min" if whole < 60 else f"{whole // 60} h {whole % 60:02d} min"


def _money(plan: ClusterPlan, kind: str) -> str:
    cost = plan.bill.cost.get(kind, 0.0) if plan.bill else None
    return "no price" if cost is None else f"{cost:8.2f} {plan.bill.currency if plan.bill else ''}"
