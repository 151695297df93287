"""What is left out together: whole groups, exactly, and where the strength that they ask for differs from rows'."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from graft.spec.components.head import HeadSpec, LogisticHead, PrototypeHead, RidgeHead
from graft.spec.registry import call
from graft.transfer.closed_form.held_out import HeldOut, held_out
from graft.transfer.closed_form.held_out import parts_of as asked_parts
from graft.transfer.closed_form.left_out import Path
from graft.transfer.closed_form.problem import Fitting, LinearTargets
from graft.transfer.closed_form.spectrum import spectrum_of

ROWS = 40


def of_values(values: Tensor) -> LinearTargets:
    return LinearTargets("identity", values.numpy(), values.shape[1], np.zeros(len(values), dtype=np.int64))


def of_classes(codes: np.ndarray) -> LinearTargets:
    return LinearTargets("softmax", codes, int(codes.max()) + 1, codes)


def parts_of(sizes: list[int], seed: int = 0) -> list[HeldOut]:
    order, borders = np.random.default_rng(seed).permutation(sum(sizes)), np.cumsum(sizes)
    found = []
    for size, border in zip(sizes, borders, strict=True):
        rows = np.sort(order[border - size : border])
        found.append(HeldOut(np.setdiff1d(np.arange(len(order)), rows), rows, rows))
    return found


@pytest.mark.parametrize("sizes", [[1, 2, 3, 7, 27], [20, 20]], ids=["some", "halves"])
@pytest.mark.parametrize("features", [6, 12, 60], ids=["few", "tall", "wide"])
@pytest.mark.parametrize("penalty", [1e-4, 0.3, 10.0])
def test_a_part_that_is_left_out_is_told_what_a_model_without_it_says(
    sizes: list[int], features: int, penalty: float
) -> None:
    rng = np.random.default_rng(1)
    x, y = (torch.from_numpy(rng.normal(size=(ROWS, size)).astype(np.float32)) for size in (features, 2))
    weights = torch.from_numpy(rng.uniform(0, 2, ROWS).astype(np.float32))
    weights[3] = 0
    weights *= ROWS / weights.sum()
    spectrum, parts = spectrum_of(x * torch.logspace(-1, 2, features), weights), parts_of(sizes)
    path = Path(spectrum, y, weights, parts)
    told, summed = path.left_out(penalty), 0.0
    own, heavy, double = torch.cat([spectrum.scores, torch.ones(ROWS, 1)], dim=1).double(), weights.double(), y.double()
    decay = torch.diag(torch.tensor([penalty * ROWS] * spectrum.scores.shape[1] + [0.0])).double()
    for part in parts:
        weighted = own[part.kept].T * heavy[part.kept]
        wanted = own[part.rows] @ torch.linalg.solve(weighted @ own[part.kept] + decay, weighted @ double[part.kept])
        torch.testing.assert_close(told[part.rows].double(), wanted, atol=1e-6, rtol=1e-6)
        summed += float((wanted - double[part.rows]).square().sum(dim=1) @ heavy[part.rows])
    assert path.left_out_errors([penalty]) == [pytest.approx(summed, rel=1e-6)]


def test_parts_of_one_row_are_rows_by_themselves() -> None:
    rng = np.random.default_rng(2)
    x, y = (torch.from_numpy(rng.normal(size=(ROWS, size)).astype(np.float32)) for size in (8, 1))
    weights, y = torch.ones(ROWS), y - y.mean()
    spectrum = spectrum_of(x, weights)
    alone, parts = Path(spectrum, y, weights), Path(spectrum, y, weights, parts_of([1] * ROWS))
    torch.testing.assert_close(parts.left_out(0.1), alone.left_out(0.1), atol=1e-4, rtol=1e-4)
    assert parts.left_out_errors([0.1]) == [pytest.approx(alone.left_out_errors([0.1])[0], rel=1e-3)]


def near_copies(
    seed: int = 0, originals: int = 60, copies: int = 6, features: int = 40
) -> tuple[Tensor, Tensor, np.ndarray]:
    """Features, a value that little of them tells, and who is a copy of whom."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(originals, features))
    values = first[:, :1] + rng.normal(0, 2, (originals, 1))
    x = np.repeat(first, copies, axis=0) + rng.normal(0, 0.02, (originals * copies, features))
    return (
        torch.from_numpy(x.astype(np.float32)),
        torch.from_numpy(np.repeat(values, copies, axis=0).astype(np.float32)),
        np.repeat(np.arange(originals), copies),
    )


