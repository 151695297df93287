"""Directories of IDX files, as MNIST and the sets that took its place are published."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from graft.core.errors import DataError
from graft.core.storage import canonical_json, text_digest
from graft.data.contents.made import Made
from graft.data.dataset import Split
from graft.data.decoding.versions import version_of
from graft.data.folders.paths import require_directory
from graft.data.listing import Listing, Progress
from graft.data.remote.here import Here, files_here
from graft.data.split import UNASSIGNED
from graft.data.targets import RawTargets
from graft.modalities.image.read import PixelReader
from graft.modalities.image.sources.idx_file import (
    FILES,
    IMAGES,
    LABELS,
    brings_test,
    check_known,
    label_names,
    read_idx_bytes,
    require_idx,
)
from graft.spec.modalities.image import IdxData


@dataclass(frozen=True)
class _Part:
    """The images and labels of one half of the set ("train" or "t10k")."""

    name: str
    files: tuple[Path, Path]
    images: np.ndarray
    labels: np.ndarray


def list_idx(spec: IdxData, progress: Progress | None = None) -> Listing:
    """List a directory of ``{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]``.

    The t10k pair is the test set; without it, one is drawn.

    Raises:
        DataError: a file is missing, damaged, or says another size than it has; images and labels differ in number; a
            label has no class, or a class no image.
    """
    with files_here(spec.path, FILES, progress) as here:
        return _list(spec, here, progress)


def _list(spec: IdxData, here: Here, progress: Progress | None) -> Listing:
    directory = require_directory(here.path)
    train = _read_part(directory, "train", spec.max_pixels)
    parts = [train]
    if brings_test(directory):
        parts.append(_read_part(directory, "t10k", spec.max_pixels))
    if len({part.images.shape[1:] for part in parts}) > 1:
        sizes = " and ".join(f"{part.images.shape[2]} x {part.images.shape[1]}" for part in parts)
        raise DataError(f"{directory}: training and test images have {sizes} pixels, but must have the same size")
    names, codes = label_names(spec, np.unique(train.labels).tolist())
    labels = np.concatenate([_encode(part, codes) for part in parts])
    images = np.concatenate([part.images for part in parts])
    if progress is not None:
        progress(len(images))
    return Listing(
        source=f"IDX files in {here.shown}",
        ids=tuple(f"{part.name}/{index}" for part in parts for index in range(len(part.labels))),
        targets=RawTargets(labels, names),
        given=np.concatenate([np.full(len(p.labels), _given(p.name), dtype=np.uint8) for p in parts]),
        identity=_identity(here, parts, names),
        sources=_Rows(images),
        versions=Made(len(images), lambda row: version_of(images.shape[1:], images[row].tobytes())),
        reader=PixelReader(images.shape[1:]),
        facts={"channels": 1, "native_side": min(images.shape[1:]), "max_pixels": spec.max_pixels},
    )


def read_idx(path: Path, num_dimensions: int) -> np.ndarray:
    """Read one IDX file of unsigned bytes, gzipped or not.

    Returns:
        uint8, of as many dimensions as asked for.

    Raises:
        DataError: it is no such file, or its header says another size than it has.
    """
    shape, values = read_idx_bytes(path, num_dimensions)
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


class _Rows(Sequence[bytes]):
    """Each image's raw bytes, made when asked for: 70,000 small objects are not kept."""

    def __init__(self, images: np.ndarray) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, row: int) -> bytes:  # type: ignore[override]  # slices are never asked for
        return cast(bytes, self._images[row].tobytes())


def _read_part(directory: Path, name: str, max_pixels: int) -> _Part:
    files = (require_idx(directory, IMAGES.format(name)), require_idx(directory, LABELS.format(name)))
    images, labels = read_idx(files[0], 3), read_idx(files[1], 1)
    if len(images) != len(labels):
        raise DataError(
            f"{files[0]} has {len(images)} images, but {files[1].name} has {len(labels)} labels; fetch both again"
        )
    if images.size == 0:
        raise DataError(f"{files[0]} has no images of at least one pixel (its size is {images.shape}); fetch it again")
    if images[0].size > max_pixels:
        raise DataError(
            f"{files[0]}: an image has {images[0].size} pixels, more than data.max_pixels allows ({max_pixels})"
        )
    return _Part(name, files, images, labels)


def _encode(part: _Part, codes: Sequence[int]) -> np.ndarray:
    check_known(part.files[1], np.unique(part.labels).tolist(), codes)
    return np.searchsorted(codes, part.labels).astype(np.int64)


def _given(name: str) -> int:
    return int(Split.TEST) if name == "t10k" else UNASSIGNED


def _identity(here: Here, parts: Sequence[_Part], names: tuple[str, ...]) -> str:
    if here.stamp:
        return text_digest(canonical_json([here.shown, here.stamp, names]))
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for part in parts for path in part.files]
    return text_digest(canonical_json([str(parts[0].files[0].parent), stats, names]))
