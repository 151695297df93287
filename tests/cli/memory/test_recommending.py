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


def test_where_nothing_is_known_of_a_space_its_first_draws_are_told_as_that(graft, job, tmp_path):
    told = graft("memory", "recommend", job, "-k", 5, "--memory", tmp_path / "none", "--json").json
    found = told["recommendations"]
    assert {one["strategy"]["freeze"] for one in found} == {0.0, 0.5, 1.0}, "the space has no more"
    assert len(found) == 3
    assert {one["reason"] for one in found} == {"drawn at random: nothing is known of tasks like this one"}
    assert (told["tasks"], told["basis"]) == (0, "nothing")


def test_what_nobody_has_tried_is_recommended_as_that(graft, job, memory):
    space = {**SPACE, "backbone": {"choice": ["efficientnet_lite0", "mobilenet_v2"]}}
    job.write_text(yaml.safe_dump({"name": "x", "data": "digits", "strategy": space, "training": {"epochs": 2}}))
    found = graft("memory", "recommend", job, "-k", 6, "--memory", memory, "--json").json["recommendations"]
    new = {one["reason"] for one in found if one["strategy"]["backbone"] == "mobilenet_v2"}
    assert new == {"no earlier task has tried mobilenet_v2, so there is most to learn of it"}
    assert all(one["reason"] for one in found)
