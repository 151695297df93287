"""Images in NumPy's files, as Keras and MedMNIST publish them: ``x_train``, ``y_train``, …"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import cast

import numpy as np

from graft.core.errors import DataError
from graft.core.storage import canonical_json, text_digest
from graft.data.arrays.npy_files import StoredArray, arrays_in
from graft.data.arrays.roles import ArrayPart, parts_of
from graft.data.contents.made import Made
from graft.data.contents.packed import Texts
from graft.data.contents.parts import StampedFile
from graft.data.decoding.versions import version_of
from graft.data.listing import Listing, Progress
from graft.data.remote.here import Here, file_here
from graft.data.split import UNASSIGNED, code_of
from graft.data.tables.labels import Place, raw_targets
from graft.data.targets import RawTargets
from graft.modalities.image.read import PixelReader
from graft.spec.modalities.image import NumpyData

_CHUNK_ROWS = 1024
_MOST_LABEL_BYTES = 1 << 30


def list_numpy(spec: NumpyData, progress: Progress | None = None) -> Listing:
    """List the images of an archive of arrays, or of a directory of them.

    Raises:
        DataError: a file is damaged or holds Python objects; an array is no images; images and labels differ in number.
    """
    with file_here(spec.path, progress) as here:
        return _listed(spec, here, progress)


def _listed(spec: NumpyData, here: Here, progress: Progress | None) -> Listing:
    parts = parts_of(here.shown, arrays_in(here.path), spec.samples, spec.labels)
    images = [_Images.of(part.samples, spec.max_pixels) for part in parts]
    if len({one.shape for one in images}) > 1:
        shapes = " and ".join(str(list(one.shape)) for one in images)
        raise DataError(f"{spec.path}: the images of its splits are {shapes}, but must have the same size")
    labels = _labels(spec, parts)
    if progress is not None:
        progress(sum(map(len, images)))
    stamps: list[object] = [StampedFile.of(file).to_list() for file in sorted({part.samples.file for part in parts})]
    stamps += [StampedFile.of(file).to_list() for file in sorted({part.labels.file for part in parts})]
    if here.stamp:
        stamps = [here.shown, *here.stamp]
    shape, counts, sources = images[0].shape, list(map(len, images)), _Rows(images)
    named = zip(parts, counts, strict=True)
    return Listing(
        source=f"images in {spec.path}",
        ids=Texts(f"{part.name}/{row}" for part, count in named for row in range(1, count + 1)),
        targets=labels,
        given=np.repeat(np.array([_code(part) for part in parts], dtype=np.uint8), counts),
        identity=text_digest(canonical_json([stamps, [spec.samples, spec.labels, spec.label_names]])),
        sources=sources,
        versions=Made(len(sources), lambda row: version_of(shape, sources[row])),
        reader=PixelReader(shape),
        facts={"channels": 1 if len(shape) == 2 else 3, "native_side": min(shape[:2]), "max_pixels": spec.max_pixels},
    )


@dataclass(frozen=True)
class _Images:
    """An array of images.

    Attributes:
        values: [N, H, W] or [N, H, W, 3], on the disk.
        scale: from its values to those of uint8.
    """

    values: np.ndarray
    scale: float = 1.0

    @classmethod
    def of(cls, stored: StoredArray, max_pixels: int) -> "_Images":
        """The images in a file.

        Raises:
            DataError: it holds something else.
        """
        meant = "but must be [N, H, W], [N, H, W, 1] or [N, H, W, 3]"
        values = stored.open()
        if values.ndim == 4 and values.shape[3] not in (1, 3) and values.shape[1] in (1, 3):
            values = np.moveaxis(values, 1, 3)
        if values.ndim == 4 and values.shape[3] == 1:
            values = values[..., 0]
        if values.ndim not in (3, 4) or (values.ndim == 4 and values.shape[3] != 3) or not values.size:
            raise DataError(f"{stored.told} is {list(stored.shape)}, {meant}; name another array in data.samples")
        if values.shape[1] * values.shape[2] > max_pixels:
            raise DataError(
                f"{stored.told}: an image has {values.shape[1] * values.shape[2]} pixels, more than data.max_pixels "
                f"allows ({max_pixels})"
            )
        return cls(values, _scale(stored.told, values))

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W), or (H, W, 3)."""
        return self.values.shape[1:]

    def __len__(self) -> int:
        return len(self.values)

    def row(self, row: int) -> bytes:
        """The pixels of an image, uint8."""
        values = self.values[row]
        if values.dtype != np.uint8:
            values = np.round(values.astype(np.float64) * self.scale).astype(np.uint8)
        return cast(bytes, values.tobytes())


