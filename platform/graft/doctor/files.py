"""Keeps what an examination says: a page for people, JSON for programs, the quarantine as tables."""

import csv
import io
from pathlib import Path

from graft.core.escaping import escaped
from graft.core.storage import write_json, write_text
from graft.doctor.page import page
from graft.doctor.report import Report, quarantine_table

PAGE, JSON = "doctor.html", "doctor.json"
QUARANTINE_CSV, QUARANTINE_PARQUET = "quarantine.csv", "quarantine.parquet"
FILES = (PAGE, JSON, QUARANTINE_CSV, QUARANTINE_PARQUET)

_COLUMNS = ("sample", "kind", "reason")
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_beside(report: Report, html: Path) -> None:
    """Write the page where the user wants it, and JSON and the quarantine beside it: ``x.html``, ``x.json``, ``x.csv``.

    Raises:
        ResourceError: the disk is full.
    """
    write_text(html, page(report))
    write_json(html.with_suffix(".json"), report.to_dict())
    write_text(html.with_suffix(".csv"), quarantine_csv(report))


def write_report(report: Report, directory: Path) -> None:
    """Write all of it into a directory.

    Raises:
        ResourceError: the disk is full.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    write_text(directory / PAGE, page(report))
    write_json(directory / JSON, report.to_dict())
    write_text(directory / QUARANTINE_CSV, quarantine_csv(report))
    rows = quarantine_table(report.quarantine)
    table = pa.table({name: pa.array([_whole(row[name]) for row in rows], pa.string()) for name in _COLUMNS})
    pq.write_table(table, directory / QUARANTINE_PARQUET)


def quarantine_csv(report: Report) -> str:
    """The quarantine for a spreadsheet: nothing in it can be a formula, or end a line."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(row[name]) for name in _COLUMNS] for row in quarantine_table(report.quarantine))
    return stream.getvalue()


def _cell(value: str) -> str:
    shown = escaped(value)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def _whole(value: str) -> str:
    """Names of files that are no UTF-8 have halves of characters in them."""
    return value.encode("utf-8", "backslashreplace").decode()
