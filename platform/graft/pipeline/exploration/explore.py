"""An exploration as a process that may be killed: what was answered is in its journal, and is not asked again."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graft.core.storage import Home, write_text
from graft.core.stores.copy import publish_tree
from graft.exploration.explorer import Ask, Explorer, Stop, Terms
from graft.exploration.head import HeadFit
from graft.exploration.vectors import unit_vectors
from graft.journal.explorations import (
    ExplorationStarted,
    ExplorationStopped,
    LabelGiven,
    LabelWithdrawn,
    SamplesProposed,
)
from graft.journal.journal import Journal, journal_path, read
from graft.models.bundle import is_whole
from graft.pipeline.exploration.backbone import OnProgress
from graft.pipeline.exploration.explored import WANTED, Explored
from graft.pipeline.exploration.kept_pool import digest_of, kept_pool
from graft.pipeline.exploration.model import write_model
from graft.pipeline.exploration.pool import Pool
from graft.pipeline.exploration.settings import Settings, require_same
from graft.pipeline.exploration.sources import LabelSource, Question, TakeBack
from graft.pipeline.exploration.standing import Standing
from graft.pipeline.exploration.start import started
from graft.spec.registry import build

OnStanding = Callable[[Standing], None]


class Exploration:
    """The exploration of a name, begun or gone on with; close it.

    Args:
        home: where it is kept.
        name: of it.
        pool: the samples.
        settings: as it was begun with, if it was.
        on_read: told how many samples of how many are read.

    Raises:
        SpecError: it was begun with other settings.
        DataError: no sample can be read; or what was kept of them is gone, and they are not the same any more.
            `run` raises it, too, where a sample that it asks about is not what it was.
        ResourceError: another process goes on with it.
    """

    def __init__(self, home: Home, name: str, pool: Pool, settings: Settings, on_read: OnProgress) -> None:
        self.directory, self.asked, self.settings = home.explorations / name, pool, settings
        path = journal_path(self.directory)
        self._journal = Journal(path)
        try:
            require_same(path, pool, settings)
            begun = started(path)
            self.pool = kept_pool(self.directory / "pool", pool, begun, on_read)
            if contents := self.pool.contents:
                self.asked = replace(pool, contents=dict(zip(self.pool.ids, contents, strict=True)))
            self._rows = {one: row for row, one in enumerate(self.pool.ids)}
            self._vectors = unit_vectors(self.pool.features)
            if begun is None:
                self._journal.append(self._started(name))
        except BaseException:
            self._journal.close()
            raise

    def __enter__(self) -> "Exploration":
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()

    def run(self, source: LabelSource, on_standing: OnStanding) -> Explored:
        """Ask until enough is known, nothing is left, or nobody answers."""
        explorer = self._replayed(source.repeats)
        on_standing(Standing.of(explorer))
        while isinstance(found := explorer.next(), Ask):
            if not explorer.is_asking:
                self._journal.append(SamplesProposed(self._names(found.rows), found.role, found.why))
            explorer.proposed(found)
            is_answered = self._ask(explorer, found, source)
            on_standing(Standing.of(explorer))
            open_ones = explorer.next()
            if not is_answered and explorer.is_asking and isinstance(open_ones, Ask):
                return self._waiting(explorer, open_ones)
        return self._stopped(explorer, found)

    def _ask(self, explorer: Explorer, ask: Ask, source: LabelSource) -> bool:
        """Whether whoever labels goes on; not so if an answer is not to be had now."""
        is_answered = True
        for row in ask.rows:
            name, last = self.pool.ids[row], explorer.revocable
            self.asked.require_unchanged(name)
            answer = source.ask(Question(name, ask.why, self.pool.ids[last[0]] if last else None))
            if isinstance(answer, TakeBack):
                self._take_back(explorer, source.by)
                return True
            if answer is None and source.repeats:
                return False
            if answer is None:
                is_answered = False
                continue
            self._journal.append(LabelGiven(name, answer.label, ask.role, source.by, ask.why))
            explorer.record(row, answer.label, ask.role)
        return is_answered

    def _take_back(self, explorer: Explorer, by: str) -> None:
        if last := explorer.revocable:
            self._journal.append(LabelWithdrawn(self.pool.ids[last[0]], last[1], by))
            explorer.withdraw()

    def _replayed(self, repeats: bool) -> Explorer:
        settings = self.settings
        terms = Terms(settings.requirement, settings.budget, settings.seed, repeats)
        fit, proposer = HeadFit.of(self.pool.features), build(settings.proposer)
        explorer = Explorer(self._vectors, terms, proposer, fit, settings.proposer.kind)
        for _, event in read(self._journal.path):
            if isinstance(event, SamplesProposed):
                rows = tuple(self._rows[name] for name in event.samples)
                explorer.proposed(Ask(rows, event.role, event.why))  # type: ignore[arg-type]
            elif isinstance(event, LabelGiven):
                explorer.record(self._rows[event.sample], event.label, event.role)  # type: ignore[arg-type]
            elif isinstance(event, LabelWithdrawn):
                explorer.withdraw()
        return explorer

    def _waiting(self, explorer: Explorer, ask: Ask) -> Explored:
        wanted = self._names(ask.rows)
        table = io.StringIO()
        csv.writer(table).writerows([("id", "label", "why"), *((one, "", ask.why) for one in wanted)])
        write_text(self.directory / "wanted.csv", table.getvalue())
        told = f"{len(wanted)} samples are to be labelled: {self.directory / 'wanted.csv'}"
        return self._explored(explorer, WANTED, told, wanted=wanted)

    def _stopped(self, explorer: Explorer, stop: Stop) -> Explored:
        bundle = None
        (self.directory / "wanted.csv").unlink(missing_ok=True)
        labels = explorer.labels.everything()
        *_, newest = (event for _, event in read(self._journal.path))
        is_told = isinstance(newest, ExplorationStopped)
        if len(set(labels.values())) > 1:
            bundle = self.directory / "bundle"
            pool = self.asked
            if not (is_told and is_whole(bundle)):
                write_model(bundle, pool.name, pool.embedding, self.pool.features, labels)
                publish_tree(bundle)
        found = self._explored(explorer, stop.by, stop.detail, bundle)
        if not is_told:
            self._journal.append(ExplorationStopped(stop.by, stop.detail, found.standing.to_dict()))
        return found

    def _explored(
        self, explorer: Explorer, by: str, detail: str, bundle: Path | None = None, wanted: tuple[str, ...] = ()
    ) -> Explored:
        standing, left_out = Standing.of(explorer), self.pool.left_out
        return Explored(self.directory, by, detail, standing, bundle, wanted, left_out, explorer.labels, self._init)

    @property
    def _init(self) -> dict[str, Any]:
        return self.asked.embedding.strategy.init.model_dump(mode="json")

    def _names(self, rows: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.pool.ids[row] for row in rows)

    def _started(self, name: str) -> ExplorationStarted:
        pool = self.asked
        init = self._init if pool.meta_model else {}
        told = self.settings.to_dict(pool.embedding)
        ids = self.pool.ids
        return ExplorationStarted(
            name,
            pool.source,
            len(ids),
            told,
            asked=pool.meta_model,
            init=init,
            ids=digest_of(ids),
            contents=digest_of(self.pool.contents),
        )
