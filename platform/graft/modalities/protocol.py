"""What a modality supplies: listing, storage, decoding, preprocessing, augmentation, preview. One folder for each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from graft.core.errors import Problem
from graft.data.columns import Column, StorageSpec
from graft.data.listing import Decoder, Listing, Progress
from graft.spec.modalities.base import DataSpec, Preprocessing

if TYPE_CHECKING:
    import torch
    from torch import nn

    from graft.data.batch import Batch
    from graft.data.inputs import Augmenter, Inputs
    from graft.models.info import BackboneInfo
    from graft.spec.components.augmentation import Augmentation
    from graft.spec.space.space import StrategySpace
    from graft.spec.strategy import Strategy


@dataclass(frozen=True)
class Readings:
    """What became of the samples that somebody wants predicted.

    Attributes:
        sources: what each is called: a file, ``reviews.csv:12``, or ``#3`` for a value.
        columns: of those that could be read, as a dataset has them.
        errors: why each of the others could not, by position.
    """

    sources: tuple[str, ...]
    columns: Mapping[str, Column]
    errors: Mapping[int, str] = field(default_factory=dict)


Reader = Callable[[Sequence[Any]], Readings]
"""Reads values of a modality (files, bytes, arrays, texts) for prediction, as ingest has read those of training."""


@dataclass(frozen=True)
class Exhibit:
    """A sample as a person looks at it in a browser: a text, or the content of a file that was made anew.

    Attributes:
        text: as it is; None for a file.
        content: of the file.
        media_type: of it.
    """

    text: str | None = None
    content: bytes = b""
    media_type: str = ""


class Modality(Protocol):
    """What a sample is. Stateless."""

    name: str
    signature: Mapping[str, str]
    """Columns of the table that a registered model takes, with MLflow's name of each one's type."""
    forms: str
    """What a sample may be given as in Python, for messages."""
    is_ragged: bool
    """Whether samples differ in length, so that batches should be of like ones."""

    def list(self, spec: DataSpec, progress: Progress | None = None) -> Listing:
        """All samples of a source, nothing decoded.

        Raises:
            DataError: the source cannot be used.
        """

    def storage(self, listing: Listing, space: "StrategySpace") -> StorageSpec:
        """How samples are kept, so that every strategy of a space finds what it needs."""

    def decoder(self, spec: DataSpec, listing: Listing, storage: StorageSpec) -> Decoder:
        """What turns sources into columns; picklable, runs on any machine of the cluster."""

    def size(self, strategy: "Strategy") -> int:
        """How large an input is: the side of a picture, the most tokens of a text."""

    def sized(self, size: int) -> Mapping[str, Any]:
        """The keys of a strategy that ask for a size; the inverse of `size`."""

    def sizes(self, space: "StrategySpace") -> tuple[int, ...]:
        """All sizes that a space may ask for."""

    def stored_numbers(self, info: "BackboneInfo", size: int, cut: int) -> int | None:
        """Numbers that a sample is at a cut, where that is known without running the network; None elsewhere."""

    def notes(
        self, columns: Mapping[str, Column], sizes: Sequence[int], backbones: Sequence["BackboneInfo"]
    ) -> tuple[str, ...]:
        """What a user should know of how the stored samples meet the sizes and the backbones that a space asks for."""

    def preprocessing(self, storage: StorageSpec, strategy: "Strategy", info: "BackboneInfo") -> Preprocessing:
        """From the stored form to what the backbone was trained on; goes into the bundle."""

    def inputs(self, columns: Mapping[str, Column], given: Preprocessing, device: "torch.device") -> "Inputs":
        """Rows to batches."""

    def augmenter(self, spec: "Augmentation", data: DataSpec, given: Preprocessing) -> "Augmenter | None":
        """What changes the samples of training at random; None for nothing.

        Args:
            spec: which.
            data: the job's data section; says what a change may do without changing a label.
            given: of the samples.
        """

    def invariances(self, data: DataSpec) -> Mapping[str, Any]:
        """What may be done to a sample without changing its label, as a data section says; goes into the bundle."""

    def test_views(
        self, count: int, invariances: Mapping[str, Any], given: Preprocessing, directory: Path | None = None
    ) -> Sequence["Augmenter"]:
        """What makes each of so many further views of samples, all of which keep the label; the same for all samples.

        Args:
            count: how many beside the sample itself; there may be fewer.
            invariances: of the data that was trained on.
            given: of the samples.
            directory: of the bundle; None where the backbone is installed.
        """

    def problems(self, space: "StrategySpace") -> Iterator[Problem]:
        """What of a space these samples cannot have, and `graft validate` can tell."""

    def example_batch(self, info: "BackboneInfo", size: int, count: int) -> "Batch":
        """Samples without content, of full size: to measure a network, to trace it."""

    def real_batch(self, given: Any, size: int, count: int) -> "Batch":
        """Samples with content that every installation has, to compare what two networks make of them.

        Args:
            given: the facts about the input of a backbone.
            size: of its inputs.
            count: most samples; there may be fewer.
        """

    def given_to_mapped(self, own: Any, source: Any) -> Any:
        """The facts about the input of a backbone whose weights were mapped from another: those that they know.

        Args:
            own: of the backbone.
            source: of the network the weights were trained in: such facts, or the preprocessing of a bundle.
        """

    def vocabulary(self, given: Any, directory: Path | None = None) -> Mapping[str, int] | None:
        """The numbers of the tokens that a backbone takes; None where samples are no tokens, or nobody knows.

        Args:
            given: the facts about its input, or the preprocessing of a bundle.
            directory: of the bundle.

        Raises:
            ArtifactError: its tokenizer is gone, or another one.
        """

    def suit(self, network: "nn.Module", device: "torch.device") -> None:
        """Replace layers by equivalents that are quicker on a device, in place; names and weights stay."""

    def place(self, network: "nn.Module", device: "torch.device") -> "nn.Module":
        """A network on a device, in the layout it runs fastest in; in place."""

    def bundle_files(self, given: Preprocessing, info: "BackboneInfo") -> Mapping[str, bytes]:
        """What a bundle must hold beside weights and preprocessing, a file a name: a tokenizer."""

    def reader(self, given: Preprocessing, directory: Path) -> Reader:
        """How a bundle in a directory reads what is to be predicted."""

    def sample_of(self, listing: Listing, row: int) -> Any:
        """A row of a listing as the reader takes it; None if it cannot be read."""

    def exhibit(self, sample: Any) -> Exhibit:
        """A sample, as the reader takes it, to look at.

        Raises:
            Unreadable: it cannot be read.
        """

    def is_sample(self, value: Any) -> bool:
        """Whether a value is one sample that the reader takes, not several, and nothing else."""

    def names_file(self, value: Any) -> bool:
        """Whether a sample is the name of a file, so that it may also name a folder or a table."""

    def table_columns(self, preprocessing: Preprocessing) -> tuple[str, ...]:
        """Names that a column of samples may have in a user's table, the likeliest first."""

    def from_table(self, column: Sequence[Any]) -> Sequence[Any]:
        """What a registered model is sent, a cell for each sample, as the reader takes it.

        Raises:
            SpecError: a cell is none that the signature allows.
        """

    def example_row(self, columns: Mapping[str, Column], row: int) -> dict[str, Any]:
        """A stored sample as a row of the table that a registered model takes, plain JSON."""

    def find(self, given: Sequence[str | Path], preprocessing: Preprocessing) -> Sequence[Any]:
        """The samples meant by files, folders and tables on a command line, for a bundle with this preprocessing.

        Raises:
            SpecError: one of them is missing or holds none; all problems at once.
        """

    def previews(self, columns: Mapping[str, Column], rows: np.ndarray) -> Sequence[Any]:
        """Something to look at for each row: uint8 pixels [H, W, C], or a text."""
