"""Two real processes against one: the same batches, the same steps, the same decisions."""

import importlib.util
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from graft.training.world import ALONE, Ranks

SCRIPT = Path(__file__).with_name("ranks.py")
_spec = importlib.util.spec_from_file_location("ranks", SCRIPT)
scenarios = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(scenarios)


@pytest.fixture(scope="module")
def directory(tmp_path_factory, repository):
    """Where two ranks have left what they found."""
    path = tmp_path_factory.mktemp("ranks")
    environment = os.environ | {
        "PYTHONPATH": str(repository / "platform"),
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    started = [
        subprocess.Popen(
            [sys.executable, SCRIPT, str(rank), "2", str(path)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], "\n".join(outputs)
    return path


@pytest.fixture(scope="module")
def ranks(directory):
    """What each of two ranks returned from every scenario."""
    return [torch.load(directory / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.fixture(scope="module")
def alone():
    """What one process returned from every scenario."""
    return {name: scenario(ALONE) for name, scenario in scenarios.SCENARIOS.items()}


def assert_close(found, expected, rtol=1e-4, atol=1e-5):
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol)


def assert_identical(found, expected):
    assert found.keys() == expected.keys()
    assert not [name for name, tensor in expected.items() if not torch.equal(found[name], tensor)]


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "one_step",
        "adamw",
        "gradual",
        "head_first",
        "contrasted",
        "low_rank",
        "clipped",
        "compared",
        "averaged",
        "by_running",
        "accumulated",
        "weighted",
        "synchronised",
    ],
)
def test_two_ranks_take_the_steps_of_one(ranks, alone, name):
    for rank in ranks:
        assert rank[name]["status"] == "completed"
        assert rank[name]["best"] == alone[name]["best"]
        assert len(rank[name]["reports"]) == 3
        for report, expected in zip(rank[name]["reports"], alone[name]["reports"], strict=True):
            assert_close(report, expected)
        assert_close(rank[name]["weights"], alone[name]["weights"])
    moved = (
        alone[name]["weights"]["head.weight"]
        - scenarios.session(ALONE, scenarios.Strategy()).model.network.state_dict()["head.weight"]
    )
    assert moved.abs().max() > 0.01, "weights that did not move would prove nothing"


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "adamw",
        "gradual",
        "head_first",
        "contrasted",
        "low_rank",
        "accumulated",
        "synchronised",
        "unsynchronised",
        "synchronised_micro_batches",
    ],
)
def test_ranks_agree_to_the_bit(ranks, name):
    assert_identical(ranks[0][name]["weights"], ranks[1][name]["weights"])
    assert ranks[0][name]["reports"] == ranks[1][name]["reports"]
    assert ranks[0][name]["best"] == ranks[1][name]["best"]


@pytest.mark.parametrize("name", ["plain", "accumulated"])
def test_gradients_are_exchanged_once_a_step(ranks, name):
    assert [rank[name]["exchanges"] for rank in ranks] == [3 * 5] * 2


def test_without_synchronisation_batch_norm_sees_less(ranks, alone):
    """Else the test that synchronised batch norm equals one process would show nothing."""
    name = "backbone.blocks.1.1.running_var"
    found, expected = ranks[0]["unsynchronised"]["weights"][name], alone["unsynchronised"]["weights"][name]
    assert not torch.allclose(found, expected, rtol=1e-3)
    frozen = "backbone.blocks.0.1.running_var"
    assert torch.equal(ranks[0]["unsynchronised"]["weights"][frozen], torch.ones(4))


def test_running_statistics_are_the_mean_of_what_each_rank_has_seen(ranks):
    seen = []
    for rank in range(2):
        shard = type("Rank", (), {"rank": rank, "size": 2})
        model = scenarios.session(ALONE, scenarios.STILL, norm=True).model.train()
        for images, *_ in scenarios.batches(shard, 8).epoch(5, 1):
            model(images)
        seen.append(dict(model.network.named_buffers()))
    for name, buffer in seen[0].items():
        expected = (buffer + seen[1][name]) / 2 if buffer.is_floating_point() else buffer
        for rank in ranks:
            assert_close(rank["statistics"][name], expected)


