"""Adapters as job files name them."""

from graft.episodes.adapters.anil import Anil
from graft.episodes.adapters.bit_fit import BitFit
from graft.episodes.adapters.inner_loop import InnerSteps
from graft.episodes.adapters.label_propagation import LabelPropagation
from graft.episodes.adapters.logistic import LogisticRegression
from graft.episodes.adapters.lora import Lora
from graft.episodes.adapters.lp_ft import LpFt
from graft.episodes.adapters.maml import Maml
from graft.episodes.adapters.prototypes import Prototypes
from graft.episodes.adapters.reptile import Reptile
from graft.episodes.adapters.ridge import RidgeRegression
from graft.episodes.starts.protocol import Start
from graft.spec.meta.adapters import (
    AnilAdapter,
    BitFitAdapter,
    LogisticAdapter,
    LoraAdapter,
    LpFtAdapter,
    MamlAdapter,
    PropagationAdapter,
    PrototypeAdapter,
    ReptileAdapter,
    RidgeAdapter,
)


def prototypes(spec: PrototypeAdapter, start: Start) -> Prototypes:
    """Class means."""
    return Prototypes(spec.metric)


def ridge(spec: RidgeAdapter, start: Start) -> RidgeRegression:
    """Ridge regression."""
    return RidgeRegression(spec.penalty)


def logistic(spec: LogisticAdapter, start: Start) -> LogisticRegression:
    """Logistic regression."""
    return LogisticRegression(spec.strength)


def label_propagation(spec: PropagationAdapter, start: Start) -> LabelPropagation:
    """Label propagation."""
    return LabelPropagation(spec.alpha, spec.neighbours)


def anil(spec: AnilAdapter, start: Start) -> Anil:
    """Steps of the head."""
    return Anil(start.width, InnerSteps(spec.steps, spec.rate), spec.head == "prototypes")


def maml(spec: MamlAdapter, start: Start) -> Maml:
    """Steps of all weights."""
    inner = InnerSteps(spec.steps, spec.rate, spec.order == "first")
    return Maml(start, inner, spec.rates == "own", spec.head == "prototypes")


def reptile(spec: ReptileAdapter, start: Start) -> Reptile:
    """Steps of all weights, and no gradient through them."""
    return Reptile(start, InnerSteps(spec.steps, spec.rate), spec.head == "prototypes")


def lp_ft(spec: LpFtAdapter, start: Start) -> LpFt:
    """Steps of the head, then of all weights."""
    probe, tune = InnerSteps(spec.probe_steps, spec.probe_rate), InnerSteps(spec.steps, spec.rate)
    return LpFt(start, probe, tune, spec.head == "prototypes")


def bit_fit(spec: BitFitAdapter, start: Start) -> BitFit:
    """Steps of biases and the head."""
    return BitFit(start, InnerSteps(spec.steps, spec.rate), spec.head == "prototypes")


def lora(spec: LoraAdapter, start: Start) -> Lora:
    """Steps of updates of low rank and the head."""
    return Lora(start, InnerSteps(spec.steps, spec.rate), spec.rank, spec.head == "prototypes")
