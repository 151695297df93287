"""Keys and metrics by the words of other tools."""

import pytest

from graft.core.errors import SpecError
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.messages import other_words
from graft.spec.messages.other_words import ours

FOLDER = {"kind": "image_folder", "path": "photos"}


def told_of(**sections):
    with pytest.raises(SpecError) as refused:
        parse_job({"name": "x", "data": FOLDER, **sections})
    return str(refused.value)


@pytest.mark.parametrize(
    ("sections", "meant"),
    [
        ({"search": {"budget": {"hours": 3}}}, "`minutes` (60 to an hour)"),
        ({"search": {"budget": {"time": 3}}}, "`minutes`"),
        ({"hours": 3}, "`search.budget.minutes`"),
        ({"learning_rate": 0.1}, "`strategy.lr`"),
        ({"strategy": {"learning_rate": 0.1}}, "`lr`"),
        ({"strategy": {"Learning-Rate": 0.1}}, "`lr`"),
        ({"strategy": {"batch": 8}}, "`batch_size`"),
        ({"strategy": {"bs": 8}}, "`batch_size`"),
        ({"training": {"bs": 8}}, "`strategy.batch_size`"),
        ({"training": {"batch": 8}}, "`training.fit.batch` or `strategy.batch_size`"),
        ({"strategy": {"max_length": 8}}, "`max_tokens`"),
        ({"strategy": {"image_size": 64}}, "`resolution`"),
        ({"strategy": {"img_size": 64}}, "`resolution`"),
        ({"data": {**FOLDER, "image_size": 64}}, "`strategy.resolution`"),
        ({"data": {**FOLDER, "val_split": 0.2}}, "`validation`"),
        ({"data": {"kind": "image_folder", "root": "photos"}}, "`path`"),
        ({"resources": {"gpus": 1}}, "`gpus_per_worker`"),
        ({"search": {"metric": "f1"}}, "`macro_f1`"),
        ({"task": "multilabel", "search": {"metric": "f1_micro"}}, "`micro_f1`"),
        ({"task": "regression", "search": {"metric": "mse"}}, "`rmse`"),
        ({"task": "classification", "search": {"metric": "roc_auc"}}, "`auroc`"),
        ({"strategy": {"optimiser": "sgd"}}, "`optimizer`"),
    ],
)
def test_what_others_call_so_is_named_by_our_word(sections, meant):
    assert f"did you mean {meant}?" in told_of(**sections)


def test_what_fits_where_it_stands_comes_before_what_is_spelled_alike():
    assert "gpu_hours" not in told_of(search={"budget": {"hours": 3}})
    assert "batch_size" not in told_of(strategy={"image_size": 3})


def test_every_word_of_ours_is_one_that_jobs_have():
    schema = str(Job.model_json_schema())
    metrics = told_of(search={"metric": "x"}) + told_of(task="multilabel", search={"metric": "x"})
    metrics += told_of(task="regression", search={"metric": "x"})
    strategy = told_of(strategy={"zzzz": 1}) + "dropout warmup"
    for word in other_words._OURS:
        assert f"'{word}'" in schema or word in metrics or word in strategy, word


def test_a_word_of_ours_is_not_taken_for_another():
    assert ours("minutes") == ours("lr") == ours("trials") == ()
    assert ours("N_ITER") == ("trials", "epochs")
