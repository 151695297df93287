"""Pretrained networks in a process that trains many trials: loaded once, copied for each."""

import copy
import functools

import torch

from graft.core.seeds import derive_seed
from graft.learner.mapped.backbone import mapped_backbone
from graft.learner.mapped.meta_map import fill_mapping
from graft.learner.training_data import TrainingData
from graft.modalities.registry import build_modality
from graft.models.backbone import Backbone
from graft.models.load import LoadedBackbone, describe_backbone, load_backbone, weights_version
from graft.models.network import Network, head_of
from graft.models.structure.edited import edit_of, edited
from graft.spec.components.initialisation import Mapped, MetaLearned
from graft.spec.modalities.base import Preprocessing
from graft.spec.strategy import Strategy


def build_network(data: TrainingData, strategy: Strategy) -> tuple[Network, Preprocessing]:
    """The pretrained backbone with a new head, and what samples must go through before it."""
    backbone = edited_backbone(strategy, data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(data.seed, "head"))
        outputs = data.task.num_outputs(data.arrays.names)
        head = head_of(strategy, backbone, outputs)
    if isinstance(strategy.init, MetaLearned):
        fill_mapping(head, strategy.init, backbone, preprocessing_for(data, strategy))
    return Network(copy.deepcopy(backbone), head), preprocessing_for(data, strategy)


def edited_backbone(strategy: Strategy, data: TrainingData) -> Backbone:
    """The backbone as it was pretrained, with the blocks and the pooling of a strategy; shared like `pretrained`."""
    loaded = pretrained(strategy, data)
    return edited(loaded.backbone, strategy.structure, loaded.info.architecture)


def edit_facts(data: TrainingData, strategy: Strategy) -> dict[str, float]:
    """Parameters and multiply-adds of the backbone, as it is and before its edit; nothing where no strategy of the
    search edits it."""
    if not data.edits_structure:
        return {}
    info = describe_backbone(strategy.backbone)
    edit = edit_of(info.architecture, strategy.structure, data.modality.size(strategy))
    return {
        "model/params": float(edit.after.params),
        "model/multiply_adds": float(edit.after.multiply_adds),
        "model/whole_params": float(edit.before.params),
        "model/whole_multiply_adds": float(edit.before.multiply_adds),
    }


def pretrained(strategy: Strategy, data: TrainingData) -> LoadedBackbone:
    """The backbone as it was pretrained, kept because an actor trains many trials: a copy is cheaper than a load."""
    name = strategy.backbone
    if isinstance(strategy.init, Mapped):
        return _mapped(strategy.init, name, data.modality.size(strategy), data.storage.modality)
    return _loaded(name, data.modality.size(strategy), weights_version(name), data.storage.modality)


def preprocessing_for(data: TrainingData, strategy: Strategy) -> Preprocessing:
    """From the stored form to what the backbone was trained on."""
    return data.modality.preprocessing(data.storage, strategy, pretrained(strategy, data).info)


def choose_device() -> str:
    """``cuda`` where Ray has given this process a GPU (it hides the others), else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@functools.lru_cache(maxsize=4)
def _mapped(init: Mapped, name: str, size: int, modality: str) -> LoadedBackbone:
    loaded = mapped_backbone(init, name, size).loaded
    build_modality(modality).suit(loaded.backbone, torch.device(choose_device()))
    return loaded


@functools.lru_cache(maxsize=4)
def _loaded(name: str, size: int, version: str, modality: str) -> LoadedBackbone:
    """The weights of this version; it is there to be part of what is remembered."""
    loaded = load_backbone(name, size)
    build_modality(modality).suit(loaded.backbone, torch.device(choose_device()))
    return loaded
