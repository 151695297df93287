"""Scheduler, searcher and exporter."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graft.search.protocol import CheckpointEpochs, GoOn, Stop
from graft.search.searchers.random import RandomSearch
from graft_flowers.specs import FirstDraws, ListingExporter


class EvenOnlyScheduler:
    def __init__(self, context: Any) -> None:
        self.checkpoints = CheckpointEpochs()

    def add(self, proposal: Any) -> None:
        pass

    def report(self, report: Any) -> Any:
        is_odd = int(report.trial[1:]) % 2 == 1
        return Stop("its number is odd", report.epoch) if is_odd else GoOn()

    def remove(self, trial: str) -> None:
        pass

    def settle(self, no_more: bool) -> Mapping[str, Any]:
        return {}


class FirstDrawsSearch(RandomSearch):
    def __init__(self, spec: FirstDraws, space: Any, metric: Any, seed: int) -> None:
        super().__init__(spec, space, metric, seed)


class FileListing:
    def __init__(self, spec: ListingExporter, bundle: Path) -> None:
        self._bundle = bundle

    def __call__(self, target: Path) -> Path:
        target.mkdir(parents=True)
        (target / "files.txt").write_text("\n".join(sorted(path.name for path in self._bundle.iterdir())))
        return target
