import json

import pytest
from safetensors.torch import save_file
from typer.testing import CliRunner

from graft.cli.main import app
from graft.core.errors import SpecError

LITE0 = "efficientnet_lite0"


def run(*arguments):
    done = CliRunner().invoke(app, ["zoo", "map", *map(str, arguments)])
    if done.exception:
        raise done.exception
    return done.output


def test_the_report_and_the_comparison_are_one_json_object():
    told = json.loads(run("mobilenet_v2", "timm:mobilenetv2_100", "--size", 32, "--json"))
    assert told.keys() >= {"matched", "reshaped", "missing", "unexpected", "coverage", "comparison"}
    assert told["coverage"] == 100
    assert told["reshaped"] == told["missing"] == told["unexpected"] == []
    assert told["comparison"]["max_difference"] < 1e-4
    assert told["comparison"]["correlation"] > 0.9999


def test_a_larger_network_of_real_weights_computes_the_same_on_real_photos():
    told = run(LITE0, "timm:tf_efficientnet_lite1", "--size", 32)
    assert "efficientnet_lite0 → timm:tf_efficientnet_lite1 at size 32" in told
    assert "100.0 % of the parameters" in told
    assert "on 12 real samples: largest difference 0, correlation 1.0000, alignment 1.0000" in told
    assert "new block that gives back what it takes" in told


def test_low_coverage_is_refused_unless_asked_for():
    with pytest.raises(SpecError, match=r"covers .* % of the parameters of timm:resnet18, but must cover at least"):
        run(LITE0, "timm:resnet18", "--size", 32)
    assert "missing" in run(LITE0, "timm:resnet18", "--size", 32, "--min-coverage", 0)


def test_texts_and_pictures_do_not_mix():
    with pytest.raises(SpecError, match="takes images, but backbone minilm_l6 takes texts"):
        run(LITE0, "minilm_l6")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("efficientnet_lit0", "did you mean `efficientnet_lite0`"),
        ("gone/weights.pth", "source gone/weights.pth does not exist"),
        ("timm:no_such_net", "timm has no architecture"),
    ],
)
def test_a_source_that_is_not_there_is_told_in_one_line(source, told):
    with pytest.raises(SpecError, match=told) as caught:
        run(source, "timm:resnet18")
    assert "\n" not in str(caught.value)


def test_a_target_that_is_not_there_is_told():
    with pytest.raises(SpecError, match="did you mean"):
        run(LITE0, "efficientnet_lite00")


@pytest.mark.parametrize("source", ["efficientnet_lite0", "local:timm/test_convnext:weights.pth"])
def test_a_size_that_a_network_cannot_take_is_told_before_weights_are_read(source):
    with pytest.raises(SpecError, match=r"^--size is 8, which timm:test_convnext cannot take .* smallest that works"):
        run(source, "timm:test_convnext", "--size", 8)


def test_a_file_of_another_network_fills_nothing(tmp_path):
    import torch

    save_file({"a": torch.ones(3), "b": torch.rand(2, 2)}, tmp_path / "w.safetensors")
    with pytest.raises(SpecError, match=r"covers 0.0 %"):
        run(tmp_path / "w.safetensors", "timm:resnet18", "--size", 32)


def test_damaged_weights_are_the_users_to_mend(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(SpecError, match=r"w.safetensors is damaged or of another format"):
        run(tmp_path / "w.safetensors", "timm:resnet18", "--size", 32)
