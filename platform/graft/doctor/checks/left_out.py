"""Samples that the decoder refused, by what it says is wrong with them."""

from collections import defaultdict
from collections.abc import Iterator

from graft.data.dataset import Quarantined
from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.spec.checks.clean import finding_kinds
from graft.spec.checks.samples import LeftOutCheck


def left_out(spec: LeftOutCheck, examined: Examined) -> Iterator[Found]:
    """All that is in quarantine because it could not be read, by kind."""
    known = {kind.name for kind in spec.finds}
    others = finding_kinds(examined.modality).keys() - known  # told by checks of their own
    by_kind: defaultdict[str, list[Quarantined]] = defaultdict(list)
    for one in sorted(examined.left_out, key=lambda one: one.path):
        if one.kind not in others:
            by_kind[one.kind if one.kind in known else "unreadable"].append(one)
    for kind, refused in sorted(by_kind.items()):
        yield Found(kind, subjects=tuple(one.path for one in refused), detail=f"{refused[0].path} {refused[0].reason}")
