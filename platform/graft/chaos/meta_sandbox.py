"""Where a fault is injected into a meta-search: the classes of the job's data are what tasks are drawn from."""

import secrets
from functools import cached_property
from pathlib import Path

import yaml

from graft.chaos.checks import Facts
from graft.chaos.counting import count
from graft.chaos.environment.child import Child
from graft.chaos.environment.processes import sweep
from graft.chaos.sandbox import Sandbox
from graft.chaos.small_job import meta_search_of
from graft.experiments.directory import META_TRAINING, TRAININGS, Experiment
from graft.spec.load import load_job
from graft.tracking.target import target_of

_SWEEP_S = 15.0


class MetaSandbox(Sandbox):
    """One meta-search, and what is done to it. The same command goes on with one that was cut off."""

    @cached_property
    def name(self) -> str:
        """Of the meta-search: another one of the same name and job would be the same one."""
        return f"chaos-{secrets.token_hex(4)}"

    @property
    def found(self) -> Experiment | None:
        """The directory of the meta-search, once it is there."""
        place = self.home.meta_models / self.name / TRAININGS
        there = sorted(place.iterdir()) if place.is_dir() else []
        return Experiment(there[0], META_TRAINING) if there else None

    def run(self, *overrides: str) -> Child:
        """Start `graft meta-train`; with overrides beside those of the sandbox."""
        sets = [part for one in (*self.overrides, *overrides, f"name={self.name}") for part in ("--set", one)]
        return self._child("meta-train", str(self._job_file), "--json", *sets)

    def resume(self, *options: str) -> Child:
        """Start it again."""
        return self.run()

    def settle(self) -> None:
        """Wait until the processes of the search have ended; it has brought its records to MLflow itself."""
        sweep(self._mark, _SWEEP_S)

    def facts(self) -> Facts:
        """What has come out.

        Raises:
            Broken: there is no winner.
        """
        target = target_of(self.home, self.experiment.job())
        return Facts.of_meta_search(self.records, count(target, self.experiment.directory))

    @property
    def _job_file(self) -> Path:
        file = self.context.root / "meta_search.yaml"
        if not file.exists():
            file.write_text(yaml.safe_dump(meta_search_of(load_job(self.context.job_file)), sort_keys=False))
        return file
