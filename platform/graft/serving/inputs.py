"""What a user may ask predictions for: image files, folders of images, tables that name images."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd

from graft.core.errors import Problem, SpecError
from graft.data.image_folder import image_files

READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    # As text, because a file may be called 007.
    ".csv": lambda path: pd.read_csv(path, dtype=str),
    ".tsv": lambda path: pd.read_csv(path, dtype=str, sep="\t"),
    ".parquet": pd.read_parquet,
}
IMAGE_COLUMNS = ("image", "path", "file", "filename")


def image_paths(given: Iterable[str | Path]) -> list[Path]:
    """The image files meant by a list of files, folders (searched through) and tables.

    A table is CSV, TSV or Parquet with a column named `image`, `path`, `file` or `filename`; relative names in it are
    relative to the table.

    Raises:
        SpecError: one of them is missing or holds no image; all problems at once.
    """
    found: list[Path] = []
    problems: list[Problem] = []
    for path in map(Path, given):
        try:
            found += _expand(path)
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return found


def _expand(path: Path) -> Iterator[Path]:
    if path.is_dir():
        images = image_files(path)
        if not images:
            raise SpecError(f"{path} holds no image; name a folder that does")
        return iter(images)
    if not path.exists():
        raise SpecError(f"{path} does not exist; name an image, a folder or a table")
    if path.suffix.lower() in READERS:
        return _from_table(path)
    return iter([path])


def _from_table(path: Path) -> Iterator[Path]:
    try:
        table = READERS[path.suffix.lower()](path)
    except (ValueError, OSError) as error:
        raise SpecError(f"{path} cannot be read as a table ({str(error).splitlines()[0]})") from error
    column = next((name for name in IMAGE_COLUMNS if name in table.columns), None)
    if column is None:
        there, wanted = ", ".join(map(str, table.columns)), ", ".join(IMAGE_COLUMNS)
        raise SpecError(f"{path} has the columns {there}, but needs one of {wanted}")
    empty = [row for row, name in enumerate(table[column], start=1) if pd.isna(name)]
    if empty:
        raise SpecError(
            f"{path}: `{column}` is empty in row {empty[0]}, but must name an image; fill it or drop the row"
        )
    return (path.parent / str(name) for name in table[column])
