"""docs/doctor.md says of every kind of finding what the registry says."""

from pathlib import Path

from graft.spec.checks.clean import checks, finding_kinds

BEGIN, END = "<!-- kinds -->\n", "<!-- /kinds -->"


def table() -> str:
    """The table of all kinds; what a failing test wants to see in the page."""
    rows = ["| kind | severity | usually | may be | for | what it is |", "|---|---|---|---|---|---|"]
    for kind in finding_kinds().values():
        only = {one.modality for one in checks().values() if kind.name in {found.name for found in one.finds}}
        whose = "all" if None in only else ", ".join(f"{name}s" for name in sorted(filter(None, only)))
        actions = ", ".join(kind.actions)
        rows.append(f"| `{kind.name}` | {kind.severity} | {kind.action} | {actions} | {whose} | {kind.meaning} |")
    return "\n".join(rows) + "\n"


def test_the_page_lists_every_kind(repository: Path) -> None:
    page = (repository / "docs" / "doctor.md").read_text()
    assert page.partition(BEGIN)[2].partition(END)[0] == table(), f"put this into docs/doctor.md:\n{table()}"