class _Rows(Sequence[bytes]):
    """Each image's pixels, read when asked for."""

    def __init__(self, images: Sequence[_Images]) -> None:
        self._images = images
        self._ends = np.cumsum([len(one) for one in images])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, row: int) -> bytes:  # type: ignore[override]  # slices are never asked for
        part = int(np.searchsorted(self._ends, row, side="right"))
        return self._images[part].row(row - (int(self._ends[part - 1]) if part else 0))


def _scale(told: str, values: np.ndarray) -> float:
    """What makes the values those of uint8: whole arrays from 0 to 1, or from 0 to 255.

    Raises:
        DataError: their white is not defined.
    """
    if values.dtype == np.uint8:
        return 1.0
    if values.dtype == bool:
        return 255.0
    brightest = 0.0
    for start in range(0, len(values), _CHUNK_ROWS):
        chunk = values[start : start + _CHUNK_ROWS]
        low, high = float(chunk.min()), float(chunk.max())
        if not (low >= 0 and high <= 255):  # also where one is no number
            raise DataError(f"{told} has values from {low:g} to {high:g}, but must have 0 to 1 or 0 to 255; scale them")
        brightest = max(brightest, high)
    return 255.0 if values.dtype.kind == "f" and brightest <= 1 else 1.0


def _labels(spec: NumpyData, parts: Sequence[ArrayPart]) -> RawTargets:
    arrays = [_label_array(part.labels) for part in parts]
    place = Place(PurePath(spec.path).name, spec.labels or "y")
    if len({one.shape[1:] for one in arrays}) > 1 or len({one.dtype.kind for one in arrays}) > 1:
        raise DataError(f"{place}: the labels of its splits are of different shapes or types, but must be alike")
    values = np.concatenate(arrays)
    if values.ndim == 2 and values.dtype.kind in "biuf" and _is_one_hot(values):
        values = values.argmax(axis=1)
    if values.ndim == 2:
        return RawTargets(values.astype(np.float64), columns=tuple(str(number) for number in range(values.shape[1])))
    if values.dtype.kind in "US":
        texts = [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in values.tolist()]
        return raw_targets([(place, texts)])
    names = spec.label_names
    if values.dtype.kind == "f" or (names is None and values.min() < 0):
        return raw_targets([(place, values.astype(np.float64).tolist())])
    present = np.unique(values).tolist()
    if names is not None and not 0 <= present[0] <= present[-1] < len(names):
        raise DataError(
            f"{place} goes from {present[0]} to {present[-1]}, but data.classes names 0 to {len(names) - 1}"
        )
    codes = range(len(names)) if names else present
    return RawTargets(np.searchsorted(codes, values).astype(np.int64), names or tuple(str(one) for one in present))


def _label_array(stored: StoredArray) -> np.ndarray:
    if stored.num_bytes > _MOST_LABEL_BYTES:
        raise DataError(f"{stored.told} has {stored.num_bytes >> 20} MiB, more than any labels; name it in data.labels")
    values = np.array(stored.open())
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2) or not values.size:
        raise DataError(f"{stored.told} is {list(stored.shape)}, but labels must be [N], [N, 1] or [N, K]; name others")
    return values


def _is_one_hot(values: np.ndarray) -> bool:
    return bool(values.shape[1] > 1 and np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all())


def _code(part: ArrayPart) -> int:
    return code_of(part.split) if part.split else UNASSIGNED
