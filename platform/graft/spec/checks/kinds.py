"""The kinds of findings, and what is usually done about them; docs/doctor.md has them as a table."""

from graft.spec.checks.base import FindingKind

UNREADABLE = FindingKind(
    "unreadable",
    "A sample that cannot be read: missing, empty, truncated, damaged, of another format. `data.max_unreadable` "
    "bounds how many there may be.",
    severity="error",
    action="drop",
    actions=("drop", "fail"),
    told="cannot be read",
)
BOMB = FindingKind(
    "bomb",
    "A sample that would take absurdly much memory once it is decoded: its own header says so, and nothing is decoded.",
    severity="error",
    action="drop",
    actions=("drop", "fail"),
    told="is larger than any sample should be",
)
DUPLICATE = FindingKind(
    "duplicate",
    "A sample that is, bit for bit, a copy of another one in the same split.",
    actions=("drop", "keep", "fail"),
    told="is a copy of another one",
)
SPLIT_LEAK = FindingKind(
    "split_leak",
    "A sample that has a copy or a near copy in a split that comes after its own: test samples are trained on. `fix` "
    "brings both to one side where graft has drawn the splits.",
    severity="error",
    action="fix",
    actions=("drop", "fix", "keep", "fail"),
    told="has a copy in another split",
)