def test_averages_of_running_statistics_are_those_of_all_ranks(ranks):
    one, other = (rank["averaged_statistics"] for rank in ranks)
    assert any("running_mean" in name for name in one["weights"])
    assert_identical(one["weights"], other["weights"])
    assert_identical(one["weights"], one["best"])


def test_an_infinite_loss_on_one_rank_ends_all_at_the_same_step(ranks):
    expected = {"status": "non_finite", "steps": 2, "kept": True}
    for rank in ranks:
        reason = rank["infinite"].pop("reason")
        assert rank["infinite"] == expected
        assert reason.startswith("loss is nan in epoch 1, step 3")


def test_rank_0_can_end_it_for_all(ranks, alone):
    reason = "stopped from outside after epoch 2, step 2"
    assert alone["wished"] == ranks[0]["wished"] == {"status": "stopped", "reason": reason, "asked": 7}
    assert ranks[1]["wished"] == {"status": "stopped", "reason": reason, "asked": 0}


def test_what_rank_0_says_after_an_epoch_counts(ranks):
    expected = {"status": "stopped", "reason": "stopped from outside after epoch 2"}
    assert [rank["told"] for rank in ranks] == [expected] * 2


def test_one_process_goes_on_where_two_were_cut_off(ranks, directory):
    assert [rank["cut_off"]["partial"] for rank in ranks] == [(1, 3, 24)] * 2
    found, expected = scenarios.gone_on(ALONE, directory), scenarios.gone_on(ALONE, None)
    assert_close(found["weights"], expected["weights"])
    for report, straight in zip(found["reports"], expected["reports"][1:], strict=True):
        assert_close(report, straight)


def test_dropout_differs_by_rank():
    class Second:
        rank, size = 1, 2

    first, second = (scenarios.session(ALONE, scenarios.Strategy()) for _ in range(2))
    second.world = Second()
    assert first.step_seed != second.step_seed


def test_sums_and_means(ranks):
    for rank in ranks:
        assert rank["operations"]["sum"] == [3.0, 1.0]
        assert torch.equal(rank["operations"]["counted"], torch.tensor([3.0]))
        assert torch.equal(rank["operations"]["equal"], torch.tensor([0.1, 1 / 3]))
        assert torch.equal(rank["operations"]["differing"], torch.tensor([0.5, -1.0]))


def test_rows_are_gathered_in_the_order_of_the_ranks(ranks):
    first, second = (rank["operations"] for rank in ranks)
    assert first["rows"].tolist() == [[0, 1], [2, 3], [4, 5], [10, 11], [12, 13]]
    assert first["one has rows"].tolist() == [[10, 11], [12, 13], [14, 15]]
    assert first["none has rows"].shape == (0, 0)
    assert [second[name] for name in ("rows", "one has rows", "none has rows")] == [None] * 3


def test_a_broadcast_keeps_every_digit(ranks):
    for rank in ranks:
        found = rank["operations"]["broadcast"]
        assert (found["rank"], found["third"]) == (0, 1 / 3)
        assert math.isnan(found["nan"])


def test_a_rank_without_samples_takes_part_in_predicting(ranks, alone):
    assert_close(ranks[0]["few_rows"]["predicted"], alone["few_rows"]["predicted"])
    assert ranks[1]["few_rows"]["predicted"] is None
    assert [rank["few_rows"]["refused"] for rank in ranks] == [alone["few_rows"]["refused"]] * 2
    assert "no sample to predict" in alone["few_rows"]["refused"]


def test_batch_norm_over_ranks_is_that_of_the_whole_batch(ranks, alone):
    found, expected = ranks[0]["normalised"], alone["normalised"]
    for name in ("y", "x.grad", "fixed"):
        assert_close(found[name], expected[name], atol=1e-4)
    for name in ("weight", "bias", "mean", "variance"):
        for rank in ranks:
            assert_close(rank["normalised"][name], expected[name], atol=1e-3)
    assert_close(found["half"], expected["half"], rtol=0.02, atol=0.02)


def test_without_a_process_group_there_are_no_ranks():
    with pytest.raises(ValueError, match=r"no process group; call torch.distributed.init_process_group"):
        Ranks()
