import re
from pathlib import Path

import pytest

GRID = """\
name: small
data: {kind: digits}
strategy: {freeze: {choice: [0.0, 0.5, 1.0]}, lr: {choice: [1.0e-3, 1.0e-2]}}
training: {epochs: 4}
search: {scheduler: none, budget: {trials: 50, minutes: 2}}
export: {register: false}
"""


def test_json_has_the_keys_that_scripts_rely_on(graft, job_file):
    done = graft("plan", job_file(GRID), "--json")
    assert (done.exit_code, done.err) == (0, "")
    assert set(done.json) >= {
        "job", "task", "task_reason", "modality", "modalities", "metric", "not_fused_because",
        "stages", "backbones", "grid", "trials", "epochs", "expected_epochs", "share", "seconds", "minutes",
    }  # fmt: skip
    assert set(done.json["share"]) >= {"cpus", "gpus", "concurrent", "workers"}
    assert set(done.json["phases"][0]) >= {"scheduler", "searcher", "trials", "epochs", "expected_epochs", "note"}
    assert set(done.json["backbones"][0]) >= {"name", "num_blocks", "num_params", "problem"}


def test_json_says_what_the_job_says(graft, job_file):
    plan = graft("plan", job_file(GRID), "--json").json
    assert (plan["job"], plan["epochs"], plan["expected_epochs"], plan["minutes"]) == ("small", 4, 4.0, 2.0)
    assert plan["stages"] == ["ingest", "search", "fit", "evaluate", "export"]
    assert [one["name"] for one in plan["backbones"]] == ["efficientnet_lite0"]
    assert plan["backbones"][0]["problem"] is None
    assert plan["seconds"] is None
    assert (plan["task"], plan["modality"], plan["modalities"]) == ("classification", "image", ["image"])
    assert (plan["task_reason"], plan["metric"]) == ("each image shows one of ten digits", "accuracy")


def test_it_says_which_backbones_are_scored_before_the_trials_or_why_none_are(graft, job_file):
    assert "screening  none: there is no choice of backbones or depths\n" in graft("plan", job_file(GRID)).out
    two = GRID.replace("{freeze", "{backbone: {choice: [efficientnet_lite0, mobilenet_v2]}, freeze")
    found = graft("plan", job_file(two), "--json").json["screening"]
    assert [one["backbone"] for one in found["candidates"]] == ["efficientnet_lite0", "mobilenet_v2"]
    assert found["rows"] > 0
    assert found["told"] == f"2 backbones on {found['rows']} rows, in 1 s at most"


def test_there_are_no_more_trials_than_strategies(graft, job_file):
    plan = graft("plan", job_file(GRID), "--json").json
    assert (plan["grid"], plan["trials"]) == (6, 6)


def test_a_job_of_a_name_and_data_is_searched_over_a_space(graft, job_file):
    path = job_file("name: x\ndata: digits\n")
    plan = graft("plan", path, "--offline", "--json").json
    assert (plan["grid"], plan["trials"]) == (None, 29), "16, and the heads that are solved"
    assert plan["space_from"] == "the default for such data and task"
    assert plan["strategy"]["freeze"] == {"choice": [0.0, 0.5, 0.75, 1.0]}
    trained = [one.split()[1] for one in plan["first"] if " logistic" not in one and " ridge" not in one]
    assert trained == ["freeze=0", "freeze=0.5", "freeze=0.75", "freeze=0"]
    assert plan["preset"].startswith("balanced: the whole network first")
    assert (plan["epochs"], plan["steps"]) == (12, {"32": 34})
    line = next(line for line in graft("plan", path, "--offline").out.splitlines() if line.startswith("space"))
    assert "continuous, the default for such data and task: freeze 0, 0.5, 0.75 or 1; " in line


