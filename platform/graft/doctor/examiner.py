"""Runs every check over decoded data, and decides by `data.clean` what is done about what they find."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from graft.data.examination.examined import Examined
from graft.data.examination.finding import Finding
from graft.data.examination.found import Dropped, Examination, Found
from graft.doctor.checks.split_leak import all_groups
from graft.spec.checks.base import Action, FindingKind
from graft.spec.checks.clean import checks, decided, finding_kinds, is_asked_for
from graft.spec.checks.kinds import SPLIT_LEAK
from graft.spec.checks.parameters import Parameters, check_of
from graft.spec.registry import build

EXAMPLES = 10
"""Names of samples that a finding has."""

_SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True)
class Doctor:
    """Examines data.

    Attributes:
        clean: `data.clean` of the job.
        thorough: whether checks are made that take much longer than reading; else those that `clean` asks for.
        checks: `data.checks` of the job.
    """

    clean: Mapping[str, Action] = field(default_factory=dict)
    thorough: bool = False
    checks: Parameters = field(default_factory=dict)

    def examine(self, examined: Examined) -> Examination:
        """Run all checks that fit the samples."""
        if self.checks:
            examined = replace(examined, checks=self.checks, _derived={})
        known, dropped, splits = finding_kinds(), dict[int, Dropped](), examined.splits
        found = [*found_by_kind(examined, None if self.thorough else self.clean)]
        for one in found:
            action = decided(self.clean, known[one.kind])
            if action == "drop":
                _drop(one, known[one.kind], dropped)
            elif action == "fix" and one.splits is not None:
                splits = one.splits
        findings = sorted((self._finding(examined, one) for one in found), key=_worst_first)
        are_kept_together = decided(self.clean, SPLIT_LEAK) == "fix"
        return Examination(tuple(findings), dropped, splits, all_groups(examined) if are_kept_together else None)

    def decided(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """Findings of an earlier examination, with what this job wants done about them."""
        known = finding_kinds()
        return tuple(
            replace(one, action=decided(self.clean, known[one.kind])) if one.kind in known else one for one in findings
        )

    def _finding(self, examined: Examined, found: Found) -> Finding:
        kind = finding_kinds()[found.kind]
        rows: list[int] = found.rows[: max(0, EXAMPLES - len(found.subjects))].tolist()
        subjects = found.subjects[:EXAMPLES]
        return Finding(
            kind=kind.name,
            severity=kind.severity,
            count=found.count,
            examples=(*subjects, *(examined.ids[row] for row in rows)),
            action=decided(self.clean, kind),
            detail=found.detail,
            reasons=(*("" for _ in subjects), *(found.reasons.get(row, "") for row in rows)),
            twins=(*("" for _ in subjects), *(_name(examined, found.twins.get(row)) for row in rows)),
        )


def _drop(found: Found, kind: FindingKind, dropped: dict[int, Dropped]) -> None:
    for row in found.rows.tolist():
        is_last = kind.one_stays and found.twins.get(row) in dropped
        if not is_last:
            dropped.setdefault(row, Dropped(found.kind, found.reasons.get(row) or kind.told))


def found_by_kind(examined: Examined, clean: Mapping[str, Action] | None = None) -> Iterator[Found]:
    """What the checks that fit the samples find, each kind once, by name.

    Args:
        examined: the samples.
        clean: if given, costly checks are left out unless it asks for them.

    Raises:
        ValueError: a check finds a kind that it has not announced.
    """
    found: dict[str, Found] = {}
    fitting = [name for name, one in checks().items() if one.modality in (None, examined.modality)]
    made = (check_of(name, examined.checks) for name in fitting)
    for spec in (one for one in made if clean is None or is_asked_for(one, clean)):
        for one in build(spec, examined):
            if one.kind not in {kind.name for kind in spec.finds}:
                raise ValueError(f"check {type(spec).__name__} finds {one.kind}, which is not among what it `finds`")
            if one.count:
                found[one.kind] = _both(found[one.kind], one) if one.kind in found else one
    yield from (found[kind] for kind in sorted(found))


def _both(first: Found, second: Found) -> Found:
    """What two checks have found of one kind."""
    return Found(
        first.kind,
        np.union1d(first.rows, second.rows).astype(np.int64),
        (*first.subjects, *second.subjects),
        "; ".join(filter(None, (first.detail, second.detail))),
        {**second.reasons, **first.reasons},
        {**second.twins, **first.twins},
        first.splits if second.splits is None else second.splits,
    )


def _name(examined: Examined, row: int | None) -> str:
    return "" if row is None else examined.ids[row]


def _worst_first(finding: Finding) -> tuple[int, str]:
    return _SEVERITIES.index(finding.severity), finding.kind
