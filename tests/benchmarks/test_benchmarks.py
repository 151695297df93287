"""The parts of the benchmarks that need no measurement; a ratio of two wrong things would be worse than none."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

HERE = Path(__file__).parent


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module as the scripts do, which have their own directory on the path."""
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module


def outcome(module: Any, seconds: float, scores: dict[str, float]) -> Any:
    return module("throughput.exchange").Outcome(seconds, training_seconds=seconds / 2, scores=scores)


def test_table_aligns_numbers_right_and_text_left(module: Any) -> None:
    text = module("reporting").table(["what", "seconds", "met"], [["ingest", 3.14159, True], ["fit", 12, None]])
    assert text.splitlines() == [
        "what    seconds  met",
        "------  -------  ---",
        "ingest     3.14  yes",
        "fit          12  -",
    ]


def test_table_refuses_a_row_of_another_length(module: Any) -> None:
    with pytest.raises(ValueError, match="has 1 cells, but must have 2"):
        module("reporting").table(["a", "b"], [["x"]])


@pytest.mark.parametrize(
    ("ours", "theirs", "wanted"),
    [(2.0, 20.0, 10.0), (4.0, 2.0, 0.5), (None, 1.0, None), (1.0, None, None), (0.0, 1.0, None)],
)
def test_ratio_is_their_time_over_ours(
    module: Any, ours: float | None, theirs: float | None, wanted: float | None
) -> None:
    assert module("reporting").ratio(ours, theirs) == wanted


def test_spread_is_min_median_max(module: Any) -> None:
    assert module("reporting").spread([3.0, 1.0, 10.0]) == {"min": 1.0, "median": 3.0, "max": 10.0}


def test_json_line_is_one_line_with_its_origin(module: Any) -> None:
    reporting = module("reporting")
    line = reporting.json_line("x", reporting.provenance(), {"seconds": [1.23456789]})
    assert "\n" not in line
    read = json.loads(line)
    assert read["seconds"] == [1.2346]
    assert {"benchmark", "date", "commit", "cpus", "load_average", "versions"} <= read.keys()


def test_summary_takes_medians_of_seconds_and_the_best_score(module: Any) -> None:
    bench = module("search_throughput")
    runs = [
        bench.Run("a", 30.0, 0.0, outcome(module, 10.0, {"t01": 0.5, "t02": 0.9})),
        bench.Run("a", 50.0, 0.0, outcome(module, 20.0, {"t01": 0.7})),
        bench.Run("a", 40.0, 0.0, outcome(module, 12.0, {"t01": 0.6, "t02": 0.8})),
        bench.Run("a", 1.0, 0.0, None),
        bench.Run("b", 99.0, 0.0, outcome(module, 99.0, {"t01": 1.0})),
    ]
    figures = bench.summarise("a", runs)
    assert (figures.search, figures.process, figures.best) == (12.0, 40.0, 0.9)
    assert figures.trials == 1, "a repeat that lost a trial must show"


def test_overhead_is_what_lanes_did_beside_training(module: Any) -> None:
    figures = module("search_throughput").Figures("a", search=10.0, process=15.0, training=12.0, best=0.9, trials=4)
    assert figures.overhead(lanes=2) == pytest.approx(2.0)


def test_ratios_name_both_times_of_both_scripts(module: Any) -> None:
    bench = module("search_throughput")
    figures = {
        "a": bench.Figures("a", search=10.0, process=20.0),
        "b": bench.Figures("b", search=100.0, process=110.0),
        "c": bench.Figures("c"),
    }
    wanted = {"b/a search": 10.0, "b/a process": 5.5, "c/a search": None, "c/a process": None}
    assert bench.ratios(figures) == wanted


def test_time_to_quality_is_to_the_best_of_the_script_less_half_a_point(module: Any) -> None:
    bench = module("time_to_quality")
    script = bench.Way("b", [(10.0, 0.80), (40.0, 0.898), (90.0, 0.90)], 120.0)
    fast = bench.Way("graft, empty", [(4.0, 0.88), (8.0, 0.895)], 60.0)
    never = bench.Way("graft, bank", [(4.0, 0.88)], 60.0)
    first, second = bench.comparisons([script], [fast, never])
    assert (first["script_s"], first["graft_s"]) == (40.0, 8.0)
    assert (first["ratio"], first["ratio_whole"]) == (5.0, 15.0)
    assert second["graft_s"] is None
    assert second["ratio"] is None