def test_the_text_says_the_same(graft, job_file):
    done = graft("plan", job_file(GRID))
    lines = dict(re.split(r"\s{2,}", line) for line in done.out.splitlines())
    assert list(lines) == [
        "job",
        "task",
        "data",
        "classes",
        "store",
        "stages",
        "backbone",
        "space",
        "training",
        "phase 1",
        "at once",
        "compute",
        "heads",
        "time",
        "screening",
    ]
    assert lines["task"] == "classification of images by accuracy: each image shows one of ten digits"
    assert lines["stages"] == "ingest → search → fit → evaluate → export"
    note = "efficientnet_lite0 has 17 blocks: freeze 0.5 is 0.471 (8 of them)"
    assert lines["backbone"] == f"efficientnet_lite0: 17 blocks, 3.4 M parameters; {note}"
    assert lines["space"] == "6 strategies, as the job says: freeze 0, 0.5 or 1; lr 0.001 or 0.01"
    assert lines["training"] == "4 epochs of 17 steps of 64 samples: 68 steps"
    assert lines["phase 1"] == "none over meta: 6 trials, to epoch 4, 4 epochs each on average"
    assert lines["time"] == "not measured (--measure does it); the budget ends it after 2 min"


PHASES = """\
name: evolving
data: {kind: digits}
strategy:
  backbone: {choice: [efficientnet_lite0, efficientnet_lite1]}
  lr: {loguniform: [1.0e-4, 1.0e-1]}
training: {epochs: 6}
resources: {workers: 2, cpus_per_worker: 0.5}
search:
  - {scheduler: asha, trials: 32}
  - {scheduler: none, from: top, trials: 8, epochs: 4}
  - {scheduler: pbt, population: 6, from: top}
  - {scheduler: pb2, searcher: sobol, population: 8}
"""


def test_a_frozen_share_within_a_block_is_told_once(graft, job_file):
    space = "strategy: {freeze: {choice: [0.5, 1.0]}, lr: {loguniform: [1.0e-4, 1.0e-1]}}"
    path = job_file(f"name: x\ndata: {{kind: digits}}\n{space}\nsearch: {{budget: {{trials: 4}}}}\n")
    done = graft("plan", path, "--offline")
    assert done.out.count("freeze 0.5 is 0.471 (8 of them)") == 1
    assert "freeze 1 is" not in done.out
    steps = job_file(path.read_text().replace("{choice: [0.5, 1.0]}", "{uniform: [0.1, 0.9]}"))
    assert " of them)" not in graft("plan", steps, "--offline").out


def test_every_phase_is_planned(graft, job_file):
    plan = graft("plan", job_file(PHASES), "--json").json
    assert [(one["scheduler"], one["searcher"], one["trials"], one["epochs"]) for one in plan["phases"]] == [
        ("asha", "meta", 32, 2),
        ("none", "meta", 8, 4),
        ("pbt", "meta", 6, 6),
        ("pb2", "sobol", 8, 6),
    ]
    assert [one["expected_epochs"] for one in plan["phases"]] == [1.33, 2.0, 2.0, 6.0]
    assert plan["trials"] == 54
    assert plan["grid"] is None


def test_the_text_says_who_may_copy_from_whom(graft, job_file):
    lines = graft("plan", job_file(PHASES)).out.splitlines()
    phases = [re.split(r"\s{2,}", line)[1] for line in lines if line.startswith("phase ")]
    assert phases == [
        "asha over meta: 32 trials, to epoch 2, 1.33 epochs each on average",
        "none over meta: 8 trials, to epoch 4, 2 epochs each on average; goes on from the best of the phase before",
        "pbt over meta: 6 trials, to epoch 6, 2 epochs each on average; "
        "one population, of the architecture of the best trial before",
        "pb2 over sobol: 8 trials, to epoch 6, 6 epochs each on average; 2 populations, one an architecture",
    ]
    assert any(re.match(r"at once    \d+, each of 2 workers on 1 CPU and 0 GPU", line) for line in lines)


def test_a_population_of_one_architecture_is_one(graft, job_file):
    text = "name: x\ndata: digits\nstrategy: {lr: {loguniform: [0.001, 0.1]}}\nsearch: {scheduler: pbt}\n"
    assert "; one population\n" in graft("plan", job_file(text)).out


def test_a_search_that_only_time_ends_has_no_number_of_trials(graft, job_file):
    path = job_file("name: x\ndata: digits\nsearch: {budget: {minutes: 3}}\n")
    plan = graft("plan", path, "--json").json
    assert (plan["trials"], plan["phases"][0]["trials"], plan["seconds"]) == (None, None, None)
    assert "asha over meta: as many trials as fit, to epoch 12" in graft("plan", path).out


