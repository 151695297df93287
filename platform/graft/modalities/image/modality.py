"""Images: grids of pixels."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from graft.core.errors import Problem
from graft.data.columns import Column, Ragged, StorageSpec
from graft.data.listing import Decoder, Listing, Progress, list_samples
from graft.data.read import Unreadable
from graft.modalities.image.info import PIXELS
from graft.modalities.image.read import FileReader
from graft.modalities.image.serving import (
    IMAGE_COLUMNS,
    CellImage,
    ImageReader,
    decode_cell,
    encode_cell,
    exhibit_of,
    find_images,
)
from graft.modalities.image.storage import COLUMNS, ImageDecoder, StoredImages, shown
from graft.modalities.protocol import Exhibit, Reader
from graft.models.info import BackboneInfo
from graft.models.load import check_backbone, size_problem
from graft.spec.components.augmentation import Augmentation
from graft.spec.modalities.base import DataSpec, Preprocessing
from graft.spec.modalities.image import (
    DEFAULT_ASPECT,
    DEFAULT_MAX_PIXELS,
    DEFAULT_RESOLUTION,
    ImageModality,
    ImagePreprocessing,
)
from graft.spec.registry import build
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

# Planning asks a modality too, and takes no torch: it is imported by what needs it.
if TYPE_CHECKING:
    import torch
    from torch import nn

    from graft.data.batch import Batch
    from graft.data.inputs import Augmenter, Inputs


class Images:
    """The modality of images."""

    name = "image"
    signature: Mapping[str, str] = {"image": "string"}
    forms = "the name of a file, encoded bytes, a PIL image, or a uint8 array [H, W], [H, W, 1] or [H, W, 3]"
    is_ragged = False

    def __init__(self, spec: ImageModality) -> None:
        self.spec = spec

    def list(self, spec: DataSpec, progress: Progress | None = None) -> Listing:
        """All images of a source."""
        return list_samples(spec, progress)

    def storage(self, listing: Listing, space: StrategySpace) -> StorageSpec:
        """As large as the largest resolution of the space, in all its aspects, grey if the source is."""
        facts = listing.facts
        asked_for = {aspect or DEFAULT_ASPECT for aspect in space.values("aspect")}
        return StoredImages(
            stored_size=max(self.sizes(space)),
            channels=facts.get("channels", 3),
            max_pixels=facts.get("max_pixels", DEFAULT_MAX_PIXELS),
            column=facts.get("column"),
            encoding=facts.get("encoding", "utf-8"),
            aspects=tuple(aspect for aspect in COLUMNS if aspect in asked_for),
        ).spec()

    def decoder(self, spec: DataSpec, listing: Listing, storage: StorageSpec) -> Decoder:
        """Decodes and squares."""
        return ImageDecoder(listing.reader, StoredImages.from_spec(storage))

    def size(self, strategy: Strategy) -> int:
        """Side of the square that the backbone sees, in pixels."""
        return int(getattr(strategy, "resolution", None) or DEFAULT_RESOLUTION)

    def sized(self, size: int) -> Mapping[str, Any]:
        """The resolution."""
        return {"resolution": size}

    def sizes(self, space: StrategySpace) -> tuple[int, ...]:
        """All resolutions."""
        return tuple(side or DEFAULT_RESOLUTION for side in space.values("resolution"))

    def stored_numbers(self, info: BackboneInfo, size: int, cut: int) -> int | None:
        """Only a forward pass tells how large the maps of a network are."""
        return None

    def notes(
        self, columns: Mapping[str, Column], sizes: Sequence[int], backbones: Sequence[BackboneInfo]
    ) -> tuple[str, ...]:
        """Nothing is lost but detail."""
        return ()

    def preprocessing(self, storage: StorageSpec, strategy: Strategy, info: BackboneInfo) -> Preprocessing:
        """From the stored square to what the backbone was trained on."""
        from graft.modalities.image.transforms import preprocessing_of

        aspect = getattr(strategy, "aspect", None) or DEFAULT_ASPECT
        return preprocessing_of(StoredImages.from_spec(storage), self.size(strategy), info.input, aspect)

    def inputs(self, columns: Mapping[str, Column], given: Preprocessing, device: "torch.device") -> "Inputs":
        """Rows to batches of pixels."""
        from graft.modalities.image.transforms import image_inputs

        assert isinstance(given, ImagePreprocessing)
        return image_inputs(columns, given, device)

    def augmenter(self, spec: Augmentation, data: DataSpec, given: Preprocessing) -> "Augmenter | None":
        """What changes images at random."""
        if spec.num_views == 0:
            return None
        augmenter: Augmenter = build(spec, data)
        return augmenter

    def invariances(self, data: DataSpec) -> Mapping[str, Any]:
        """Which mirror images keep the label."""
        return {"flip": getattr(data, "flip", "none")}

    def test_views(
        self, count: int, invariances: Mapping[str, Any], given: Preprocessing, directory: Path | None = None
    ) -> Sequence["Augmenter"]:
        """Mirror images where these keep the label, and small shifts."""
        from graft.modalities.image.augment.shifted import shifted_views

        return shifted_views(invariances.get("flip", "none"), count)

    def problems(self, space: StrategySpace) -> Iterator[Problem]:
        """A resolution that a network cannot take."""
        for name in space.values("backbone"):
            if check_backbone(name, weights=False) is not None:
                continue  # said elsewhere
            for side in dict.fromkeys(self.sizes(space)):
                if told := size_problem(name, side):
                    yield Problem("strategy.resolution", told)

    def example_batch(self, info: BackboneInfo, size: int, count: int) -> "Batch":
        """Images that are grey all over."""
        import torch

        from graft.data.batch import Batch

        return Batch({PIXELS: torch.zeros(count, 3, size, size).contiguous(memory_format=torch.channels_last)})

    def real_batch(self, given: Any, size: int, count: int) -> "Batch":
        """Pieces of the two photos that scikit-learn comes with."""
        from graft.modalities.image.backbones.photos import photo_batch

        return photo_batch(given, size, count)

    def given_to_mapped(self, own: Any, source: Any) -> Any:
        """Colours as the weights know them; the size is the network's own."""
        return replace(own, mean=source.mean, std=source.std, interpolation=source.interpolation)

    def vocabulary(self, given: Any, directory: Path | None = None) -> Mapping[str, int] | None:
        """Pictures are no tokens."""
        return None

    def suit(self, network: "nn.Module", device: "torch.device") -> None:
        """Convolutions over maps smaller than their kernels are products and sums on a CPU."""
        if device.type == "cpu":
            from graft.modalities.image.backbones.small_maps import suit_small_maps

            suit_small_maps(network)

    def place(self, network: "nn.Module", device: "torch.device") -> "nn.Module":
        """In the layout that convolutions run fastest in.

        Measured with EfficientNet-Lite0 at 32 px on one CPU thread: training steps 2.8 and evaluation 3.9 times as fast
        as in the default layout. Values are the same.
        """
        import torch

        return network.to(device=device).to(memory_format=torch.channels_last)

    def bundle_files(self, given: Preprocessing, info: BackboneInfo) -> Mapping[str, bytes]:
        """None: the preprocessing says it all."""
        return {}

    def reader(self, given: Preprocessing, directory: Path) -> Reader:
        """Reads files, bytes, pictures and arrays."""
        assert isinstance(given, ImagePreprocessing)
        return ImageReader(StoredImages.of(given))

    def sample_of(self, listing: Listing, row: int) -> Any:
        """The name of its file, or its pixels."""
        source = listing.sources[row]
        if isinstance(listing.reader, FileReader):
            return Path(os.fsdecode(source))
        try:
            return listing.reader(source, 0).pixels
        except Unreadable:
            return None

    def exhibit(self, sample: Any) -> Exhibit:
        """As a PNG of its pixels."""
        return exhibit_of(sample, DEFAULT_MAX_PIXELS)

    def is_sample(self, value: Any) -> bool:
        """Names of files, encoded bytes, pictures, and arrays that may be one; the reader looks closer."""
        if isinstance(value, np.ndarray):
            return 1 <= value.ndim <= 3 and value.dtype.kind not in "OUST"
        return isinstance(value, str | Path | bytes | Image.Image | CellImage)

    def names_file(self, value: Any) -> bool:
        """Any text or path."""
        return isinstance(value, str | Path)

    def table_columns(self, preprocessing: Preprocessing) -> tuple[str, ...]:
        """That of the training table, or as in any table that names files."""
        assert isinstance(preprocessing, ImagePreprocessing)
        return tuple(dict.fromkeys(name for name in (preprocessing.image_column, *IMAGE_COLUMNS) if name))

    def from_table(self, column: Sequence[Any]) -> Sequence[bytes]:
        """Encoded images in base64."""
        return [decode_cell(row, cell) for row, cell in enumerate(column)]

    def example_row(self, columns: Mapping[str, Column], row: int) -> dict[str, Any]:
        """The stored square, as PNG in base64."""
        return {"image": encode_cell(self.previews(columns, np.array([row]))[0])}

    def find(self, given: Sequence[str | Path], preprocessing: Preprocessing) -> Sequence[Path | CellImage]:
        """Image files, folders of them, and tables that name or hold them."""
        assert isinstance(preprocessing, ImagePreprocessing)
        return find_images(given, preprocessing.image_column, preprocessing.encoding)

    def previews(self, columns: Mapping[str, Column], rows: np.ndarray) -> Sequence[Any]:
        """The stored squares; where there are several of an image, those that show the most of it."""
        images = shown(columns)
        assert not isinstance(images, Ragged)
        return [images[int(row)] for row in rows]
