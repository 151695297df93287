"""`graft status`: how an experiment stands, from its own files: no Ray, no MLflow."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graft.cli.options import ExperimentArgument, HomeOption, JsonOption
from graft.cli.output.tell import tell, tell_json
from graft.core.storage import Home
from graft.spec.messages.counting import counted

if TYPE_CHECKING:
    from graft.experiments.directory import Experiment
    from graft.experiments.progress import Progress
    from graft.spec.job import Job
    from graft.tracking.relay_files import RelayFiles

_CUT_OFF = ("killed", "interrupted", "failed")


def command(
    experiment: ExperimentArgument = "latest",
    home: HomeOption = None,
    address: Annotated[
        str | None,
        typer.Option("--address", help="Ask the cluster with this dashboard, to which it was submitted."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show how a run or meta-training stands: state, trials, best, time left, budget, writer, tracking, disk use.

    It may be running, on this machine or on another one that shares the home; with --address on a cluster, whose home
    this machine need not see. The answer takes some seconds there: it is a job of its own.

    Example: graft status digits --json

    Example: graft status digits --address http://127.0.0.1:8265
    """
    status = _status_there(address, experiment) if address is not None else _status_here(home, experiment)
    if as_json:
        tell_json(status)
    else:
        tell(*_lines(status))


def _status_here(home: str | None, experiment: str) -> dict[str, Any]:
    from graft.experiments.directory import find_recorded

    return status_of(find_recorded(Home.find(home), experiment))


def _status_there(address: str, experiment: str) -> dict[str, Any]:
    from graft.submit.asking import status_on
    from graft.submit.connection import Cluster
    from graft.submit.endpoint import address_of

    return status_on(Cluster(address_of(address)), experiment)


def status_of(experiment: "Experiment") -> dict[str, Any]:
    """All that `graft status --json` prints.

    Raises:
        ArtifactError: the job or the journal is missing or damaged.
    """
    from graft.experiments.progress import Progress
    from graft.journal.journal import is_being_written

    # Before the journal: a run that ends in between is then seen to have ended.
    is_written = is_being_written(experiment.journal_file)
    job = experiment.job()
    progress = Progress.of(experiment.journal_file, job)
    state = state_of(progress, is_written)
    since = max(0.0, time.time() - progress.now) if state == "running" else 0.0
    return {
        "experiment": experiment.name,
        "kind": experiment.kind.name,
        "state": state,
        "stage": _stage(progress),
        "phase": _phase(progress),
        "trials": _trials(progress, state),
        "best": _best(progress),
        "elapsed_s": round(progress.now + since - progress.started, 1) if progress.started else 0.0,
        "spent_s": round(progress.spent + since, 1),
        "eta": _eta(progress, job) if state == "running" else None,
        "budget": _budget(job, progress),
        "nodes": _nodes(progress),
        "writer": _writer(experiment, is_written),
        "tracking": _tracking(experiment),
        "relay": _relay(experiment),
        "disk": _disk(experiment),
        "last_record": progress.now or None,
        "goes_on_by": experiment.goes_on_by if state in _CUT_OFF else None,
    }


def state_of(progress: "Progress", is_written: bool) -> str:
    """``running``, ``killed`` (it has left no end), or how it ended."""
    if progress.status is not None:
        return str(progress.status)
    return "running" if is_written else "killed"


def _nodes(progress: "Progress") -> dict[str, Any] | None:
    """Of a cluster that grows and shrinks, and what they have cost; None elsewhere."""
    counted = progress.nodes_counted
    if counted is None:
        return None
    seconds = dict(counted.node_seconds)
    return {"now": dict(counted.nodes), "node_seconds": seconds, "cost": counted.cost, "an_hour": counted.an_hour}


def _stage(progress: "Progress") -> str | None:
    """The one that runs, or was the last to."""
    return next(reversed(progress.stages), None)