@pytest.mark.parametrize(("name", "left_out"), [("fashion", "fashion"), ("deb_section", "deb")])
def test_a_bank_is_remembered_without_the_tasks_of_the_same_set(
    module: Any, tmp_path: Path, name: str, left_out: str
) -> None:
    module("time_to_quality").remember(tmp_path / "memory", name)
    tasks = [name for file in (tmp_path / "memory" / "tasks").glob("*.parquet") for name in names_in(file)]
    assert tasks
    assert not any(name.startswith(left_out) for name in tasks)


def names_in(file: Path) -> list[str]:
    names: list[str] = pq.read_table(file)["task"].to_pylist()
    return names


def test_request_survives_its_file(module: Any, tmp_path: Path) -> None:
    exchange, candidates = module("throughput.exchange"), module("throughput.candidates").CANDIDATES
    request = exchange.Request(
        tmp_path, {"kind": "digits"}, (candidates[0].config(),), ("t01",), 3, 2, channels_last=True
    )
    request.write(tmp_path / "request.json")
    assert exchange.Request.read(tmp_path / "request.json") == request


def test_the_list_has_every_combination_once(module: Any) -> None:
    candidates = module("throughput.candidates").CANDIDATES
    strategies = [candidate.strategy() for candidate in candidates]
    assert len({strategy.key() for strategy in strategies}) == len({one.name for one in candidates}) == 24
    assert {strategy.backbone for strategy in strategies} == {"efficientnet_lite0", "efficientnet_lite1"}
    assert {candidate.freeze for candidate in candidates} == {1.0, 0.9, 0.75, 0.5}
    first = candidates[:4]
    assert len({one.freeze for one in first}) == 4
    assert len({one.backbone for one in first}) == 2


def test_the_list_of_texts_has_every_combination_once(module: Any) -> None:
    some = module("throughput.candidates").TEXT_CANDIDATES
    assert len({(one.freeze, one.lr) for one in some}) == len({one.name for one in some}) == 24
    assert sorted({one.config()["cut"] for one in some}) == [3, 4, 5, 6]
    assert module("throughput.candidates").candidates_for({"kind": "table", "text": "text"}) == some


def test_plain_network_of_texts_computes_what_grafts_does(module: Any) -> None:
    """Same features for the same texts, filled up or not."""
    import torch

    from graft.models.load import load_backbone

    plain, texts = module("throughput.plain"), module("throughput.plain_texts")
    config = module("throughput.candidates").TEXT_CANDIDATES[0].config()
    network, frozen, read = plain.build(config, 3, plain.Recipe(epochs=1))
    tokens = read(texts.numbers(["a fast editor", "a library that reads the tables of many programs"]))
    ours = load_backbone("minilm_l6", texts.MAX_TOKENS).backbone.eval()
    with torch.inference_mode():
        network.eval()
        longest = int((tokens != texts.PAD).sum(dim=1).max())
        cut = tokens[:, :longest]
        names = {"input_ids": cut, "attention_mask": (cut != texts.PAD).long(), "token_type_ids": torch.zeros_like(cut)}
        found = network.head(ours(names))
        assert torch.allclose(network(tokens), found, atol=1e-4)
        assert torch.allclose(network(tokens[:1]), found[:1], atol=1e-4)
    assert len(frozen) == 7
    assert not any(one.requires_grad for module in frozen for one in module.parameters())


def test_plain_scripts_use_grafts_defaults(module: Any) -> None:
    from graft.spec.components.augmentation import NoAugmentation
    from graft.spec.components.head import LinearHead
    from graft.spec.components.optimizer import AdamW
    from graft.spec.components.penalty import NoPenalty
    from graft.spec.components.schedule import Cosine

    plain = module("throughput.plain")
    for candidate in module("throughput.candidates").CANDIDATES:
        strategy = candidate.strategy()
        assert (strategy.batch_size, strategy.weight_decay) == (plain.BATCH_SIZE, plain.WEIGHT_DECAY)
        assert strategy.schedule == Cosine(warmup=plain.WARMUP)
        assert (strategy.lr, strategy.head_lr_factor) == (candidate.lr, 1.0)
        assert (strategy.optimizer, strategy.penalty, strategy.head) == (AdamW(), NoPenalty(), LinearHead())
        assert (strategy.augment, strategy.loss.label_smoothing) == (NoAugmentation(), 0.0)


