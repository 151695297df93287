"""Tiny configurations of every family, with random weights: they are built in milliseconds."""

import json
from typing import Any

_SMALL: dict[str, Any] = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
_FAIRSEQ = _SMALL | {"max_position_embeddings": 66, "pad_token_id": 1, "type_vocab_size": 1}
_RELATIVE = _SMALL | {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
}
_MODERN = _SMALL | {
    "local_attention": 8,
    "global_attn_every_n_layers": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "cls_token_id": 1,
    "sep_token_id": 2,
}
_DISTIL = {"vocab_size": 120, "dim": 32, "n_layers": 4, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 64}

FAMILIES: dict[str, dict[str, Any]] = {
    "bert": _SMALL | {"model_type": "bert"},
    "roberta": _FAIRSEQ | {"model_type": "roberta"},
    "xlm-roberta": _FAIRSEQ | {"model_type": "xlm-roberta"},
    "camembert": _FAIRSEQ | {"model_type": "camembert"},
    "distilbert": _DISTIL | {"model_type": "distilbert"},
    "electra": _SMALL | {"model_type": "electra", "embedding_size": 16},
    "electra-of-one-width": _SMALL | {"model_type": "electra", "embedding_size": 32},
    "mpnet": _FAIRSEQ | {"model_type": "mpnet"},
    "deberta": _RELATIVE | {"model_type": "deberta"},
    "deberta-absolute": _SMALL | {"model_type": "deberta"},
    "deberta-v2": _RELATIVE | {"model_type": "deberta-v2", "max_relative_positions": -1},
    "deberta-v3": _RELATIVE
    | {
        "model_type": "deberta-v2",
        "position_buckets": 8,
        "max_relative_positions": -1,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
    },
    "modernbert": _MODERN | {"model_type": "modernbert"},
}


def architecture(name: str, **changes: Any) -> str:
    """The configuration as JSON, as a bundle has it."""
    return json.dumps(FAMILIES[name] | changes)
