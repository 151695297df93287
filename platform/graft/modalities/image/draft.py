"""What a directory of images may be, and what suits the images that are in it."""

import io
import os
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from graft.core.errors import DataError
from graft.data.contents.parts import Contents
from graft.data.draft import Draft, Wish
from graft.data.folders.paths import printable
from graft.data.remote.address import is_remote_source
from graft.modalities.image.file_names import IMAGE_FILES
from graft.modalities.image.sources.image_folder import image_files
from graft.spec.modalities.image import IdxData

Item = TypeVar("Item")

_LOOKED_AT = 40
_MISSING_ALLOWED = 0.1
_LOOKED_THROUGH = 100_000
# The resolution is a power of two that half of the images do not fall short of by much.
_SIDES = ((40, 32), (90, 64))


def draft_folder(path: Path, wish: Wish) -> Draft | None:
    """A directory of images in folders that name their classes, and not in a table that lies beside them."""
    from graft.modalities.image.sources.drafts import draft_metadata

    if not path.is_dir() or (wish.kind is None and draft_metadata(path, wish) is not None):
        return None
    files = [file for file in image_files(path).files if file.suffix]
    if not files:
        return None
    return Draft("image_folder", path, len(files), {"flip": "horizontal"}, fitted_to_files(files))


def draft_idx(path: Path, wish: Wish) -> Draft | None:
    """A directory of IDX files, as MNIST is published.

    Raises:
        DataError: one is damaged.
    """
    if not path.is_dir() or not any(path.glob("train-images-idx3-ubyte*")):
        return None
    from graft.modalities.image.sources.idx import list_idx

    return Draft("idx", path, len(list_idx(IdxData(path=path))))


def is_named_as_sample(name: str) -> bool:
    """Whether a text ends as the names of images do."""
    return bool(os.path.splitext(name)[1]) and IMAGE_FILES.includes(name)


def require_files(files: Sequence[Path], named: Sequence[str], where: str, directory: Path) -> None:
    """Check that the files which a table names are there.

    Args:
        files: that are meant.
        named: what each is called in the table.
        where: the column, for people.
        directory: of the table.

    Raises:
        DataError: more than a tenth of them are not.
    """
    some = list(zip(_some(files, 200), _some(named, 200), strict=True))
    missing = [(file, name) for file, name in some if not file.is_file()]
    if len(missing) > _MISSING_ALLOWED * len(some):
        file, name = missing[0]
        shown = printable(name.strip())
        if is_remote_source(name.strip().encode()):
            raise DataError(
                f"{where} names `{shown}`, which lies in a store, but files of this machine are looked at here; write "
                "a job with `data: {kind: table, …}` for it (docs/remote.md), and give that to graft"
            )
        count = f", as {len(missing)} of {len(some)} are not" if len(missing) < len(some) else ""
        raise DataError(
            f"{where} names `{shown}`, which is not there{count}, but paths must start at the table's directory "
            f"{directory}; {_elsewhere(file, directory)}"
        )


def fitted_to_files(files: Sequence[Path]) -> Mapping[str, Any]:
    """Keys of `strategy` for the sizes that some of the files have."""
    sides = [side for file in _some(files, _LOOKED_AT) if (side := _short_side(file))]
    if not sides:
        return {}
    return fitted_to_side(statistics.median(sides))


def fitted_to_contents(contents: Contents, sources: Sequence[Any]) -> Mapping[str, Any]:
    """The same for images that lie in a table.

    Args:
        contents: reads them.
        sources: their places, or their texts.

    Raises:
        DataError: none of those that are looked at is an image.
    """
    sides = []
    for source in sources[:: max(1, len(sources) // _LOOKED_AT)][:_LOOKED_AT]:
        try:
            content = contents(source if isinstance(source, bytes) else str(source).encode())
            with Image.open(io.BytesIO(content)) as found:
                sides.append(min(found.size))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # ingest will name it
            continue
    if not sides and len(sources):
        raise DataError("the column of bytes holds no images that can be opened, but must; name another with --sample")
    return fitted_to_side(statistics.median(sides)) if sides else {}


def fitted_to_side(typical: float) -> Mapping[str, Any]:
    """Keys of `strategy` for images whose shorter side has so many pixels."""
    return {"resolution": next((wanted for below, wanted in _SIDES if typical <= below), 128)}


def _some(files: Sequence[Item], count: int) -> Sequence[Item]:
    return files[:: max(1, len(files) // count)][:count]


def _short_side(file: Path) -> int:
    """Pixels of the shorter side, as the header says; 0 where there is none: ingest will name the file."""
    if not file.is_file():  # opening a pipe would wait for ever
        return 0
    try:
        with Image.open(file) as found:
            return min(found.size)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0


def _elsewhere(missing: Path, directory: Path) -> str:
    folders = sorted(one for one in directory.iterdir() if one.is_dir() and (one / missing.name).is_file())
    if folders:
        return f"write `{folders[0].name}/{missing.name}` in its place, and so in every row"
    if near := _called_nearly(missing):
        return f"there is `{printable(near)}` in its place: write names as they are, with suffix and case"
    return "correct the column, or move the table to them"


def _called_nearly(missing: Path) -> str:
    """A file that differs from the one that is meant in its suffix, or in case; empty if there is none."""
    wanted = missing.stem.casefold()
    with suppress(OSError):
        for name in islice(os.listdir(missing.parent), _LOOKED_THROUGH):
            if os.path.splitext(name)[0].casefold() == wanted and IMAGE_FILES.includes(name):
                return name
    return ""