def _phase(progress: "Progress") -> dict[str, Any] | None:
    if not progress.phases:
        return None
    number = max(progress.phases)
    return {"number": number + 1, "scheduler": progress.phases[number].scheduler}


def _trials(progress: "Progress", state: str) -> dict[str, int]:
    """By how they ended; those that a dead run left open are interrupted."""
    from graft.experiments.progress import RUNNING

    counts, open_ = progress.counts(), sum(trial.status == RUNNING for trial in progress.trials.values())
    if state == "running":
        return {**counts, "running": open_}
    return {**counts, "interrupted": counts["interrupted"] + open_, "running": 0}


def _best(progress: "Progress") -> dict[str, Any] | None:
    best = next((trial for trial in progress.ranked() if trial.best_epoch), None)
    if best is None:
        return None
    return {
        "trial": best.trial,
        "metric": progress.metric.name,
        "score": progress.score(best),
        "interval": progress.interval(best),
        "epoch": best.best_epoch,
        "label": best.best_label,
        "strategy": dict(best.best_strategy),
    }


def _eta(progress: "Progress", job: "Job") -> dict[str, float] | None:
    from graft.experiments.standing.time_left import time_left
    from graft.search.outlook import Outlook

    left = time_left(progress, Outlook.of(job), time.time())
    return None if left is None else {"seconds": round(left.seconds, 1), "band": round(left.band, 1)}


def _budget(job: "Job", progress: "Progress") -> dict[str, Any]:
    ended = progress.search_ended
    return {**job.search.budget.model_dump(mode="json"), "stopped_by": ended.by if ended else None}


def _writer(experiment: "Experiment", is_alive: bool) -> dict[str, Any] | None:
    from graft.journal.journal import find_writer

    holder = find_writer(experiment.journal_file)
    if holder is None:
        return None
    told = {"host": holder.machine.host, "pid": holder.pid, "token": holder.token, "since": holder.since}
    return {**told, "is_alive": is_alive, "is_stopped": is_alive and holder.is_stopped}


def _tracking(experiment: "Experiment") -> dict[str, Any]:
    """How far the relay is; the lag is what of the journal it has not sent yet."""
    from graft.journal.journal import read
    from graft.tracking.relay_files import RelayFiles

    files = RelayFiles(experiment.directory)
    relay = files.read_status()
    times = [event.time for end, event in read(experiment.journal_file) if end > relay.offset]
    return {
        "state": _relay_state(files),
        "message": relay.message,
        "pending": len(times),
        "lag_s": round(max(0.0, time.time() - times[0]), 1) if times else 0.0,
        "refused": relay.refused,
    }


def _relay(experiment: "Experiment") -> dict[str, Any]:
    """The process that brings the records to MLflow: what it does, how many it has not sent yet, how often it died."""
    from graft.journal.events import RelayEnded
    from graft.journal.journal import read
    from graft.tracking.relay_files import RelayFiles

    files = RelayFiles(experiment.directory)
    ends = (event for _, event in read(experiment.journal_file) if isinstance(event, RelayEnded))
    return {
        "state": _relay_state(files),
        "behind": files.behind(experiment.journal_file),
        "restarts": sum(event.is_restarted for event in ends),
    }


def _relay_state(files: "RelayFiles") -> str:
    """As it says itself; but one that was killed or stopped (SIGSTOP), or hangs, can say nothing any more."""
    from graft.journal.locking import holder, is_held
    from graft.tracking.relay_files import RelayState

    if not files.status.exists():
        return "none"
    state = files.read_status().state
    is_at_work = state in (RelayState.FOLLOWING, RelayState.WAITING)
    if is_at_work and not is_held(files.lock):
        return "killed"
    process = holder(files.lock)
    if process is not None and process.is_stopped:
        return "stopped"
    return "hung" if is_at_work and files.is_hung(time.time()) else state.label


