import pytest
import yaml

SPACE = {"freeze": {"choice": [0.0, 0.5, 1.0]}, "lr": 1.0e-3}


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump({"name": "x", "data": "digits", "strategy": SPACE, "training": {"epochs": 2}}))
    return path


def test_what_was_best_elsewhere_is_recommended_with_its_reason(graft, job, memory):
    told = graft("memory", "recommend", job, "-k", 2, "--memory", memory, "--json").json
    first, second = told["recommendations"]
    assert first["strategy"]["freeze"] == 0.5
    assert "won among 3" in first["reason"]
    assert 0 <= first["below_best"] <= second["below_best"]
    assert (told["tasks"], told["basis"]) == (3, "prior")
    shown = graft("memory", "recommend", job, "--memory", memory)
    assert shown.exit_code == 0
    assert "strategies are tried first, by 3 earlier tasks" in shown.out


def test_an_empty_memory_says_so_and_gives_what_graft_ships(graft, job, tmp_path):
    job.write_text(yaml.safe_dump({"name": "x", "data": "digits"}))
    told = graft("memory", "recommend", job, "--memory", tmp_path / "none", "--json").json
    assert len(told["recommendations"]) == 5
    assert {one["reason"] for one in told["recommendations"]} == {
        "what graft ships for data of this kind and size (docs/defaults.md)"
    }
    assert (told["tasks"], told["basis"]) == (0, "nothing")
    assert told["told"].endswith("what graft ships is tried first")
