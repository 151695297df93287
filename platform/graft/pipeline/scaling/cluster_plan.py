"""`graft plan JOB --cluster FILE`: nodes over time, what they cost, and whether the job fits; nothing is contacted."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from graft.clusters.autoscaling.bill import Bill, NodeCount, bill, nodes_over_time
from graft.clusters.autoscaling.fitting import gang_violations, storage_violations
from graft.clusters.autoscaling.fleet import Fleet
from graft.clusters.autoscaling.gang import Gang
from graft.clusters.node_types import ClusterNodes
from graft.clusters.prices import Prices
from graft.clusters.violation import Violation
from graft.pipeline.scaling.asked import Asked, asked_of, wished, wished_fit
from graft.pipeline.scaling.played_search import Played, Spent, Times, play_search
from graft.spec.job import Job

# Seconds of reading the data, and of scoring and exporting the model: assumptions, as nothing of either is known yet.
DATA_SECONDS, SCORING_SECONDS = 60.0, 60.0
ASSUMED_EPOCH_SECONDS = 60.0


@dataclass(frozen=True)
class ClusterPlan:
    """What a job makes of a cluster.

    Attributes:
        problems: why it does not fit; then all that follows is empty.
        over_time: nodes of each kind, at each change; the last is that all idle ones have left.
        seconds: from the first task to the model.
        trials: that were played.
        trial: what one asks for, in words.
        at_once: trials at the same time, at most.
        epoch_seconds: what an epoch is taken to last.
        bill: what it costs.
        notes: what else the user should know.
        ended_by: the limit of the budget that ends the search; empty if its trials do.
    """

    problems: tuple[Violation, ...]
    over_time: tuple[NodeCount, ...] = ()
    seconds: float = 0.0
    trials: int = 0
    trial: str = ""
    at_once: int = 0
    epoch_seconds: float = 0.0
    bill: Bill | None = None
    notes: tuple[str, ...] = ()
    ended_by: str = ""

    @property
    def fits(self) -> bool:
        return not self.problems

    @property
    def peak(self) -> dict[str, int]:
        """The most nodes of each kind at once."""
        kinds = self.over_time[0].nodes if self.over_time else {}
        return {kind: max(one.nodes[kind] for one in self.over_time) for kind in kinds}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        cost: dict[str, Any] | None = None
        if self.bill is not None:
            cost = {"total": self.bill.total, "by_node_type": self.bill.cost, "currency": self.bill.currency}
            cost |= {"prices_of": self.bill.date, "node_seconds": self.bill.node_seconds}
        return {
            "fits": self.fits,
            "problems": [asdict(one) for one in self.problems],
            "nodes_over_time": [asdict(one) for one in self.over_time],
            "cost": cost,
            "seconds": round(self.seconds, 1),
            "trials": self.trials,
            "trials_at_once": self.at_once,
            "epoch_seconds": self.epoch_seconds,
            "ended_by": self.ended_by or None,
            "notes": list(self.notes),
        }


def make_cluster_plan(
    job: Job, cluster: ClusterNodes, prices: Prices, epoch_seconds: float | None = None
) -> ClusterPlan:
    """Play a job on a cluster.

    Args:
        job: the job.
        cluster: the nodes there may be.
        prices: of the nodes.
        epoch_seconds: how long a trial trains an epoch; assumed if left out.
    """
    if problems := problems_of(job, cluster):
        return ClusterPlan(problems)
    prices = prices.with_nodes(job.resources.price.node_hour)
    asked = asked_of(job, cluster)
    each = epoch_seconds or ASSUMED_EPOCH_SECONDS
    fleet = Fleet(cluster, asked.trial, prices.startup_seconds, job.search.budget.nodes)
    ready = _alone(fleet, "data", asked.data, 0.0, DATA_SECONDS)
    fit = _fit_seconds(job, asked, each)
    times = Times(ready, each, fit + SCORING_SECONDS)
    played = play_search(job, fleet, asked, times, _spent(fleet, cluster, prices))
    done = _finished(fleet, asked, fit, played)
    left = fleet.end(done) if cluster.is_elastic else done
    paid = bill(fleet.nodes, cluster, prices, left)
    over_time = nodes_over_time(fleet.nodes, (one.name for one in cluster.workers), left)
    return ClusterPlan(
        (),
        tuple(over_time),
        done,
        played.trials,
        str(asked.trial),
        asked.trials_at_once,
        each,
        paid,
        tuple(_notes(cluster, prices, paid, epoch_seconds)),
        played.ended_by,
    )


def problems_of(job: Job, cluster: ClusterNodes) -> tuple[Violation, ...]:
    """Why a job can never run as a whole on a cluster; empty if it can."""
    most = job.search.budget.nodes
    allowed = cluster if most is None else replace(cluster, most=min(most, cluster.most))
    trial = tuple(gang_violations(wished(job), allowed, "resources"))
    is_fitted = job.training.final_on != "train" and not trial
    fit = tuple(gang_violations(wished_fit(job), allowed, "training.fit")) if is_fitted else ()
    return (*trial, *fit, *storage_violations(cluster))


def _alone(fleet: Fleet, name: str, gang: Gang, now: float, seconds: float) -> float:
    """One task from when it finds room to its end; returns that."""
    fleet.ask(name, now, gang)
    while name not in fleet.placed(now):
        now = fleet.next_change()
    fleet.leave(name, now + seconds)
    return now + seconds


def _fit_seconds(job: Job, asked: Asked, each: float) -> float:
    """The fit trains all epochs; so many times as fast as a trial as it has workers for each of a trial's."""
    return 0.0 if job.training.final_on == "train" else job.epochs * each * asked.trial.workers / asked.fit.workers


def _finished(fleet: Fleet, asked: Asked, fit: float, played: Played) -> float:
    """When the model is there."""
    now = _alone(fleet, "fit", asked.fit, played.end, fit) if fit else played.end
    return _alone(fleet, "scoring", asked.data, now, SCORING_SECONDS)


def _spent(fleet: Fleet, cluster: ClusterNodes, prices: Prices) -> Spent:
    """What has been paid up to a moment; None where a price is missing."""
    return lambda now: bill(fleet.nodes, cluster, prices, now).total


def _notes(cluster: ClusterNodes, prices: Prices, paid: Bill, epoch_seconds: float | None) -> list[str]:
    found = []
    if epoch_seconds is None:
        told = f"an epoch is taken to last {ASSUMED_EPOCH_SECONDS:g} s, which nobody has measured; say --epoch-seconds"
        found.append(told)
    kinds = (cluster.head, *cluster.workers)
    found += [prices.missing(one) for one in kinds if one.name in paid.cost and paid.cost[one.name] is None]
    if not cluster.is_elastic:
        found.append("machines of your own stay: nothing comes or goes")
    return found
