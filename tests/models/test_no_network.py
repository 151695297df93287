"""No network is used unless `graft zoo pull` is typed: sockets that refuse say whether anybody has tried."""

import socket
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch

from graft.core.errors import ArtifactError, SpecError
from graft.models.load import check_backbone, describe_backbone, load_backbone, size_problem, weights_version
from graft.pipeline.zoo.facts import listed, shown
from graft.pipeline.zoo.weights import pull, verify

ABSENT = (
    "timm:test_resnet.r160_in1k",
    "timm:test_vit.r160_in1k",
    "torchvision:resnet18",
    "hf:nobody/no-such-model",
    "gru:hf:nobody/no-such-model",
)
BUNDLED = ("efficientnet_lite0", "minilm_l6", "gru:minilm_l6")


@pytest.fixture(autouse=True)
def tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What was asked of the network; every cache is empty, and the hub's client believes that it is online."""
    asked: list[Any] = []

    def refuse(*given: Any, **_: Any) -> Any:
        asked.append(given[-2:])
        raise OSError("no network here")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    return asked


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_not_here_is_told_with_the_command_that_fetches_it(name: str, tried: list[Any]) -> None:
    problem = check_backbone(name)
    assert problem is not None
    fetched = name.removeprefix("gru:")
    assert f"graft zoo pull {fetched}" in problem
    for ask in (load_backbone, describe_backbone, weights_version):
        if ask is load_backbone or not name.startswith(("timm", "torchvision")):
            with pytest.raises((ArtifactError, SpecError), match="graft zoo pull"):
                ask(name)
        else:
            ask(name)
    assert listed((name,))[0].problem == problem
    with pytest.raises(
        ArtifactError if name.startswith(("timm", "torchvision")) else SpecError, match="graft zoo pull"
    ):
        list(verify(name))
    assert tried == []


@pytest.mark.parametrize("name", BUNDLED)
def test_what_is_here_asks_nobody(name: str, tried: list[Any]) -> None:
    assert check_backbone(name) is None
    assert size_problem(name, 64) is None
    load_backbone(name, 64)
    shown(name)
    assert all(one.problem is None for one in verify(name))
    assert pull(name)[0] is False
    assert tried == []


@pytest.mark.parametrize("name", ["timm:test_resnet.r160_in1k", "torchvision:resnet18"])
def test_pull_alone_asks_and_says_what_to_do_instead(
    name: str, tried: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client waits for seconds between its tries.
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(ArtifactError, match=f"could not be fetched .*`graft zoo pull {name}` where there is a network"):
        pull(name)
    assert tried
