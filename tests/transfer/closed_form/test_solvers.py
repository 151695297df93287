"""Heads in closed form are the minimum of what they say they minimise."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from graft.spec.components.head import HeadSpec, LogisticHead, PrototypeHead, RidgeHead
from graft.transfer.closed_form import left_out, logistic, prototype, ridge
from graft.transfer.closed_form.problem import Fitting, LinearTargets, Solution
from graft.transfer.closed_form.spectrum import spectrum_of

SOLVERS: dict[str, tuple[HeadSpec, Callable[..., Solution]]] = {
    "logistic": (LogisticHead(), logistic.solve),
    "ridge": (RidgeHead(), ridge.solve),
    "prototype": (PrototypeHead(), prototype.solve),
}
every = pytest.mark.parametrize("name", SOLVERS)


def blobs(rows: int, features: int, classes: int = 3, seed: int = 0) -> tuple[Tensor, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.arange(rows) % classes
    centres = rng.normal(0, 2, (classes, features))
    return torch.from_numpy((centres[codes] + rng.normal(0, 2, (rows, features))).astype(np.float32)), codes


def of_classes(codes: np.ndarray, outputs: int) -> LinearTargets:
    return LinearTargets("softmax", codes.astype(np.int64), outputs, codes.astype(np.int64))


def fitted(name: str, features: Tensor, targets: LinearTargets, **more: Any) -> Solution:
    spec, solve = SOLVERS[name]
    return solve(spec, Fitting(features, targets, **more))


def with_penalty(name: str, strength: float, fitting: Fitting) -> Solution:
    spec = {"logistic": LogisticHead(strength=strength), "ridge": RidgeHead(penalty=0.5)}.get(name, SOLVERS[name][0])
    return SOLVERS[name][1](spec, fitting)


def outputs_of(solution: Solution, features: Tensor) -> Tensor:
    if "0.mean" in solution.state:
        features = functional.normalize(features - solution.state["0.mean"], dim=1)
    return features @ solution.state["1.weight"].T + solution.state["1.bias"]


@pytest.mark.parametrize(("rows", "features"), [(200, 12), (40, 60)], ids=["tall", "wide"])
@pytest.mark.parametrize("strength", [0.003, 0.3])
def test_a_logistic_head_is_the_model_that_scikit_learn_finds(rows: int, features: int, strength: float) -> None:
    x, codes = blobs(rows, features)
    own = logistic.solve(LogisticHead(strength=strength), Fitting(x, of_classes(codes, 3)))
    spectrum = spectrum_of(x, torch.ones(rows))
    scaled = ((x.double() - spectrum.mean) / spectrum.deviation).numpy()
    theirs = LogisticRegression(C=strength, tol=1e-8, max_iter=5000).fit(scaled, codes).predict_proba(scaled)
    np.testing.assert_allclose(outputs_of(own, x).softmax(dim=1).numpy(), theirs, atol=2e-3)


def test_labels_are_told_apart_each_by_itself() -> None:
    x, codes = blobs(150, 10)
    labels = np.stack([codes == 0, codes != 2], axis=1).astype(np.float32)
    targets = LinearTargets("sigmoid", labels, 2, labels.astype(np.uint8))
    own = logistic.solve(LogisticHead(strength=0.05), Fitting(x, targets))
    spectrum = spectrum_of(x, torch.ones(150))
    scaled = ((x.double() - spectrum.mean) / spectrum.deviation).numpy()
    for label in range(2):
        theirs = LogisticRegression(C=0.05, tol=1e-8, max_iter=5000).fit(scaled, labels[:, label])
        told = outputs_of(own, x)[:, label].sigmoid().numpy()
        np.testing.assert_allclose(told, theirs.predict_proba(scaled)[:, 1], atol=2e-3)


def test_a_bag_of_words_is_scaled_by_inverse_document_frequencies() -> None:
    counts = torch.from_numpy(np.random.default_rng(0).poisson([0.05, 0.5, 3.0, 0.0], (200, 4)).astype(np.float32))
    spectrum = spectrum_of(counts, torch.ones(200), "idf")
    idf = TfidfTransformer().fit(counts.numpy()).idf_
    deviation = spectrum.deviation.numpy()
    np.testing.assert_allclose(deviation * idf, deviation[0] * idf[0], rtol=1e-5)
    squares = ((counts - spectrum.mean) / spectrum.deviation).square().mean()
    assert float(squares) == pytest.approx(1, rel=1e-5)
    targets = of_classes(np.minimum(counts[:, 0].numpy(), 1).astype(np.int64), 2)
    first, second = (ridge.solve(RidgeHead(scale=scale), Fitting(counts, targets)) for scale in ("deviation", "idf"))
    assert not torch.allclose(first.state["1.weight"], second.state["1.weight"], rtol=0.1)


@pytest.mark.parametrize(("rows", "features"), [(30, 8), (12, 20)], ids=["tall", "wide"])
def test_left_out_errors_are_those_of_models_that_have_not_seen_the_row(rows: int, features: int) -> None:
    x, _ = blobs(rows, features)
    rng = np.random.default_rng(1)
    y = torch.from_numpy(rng.normal(size=(rows, 2)).astype(np.float32))
    weights = torch.from_numpy(rng.uniform(0.2, 2, rows).astype(np.float32))
    weights /= weights.mean()
    spectrum, penalty = spectrum_of(x, weights), 0.3
    mean = (weights @ y) / weights.sum()
    told = left_out.Path(spectrum, y - mean, weights).left_out(penalty) + mean
    scores = torch.cat([spectrum.scores, torch.ones(rows, 1)], dim=1).double()
    decay = torch.diag(torch.tensor([penalty * rows] * (scores.shape[1] - 1) + [0.0])).double()
    for left in range(0, rows, 5):
        kept = torch.arange(rows) != left
        weighted = scores[kept].T * weights[kept].double()
        model = torch.linalg.solve(weighted @ scores[kept] + decay, weighted @ y[kept].double())
        torch.testing.assert_close(told[left].double(), scores[left] @ model, atol=1e-3, rtol=1e-3)


def test_a_ridge_head_answers_in_values() -> None:
    x, _ = blobs(100, 5)
    y = x @ torch.tensor([[1.0, -1, 0, 2, 0], [0, 0, 3, 0, 1]]).T + 4
    solution = ridge.solve(
        RidgeHead(penalty=1e-6), Fitting(x, LinearTargets("identity", y.numpy(), 2, np.zeros(100, int)))
    )
    torch.testing.assert_close(outputs_of(solution, x), y, atol=1e-2, rtol=1e-3)


@every
def test_a_head_tells_new_rows_of_classes_apart_and_says_how_sure_it_is(name: str) -> None:
    x, codes = blobs(600, 30, classes=4)
    solution = fitted(name, x[:300], of_classes(codes[:300], 4))
    told, wanted = outputs_of(solution, x[300:]), torch.from_numpy(codes[300:])
    assert (told.argmax(dim=1) == wanted).float().mean() > 0.9
    assert functional.cross_entropy(told, wanted) < 0.35


@every
def test_the_same_rows_give_the_same_head(name: str) -> None:
    x, codes = blobs(90, 20)
    one, other = (fitted(name, x, of_classes(codes, 3), seed=7) for _ in range(2))
    assert all(torch.equal(one.state[key], other.state[key]) for key in one.state)


@every
def test_a_row_of_weight_2_counts_as_two_rows(name: str) -> None:
    x, codes = blobs(60, 8)
    weights = torch.ones(60)
    weights[:20] = 2
    weighted = with_penalty(name, 0.1, Fitting(x, of_classes(codes, 3), weights / weights.mean()))
    repeated = Fitting(torch.cat([x, x[:20]]), of_classes(np.concatenate([codes, codes[:20]]), 3))
    # C weighs a sum of losses, and there are more of them.
    other = with_penalty(name, 0.1 * 60 / 80, repeated)
    torch.testing.assert_close(outputs_of(weighted, x), outputs_of(other, x), atol=0.1, rtol=0.1)


@every
def test_rows_of_weight_0_have_no_say(name: str) -> None:
    x, codes = blobs(90, 8)
    weights = torch.ones(90)
    weights[60:] = 0
    wrong = codes.copy()
    wrong[60:] = (codes[60:] + 1) % 3
    one, other = (
        with_penalty(name, 0.1, Fitting(x, of_classes(some, 3), weights / weights.mean())) for some in (codes, wrong)
    )
    torch.testing.assert_close(one.state["1.weight"], other.state["1.weight"], atol=1e-3, rtol=1e-3)


@every
def test_constant_features_have_no_say(name: str) -> None:
    x, codes = blobs(60, 6)
    x[:, 2] = 5
    x[:, 3] = 0
    solution = fitted(name, x, of_classes(codes, 3))
    assert all(one.isfinite().all() for one in solution.state.values())
    all_constant = fitted(name, torch.ones(12, 4), of_classes(np.arange(12) % 3, 3))
    assert outputs_of(all_constant, torch.ones(2, 4)).isfinite().all()


@every
def test_one_row_a_class_is_enough(name: str) -> None:
    x, codes = blobs(5, 40, classes=5)
    told = outputs_of(fitted(name, x, of_classes(codes, 5)), x)
    assert told.argmax(dim=1).tolist() == codes.tolist()


@every
def test_a_class_without_rows_is_rare_and_not_impossible(name: str) -> None:
    x, codes = blobs(90, 10)
    wide = np.where(codes == 2, 3, codes)  # nothing is of class 2, nor of 4
    told = outputs_of(fitted(name, x, of_classes(wide, 5)), x).softmax(dim=1)
    assert told.argmax(dim=1).ne(2).all()
    assert 1e-6 < told[:, [2, 4]].mean() < 0.05


@every
def test_thousands_of_classes_are_solved_by_what_there_is_of_them(name: str) -> None:
    x, codes = blobs(120, 10, classes=60)
    solution = fitted(name, x, of_classes(codes * 160, 10_000))
    assert solution.state["1.weight"].shape == (10_000, 10)
    assert set(outputs_of(solution, x).argmax(dim=1).tolist()) <= set((codes * 160).tolist())


def test_labels_that_all_or_none_have_answer_with_their_rate() -> None:
    x, codes = blobs(40, 6)
    labels = np.stack([codes == 0, np.zeros(40), np.ones(40)], axis=1).astype(np.float32)
    targets = LinearTargets("sigmoid", labels, 3, labels.astype(np.uint8))
    for name in ("logistic", "ridge"):
        told = outputs_of(fitted(name, x, targets), x).sigmoid()
        assert told[:, 1].max() < 0.05
        assert told[:, 2].min() > 0.95
        assert ((told[:, 0] > 0.5).numpy() == (codes == 0)).mean() > 0.8


def test_a_rare_feature_does_not_outweigh_all_others() -> None:
    """One row in training has it, and a new one has much of it: divided by its own deviation, it would decide alone."""
    x, codes = blobs(120, 8)
    rare = torch.zeros(120, 1)
    rare[0] = 1e-3
    solution = fitted("ridge", torch.cat([x, rare], dim=1), of_classes(codes, 3))
    new = torch.cat([x, torch.full((120, 1), 1.0)], dim=1)
    assert (outputs_of(solution, new).argmax(dim=1).numpy() == codes).mean() > 0.8


def test_a_strength_that_is_given_is_taken() -> None:
    x, codes = blobs(60, 6)
    assert logistic.solve(LogisticHead(strength=0.2), Fitting(x, of_classes(codes, 3))).facts == {"head/C": 0.2}
    chosen = fitted("logistic", x, of_classes(codes, 3)).facts
    assert chosen["head/C"] in logistic.STRENGTHS
    assert 0 < chosen["head/held_out_loss"] < np.log(3)