def test_plain_schedule_is_grafts(module: Any) -> None:
    from graft.spec.components.schedule import Cosine
    from graft.training.optimizer import lr_factor

    plain = module("throughput.plain")
    for steps in (1, 7, 51):
        ours = [lr_factor(Cosine(warmup=plain.WARMUP), step, steps) for step in range(steps)]
        assert [plain.lr_factor(step, steps) for step in range(steps)] == pytest.approx(ours)


def test_plain_network_computes_what_grafts_does(module: Any) -> None:
    """Same features for the same images, and the same weights learn at the same decay."""
    import torch

    from graft.modalities.image.storage import StoredImages
    from graft.modalities.image.transforms import preprocess, preprocessing_of
    from graft.models.load import load_backbone
    from graft.models.network import Network, build_head
    from graft.transfer.adapt import adapt

    plain, candidate = module("throughput.plain"), module("throughput.candidates").CANDIDATES[0]
    strategy, stored = candidate.strategy(), np.random.default_rng(0).integers(0, 256, (4, 32, 32, 1), np.uint8)
    loaded = load_backbone(strategy.backbone, strategy.resolution)
    adapted = adapt(Network(loaded.backbone, build_head(strategy.head, 1280, 10)), strategy, seed=0)
    network, frozen, to_input = plain.build(candidate.config(), 10, plain.Recipe(epochs=1, channels_last=True))

    images = preprocess(stored, preprocessing_of(StoredImages(32, 1), 32, loaded.info.input))
    assert torch.allclose(to_input(stored), images, atol=1e-6)
    with torch.inference_mode():
        ours, theirs = loaded.backbone.eval()(images), network[0].eval()(images)
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert len(frozen) == 1 + adapted.cut
    assert sizes(adapted.groups) == sizes(plain.parameter_groups(network))


def sizes(groups: list[dict[str, Any]]) -> dict[float, int]:
    """How many single values learn with each weight decay."""
    found: dict[float, int] = {}
    for group in groups:
        decay = group["weight_decay"]
        found[decay] = found.get(decay, 0) + sum(parameter.numel() for parameter in group["params"])
    return found


def test_end_to_end_rows_hold_the_result_against_its_target(module: Any) -> None:
    bench = module("end_to_end")
    result = {
        "status": "completed",
        "metric": "accuracy",
        "validation": 0.98,
        "test": 0.971,
        "test_interval": [0.95, 0.99],
        "trials": {"total": 24, "completed": 5, "stopped": 19, "failed": 0},
        "stages": {"ingest": 2.0, "search": 90.0},
        "process_seconds": 330.0,
    }
    rows = {row[0]: row[1:] for row in bench.rows("jobs/digits.yaml", result)}
    assert rows["jobs/digits.yaml test accuracy"] == ["0.9710 (0.9500 to 0.9900)", 0.97, True]
    assert rows["jobs/digits.yaml minutes"] == [5.5, 5.0, False]
    assert rows["jobs/digits.yaml trials"] == ["24 total, 5 completed, 19 stopped", None, None]
    assert rows["jobs/digits.yaml search s"] == [90.0, None, None]


def test_end_to_end_shows_a_failed_run(module: Any) -> None:
    row = module("end_to_end").rows("my.yaml", {"status": "failed", "error": "data.path: does not exist"})
    assert row == [["my.yaml failed", "data.path: does not exist", None, None]]


def test_end_to_end_takes_the_shipped_jobs_whose_data_is_there(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = module("end_to_end")
    assert "jobs/digits.yaml" in bench.shipped_jobs()
    monkeypatch.setattr(bench, "TARGETS", {"jobs/none.yaml": bench.Target(1.0, 1.0)})
    assert bench.shipped_jobs() == []
