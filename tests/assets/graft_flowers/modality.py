"""Measurements as a modality, and Fisher's irises as a source of them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from graft.core.errors import SpecError
from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.data.columns import Column, ColumnSpec, StorageSpec
from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.data.listing import DecodedBlock, Listing, Progress, list_samples
from graft.data.split import UNASSIGNED
from graft.data.targets import RawTargets
from graft.modalities.protocol import Exhibit, Readings
from graft.spec.registry import build
from graft_flowers.specs import Flowers, Jitter, Measurements, Scaling, Withered

NUMBERS = "numbers"


def list_flowers(spec: Flowers, progress: Progress | None = None) -> Listing:
    from sklearn.datasets import load_iris

    irises = load_iris()
    rows = irises.data.astype(np.float32)
    return Listing(
        source="irises",
        ids=tuple(f"iris {index}" for index in range(len(rows))),
        targets=RawTargets(irises.target.astype(np.int64), tuple(map(str, irises.target_names))),
        given=np.full(len(rows), UNASSIGNED, dtype=np.uint8),
        identity=hashlib.sha256(rows.tobytes()).hexdigest(),
        sources=[row.tobytes() for row in rows],
    )


class Decoder:
    def __call__(self, sources: Sequence[bytes]) -> DecodedBlock:
        rows = np.zeros((len(sources), 4), np.float32)
        digests, reasons = [""] * len(sources), ["is no row of four numbers"] * len(sources)
        for index, source in enumerate(sources):
            if len(source) == rows[index].nbytes:
                rows[index] = np.frombuffer(source, np.float32)
                digests[index], reasons[index] = hashlib.sha256(source).hexdigest(), ""
        return DecodedBlock({NUMBERS: rows}, digests, reasons)


@dataclass(frozen=True)
class Numbers:
    rows: np.ndarray
    divisor: float
    device: torch.device
    lengths: ClassVar[None] = None
    fixed: ClassVar[None] = None

    def plain(self, rows: np.ndarray) -> Batch:
        return Batch({NUMBERS: torch.from_numpy(self.rows[rows] / self.divisor).to(self.device)})

    def augmented(self, augmenter: Any, draws: Draws) -> Batch:
        return augmenter.apply(self.plain(draws.rows), draws)

    def view(self, rows: np.ndarray, views: Any, index: int) -> Batch:
        return self.augmented(views.augmenter, views.draws(rows, index))


class Jitterer:
    def __init__(self, spec: Jitter, data: Flowers) -> None:
        self._width = spec.width

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        noise = torch.from_numpy(2 * draws.uniform("jitter", 4).T - 1).to(batch.device, torch.float32)
        return Batch({NUMBERS: batch[NUMBERS] + self._width * noise})


class Means:
    def __init__(self, spec: Any) -> None:
        pass

    def apply(self, own: Batch, others: Batch, draws: Draws) -> tuple[Batch, Tensor]:
        mixed = Batch({NUMBERS: (own[NUMBERS] + others[NUMBERS]) / 2})
        return mixed, torch.full((own.size,), 0.5, dtype=torch.float64)


class MeasurementModality:
    name = "measurements"
    signature: Mapping[str, str] = {"numbers": "string"}
    forms = "four numbers in a list"
    is_ragged = False

    def __init__(self, spec: Measurements) -> None:
        self.spec = spec

    def list(self, spec: Any, progress: Progress | None = None) -> Listing:
        return list_samples(spec, progress)

    def storage(self, listing: Listing, space: Any) -> StorageSpec:
        return StorageSpec(self.name, (ColumnSpec(NUMBERS, "float32", (4,)),), {}, "measurements")

    def decoder(self, spec: Any, listing: Listing, storage: StorageSpec) -> Decoder:
        return Decoder()

    def size(self, strategy: Any) -> int:
        return 4

    def sized(self, size: int) -> Mapping[str, Any]:
        return {}

    def sizes(self, space: Any) -> tuple[int, ...]:
        return (4,)

    def stored_numbers(self, info: Any, size: int, cut: int) -> int | None:
        return info.num_features

    def notes(self, columns: Mapping[str, Column], sizes: Sequence[int], backbones: Sequence[Any]) -> tuple[str, ...]:
        return ()

    def preprocessing(self, storage: StorageSpec, strategy: Any, info: Any) -> Scaling:
        return Scaling(divisor=strategy.divisor or 10.0)

    def inputs(self, columns: Mapping[str, Column], given: Any, device: torch.device) -> Numbers:
        return Numbers(columns[NUMBERS], given.divisor, device)

    def augmenter(self, spec: Any, data: Any, given: Any) -> Any:
        return None if spec.num_views == 0 else build(spec, data)

    def invariances(self, data: Any) -> Mapping[str, Any]:
        return {}

    def test_views(self, count: int, invariances: Any, given: Any, directory: Any = None) -> Sequence[Any]:
        return ()

    def problems(self, space: Any) -> Iterator[Any]:
        return iter(())

    def example_batch(self, info: Any, size: int, count: int) -> Batch:
        return Batch({NUMBERS: torch.zeros(count, 4)})

    def real_batch(self, given: Any, size: int, count: int) -> Batch:
        return Batch({NUMBERS: torch.arange(4.0 * count).reshape(count, 4) / 10})

    def given_to_mapped(self, own: Any, source: Any) -> Any:
        return own

    def vocabulary(self, given: Any, directory: Path | None = None) -> Mapping[str, int] | None:
        return None

    def suit(self, network: nn.Module, device: torch.device) -> None:
        pass

    def place(self, network: nn.Module, device: torch.device) -> nn.Module:
        return network.to(device)

    def bundle_files(self, given: Any, info: Any) -> Mapping[str, bytes]:
        return {}

    def reader(self, given: Any, directory: Path) -> Any:
        return read_rows

    def sample_of(self, listing: Listing, row: int) -> Any:
        return np.frombuffer(listing.sources[row], np.float32).tolist()

    def exhibit(self, sample: Any) -> Exhibit:
        return Exhibit(" ".join(f"{one:g}" for one in sample))

    def is_sample(self, value: Any) -> bool:
        return isinstance(value, list) and len(value) == 4 and not isinstance(value[0], list)

    def names_file(self, value: Any) -> bool:
        return False

    def table_columns(self, preprocessing: Any) -> tuple[str, ...]:
        return ("numbers",)

    def from_table(self, column: Sequence[Any]) -> Sequence[Any]:
        return [[float(part) for part in str(cell).split()] for cell in column]

    def example_row(self, columns: Mapping[str, Column], row: int) -> dict[str, Any]:
        return {"numbers": " ".join(map(str, columns[NUMBERS][row]))}

    def find(self, given: Sequence[str | Path], preprocessing: Any) -> Sequence[Any]:
        raise SpecError("measurements are given as numbers, not as files")

    def previews(self, columns: Mapping[str, Column], rows: np.ndarray) -> Sequence[str]:
        return [str(columns[NUMBERS][row]) for row in rows]


def read_rows(samples: Sequence[Any]) -> Readings:
    rows = np.array([list(map(float, sample)) for sample in samples], np.float32).reshape(-1, 4)
    return Readings(tuple(f"#{index}" for index in range(len(rows))), {NUMBERS: rows})


def withered(spec: Withered, examined: Examined) -> Iterator[Found]:
    rows = np.flatnonzero(np.asarray(examined.columns[NUMBERS])[:, 2] <= 0)
    yield Found("withered", rows.astype(np.int64))
