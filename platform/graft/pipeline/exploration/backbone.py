"""What a frozen backbone, and a map behind it, make of the samples of a pool, read as `graft predict` reads them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graft.core.storage import disk_full_is_clear
from graft.data.columns import Ragged
from graft.data.listing import Listing
from graft.data.targets import RawTargets
from graft.learner.mapped.meta_map import fill_mapping, open_meta_model
from graft.modalities.protocol import Modality, Readings
from graft.modalities.registry import build_modality
from graft.models.backbone import Backbone
from graft.models.info import BackboneInfo
from graft.models.load import describe_backbone, load_backbone
from graft.models.network import Network, head_of
from graft.pipeline.exploration.start import start_of
from graft.spec.components.initialisation import MetaLearned
from graft.spec.job import Job
from graft.spec.modalities.base import ModalitySpec, Preprocessing
from graft.spec.registry import members
from graft.spec.strategy import Strategy
from graft.tracking.model_uri import SCHEME

_BATCH, _WINDOW = 64, 1024
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class PoolFeatures:
    """Samples as a backbone sees them.

    Attributes:
        features: float32 [n, F] of those that can be read and are no copies, in their order.
        errors: why others cannot be read, by their places.
        copies: the place of the first sample of the same content, by the places of the later ones.
    """

    features: np.ndarray
    errors: dict[int, str]
    copies: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Embedding:
    """A backbone with all that goes before it, and the map behind it where the strategy starts from a meta-model.

    Attributes:
        strategy: names backbone, start and size.
        info: of the backbone.
        modality: of the samples.
        preprocessing: from a sample to the backbone's input.
    """

    strategy: Strategy
    info: BackboneInfo
    modality: Modality
    preprocessing: Preprocessing

    @classmethod
    def of(cls, job: Job, backbone: str | None, facts: dict[str, Any]) -> "Embedding":
        """That of a job.

        Args:
            job: names the kind of data and the strategy; its start is settled.
            backbone: another one than the job's.
            facts: of a listing of the samples.
        """
        modality = build_modality(job.data.modality)
        name = backbone or str(job.reach.values("backbone")[0])
        info = describe_backbone(name)
        reach = job.reach_of(name)
        seen = {key: reach.values(key)[0] for key in _keys(job.data.modality)}
        seen |= modality.sized(max(modality.sizes(reach)))
        strategy = Strategy(backbone=name, init=start_of(job), freeze=1.0, **seen)
        nothing = np.empty(0)
        empty = Listing("", (), RawTargets(nothing), nothing.astype(np.uint8), "", (), facts=facts)
        storage = modality.storage(empty, job.reach)
        return cls(strategy, info, modality, modality.preprocessing(storage, strategy, info))

    @property
    def prepared(self) -> dict[str, Any]:
        """How samples are prepared, by keys of `strategy`."""
        return {key: getattr(self.strategy, key) for key in _keys(self.modality.name)}

    @property
    def section(self) -> dict[str, Any]:
        """The part of a job's `strategy` whose features these are."""
        init = self.strategy.init.model_dump(mode="json")
        return {"backbone": self.strategy.backbone, "init": init, "freeze": 1.0, **self.prepared}

    def backbone(self) -> Backbone:
        """With its weights."""
        found = load_backbone(self.strategy.backbone, self.modality.size(self.strategy)).backbone
        return found.eval()

    def network(self, strategy: Strategy, num_outputs: int) -> Network:
        """The backbone with a new head, behind the map of the meta-model where there is one.

        Args:
            strategy: this one's, with that head.
            num_outputs: of the head.

        Raises:
            SpecError: the meta-model was learned on features of another backbone, or of samples prepared otherwise.
            ArtifactError: it is gone, damaged, or another one than when the exploration began.
        """
        backbone = self.backbone()
        head = head_of(strategy, backbone, num_outputs)
        if isinstance(strategy.init, MetaLearned):
            fill_mapping(head, strategy.init, backbone, self.preprocessing)
        return Network(backbone, head).eval()

    def require_fit(self) -> None:
        """Hold the meta-model against backbone and samples before any of them is read.

        Raises:
            SpecError, ArtifactError: as `network`.
        """
        if isinstance(self.strategy.init, MetaLearned):
            self.network(self.strategy, 1)

    @property
    def about(self) -> str:
        """``efficientnet_lite0, mapped by glyphs, meta-learned on 97 classes``."""
        init, name = self.strategy.init, self.strategy.backbone
        if not isinstance(init, MetaLearned):
            return name
        spec = open_meta_model(init).spec
        return f"{name}, mapped by {init.version.removeprefix(SCHEME) or spec.name}, {spec.about}"

    def features(self, samples: Sequence[Any], scratch: Path, told: OnProgress) -> PoolFeatures:
        """What backbone and map make of samples, each of one content once.

        Args:
            samples: as the modality's reader takes them.
            scratch: directory for files that the reader needs.
            told: how many are done, of how many.
        """
        with disk_full_is_clear(scratch):
            scratch.mkdir(parents=True, exist_ok=True)
            for name, content in self.modality.bundle_files(self.preprocessing, self.info).items():
                (scratch / name).write_bytes(content)
        read, found, errors = self.modality.reader(self.preprocessing, scratch), list[np.ndarray](), dict[int, str]()
        first, copies = dict[bytes, int](), dict[int, int]()
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        whole = self.network(self.strategy, 1)
        self.modality.suit(whole.backbone, device)
        placed = self.modality.place(whole.backbone, device)
        for start in range(0, len(samples), _WINDOW):
            window = samples[start : start + _WINDOW]
            readings = read(window)
            errors |= {start + place: reason for place, reason in readings.errors.items()}
            places = [start + place for place in range(len(window)) if place not in readings.errors]
            same = {place: first.setdefault(one, place) for place, one in zip(places, _contents(readings), strict=True)}
            copies |= {place: earlier for place, earlier in same.items() if earlier != place}
            found.append(self._embedded(placed, readings, device)[[place not in copies for place in places]])
            told(start + len(window), len(samples))
        features = np.concatenate(found) if found else np.empty((0, self.info.num_features), np.float32)
        return PoolFeatures(_mapped(whole, features), errors, copies)

    def _embedded(self, network: torch.nn.Module, readings: Readings, device: torch.device) -> np.ndarray:
        count = len(next(iter(readings.columns.values()), ()))
        if not count:
            return np.empty((0, self.info.num_features), np.float32)
        inputs = self.modality.inputs(readings.columns, self.preprocessing, device)
        order = np.arange(count) if inputs.lengths is None else np.argsort(-inputs.lengths, kind="stable")
        found = np.empty((count, self.info.num_features), np.float32)
        with torch.inference_mode():
            for start in range(0, count, _BATCH):
                rows = order[start : start + _BATCH]
                parts = [network(part) for part in inputs.plain(rows).computed_at_once()]
                found[rows] = torch.cat(parts).float().cpu().numpy()
        return found


def _keys(modality: str) -> tuple[str, ...]:
    """Of a strategy, those that say how samples of a modality are prepared."""
    spec = members("modality")[modality]
    assert issubclass(spec, ModalitySpec)
    return tuple(spec.fields.model_fields)


def _mapped(network: Network, features: np.ndarray) -> np.ndarray:
    """Features [N, F] as the head of a network is given them, float32 [N, width]."""
    if network.scaling is None:
        return features
    with torch.inference_mode():
        found: np.ndarray = network.scaling(torch.from_numpy(features)).numpy()
    return found


def _contents(readings: Readings) -> Iterator[bytes]:
    """A digest of each sample that could be read."""
    columns = readings.columns.values()
    for row in range(len(next(iter(columns), ()))):
        parts = (one.row(row) if isinstance(one, Ragged) else one[row] for one in columns)
        yield blake2b(b"".join(np.ascontiguousarray(one).tobytes() for one in parts), digest_size=16).digest()
