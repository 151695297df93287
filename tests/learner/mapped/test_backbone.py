import json
from pathlib import Path

import pytest
import torch
from tests.learner.mapped.conftest import Bundle

from graft.core.errors import ArtifactError, SpecError
from graft.learner.mapped.backbone import init_problem, map_backbone, mapped_backbone, misfit, require_digest
from graft.models.bundle import EnsembleSpec, MemberBundle, read_bundle, write_bundle
from graft.models.load import describe_backbone, load_backbone
from graft.models.mapping.source import find_source
from graft.models.structure.edited import depth_of
from graft.spec.components.initialisation import Mapped
from graft.spec.components.structure import Structure

LITE0, LITE1 = "efficientnet_lite0", "timm:tf_efficientnet_lite1"


def test_a_deeper_network_computes_what_the_source_does() -> None:
    mapped = map_backbone(find_source(LITE0), LITE1, 32)
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(mapped.loaded.backbone(x), load_backbone(LITE0, 32).backbone(x))
    assert mapped.loaded.info.name == LITE1
    assert not mapped.loaded.backbone.training


def test_samples_are_prepared_as_the_source_was_trained() -> None:
    own = describe_backbone("timm:mobilenetv2_100").input
    assert map_backbone(find_source("mobilenet_v2"), "timm:mobilenetv2_100", 32).loaded.info.input.mean == own.mean
    mapped = map_backbone(find_source(LITE0), "timm:tf_efficientnet_b0", 32).loaded.info.input
    assert mapped.mean == (0.5, 0.5, 0.5)
    assert mapped.native_resolution == describe_backbone("timm:tf_efficientnet_b0").input.native_resolution


def test_a_bundle_brings_its_backbone_its_size_and_its_colours(bundle: Bundle) -> None:
    directory = bundle()
    mapped = map_backbone(find_source(str(directory)), "timm:test_efficientnet")
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(mapped.loaded.backbone(x), read_bundle(directory).build().backbone(x))
    assert (mapped.size, mapped.loaded.info.input.mean) == (32, (0.1, 0.2, 0.3))
    assert mapped.report.coverage == 100


def test_blocks_that_an_earlier_task_left_out_give_back_what_they_take(bundle: Bundle) -> None:
    directory = bundle(architecture="timm/mobilenetv2_035", structure={"skip": {"kind": "spread", "share": 0.5}})
    network = read_bundle(directory).build().backbone
    mapped = map_backbone(find_source(str(directory)), "timm:mobilenetv2_035")
    assert len(network.blocks) < len(mapped.loaded.backbone.blocks)
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(mapped.loaded.backbone(x), network(x))


@pytest.mark.parametrize("file", ["", "weights.safetensors"])
def test_blocks_that_an_earlier_task_copied_are_found_at_their_places(bundle: Bundle, file: str) -> None:
    directory = bundle(architecture="timm/mobilenetv2_035", structure={"deepen": 0.5})
    places = Structure(deepen=0.5).blocks(depth_of("timm/mobilenetv2_035"))
    assert len(places) > len({*places}), "there are copies"
    network = read_bundle(directory).build().backbone
    mapped = map_backbone(find_source(str(directory / file)), "timm:mobilenetv2_035")
    for place in {*places}:
        there = network.blocks[places.index(place)].state_dict()
        found = mapped.loaded.backbone.blocks[place].state_dict()
        assert all(torch.equal(tensor, there[name]) for name, tensor in found.items()), place
    copies = {f"blocks.{place}-copy" for place in places if places.count(place) > 1}
    assert {".".join(name.split(".")[:2]) for name in mapped.report.unexpected} == copies


def test_copies_take_the_places_of_blocks_that_were_left_out(bundle: Bundle) -> None:
    structure = {"deepen": 0.5, "skip": {"kind": "spread", "share": 0.4}}
    directory = bundle(architecture="timm/mobilenetv2_035", structure=structure)
    network = read_bundle(directory).build().backbone
    mapped = map_backbone(find_source(str(directory)), "timm:mobilenetv2_035")
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(mapped.loaded.backbone(x), network(x))


def test_of_an_ensemble_the_first_network_is_mapped_and_it_is_told(bundle: Bundle) -> None:
    directory = bundle()
    spec = read_bundle(directory).spec.model_copy(update={"ensemble": EnsembleSpec(share=0.7, facts={})})
    networks = [read_bundle(bundle(seed=seed, name=f"one{seed}")).build() for seed in (1, 2)]
    member = MemberBundle("t07", 0.3, networks[1], read_bundle(directory).spec, {})
    write_bundle(directory.parent / "all", networks[0], spec, None, [member])
    mapped = map_backbone(find_source(str(directory.parent / "all")), "timm:test_efficientnet")
    assert mapped.report.notes == ("the source is an ensemble of 2 networks, of which the first is mapped",)
    found, first = mapped.loaded.backbone.state_dict(), networks[0].backbone.state_dict()
    assert all(torch.equal(tensor, first[name]) for name, tensor in found.items())