def test_an_override_changes_the_plan(graft, job_file):
    path = job_file(GRID)
    plan = graft("plan", path, "--json", "--set", "search.budget.trials=2", "--set", "export.register=true")
    assert plan.json["trials"] == 2
    assert plan.json["stages"][-1] == "register"


def test_a_backbone_that_cannot_be_used_is_told(graft, job_file):
    names = "[efficientnet_lite0, timm:test_resnet.r160_in1k]"
    path = job_file(f"name: x\ndata: {{kind: digits}}\nstrategy: {{resolution: 64, backbone: {{choice: {names}}}}}\n")
    done = graft("plan", path, "--json")
    assert done.exit_code == 0
    good, bad = done.json["backbones"]
    assert good["problem"] is None
    assert bad["num_blocks"] is None
    assert bad["problem"].endswith("graft zoo pull timm:test_resnet.r160_in1k")
    assert "graft zoo pull timm:test_resnet.r160_in1k" in graft("plan", path).out


def test_a_wrong_job_is_an_error(graft, job_file):
    assert graft("plan", job_file("name: x\n")).exit_code == 2


def test_more_than_the_machine_has_exits_3(graft, job_file):
    done = graft("plan", job_file(GRID), "--set", "resources.cpus_per_worker=4096")
    assert (done.exit_code, done.out) == (3, "")
    assert done.err.startswith("graft: resources.cpus_per_worker is 4096, but this session has ")


def test_measuring_gives_a_time(graft, job_file, monkeypatch):
    from graft.learner import probe

    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(probe, "forward_seconds", lambda name, side: (asked.append((name, side)), 1e-3)[1])
    done = graft("plan", job_file(GRID), "--measure", "--json", "--set", "strategy.resolution=32")
    plan = done.json
    assert done.err == "measuring efficientnet_lite0 on this machine, some seconds each …\n"
    assert asked == [("efficientnet_lite0", 32)]
    assert plan["seconds"] > 30
    assert " min; the budget ends it after 2 min" in graft("plan", job_file(GRID), "--measure").out


def test_nothing_is_measured_unless_asked_for(graft, job_file):
    done = graft("plan", job_file(GRID))
    assert (done.exit_code, done.err) == (0, "")
    assert done.out == graft("plan", job_file(GRID), "--offline").out
    assert graft("plan", job_file(GRID), "--offline", "--measure").exit_code == 2


@pytest.mark.parametrize("measure", [True, False])
def test_planning_makes_nothing(graft, job_file, home, measure, monkeypatch):
    from graft.learner import probe

    monkeypatch.setattr(probe, "forward_seconds", lambda name, side: 1e-3)
    graft("plan", job_file(GRID), *(["--measure"] if measure else []))
    assert not home.exists()


FROZEN = """
name: frozen
data: digits
strategy: {backbone: efficientnet_lite0, freeze: {choice: [1.0, 0.5]}, resolution: 32}
training: {epochs: 5}
search: {scheduler: none, budget: {trials: 20}}
"""


def test_json_says_what_is_computed_once(graft, job_file):
    plan = graft("plan", "--json", job_file(FROZEN)).json
    assert [(one["cut"], one["views"], one["bytes"]) for one in plan["materialise"]] == [(8, 0, None), (17, 0, None)]
    assert {(one["backbone"], one["size"]) for one in plan["materialise"]} == {("efficientnet_lite0", 32)}
    assert sum(one["reads"] for one in plan["materialise"]) == pytest.approx(100, abs=0.5)
    assert 1 < plan["predicted_speedup"] <= plan["ceiling"]


def test_the_text_says_so_too(graft, job_file):
    told = graft("plan", job_file(FROZEN)).out
    assert "blocks below cut 8 (" in told
    assert "predicted speed-up" in told
    full = graft("plan", job_file(FROZEN.replace("{choice: [1.0, 0.5]}", "0.0"))).out
    assert "every epoch through the whole network" in full


def test_measuring_tells_bytes(graft, job_file):
    plan = graft("plan", "--measure", "--json", job_file(FROZEN)).json
    assert all(one["bytes"] > 0 for one in plan["materialise"])