def _disk(experiment: "Experiment") -> dict[str, int]:
    parts = {
        "checkpoints": _bytes(experiment.checkpoints),
        "bundle": _bytes(experiment.bundle),
        "journal": _bytes(experiment.journal_file),
    }
    return {**parts, "total": _bytes(experiment.directory)}


def _bytes(path: Path) -> int:
    """Size of a file, or of all in a directory; files may vanish while they are counted."""
    total = 0
    for entry in [path, *path.rglob("*")]:
        try:
            total += entry.lstat().st_size if entry.is_file() else 0
        except OSError:
            continue
    return total


def _lines(status: Mapping[str, Any]) -> list[str]:
    from graft.spec.metrics import shown

    trials, best, writer = status["trials"], status["best"], status["writer"]
    where = status["stage"] or "not begun"
    if status["phase"] and where == "search":
        where += f", phase {status['phase']['number']} ({status['phase']['scheduler']})"
    ends = ", ".join(f"{count} {name}" for name, count in trials.items() if count and name != "total")
    found = [
        ("experiment", status["experiment"]),
        ("state", status["state"]),
        ("stage", where),
        ("trials", f"{trials['total']}" + (f": {ends}" if ends else "")),
        ("best", f"{best['trial']}, {best['metric']} {shown(best['score'])}: {best['label']}" if best else "none yet"),
        ("time", _told_time(status)),
        ("budget", _told_budget(status["budget"])),
        ("writer", _told_writer(writer)),
        ("tracking", _told_tracking(status["tracking"]) + _told_restarts(status["relay"]["restarts"])),
        ("disk", ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in status["disk"].items())),
    ]
    if job := status.get("job"):
        found.append(("job", f"{job['job_id']} is {job['status']}: {job['message']}"))
    lines = [f"{name:<11} {text}" for name, text in found]
    if status["state"] in _CUT_OFF:
        goes_on_by = f"graft jobs resume {status['experiment']}" if job else status["goes_on_by"]
        lines.append(f"next:       {goes_on_by}")
    return lines


def _told_time(status: Mapping[str, Any]) -> str:
    spent, elapsed, eta = status["spent_s"], status["elapsed_s"], status["eta"]
    if status["writer"] and status["writer"]["is_alive"]:
        left = f", {eta['seconds']:.0f} ± {eta['band']:.0f} s left" if eta else ""
        return f"{spent:.0f} s spent, begun {elapsed:.0f} s ago{left}"
    # What has ended goes on counting nothing: its seconds are those between its first and its last record.
    pauses = f", {elapsed:.0f} s from its first to its last record" if elapsed - spent >= 1 else ""
    return f"{spent:.0f} s spent{pauses}"


def _told_budget(budget: Mapping[str, Any]) -> str:
    limits = ", ".join(f"{name} {value:g}" for name, value in budget.items() if value and name != "stopped_by")
    ended = f"; the search ended by {budget['stopped_by']}" if budget["stopped_by"] else ""
    return (limits or "no limit") + ended


def _told_writer(writer: Mapping[str, Any] | None) -> str:
    if writer is None:
        return "none"
    who = f"pid {writer['pid']} on {writer['host']}, writer {writer['token']}"
    if writer["is_stopped"]:
        return f"{who}; it is stopped (Ctrl-Z, SIGSTOP): `kill -CONT {writer['pid']}` lets it go on"
    return who if writer["is_alive"] else f"none; the last was {who}"


def _told_restarts(restarts: int) -> str:
    return f", started again {counted(restarts, 'time')}" if restarts else ""


def _told_tracking(tracking: Mapping[str, Any]) -> str:
    pending = counted(tracking["pending"], "record")
    behind = f", {pending} behind ({tracking['lag_s']:.0f} s)" if tracking["pending"] else ""
    refused = f", {tracking['refused']} refused" if tracking["refused"] else ""
    return f"{tracking['state']}{behind}{refused}" + (f": {tracking['message']}" if tracking["message"] else "")
