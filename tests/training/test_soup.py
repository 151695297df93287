import pytest
import torch

from graft.training.soup import greedy_soup, uniform_soup


def state(value, seen=0):
    return {"weight": torch.full((2, 3), float(value)), "seen": torch.tensor(seen)}


def test_a_uniform_soup_is_the_mean_with_the_counters_of_the_first():
    soup = uniform_soup([state(1, seen=7), state(2, seen=8), state(6, seen=9)])
    assert torch.equal(soup["weight"], torch.full((2, 3), 3.0))
    assert soup["seen"] == 7


def test_a_soup_of_one_is_a_copy():
    only = state(1)
    soup = uniform_soup([only])
    soup["weight"].zero_()
    soup["seen"] += 1
    assert torch.equal(only["weight"], torch.ones(2, 3))
    assert only["seen"] == 0


def test_the_mean_is_taken_in_float64():
    parts = [{"weight": torch.tensor([value])} for value in (1e8, 1.0, -1e8, 1.0)]
    assert uniform_soup(parts)["weight"].item() == 0.5


def test_types_are_kept():
    assert uniform_soup([{"weight": torch.ones(2).bfloat16()}] * 2)["weight"].dtype == torch.bfloat16


@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_greedy_soup_keeps_what_does_not_make_it_worse(mode):
    """States 4, 6, 12, 5, scored by the distance of their mean to 5: 12 would take it away."""
    sign = -1 if mode == "max" else 1
    soup, used = greedy_soup(
        [state(4), state(6), state(12), state(5)], lambda s: sign * abs(s["weight"][0, 0].item() - 5), mode
    )
    assert used == [0, 1, 3]
    assert torch.equal(soup["weight"], torch.full((2, 3), 5.0))


def test_every_state_is_scored_once_and_within_the_soup_so_far():
    scored = []

    def score(soup):
        scored.append(soup["weight"][0, 0].item())
        return [1.0, 0.0, 2.0][len(scored) - 1]

    soup, used = greedy_soup([state(0), state(3), state(6)], score, "max")
    assert scored == [0.0, 1.5, 3.0]
    assert used == [0, 2]
    assert soup["weight"][0, 0] == 3.0


@pytest.mark.parametrize(("scores", "used"), [((1.0, float("nan")), [0]), ((float("nan"), 0.1), [0, 1])])
def test_nan_is_worse_than_everything(scores, used):
    told = iter(scores)
    assert greedy_soup([state(0), state(1)], lambda s: next(told), "max")[1] == used


@pytest.mark.parametrize("make", [uniform_soup, lambda states: greedy_soup(states, lambda s: 0.0, "max")])
def test_states_of_different_models_are_refused(make):
    with pytest.raises(ValueError, match="state 1 holds other tensors than state 0"):
        make([state(1), {"weight": torch.ones(2, 2), "seen": torch.tensor(0)}])
    with pytest.raises(ValueError, match="there is no state, but a soup needs at least one"):
        make([])