def outputs_of(head: HeadSpec, fitting: Fitting, x: Tensor) -> tuple[Tensor, dict[str, float]]:
    solution = call(head, head, fitting, target=head.solved_by)
    if "0.mean" in solution.state:
        x = functional.normalize(x - solution.state["0.mean"], dim=1)
    return x @ solution.state["1.weight"].T + solution.state["1.bias"], dict(solution.facts)


def test_the_penalty_of_near_copies_is_chosen_by_leaving_out_all_of_them() -> None:
    (x, y, kin), (new, wanted, _) = near_copies(), near_copies(1, copies=1, originals=400)
    plain, facts = outputs_of(RidgeHead(), Fitting(x, of_values(y)), new)
    grouped, other = outputs_of(RidgeHead(), Fitting(x, of_values(y), kin=kin), new)
    assert other["head/penalty"] > 10 * facts["head/penalty"]
    errors = [float((told - wanted).square().mean()) for told in (plain, grouped)]
    best = min(
        float((outputs_of(RidgeHead(penalty=one), Fitting(x, of_values(y)), new)[0] - wanted).square().mean())
        for one in (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
    )
    assert errors[1] < 1.1 * best < 0.8 * errors[0]


@pytest.mark.parametrize("head", [LogisticHead(), RidgeHead(), PrototypeHead()], ids=lambda head: head.kind)
def test_a_head_of_classes_is_as_sure_of_new_rows_as_it_may_be(head: HeadSpec) -> None:
    (x, y, kin), (new, wanted, _) = near_copies(), near_copies(1, copies=1, originals=400)
    codes, truth = ((values[:, 0] > 0).long() for values in (y, wanted))
    targets = of_classes(codes.numpy())
    losses = [
        float(functional.cross_entropy(outputs_of(head, Fitting(x, targets, kin=one), new)[0], truth))
        for one in (None, kin)
    ]
    assert losses[1] < min(0.75, 0.9 * losses[0])


def test_parts_hold_whole_groups_and_judge_no_class_that_the_others_lack() -> None:
    kin = np.repeat(np.arange(12), 5)
    codes = np.where(kin == 0, 2, kin % 2)  # class 2 is of one group alone
    parts = held_out(of_classes(codes), kin, 4, seed=0)
    assert sorted(np.concatenate([part.rows for part in parts])) == list(range(60))
    for part in parts:
        assert not set(kin[part.rows]) & set(kin[part.kept])
        assert sorted([*part.rows, *part.kept]) == list(range(60))
        assert 2 not in codes[part.judged]
    assert sum(len(part.judged) for part in parts) == 55


def test_where_nothing_can_be_judged_by_groups_rows_are_left_out() -> None:
    x, y, _ = near_copies(originals=40, copies=2)
    codes = (y[:, 0] > 0).long().numpy()
    for head in (LogisticHead(), RidgeHead(), PrototypeHead()):
        plain = outputs_of(head, Fitting(x, of_classes(codes)), x)
        for kin in (np.zeros(80, dtype=np.int64), codes):
            told, facts = outputs_of(head, Fitting(x, of_classes(codes), kin=kin), x)
            torch.testing.assert_close(told, plain[0])
            assert facts == plain[1]


@pytest.mark.parametrize(("copies", "alone"), [(2, True), (20, False)])
def test_few_rows_that_belong_to_others_are_left_out_by_themselves(copies: int, alone: bool) -> None:
    """Parts cost several times as much, and two rows of a hundred tell nothing of a strength."""
    codes = np.arange(100) % 2
    kin = np.concatenate([np.zeros(copies), np.arange(1, 101 - copies)]).astype(np.int64)
    fitting = Fitting(torch.zeros(100, 1), of_classes(codes), kin=kin)
    assert (not asked_parts(fitting.targets, fitting)) is alone


def test_a_direction_that_one_part_alone_has_is_told_in_finite_numbers() -> None:
    x = torch.zeros(30, 3)
    x[:15, 0], x[15:, 1] = 1e3 * torch.arange(15), 1e-3 * torch.arange(15)
    y = torch.arange(30.0)[:, None]
    told, facts = outputs_of(RidgeHead(), Fitting(x, of_values(y), kin=np.arange(30) // 15), x)
    assert told.isfinite().all()
    assert facts["head/penalty"] > 0
