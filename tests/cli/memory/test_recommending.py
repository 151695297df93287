import json

import pytest
import yaml

from graft.meta.recommend.pool import candidate_of
from graft.pipeline.proposing import canonical
from graft.spec.strategy import Strategy

SPACE = {"freeze": {"choice": [0.0, 0.5, 1.0]}, "lr": 1.0e-3}


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump({"name": "x", "data": "digits", "strategy": SPACE, "training": {"epochs": 2}}))
    return path


@pytest.fixture
def memory(graft, tmp_path):
    """Three tasks on which half of the network frozen was best."""
    lines = ["task,modality,backbone,strategy_json,metric,value,seconds"]
    for task in range(3):
        for freeze in (0.0, 0.5, 1.0):
            strategy = canonical(Strategy(freeze=freeze))
            told = json.dumps(json.loads(candidate_of(strategy).strategy_json)).replace('"', '""')
            value = 0.9 - 0.2 * abs(freeze - 0.5)
            lines.append(f't{task},image,{strategy.backbone},"{told}",accuracy,{value},{2 - freeze}')
    (tmp_path / "r.csv").write_text("\n".join(lines) + "\n")
    assert graft("memory", "import", tmp_path / "r.csv", "--memory", tmp_path / "memory").exit_code == 0
    return tmp_path / "memory"


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
