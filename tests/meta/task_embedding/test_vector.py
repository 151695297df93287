import numpy as np
import pytest

from graft.meta.task_embedding.meta_features import meta_features
from graft.meta.task_embedding.sample import TaskSample
from graft.meta.task_embedding.vector import GROUPS, NAMES, PART, WHOLE, task_vector, version_of

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((60, 12)) + 1.0


def sample(**changes):
    usual = {
        "rows": 60,
        "outputs": 3,
        "counts": (30, 20, 10),
        "features": {WHOLE: FEATURES, PART: FEATURES[:, :8]},
        "alignment": {WHOLE: {"ridge": 0.8, "centroid": 0.7, "logme": 0.2, "hscore": 1.0}, PART: {"ridge": 0.75}},
    }
    return TaskSample(**{**usual, **changes})


def named(vector):
    return dict(zip(NAMES, vector.values, strict=False))


def test_a_vector_has_the_same_entries_whatever_the_width_of_the_features():
    wide = RNG.standard_normal((60, 40))
    one, other = task_vector(sample(), "net@64"), task_vector(sample(features={WHOLE: wide, PART: wide}), "net@64")
    assert len(one.values) == len(other.values) == len(NAMES) == GROUPS["sketch"].stop
    assert one.version == other.version == "1:net@64"


def test_a_vector_is_the_same_every_time():
    assert task_vector(sample(), "x") == task_vector(sample(), "x")


def test_alignment_is_told_above_chance():
    found = named(task_vector(sample(), "x"))
    assert found["ridge"] == pytest.approx((0.8 - 0.5) / 0.5)
    assert found["ridge_below"] == pytest.approx(0.5)
    assert found["gain_of_depth"] == pytest.approx(0.1)
    assert found["hscore"] == pytest.approx(0.5)
    assert found["centroid_below"] == 0.0  # not asked for


def test_the_spectrum_knows_flat_features_from_those_of_one_direction():
    flat = named(task_vector(sample(), "x"))
    line = np.outer(RNG.standard_normal(60), np.ones(12)) + 1e-3 * FEATURES
    thin = named(task_vector(sample(features={WHOLE: line, PART: line}), "x"))
    assert thin["first_share"] > 0.99 > flat["first_share"]
    assert thin["effective_rank"] < 0.1 < flat["effective_rank"]


def test_constant_features_are_no_error():
    same = np.ones((5, 4))
    values = task_vector(sample(features={WHOLE: same, PART: same}, alignment={}), "x").values
    assert np.isfinite(values).all()


def test_the_fisher_information_makes_another_version():
    found = task_vector(sample(), "x", fisher=[-3.0, -4.0])
    assert found.version == version_of("x", with_fisher=True) == "1:x+fisher"
    assert found.values[len(NAMES) :] == (-3.0, -4.0)


@pytest.mark.parametrize(
    ("features", "told"),
    [
        ({WHOLE: FEATURES}, "depth 0.7 are missing"),
        ({WHOLE: np.full((3, 2), np.nan), PART: FEATURES}, "must be finite rows"),
        ({WHOLE: np.ones(3), PART: FEATURES}, "must be finite rows"),
    ],
)
def test_what_no_vector_can_be_made_of_is_refused(features, told):
    with pytest.raises(ValueError, match=told):
        task_vector(sample(features=features), "x")


def test_meta_features_say_size_and_balance():
    found = meta_features(sample(rows=1000, outputs=10, counts=(100,) * 10))
    assert found == pytest.approx(
        {"log_rows": 3.0, "log_outputs": 1.0, "log_rows_per_output": 2.0, "balance": 1.0, "smallest_share": 1.0}
    )
    assert meta_features(sample(counts=(98, 1, 1)))["balance"] < 0.2


def test_meta_features_of_texts_and_of_values():
    text = meta_features(sample(lengths=np.array([10, 10, 100, 100]), overlap=0.4))
    assert (text["overlap"], text["spread_of_length"]) == (0.4, pytest.approx(1.0))
    assert set(meta_features(TaskSample(50, 1))) == {"log_rows", "log_outputs", "log_rows_per_output"}


@pytest.mark.parametrize("changes", [{"rows": 0, "outputs": 0, "counts": ()}, {"counts": (5,), "outputs": 1}])
def test_a_task_of_one_class_or_of_nothing_is_no_error(changes):
    assert np.isfinite(list(meta_features(sample(**changes)).values())).all()
