"""Predictions as a file: CSV, Parquet, or a line of JSON each."""

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graft.core.errors import SpecError
from graft.core.storage import disk_full_is_clear, write_text

if TYPE_CHECKING:
    import pandas as pd

    from graft.serving.prediction import Prediction
    from graft.serving.predictor import Predictor

Writer = Callable[["Predictor", Sequence["Prediction"], Path, bool], None]


def writer_for(path: Path, given: Sequence[Path]) -> Writer:
    """What writes predictions to a file of this name; asked before anything expensive starts.

    Args:
        path: of the file; one that is there is replaced.
        given: what is to be predicted; none of it may be replaced.

    Raises:
        SpecError: its suffix is none of ours, its directory does not exist or cannot be written to, or it is one.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        suffix = f"the suffix {path.suffix}" if path.suffix else "no suffix"
        raise SpecError(f"--output is {path}, which has {suffix}, but must end in {', '.join(WRITERS)}")
    if path.is_dir():
        raise SpecError(f"--output is {path}, which is a directory; name a file in it")
    if any(path.resolve() == one.resolve() for one in given):
        raise SpecError(f"--output is {path}, which is to be predicted and would be lost; choose another file")
    parent = path.absolute().parent
    if not parent.is_dir():
        raise SpecError(f"--output is {path}, but {parent} does not exist; make it first, or choose another")
    if not os.access(parent, os.W_OK):
        raise SpecError(f"--output is {path}, but {parent} cannot be written to; choose another")
    return writer


def _write_csv(predictor: "Predictor", found: Sequence["Prediction"], path: Path, probabilities: bool) -> None:
    write_text(path, _frame(predictor, found, probabilities).to_csv(index=False))


def _write_json_lines(predictor: "Predictor", found: Sequence["Prediction"], path: Path, probabilities: bool) -> None:
    rows = [one.to_dict() for one in found]
    if not probabilities:
        rows = [{name: value for name, value in row.items() if name != "probabilities"} for row in rows]
    # In ASCII: names of files may hold bytes that are no UTF-8.
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def _write_parquet(predictor: "Predictor", found: Sequence["Prediction"], path: Path, probabilities: bool) -> None:
    frame = _frame(predictor, found, probabilities)
    # A column without any value has a type, too.
    frame["error"] = frame["error"].astype("string")
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.absolute().parent) as scratch:
        part = Path(scratch, "part")
        with disk_full_is_clear(path):
            frame.to_parquet(part, index=False)
        os.replace(part, path)


def _frame(predictor: "Predictor", found: Sequence["Prediction"], probabilities: bool) -> "pd.DataFrame":
    frame = predictor.frame_of(found, probabilities)
    # Names of files may hold bytes that are no UTF-8.
    frame["source"] = [str(one).encode("utf-8", "backslashreplace").decode() for one in frame["source"]]
    return frame


WRITERS: dict[str, Writer] = {".csv": _write_csv, ".parquet": _write_parquet, ".jsonl": _write_json_lines}
