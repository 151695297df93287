"""The ensemble of the fit stage: which trials answer with the winner, and the weights of each.

Candidates are compared as the search has left them, on the validation rows that they have not seen. Those chosen are
then fitted as the winner is, on all rows, as long as there is time; one without answers with its weights of the search.
Whoever is killed in between finds what is fitted already, and chooses the same again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from graft.core.errors import ArtifactError
from graft.core.storage import read_json, write_json
from graft.core.stores.copy import is_there
from graft.core.stores.home_path import located
from graft.data.dataset import Dataset
from graft.experiments.progress import TrialProgress
from graft.experiments.standing.candidates import candidates_of
from graft.journal import events
from graft.learner.checkpoints import CheckpointStore
from graft.learner.ensemble.choice import choose_members
from graft.learner.ensemble.members import Member
from graft.pipeline.context import RunContext
from graft.pipeline.stages.fit import fitting_of
from graft.pipeline.stages.runner import Output
from graft.spec.metrics import shown
from graft.workers.remote import run_remote

FITTED = "fitted.json"
"""What the fit of a member has said, beside its weights: there once it is done."""


@dataclass(frozen=True)
class Ensembling:
    """The ensemble of one winner."""

    run: RunContext
    dataset: Dataset
    winner: TrialProgress

    def fit(self) -> Output:
        """Fit the winner, and whoever answers with it.

        Returns:
            The output of the winner's fit; `ensemble` holds what was chosen, with the weights of each member.
        """
        fitted = self._fitted(self.winner)
        if self.run.job.training.fit.most_members < 2 or self.run.experiment.replay_file.exists():
            return fitted
        chosen = self._choose()
        reason = _reason(chosen, self.run.job.objective.name)
        shares = {one["trial"]: one["share"] for one in chosen["members"]}
        told = events.EnsembleChosen(shares, chosen["is_kept"], chosen.get("score"), chosen.get("alone"), reason)
        self.run.journal.append(told)
        if chosen["is_kept"]:
            chosen = {**chosen, "members": [self._member(one, fitted) for one in chosen["members"]]}
        return {**fitted, "summary": f"{fitted['summary']}; {reason}", "ensemble": {**chosen, "reason": reason}}

    def _choose(self) -> dict[str, Any]:
        found = [Member(model, trial=trial) for trial, model in self._candidates()]
        most = self.run.run_clock.affordable_members(self.dataset)
        if most < 2 or len(found) < 2 or found[0].trial != self.winner.trial:
            return {"is_kept": False, "members": [], "candidates": len(found), "has_time": most > 1}
        allocation = self.run.run_clock.allocation
        threads, gpus = allocation.all_threads, allocation.gpus_per_worker
        return run_remote(choose_members, found, most, threads, num_cpus=threads, num_gpus=gpus)

    def _candidates(self) -> Iterator[tuple[str, Any]]:
        store, progress = CheckpointStore(self.run.experiment.checkpoints), self.run.progress
        for trial in candidates_of(progress, self.winner):
            weights = store.best_weights(trial.trial, progress.metric, progress.score(trial))
            if weights is not None:
                yield trial.trial, self.run.final_model(self.dataset, trial, weights)

    def _member(self, chosen: Mapping[str, Any], winner: Output) -> dict[str, Any]:
        trial = self.run.progress.trials[chosen["trial"]]
        judged = CheckpointStore(self.run.experiment.checkpoints).best_file(trial.trial)
        fitted = winner if trial is self.winner else self._fitted(trial)
        told = {"label": trial.best_label, "weights": fitted["weights"], "judged": str(judged)}
        return {**chosen, **told, "fitted": fitted["summary"]}

    def _fitted(self, trial: TrialProgress) -> Output:
        """The output of a trial's fit, once it is done in any run."""
        is_winner = trial is self.winner
        place = self.run.experiment.final if is_winner else self.run.experiment.final / trial.trial
        fitting = fitting_of(self.run, self.dataset, trial, place)
        if not is_winner:  # an average of weights is the winner's alone
            plain = self.run.job.training.fit.model_copy(update={"soup": "none"})
            training = self.run.job.training.model_copy(update={"fit": plain})
            fitting = replace(fitting, job=self.run.job.model_copy(update={"training": training}))
        if (before := _left(place, trial.trial)) is not None:
            return before
        done = fitting.run()
        if self.run.job.training.fit.most_members > 1:
            write_json(place / FITTED, {"trial": trial.trial, "output": done})
        return done


def members_of(run: RunContext, dataset: Dataset, winner: TrialProgress, fitted: Output) -> tuple[Member, ...]:
    """The final model, by the output of the fit stage: the winner first."""
    return _members(run, dataset, winner, fitted, "weights") or (
        Member(run.final_model(dataset, winner, located(fitted["weights"])), trial=winner.trial),
    )


def judged_members(run: RunContext, dataset: Dataset, winner: TrialProgress, fitted: Output) -> tuple[Member, ...]:
    """The same as the search has left them, which have not seen the validation rows; none if weights are not there."""
    if found := _members(run, dataset, winner, fitted, "judged"):
        return found if all(is_there(one.model.weights) for one in found) else ()
    store, progress = CheckpointStore(run.experiment.checkpoints), run.progress
    left = store.best_weights(winner.trial, progress.metric, progress.score(winner))
    return (Member(run.final_model(dataset, winner, left), trial=winner.trial),) if left else ()


def are_there(fitted: Output) -> bool:
    """Whether all weights are there that an output of the fit stage names."""
    return all(is_there(located(path)) for path in (fitted["weights"], *(one["weights"] for one in _kept(fitted))))


def _members(
    run: RunContext, dataset: Dataset, winner: TrialProgress, fitted: Output, which: str
) -> tuple[Member, ...]:
    found = []
    for one in _kept(fitted):
        model = run.final_model(dataset, run.progress.trials[one["trial"]], located(one[which]))
        found.append(Member(model, one["share"], one["facts"], one["trial"]))
    return tuple(found)


def _kept(fitted: Output) -> list[dict[str, Any]]:
    ensemble = fitted.get("ensemble")
    return ensemble["members"] if ensemble and ensemble["is_kept"] else []


def _left(place: Path, trial: str) -> Output | None:
    """What a fit has said in an earlier run; None if its weights are not there any more."""
    try:
        found = read_json(place / FITTED)
        output: Output = found["output"]
        is_kept = found["trial"] == trial and is_there(located(output["weights"]))
    except (ArtifactError, KeyError, TypeError):
        return None
    return output if is_kept else None


def _reason(chosen: Mapping[str, Any], metric: str) -> str:
    """What became of the ensemble, in one line."""
    members = ", ".join(f"{one['trial']} {one['share']:.2f}" for one in chosen["members"])
    if not chosen.get("has_time", True):
        return "no ensemble: there is no time to score one"
    if not chosen["members"]:
        return "no ensemble: too few trials whose weights are kept, or too few validation samples"
    if len(chosen["members"]) == 1:
        return f"no ensemble: of {chosen['candidates']} candidates, the winner alone was selected"
    lower = f"loss lower by {chosen['gain']:.3g}, standard error {chosen['error']:.2g}"
    gain = f"{lower}, expected gain {chosen['expected']:.0%} of it"
    told = f"validation {metric} {shown(chosen['score'])}, {shown(chosen['alone'])} of the winner alone, {gain}"
    if not chosen["is_kept"]:
        return f"no ensemble: that of {members} is not worth the time it takes ({told})"
    return f"ensemble of {members}: {told}"
