"""The encoders of transformers that can be cut, and where their parts are. No transformers is imported here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Family:
    """Where a family of encoders has its parts.

    Attributes:
        layers: dotted path of the list of its layers.
        before: modules in front of the layers, which a run from the middle passes by.
        norm: the norm behind the last layer, where there is one outside of it.
        pools: whether its class takes ``add_pooling_layer``.
        segments: whether its forward takes ``token_type_ids``.
        offset: whether positions are counted from behind the padding token's number, as fairseq does.
        never_empty: whether its encoder cannot run without any layer.
        needs_float32: whether its layers fail in a lower precision: DeBERTa fills float32's least number into scores.
    """

    layers: str = "encoder.layer"
    before: tuple[str, ...] = ("embeddings",)
    norm: str | None = None
    pools: bool = False
    segments: bool = False
    offset: bool = False
    never_empty: bool = False
    needs_float32: bool = False


_BERT = Family(pools=True, segments=True)
_ROBERTA = Family(pools=True, segments=True, offset=True)

FAMILIES: Mapping[str, Family] = {
    "bert": _BERT,
    "camembert": _ROBERTA,
    "deberta": Family(segments=True, needs_float32=True),
    "deberta-v2": Family(segments=True, never_empty=True),
    "distilbert": Family(layers="transformer.layer"),
    "electra": Family(before=("embeddings", "embeddings_project"), segments=True),
    "modernbert": Family(layers="layers", norm="final_norm"),
    "mpnet": Family(pools=True, offset=True),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
}
"""By transformers' `model_type`."""


def unsupported(fields: Mapping[str, Any]) -> str | None:
    """Why a network of this configuration cannot be used, to follow its name; None if it can.

    Args:
        fields: of its ``config.json``.
    """
    kind = fields.get("model_type")
    if kind == "albert":
        return "is ALBERT, whose layers share their weights, so it cannot be cut; choose another family"
    if kind not in FAMILIES:
        return f"is of the family `{kind}`, but must be one of {', '.join(FAMILIES)}"
    if kind == "deberta-v2" and (fields.get("conv_kernel_size") or 0) > 0:
        return "is DeBERTa with a convolution beside its first layer, so it cannot be cut; choose one without"
    if fields.get("position_embedding_type") not in (None, "absolute"):
        return "counts positions in a way that transformers has given up; choose another"
    if fields.get("is_decoder") or fields.get("add_cross_attention"):
        return "is a decoder, but must be an encoder"
    if fields.get("quantization_config"):
        return "has quantised weights, which cannot be trained; name the network they were made from"
    return None
