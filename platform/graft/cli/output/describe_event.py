"""One line of text for each record of a journal: what happened, to whom, and why."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from graft.cli.output import words
from graft.journal import events
from graft.journal.lines import Line
from graft.spec.metrics import shown


def narrate(line: Line) -> str:
    """What a line records; a record that does not count says so."""
    if line.event is None:
        return "something that this version of graft does not know"
    told = describe(line.event)
    return f"{told}  (does not count: its writer had lost the lease)" if line.is_fenced else told


def describe(event: events.Event) -> str:
    """What an event records."""
    return _story(event) or _plainly(event)


def _story(event: events.Event) -> str:
    match event:
        case events.WriterOpened(token=token, host=host, pid=pid):
            return f"writer {token} opens the journal: pid {pid} on {host}"
        case events.ExperimentStarted(name=name):
            return f"experiment {name} starts"
        case events.ExperimentFinished(status=status, seconds=seconds, detail=detail):
            return _why(f"experiment {status} after {seconds:.1f} s", detail)
        case events.DatasetReady(source=source, counts=counts, quarantine=quarantine, ignored=ignored, dropped=dropped):
            sizes = ", ".join(f"{count} {name}" for name, count in counts.items())
            left_out = [f"{len(quarantine)} unreadable"] if quarantine else []
            left_out += [f"{len(dropped)} left out for what they are"] if dropped else []
            reasons = ", ".join(f"{one['reason']}: {one['count']}" for one in ignored)
            left_out += [f"left out ({reasons})"] if reasons else []
            return _why(f"data {source}: {sizes}", "; ".join(left_out))
        case events.WinnerChosen(trial=trial, reason=reason):
            return _why(f"{trial} wins", reason)
        case events.TrialEstimated(trial=trial, metrics=metrics, seconds=seconds):
            return f"{trial} by folds, in {seconds:.1f} s: {_numbers(metrics)}"
        case events.EnsembleChosen(reason=reason):
            return reason
        case events.Evaluated(metrics=metrics, tta=tta, alone=alone, ms=ms):
            averaged = f"; as the mean over several views: {_numbers(tta)}" if tta else ""
            beside = f"; the winner alone: {_numbers(alone)}; ms a sample: {_numbers(ms)}" if alone else ""
            return f"the final model on the test data: {_numbers(metrics)}{averaged}{beside}"
        case _:
            return _model(event) or _stage(event) or _search(event) or _trial(event)


def _model(event: events.Event) -> str:
    match event:
        case events.MetaModelMade(name=name, role=role, reason=reason):
            return _why(f"meta-model {name} is {role}", reason)
        case events.ModelRegistered(uri=uri):
            return f"registered as {uri}"
    return ""


def _stage(event: events.Event) -> str:
    match event:
        case events.StageStarted(stage=stage, detail=detail):
            return _why(f"stage {stage} starts", detail)
        case events.StageFinished(stage=stage, seconds=seconds, detail=detail):
            return _why(f"stage {stage} done in {seconds:.1f} s", detail)
        case events.StageSkipped(stage=stage, detail=detail):
            return _why(f"stage {stage} skipped", detail)
        case events.StageFailed(stage=stage, seconds=seconds, detail=detail):
            return _why(f"stage {stage} failed after {seconds:.1f} s", detail)
    return ""


def _search(event: events.Event) -> str:
    match event:
        case events.PhaseStarted(phase=phase, scheduler=scheduler, searcher=searcher, epochs=epochs):
            return f"phase {phase + 1} starts: {scheduler} over {searcher}, to epoch {epochs}"
        case events.BackbonesScreened(told=told) | events.RecommendationsMade(told=told):
            return told
        case events.PhaseFinished(phase=phase, trials=trials, best=best, trial=trial, seconds=seconds):
            won = "" if best is None else f"best {shown(best)} of {trial}"
            return _why(f"phase {phase + 1} done in {seconds:.1f} s, {trials} trials", won)
        case events.SearchEnded(by=by, detail=detail):
            return _why(f"search ends by {by}", detail)
        case events.DuplicateSkipped(of=of):
            return f"a strategy is left out: it means the same as that of {of}"
    return _circumstance(event)


def _circumstance(event: events.Event) -> str:
    match event:
        case events.TimeLeftEstimated(seconds=seconds, band=band):
            return f"about {seconds:.0f} ± {band:.0f} s are left"
        case events.ResourcesAwaited(what=what):
            return f"waiting {what}" if what else "waiting is over"
        case events.NodeChanged(text=text):
            return text
        case events.NodesCounted():
            return f"nodes: {words.nodes(event)}"
        case events.RelayEnded(reason=reason, restarts=restarts, is_restarted=is_restarted):
            what = f"is started again ({restarts + 1})" if is_restarted else "is not started again"
            return f"the relay to MLflow {what}: {reason}"
    return ""


def _trial(event: events.Event) -> str:
    match event:
        case events.TrialStarted(trial=trial, label=label, start=start, recommended=why):
            origin = f", from {start[0]} at epoch {start[2]}" if start else ""
            return _why(f"{trial} starts: {label}{origin}", why)
        case events.TrialPlaced(trial=trial, nodes=nodes):
            return f"{trial} is trained on {', '.join(nodes)}"
        case events.TrialReported(trial=trial, epoch=epoch, metrics=metrics, seconds=seconds):
            return f"{trial} epoch {epoch} in {seconds:.1f} s: {_numbers(metrics)}"
        case events.TrialExploited(trial=trial, reason=reason):
            return f"{trial} copies: {reason}"
        case events.TrialNoted(trial=trial, text=text):
            return f"{trial}: {text}"
        case events.TrialRetried(trial=trial):
            return f"{trial} is to be tried again"
        case events.TrialFinished(trial=trial, status=status, epochs=epochs, reason=reason):
            return _why(f"{trial} {status} after {epochs} epochs", reason)
    return ""


def _plainly(event: events.Event) -> str:
    """The kinds that need no words of their own."""
    told = {one.name: getattr(event, one.name) for one in fields(event) if one.name != "time"}
    parts = (f"{name} {_shortly(value)}" for name, value in told.items() if value not in (None, "", (), {}))
    return f"{type(event).__name__}: {', '.join(parts)}"


def _shortly(value: Any) -> str:
    text = _numbers(value) if isinstance(value, Mapping) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= 120 else f"{text[:117]}..."


def _numbers(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in values.items())  # fmt: skip


def _why(told: str, reason: str) -> str:
    return f"{told}: {reason}" if reason else told
