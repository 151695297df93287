"""What a kind of finding says of itself, and what looks for it."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from graft.spec.base import Component

Action = Literal["drop", "fix", "keep", "fail"]
"""What is done with the samples of a finding.

``drop`` leaves them out, each with a row in the quarantine table; ``fix`` repairs them, or where they lie; ``keep``
only tells; ``fail`` ends the run with an error that names the finding.
"""
Severity = Literal["info", "warning", "error"]
"""``error`` makes scores wrong or loses samples, ``warning`` may cost accuracy, ``info`` is worth a look."""


@dataclass(frozen=True)
class FindingKind:
    """One kind of finding.

    Attributes:
        name: as `data.clean` and ``graft doctor --json`` have it.
        meaning: what it is, in a sentence.
        severity: how bad it is.
        action: what is done if `data.clean` does not say.
        actions: what `data.clean` may say.
        told: what such a sample is, to fit behind its name ("is empty").
        is_shown: whether reports may show such samples; not where they hold what nobody should read.
        one_stays: whether, of samples that are alike, one must stay when the others are dropped.
    """

    name: str
    meaning: str
    severity: Severity = "warning"
    action: Action = "keep"
    actions: tuple[Action, ...] = ("keep", "fail")
    told: str = ""
    is_shown: bool = True
    one_stays: bool = False


class CheckSpec(Component):
    """What looks for some kinds of findings.

    Its implementation is called with the spec and what has been examined (`graft.data.examination.examined.Examined`),
    and yields a `graft.data.examination.finding.Found` for each kind that it finds. It is pure.

    Attributes:
        finds: kinds that it may find.
        modality: the only one whose samples it looks at; None for all.
        groups_by: ``module:function`` that gives the groups of near copies of what has been examined, int64 [N], -1 for
            a sample without any; members of a group are kept on one side of a split. Empty if it knows of none.
        costly: whether it takes much longer than reading: ``graft doctor`` always makes it, the ingest of a run only if
            `data.clean` names a kind that it may find.
    """

    finds: ClassVar[tuple[FindingKind, ...]] = ()
    modality: ClassVar[str | None] = None
    groups_by: ClassVar[str] = ""
    costly: ClassVar[bool] = False