def test_what_is_missing_is_the_same_in_every_process() -> None:
    state = [map_backbone(find_source(LITE0), "timm:tf_efficientnet_b0", 32).loaded.backbone.state_dict()]
    torch.manual_seed(123)
    state.append(map_backbone(find_source(LITE0), "timm:tf_efficientnet_b0", 32).loaded.backbone.state_dict())
    assert all(torch.equal(tensor, state[1][name]) for name, tensor in state[0].items())


def test_a_source_that_has_changed_is_refused_in_one_line(bundle: Bundle) -> None:
    directory = bundle()
    source = find_source(str(directory))
    digest = source.digest()
    require_digest(source, digest)
    bundle(seed=1, name="other")
    for file in (directory.parent / "other").iterdir():
        file.replace(directory / file.name)
    with pytest.raises(ArtifactError, match=r"has digest .{12}…, but had .{12}… when the experiment began") as caught:
        mapped_backbone(Mapped(source=str(directory), digest=digest), "timm:test_efficientnet", 32)
    assert "\n" not in str(caught.value)


def test_a_damaged_bundle_is_refused(bundle: Bundle) -> None:
    directory = bundle()
    with (directory / "weights.safetensors").open("r+b") as stream:
        stream.truncate(1000)
    problem = init_problem(Mapped(source=str(directory)), "timm:test_efficientnet")
    assert problem is not None
    assert "is damaged" in problem.message


def test_coverage_below_the_half_is_refused_unless_asked() -> None:
    with pytest.raises(ArtifactError, match="must cover at least 50 %"):
        mapped_backbone(Mapped(source=LITE0), "timm:test_efficientnet", 32)
    mapped = mapped_backbone(Mapped(source=LITE0, min_coverage=0.0), "timm:test_efficientnet", 32)
    assert mapped.report.coverage < 50


@pytest.mark.parametrize(
    ("source", "told"),
    [("minilm_l6", "takes texts, but backbone"), ("no_such", "is not there"), ("/no/such.pth", "does not exist")],
)
def test_what_cannot_be_is_a_problem_of_the_key(source: str, told: str) -> None:
    problem = init_problem(Mapped(source=source), LITE1)
    assert problem is not None
    assert problem.where == "strategy.init"
    assert told in problem.message
    assert "\n" not in problem.message


def test_what_can_be_is_no_problem() -> None:
    assert init_problem(Mapped(source=LITE0), LITE1) is None


CONFIGURATION = {
    "model_type": "bert",
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "max_position_embeddings": 16,
}


def encoder(folder: Path, words: list[str], seed: int = 0) -> str:
    """A small encoder with a tokenizer of these words, as ``hf:FOLDER``."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel

    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words]
    tokenizer = Tokenizer(models.WordLevel({token: index for index, token in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(seed)
    fields = {name: value for name, value in CONFIGURATION.items() if name != "model_type"}
    BertModel(BertConfig(vocab_size=len(tokens), **fields), add_pooling_layer=False).save_pretrained(folder)
    return f"hf:{folder}"


def test_rows_of_tokens_follow_their_tokens(tmp_path: Path) -> None:
    source = encoder(tmp_path / "one", ["tea", "milk", "jam"])
    target = encoder(tmp_path / "two", ["jam", "tea", "rum"], seed=1)
    mapped = map_backbone(find_source(source), target, 16)
    name = "stem.network.embeddings.word_embeddings.weight"
    before, after = (one.state_dict()[name] for one in (mapped.opened.backbone, mapped.loaded.backbone) if one)
    assert torch.equal(after[4], before[6])
    assert torch.equal(after[5], before[4])
    torch.testing.assert_close(after[6], before.mean(dim=0))
    assert mapped.report.how[name] == "6 of 7 rows by token"
    assert 98 < mapped.report.coverage < 100


def test_a_tokenizer_that_knows_little_is_refused(tmp_path: Path) -> None:
    source = find_source(encoder(tmp_path / "one", ["tea"]))
    target = encoder(tmp_path / "two", list("abcdefghij"))
    assert "knows 4 of the 14 tokens" in (misfit(source, describe_backbone(target)) or "")
    with pytest.raises(SpecError, match="name a backbone that has its tokenizer"):
        map_backbone(source, target)


def test_a_folder_of_an_encoder_is_a_backbone(tmp_path: Path) -> None:
    encoder(tmp_path / "one", ["tea"])
    source = find_source(str(tmp_path / "one"))
    assert (source.kind, source.name) == ("backbone", f"hf:{tmp_path / 'one'}")
    digest = source.digest()
    config = json.loads((tmp_path / "one" / "config.json").read_text())
    (tmp_path / "one" / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-6}))
    assert find_source(str(tmp_path / "one")).digest() != digest
