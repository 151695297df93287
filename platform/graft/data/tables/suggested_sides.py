"""Which columns of a table may say the group or the time of a sample, by name and values. Pure; they are only told."""

import re
from collections.abc import Collection, Mapping, Sequence

from graft.data.tables.column_facts import ColumnFacts

_FEWEST = 3
"""Different values: fewer can be divided into no three splits."""
_GROUP = re.compile(
    r"(patient|subject|participant|person|user|author|artist|speaker|writer|customer|client|household|family|owner|"
    r"device|camera|sensor|session|scene|site|hospital|clinic|group)([ _.-]?(id|ids|name|nr|no|number|key|uuid))?"
)
_TIME = re.compile(
    r"((date|time)[ _.-]?(captured|taken|created|published|recorded)?|day|month|year|timestamp|datetime|"
    r"(created|taken|published|recorded|captured|updated|posted)([ _.-]?(at|on|date|time))?|"
    r"(created|recording|event|visit|order|exam|study|scan|review)[ _.-]?(date|time|day|year))"
)


def suggested_sides(columns: Sequence[ColumnFacts], taken: Collection[str]) -> Mapping[str, str]:
    """Columns that may be `group` and `time`, by these keys; the first of each.

    Args:
        columns: of the table.
        taken: those that have another role.
    """
    free = [one for one in columns if one.name not in taken and one.distinct >= _FEWEST]
    found = {
        "group": next((one.name for one in free if _may_be_group(one)), None),
        "time": next((one.name for one in free if _may_be_time(one)), None),
    }
    return {role: name for role, name in found.items() if name is not None}


def _may_be_group(column: ColumnFacts) -> bool:
    """Named like one, and a value belongs to two rows on the average."""
    is_plain = column.form == "words" or (column.form == "numbers" and column.whole)
    return bool(_GROUP.fullmatch(_plain(column.name))) and is_plain and 2 * column.distinct <= column.present


def _may_be_time(column: ColumnFacts) -> bool:
    """Named like one, with a date or a number in every row."""
    is_time = column.form in ("numbers", "other") or (column.form == "words" and column.coded >= 0.5)
    return bool(_TIME.fullmatch(_plain(column.name))) and is_time and not column.missing


def _plain(name: str) -> str:
    """``patientID`` and ``Patient ID`` as ``patient_id``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip()).lower()