@pytest.mark.slow
def test_a_range_test_says_which_learning_rates_a_job_can_take(graft, job_file):
    path = job_file(
        "name: x\ndata: {kind: digits, limit: 60}\nstrategy: {freeze: 0.9, resolution: 32, batch_size: 16}\n"
    )
    found = graft("plan", path, "--lr-range", "--json").json["lr_range"]
    assert 1e-6 <= found["steepest"] <= found["lowest"] <= 1
    assert len(found["rates"]) == len(found["losses"]) <= 120
    assert found["strategy"]["freeze"] == 0.9
    assert "lr range   the loss fell fastest at " in graft("plan", path, "--lr-range").out


ON_GPUS = GRID + "resources: {gpus_per_worker: 1}\n"
CLUSTER = str(Path(__file__).parents[3] / "cluster" / "aws" / "small.yaml")


def test_a_plan_on_a_cluster_has_what_scripts_rely_on(graft, job_file, tmp_path):
    picture = tmp_path / "nodes.png"
    done = graft(
        "plan", job_file(ON_GPUS), "--cluster", CLUSTER, "--epoch-seconds", "5", "--picture", picture, "--json"
    )
    assert (done.exit_code, done.err) == (0, "")
    assert (done.json["fits"], done.json["cost"]["currency"]) == (True, "USD")
    assert done.json["nodes_over_time"][-1]["nodes"] == {"data": 0, "gpu": 0, "gpu_spot": 0}
    assert done.json["share"]["gpus"] == 1, "that of the cluster, not of this machine"
    assert done.json["cluster"]["epoch_seconds"] == 5
    assert picture.exists()
    lines = graft("plan", job_file(ON_GPUS), "--cluster", CLUSTER).out.splitlines()
    assert any(line.startswith("cost       about") for line in lines)


def test_a_job_that_no_node_type_can_run_ends_the_plan(graft, job_file):
    job = job_file(GRID + "resources: {gpus_per_worker: 1, gpu_type: H100}\n")
    done = graft("plan", job, "--cluster", CLUSTER)
    assert (done.exit_code, done.out) == (2, "")
    assert done.err.strip() == (
        "resources: asks for H100, but no node type has ray.io/accelerator-type: H100 (they have A10G); "
        "add one, or label it `ray.io/accelerator-type: H100`"
    )
    told = graft("plan", job, "--cluster", CLUSTER, "--json")
    assert (told.exit_code, told.json["fits"], told.json["nodes_over_time"]) == (2, False, [])


def test_what_is_about_a_cluster_needs_one(graft, job_file):
    done = graft("plan", job_file(GRID), "--epoch-seconds", "5")
    assert (done.exit_code, "name --cluster" in done.err) == (2, True)


def test_it_shows_what_the_memory_recommends_and_why(graft, job_file, memory, monkeypatch):
    monkeypatch.setenv("GRAFT_MEMORY", str(memory))
    told = graft("plan", job_file(GRID), "--json").json["recommended"]
    assert (told["tasks"], told["basis"], len(told["recommendations"])) == (3, "prior", 5)
    first = told["recommendations"][0]
    assert first["strategy"]["freeze"] == 0.5
    assert "won among 3" in first["reason"]
    lines = [line[10:].strip() for line in graft("plan", job_file(GRID)).out.splitlines() if line.startswith("memory")]
    assert lines[0].startswith("6 strategies are tried first, by 3 earlier tasks: ")
    assert lines[1] == f"1. {first['label']}: {first['reason']}"
    assert len(lines) == 6


@pytest.mark.parametrize("searcher", ["random", "sobol"])
def test_a_searcher_that_learns_from_no_tasks_is_recommended_nothing(graft, job_file, memory, monkeypatch, searcher):
    monkeypatch.setenv("GRAFT_MEMORY", str(memory))
    assert graft("plan", job_file(GRID), "--set", f"search.searcher={searcher}", "--json").json["recommended"] is None


def test_without_a_memory_nothing_is_recommended(graft, job_file, monkeypatch):
    monkeypatch.setenv("GRAFT_MEMORY", "off")
    done = graft("plan", job_file(GRID), "--json")
    assert done.json["recommended"] is None
    assert "\nmemory" not in graft("plan", job_file(GRID)).out


def test_a_memory_that_does_not_answer_is_told_and_costs_the_recommendations_alone(graft, job_file, monkeypatch):
    monkeypatch.setenv("GRAFT_MEMORY", "nowhere://bucket/memory")
    done = graft("plan", job_file(GRID))
    assert done.exit_code == 0
    assert "memory     the task memory cannot be used, so all is drawn: " in done.out
