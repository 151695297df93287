"""What standardises and selects features is fitted to the rows that are trained on."""

import numpy as np
import pytest
import torch

from graft.core.errors import SpecError
from graft.models.feature_scaling import FeatureScaling
from graft.spec.components.selection import MutualInformation, VarianceSelection
from graft.spec.strategy import Strategy
from graft.transfer import feature_scaling as module
from graft.transfer.feature_scaling import Training, fit_scaling

FEATURES = np.random.default_rng(0).normal(3, [1, 2, 5, 0], (60, 4)).astype(np.float32)
TARGETS = (FEATURES[:, 1] > 3).astype(np.int64)
ROWS = np.arange(0, 60, 2)


def fitted(**strategy: object) -> FeatureScaling:
    scaling = FeatureScaling(4)
    fit_scaling(scaling, Strategy(freeze=1.0, **strategy), Training(lambda rows: FEATURES[rows], ROWS, TARGETS, 0))
    return scaling


def test_standardised_features_have_mean_0_and_deviation_1_over_these_rows() -> None:
    made = fitted(standardise=True)(torch.from_numpy(FEATURES[ROWS])).numpy()
    assert made.mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert made.std(axis=0) == pytest.approx([1, 1, 1, 0], abs=1e-5)


def test_other_rows_have_no_say() -> None:
    before = FEATURES[1::2].copy()
    FEATURES[1::2] = 1000
    try:
        changed = fitted(standardise=True, select=MutualInformation(keep=0.5))
    finally:
        FEATURES[1::2] = before
    same = fitted(standardise=True, select=MutualInformation(keep=0.5))
    assert torch.equal(changed.mean, same.mean)
    assert torch.equal(changed.scale, same.scale)


def test_what_is_not_selected_is_zero_and_the_rest_as_it_was() -> None:
    made = fitted(select=VarianceSelection(threshold=2.0))(torch.from_numpy(FEATURES)).numpy()
    assert (made[:, [0, 3]] == 0).all()
    assert (made[:, [1, 2]] == FEATURES[:, [1, 2]]).all()


def test_many_rows_are_read_in_portions_and_a_selection_looks_at_some(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fitted(standardise=True)
    monkeypatch.setattr(module, "SELECTION_ROWS", 7)
    in_parts = fitted(standardise=True, select=MutualInformation(keep=0.5))
    assert in_parts.mean == pytest.approx(whole.mean, abs=1e-5)
    assert int((in_parts.scale > 0).sum()) == 2


def test_a_selection_that_leaves_nothing_is_an_error() -> None:
    with pytest.raises(SpecError) as error:
        fitted(select=VarianceSelection(threshold=1e6))
    assert str(error.value) == "strategy.select: is variance, which leaves none of 4 features; make it milder"
