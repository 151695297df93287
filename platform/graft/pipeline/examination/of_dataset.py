"""What was found in a dataset when it was made, with a look at the samples that are in it."""

from collections.abc import Sequence

import numpy as np

from graft.data.dataset import Dataset
from graft.data.examination.finding import Finding
from graft.data.overview import Ignored
from graft.doctor.report import Preview, Report
from graft.modalities.registry import build_modality
from graft.spec.checks.clean import finding_kinds


def report_of(dataset: Dataset, findings: Sequence[Finding], ignored: Sequence[Ignored]) -> Report:
    """The report of a run.

    Args:
        dataset: that was made.
        findings: of its examination, with what the job wants done about them.
        ignored: files that are no samples by their names.
    """
    return Report(
        source=dataset.source,
        modality=dataset.storage.modality,
        task=dataset.task,
        records=sum(dataset.counts.values()) + len(dataset.quarantine) + len(dataset.dropped),
        splits=dataset.counts,
        findings=tuple(findings),
        quarantine=(*dataset.quarantine, *dataset.dropped),
        ignored=tuple(ignored),
        previews=_previews(dataset, names_shown(findings)),
    )


def names_shown(findings: Sequence[Finding]) -> frozenset[str]:
    """Samples that a report may show: those that findings name, and those that they are like."""
    known = finding_kinds()
    shown = (one for one in findings if one.kind in known and known[one.kind].is_shown)
    return frozenset(name for one in shown for name in (*one.examples, *one.twins))


def _previews(dataset: Dataset, names: frozenset[str]) -> dict[str, Preview]:
    ids = dataset.ids if names else ()
    rows = [row for row, name in enumerate(ids) if name in names]
    if not rows:
        return {}
    looks = build_modality(dataset.storage.modality).previews(dataset.columns, np.array(rows, dtype=np.int64))
    return {ids[row]: look for row, look in zip(rows, looks, strict=True)}
