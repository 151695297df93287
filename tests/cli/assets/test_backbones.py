from graft.models import load


def test_bundled_ones_are_listed_with_their_state(graft):
    found = {one["name"]: one["problem"] for one in graft("backbones", "--json").json}
    assert found["efficientnet_lite0"] is None
    assert found["efficientnet_lite1"] is None
    assert set(found) >= {"efficientnet_lite2", "mobilenet_v2"}


def test_the_text_says_ready_or_what_to_install(graft, monkeypatch):
    problem = "package x is not installed; pip install x"
    monkeypatch.setattr(load, "check_backbone", lambda name: problem if name == "mobilenet_v2" else None)
    lines = graft("backbones").out.splitlines()
    assert [line.split(maxsplit=1) for line in lines if line.startswith(("efficientnet_lite0 ", "mobilenet_v2 "))] == [
        ["efficientnet_lite0", "ready"],
        ["mobilenet_v2", problem],
    ]
    assert lines[-1].startswith("also: timm:<name>, torchvision:<name>")
