"""Copies, bit for bit, of another sample."""

from collections.abc import Iterator

import numpy as np

from graft.data.examination.copies import copy_groups
from graft.data.examination.examined import Examined
from graft.data.examination.extra_copies import extra_copies
from graft.data.examination.found import Found
from graft.spec.checks.samples import CopiesCheck


def exact_groups(examined: Examined) -> np.ndarray:
    """int64 [N], the number of each one's group of equal samples; -1 where no other is equal."""
    return copy_groups(examined.digests)


def copies(spec: CopiesCheck, examined: Examined) -> Iterator[Found]:
    """Every copy but one of each group."""
    groups = examined.derived(spec.groups_by, exact_groups)
    yield from extra_copies("duplicate", examined, groups, "is a copy of {}")
