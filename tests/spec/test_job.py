import pickle
from collections.abc import Callable
from typing import Any

import pytest

from graft.core.errors import SpecError
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.modalities.image import DigitsData, ImageFolderData
from graft.spec.registry import members
from graft.spec.search.search import Asha, NoScheduler
from graft.spec.tasks.lookup import all_metrics, metric_named

KINDS = ", ".join(members("data_kind"))
MINIMAL: dict[str, Any] = {"name": "digits", "data": {"kind": "digits"}}


def problems(**changes: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_job({**MINIMAL, **changes})
    return [str(problem) for problem in caught.value.problems]


def test_a_minimal_job_has_all_its_defaults() -> None:
    job = parse_job(MINIMAL)

    assert isinstance(job.data, DigitsData)
    assert (job.data.validation, job.data.test, job.data.flip) == (0.2, 0.2, "none")
    assert (job.training.epochs, job.training.patience, job.training.final_on) == (None, None, "train+validation")
    assert job.search.scheduler == Asha(grace_epochs=None, reduction_factor=3)
    assert (job.search.metric, job.objective.name, job.search.seed) == ("auto", "accuracy", 0)
    assert (job.task.kind, job.decided_task.kind) == ("auto", "classification")
    assert (job.search.budget.most_trials, job.search.budget.minutes) == (16, None)
    assert [(phase.trials, phase.epochs) for phase in job.phases] == [(16, 8)]
    assert (job.training.fit.workers, job.training.fit.batch, job.training.fit.soup) == ("auto", "fixed", "none")
    assert (job.resources.workers, job.resources.cpus_per_worker, job.resources.gpus_per_worker) == (1, "auto", "auto")
    assert job.export.register is True
    assert job.strategy.grid_size() == 1


def test_names_default_to_the_name_of_the_job() -> None:
    job = parse_job(MINIMAL)
    named = parse_job({**MINIMAL, "tracking": {"experiment": "x"}, "export": {"model_name": "y"}})

    assert (job.experiment_name, job.model_name) == ("digits", "digits")
    assert (named.experiment_name, named.model_name) == ("x", "y")


def test_a_job_survives_dump_and_pickle() -> None:
    job = parse_job(
        {
            **MINIMAL,
            "data": {"kind": "idx", "path": "/d", "classes": ["a", "b"]},
            "strategy": {"lr": {"loguniform": [1e-4, 1e-1]}, "penalty": {"choice": ["none", "l2"]}},
            "resources": {"cpus_per_worker": 0.5},
        }
    )

    assert parse_job(job.model_dump(mode="json")) == job
    assert Job.model_validate_json(job.model_dump_json()) == job
    assert pickle.loads(pickle.dumps(job)) == job
    assert parse_job(job) == job


def test_bare_names_stand_for_components() -> None:
    job = parse_job({"name": "j", "data": "digits", "search": {"scheduler": "none", "searcher": "random"}})

    assert job.data == DigitsData()
    assert job.search.scheduler == NoScheduler()


def test_kinds_have_their_own_defaults() -> None:
    assert ImageFolderData.model_validate({"path": "/d"}).flip == "horizontal"
    assert parse_job({"name": "j", "data": {"kind": "idx", "path": "/d", "test": 0.0}}).data.test == 0


def test_every_metric_has_a_direction() -> None:
    assert {(task, metric.name): metric.mode for task, metric in all_metrics()} == {
        ("classification", "accuracy"): "max",
        ("classification", "balanced_accuracy"): "max",
        ("classification", "macro_f1"): "max",
        ("classification", "loss"): "min",
        ("classification", "log_loss"): "min",
        ("classification", "auroc"): "max",
        ("classification", "ece"): "min",
        ("classification", "top_3_accuracy"): "max",
        ("classification", "top_5_accuracy"): "max",
        ("multilabel", "map"): "max",
        ("multilabel", "macro_f1"): "max",
        ("multilabel", "micro_f1"): "max",
        ("multilabel", "subset_accuracy"): "max",
        ("multilabel", "loss"): "min",
        ("regression", "mae"): "min",
        ("regression", "rmse"): "min",
        ("regression", "r2"): "max",
        ("regression", "spearman"): "max",
        ("regression", "loss"): "min",
    }
    assert metric_named("accuracy").is_better(0.9, 0.8)
    assert metric_named("loss").is_better(0.1, 0.2)
    assert metric_named("loss").is_better(0.1, None)
    assert not metric_named("accuracy").is_better(float("nan"), None)
    assert not metric_named("accuracy").is_better(float("nan"), 0.1)
    assert parse_job({**MINIMAL, "search": {"metric": "loss"}}).objective.mode == "min"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "My job"}, "name: is `My job`, but must be 1 to 64 of a-z, 0-9, `_` and `-`"),
        ({"name": "a" * 65}, "name: is `aaa"),
        ({"name": 3}, "name: is 3, but must be text; put it in quotes"),
        ({"name": None}, "name: is empty, but must be text"),
        ({"version": 2}, "version: is 2, but must be 1, the newest that this graft reads; upgrade graft"),
        ({"version": 0}, "version: is 0, but must be 1"),
        ({"version": "1"}, "version: is the text '1', but must be 1; remove the quotes"),
        ({"data": None}, "data: is empty, but must be a mapping"),
        ({"data": []}, "data: is a list, but must be a mapping"),
        (
            {"data": {}},
            f"data: has no `kind`, which must be one of {KINDS}",
        ),
        (
            {"data": "digit"},
            f"data: is `digit`, but must be one of {KINDS}; did you mean `digits`?",
        ),
        ({"data": {"kind": 3}}, "data: is 3, but must be one of digits"),
        ({"data": {"kind": "idx"}}, "data.path: is missing, but must be given: Directory of the files"),
        ({"data": {"kind": "idx", "path": ""}}, "data.path: is ``, but must be a path"),
        ({"data": {"kind": "idx", "path": "a\0b"}}, "data.path: is `a\\x00b`, but must be a path"),
        ({"data": {"kind": "idx", "path": 3}}, "data.path: is 3, but must be a path, as text"),
        (
            {"data": {"kind": "idx", "path": "s3a://b/x"}},
            "data.path: is `s3a://b/x`, but must begin with s3://; write s3://",
        ),
        (
            {"data": {"kind": "wordnet", "path": "s3://b/x"}},
            "data.path: is `s3://b/x`, but must be a path of this machine",
        ),
        ({"data": {"kind": "idx", "path": "d", "classes": "ab"}}, "data.classes: is the text 'ab', but must be a list"),
        (
            {"data": {"kind": "idx", "path": "d", "classes": ["a", 1]}},
            "data.classes[1]: is 1, but must be text; put it",
        ),
        (
            {"data": {"kind": "idx", "path": "d", "classes": ["a", "a"]}},
            "data.classes[1]: is `a`, which is in the list",
        ),
        (
            {"data": {"kind": "idx", "path": "d", "classes": ["a"]}},
            "data.classes: has 1 name, but must have at least 2",
        ),
        ({"data": {"kind": "digits", "flip": "both"}}, "data.flip: is `both`, but must be none"),
        ({"data": {"kind": "digits", "path": "x"}}, "data.path: is not a key of data of kind digits; its keys are"),
        ({"data": {"kind": "digits", "test": 0}}, "data.test: is 0, but must be > 0 and < 1"),
        ({"data": {"kind": "digits", "validation": 0.6, "test": 0.4}}, "data.test: and `validation` hold out 1 of"),
        ({"data": {"kind": "digits", "limit": 1}}, "data.limit: is 1, but must be >= 2"),
        (
            {"data": {"kind": "digits", "validation": "0.1"}},
            "is the text '0.1', but must be a number; remove the quotes",
        ),
        ({"strategy": None}, "strategy: is empty, but must be a mapping of strategy keys"),
        ({"training": {"epochs": 0}}, "training.epochs: is 0, but must be between 1 and 1000"),
        ({"training": {"epochs": 1.5}}, "training.epochs: is 1.5, but must be a whole number"),
        ({"training": {"epochs": True}}, "training.epochs: is true, but must be a whole number"),
        ({"training": {"epoch": 3}}, "training.epoch: is not a key of training; did you mean `epochs`?"),
        ({"training": {"final_on": "all"}}, "training.final_on: is `all`, but must be one of train+validation, train"),
        ({"epochs": 3}, "epochs: is not a key of a job; did you mean `training.epochs`?"),
        ({"seed": 3}, "seed: is not a key of a job; did you mean `data.seed` or `search.seed`?"),
        ({"lr": 3}, "lr: is not a key of a job; did you mean `strategy.lr`?"),
        (
            {"search": {"metric": "acuracy"}},
            "search.metric: is `acuracy`, but must be one of accuracy, balanced_accuracy, "
            "macro_f1, loss, log_loss, auroc, ece, top_3_accuracy, top_5_accuracy; did you mean `accuracy`?",
        ),
        (
            {"search": {"scheduler": "ahsa"}},
            "search.scheduler: is `ahsa`, but must be one of none, asha, hyperband, median, one_epoch_top_k, pbt, pb2; "
            "did you mean `asha`?",
        ),
        (
            {"search": {"scheduler": {"kind": "asha", "eta": 3}}},
            "is not a key of search.scheduler of kind asha; its keys",
        ),
        (
            {"training": {"epochs": 8}, "search": {"scheduler": {"kind": "asha", "grace_epochs": 9}}},
            "search.scheduler.grace_epochs: is 9, but must be <= training.epochs, which is 8",
        ),
        (
            {"search": {"searcher": "tp"}},
            "search.searcher: is `tp`, but must be one of random, meta, grid, sobol, tpe, cmaes, bohb; did you mean "
            "`tpe`?",
        ),
        ({"search": {"budget": {"minutes": 0}}}, "search.budget.minutes: is 0, but must be > 0"),
        ({"search": {"budget": {"minutes": float("inf")}}}, "search.budget.minutes: is inf, but must be"),
        ({"search": {"budget": 3}}, "search.budget: is 3, but must be a mapping"),
        ({"resources": {"workers": 0}}, "resources.workers: is 0, but must be between 1 and 1024"),
        ({"resources": {"placement": "near"}}, "resources.placement: is `near`, but must be one of pack, spread"),
        ({"resources": {"price": {"gpu_hour": -1}}}, "resources.price.gpu_hour: is -1, but must be >= 0"),
        ({"training": {"fit": {"accumulate": 0}}}, "training.fit.accumulate: is 0, but must be between 1 and 1024"),
        (
            {"training": {"fit": {"workers": "many"}}},
            "training.fit.workers: is `many`, but must be a whole number between 1 and 1024, or auto",
        ),
        ({"training": {"fit": {"workers": True}}}, "training.fit.workers: is true, but must be a whole number between"),
        ({"training": {"fit": {"lr_rule": "cubic"}}}, "training.fit.lr_rule: is `cubic`, but must be one of none,"),
        ({"resources": {"cpus_per_worker": 0}}, "resources.cpus_per_worker: is 0, but must be a number of CPUs > 0"),
        (
            {"resources": {"cpus_per_worker": "2"}},
            "resources.cpus_per_worker: is `2`, but must be a number of CPUs, without",
        ),
        (
            {"resources": {"gpus_per_worker": 1.5}},
            "resources.gpus_per_worker: is 1.5, but must be a whole number above 1",
        ),
        ({"tracking": {"uri": "a b"}}, "tracking.uri: is `a b`, but must be the address of an MLflow store"),
        ({"tracking": {"experiment": ""}}, "tracking.experiment: has 0 characters, but must have at least 1"),
        ({"export": {"model_name": "a/b"}}, "export.model_name: is `a/b`, but must be a name without"),
        ({"export": {"register": "yes"}}, "export.register: is the text 'yes', but must be true or false"),
    ],
)
def test_what_is_wrong_is_told_by_its_key(changes: dict[str, Any], expected: str) -> None:
    found = problems(**changes)

    assert len(found) == 1
    assert expected in found[0]
    assert "pydantic" not in found[0].lower()
    assert "input should" not in found[0].lower()


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        name="A B", data={"kind": "digits", "foo": 1}, strategy={"freeze": 2, "bar": 1}, training={"epochs": 0}
    )

    assert [line.split(":")[0] for line in found] == [
        "name",
        "data.foo",
        "strategy.bar",
        "strategy.freeze",
        "training.epochs",
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            ["strategy:", "  lr:", "    loguniform: [0.1, 0.001]", "search: {scheduler: pbt}"],
            "x.yaml:5 strategy.lr.loguniform: is from 0.1 to 0.001, but the lower bound must come first and be smaller",
            id="bounds the wrong way round",
        ),
        pytest.param(
            [
                "strategy: {lr: {loguniform: [0.001, 0.1]}, batch_size: {choice: [8, 16]}}",
                "search:",
                "  scheduler:",
                "    kind: pbt",
                "    mutate: [lr, batch_size]",
            ],
            "x.yaml:7 search.scheduler.mutate[1]: is `batch_size`, which cannot change during training; it must be one "
            "of lr, head_lr_factor, weight_decay, freeze, penalty, loss, augment, mix, head.dropout, momentum",
            id="mutation of an immutable field",
        ),
        pytest.param(
            [
                "strategy: {lr: {loguniform: [0.001, 0.1]}}",
                "search:",
                "  - {scheduler: asha, trials: 3}",
                "  - scheduler: {kind: pbt, mutate: [freeze]}",
                "    from: top",
            ],
            "x.yaml:6 search[1].scheduler.mutate[0]: is `freeze`, but `strategy` gives it one value; give it a "
            "distribution, or leave it out here",
            id="mutate key without a distribution",
        ),
        pytest.param(
            ["strategy: {lr: 0.001}", "search:", "  scheduler: pbt"],
            "x.yaml:5 search.scheduler: has nothing to change: give one of lr, head_lr_factor, weight_decay, freeze, "
            "penalty, loss, augment, mix, head.dropout, momentum a distribution in `strategy`",
            id="nothing to mutate",
        ),
        pytest.param(
            ["strategy: {freeze: {choice: [0.0, 1.0]}}", "search:", "  scheduler: pb2"],
            "x.yaml:5 search.scheduler: needs a range to learn on: give lr or weight_decay a `uniform` or "
            "`loguniform`; or use pbt",
            id="pb2 without a range",
        ),
        pytest.param(
            [
                "strategy: {lr: {loguniform: [0.001, 0.1]}, backbone: {choice: [a, b, c]}}",
                "search:",
                "  scheduler: pbt",
                "  population: 5",
            ],
            "x.yaml:6 search.population: is 5, but `strategy` has 3 architectures (backbone, structure, head), and "
            "weights are copied only within one: it must be >= 6; or leave fewer",
            id="population too small for the architectures",
        ),
        pytest.param(
            [
                "strategy: {lr: {loguniform: [0.001, 0.1]}, head: {kind: mlp, width: {randint: [8, 64]}}}",
                "search:",
                "  scheduler: pbt",
                "  population: 4",
            ],
            "x.yaml:6 search.population: is split by architecture, but `strategy.head` draws its shape from a range; "
            "use `choice` there",
            id="architectures without end",
        ),
        pytest.param(
            ["search:", "  budget:", "    cost: 3"],
            "x.yaml:5 search.budget.cost: is 3, but nothing has a price; set resources.price",
            id="cost without price",
        ),
        pytest.param(
            ["search:", "  phases:", "    - {scheduler: asha, trials: 20}", "    - {scheduler: none, trials: 20}",
             "  budget:", "    trials: 30"],
            "x.yaml:8 search.budget.trials: is 30, but the phases have 40 trials; raise it, or leave it out",
            id="more trials in the phases than in the budget",
        ),
        pytest.param(
            ["strategy: {lr: {loguniform: [0.001, 0.1]}}", "search:", "  scheduler: pbt", "  budget:", "    trials: 4"],
            "x.yaml:7 search.budget.trials: is 4, but the population has 6 trials; raise it, or leave it out",
            id="a larger population than the budget has trials",
        ),
        pytest.param(
            ["training:", "  fit:", "    soup: greedy"],
            "x.yaml:5 training.fit.soup: is greedy, but a soup is judged on the validation samples, which final_on: "
            "train+validation trains on; set training.final_on to train",
            id="soup without final_on: train",
        ),
        pytest.param(
            ["training:", "  fit:", "    min_workers: 3", "resources: {workers: 2}"],
            "x.yaml:5 training.fit.min_workers: is 3, but must be <= the workers of the fit, which are 2",
            id="min_workers > workers",
        ),
        pytest.param(
            ["training:", "  fit: {workers: 2, min_workers: 3}", "resources: {workers: 4}"],
            "x.yaml:4 training.fit.min_workers: is 3, but must be <= the workers of the fit, which are 2",
            id="min_workers > workers of the fit",
        ),
        pytest.param(
            ["training: {epochs: 8}", "search:", "  - scheduler: {kind: asha, grace_epochs: 5}", "    trials: 4",
             "  - {scheduler: none, from: top}"],
            "x.yaml:5 search[0].scheduler.grace_epochs: is 5, but must be <= the epochs of the phase, which are 4",
            id="grace_epochs > phase epochs",
        ),
        pytest.param(
            ["training: {epochs: 8}", "search:", "  scheduler:", "    kind: median", "    grace_epochs: 9"],
            "x.yaml:7 search.scheduler.grace_epochs: is 9, but must be <= training.epochs, which is 8",
            id="grace_epochs > epochs",
        ),
        pytest.param(
            ["training: {epochs: 8}", "search:", "  scheduler:", "    kind: one_epoch_top_k", "    epochs: 9"],
            "x.yaml:7 search.scheduler.epochs: is 9, but must be <= training.epochs, which is 8",
            id="first comparison after the end",
        ),
        pytest.param(
            ["training: {epochs: 4}", "search:", "  - scheduler: none", "    epochs: 5"],
            "x.yaml:6 search[0].epochs: is 5, but must be <= training.epochs, which is 4",
            id="a phase longer than the training",
        ),
        pytest.param(
            ["training: {epochs: 8}", "search:", "  - {scheduler: none, trials: 2, epochs: 8}",
             "  - scheduler: none", "    from: top"],
            "x.yaml:6 search[1].epochs: is 8, but must be > 8, where the phase before ends; raise training.epochs",
            id="a phase that ends where it begins",
        ),
    ],
)  # fmt: skip
def test_sections_that_do_not_fit_together_are_told_in_one_line(
    told_of: Callable[..., list[str]], lines: list[str], expected: str
) -> None:
    assert told_of(*lines) == [expected]


def test_every_job_that_such_a_line_leads_to_is_accepted() -> None:
    space = {"lr": {"loguniform": [1e-3, 1e-1]}, "backbone": {"choice": ["a", "b", "c"]}}
    job = parse_job(
        {
            **MINIMAL,
            "strategy": space,
            "search": {"scheduler": {"kind": "pb2", "mutate": ["lr"]}, "population": 6, "budget": {"cost": 3}},
            "training": {"final_on": "train", "fit": {"soup": "greedy", "workers": 4, "min_workers": 4}},
            "resources": {"workers": 2, "price": {"cpu_hour": 0.1}},
        }
    )
    assert (job.training.fit.min_workers, job.search.population) == (4, 6)


def test_survivors_are_of_one_architecture_so_any_population_will_do() -> None:
    space = {"lr": {"loguniform": [1e-3, 1e-1]}, "backbone": {"choice": ["a", "b", "c"]}}
    search = [{"scheduler": "asha", "trials": 4}, {"scheduler": "pbt", "population": 2, "from": "top"}]
    assert parse_job({**MINIMAL, "strategy": space, "search": search}).phases[1].trials == 2


@pytest.mark.parametrize("uri", ["http://me:canary@tracker:5000", "postgresql+psycopg2://me:canary@db/mlflow"])
def test_a_password_has_no_place_in_a_job(uri):
    with pytest.raises(SpecError, match=r"tracking\.uri: holds a password") as caught:
        parse_job({"name": "x", "data": "digits", "tracking": {"uri": uri}})
    assert "MLFLOW_TRACKING_PASSWORD" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tracking.uri", "http://tracker:5000?token=canary"),
        ("tracking.uri", "http://tracker:5000/#access_token=canary"),
        ("tracking.uri", "postgresql://db/mlflow?user=me&password=canary"),
        ("tracking.uri", "https://ghp_canary0123@tracker"),
        ("data.path", "s3://key:canary@bucket/photos"),
        ("data.path", "https://host/photos?X-Amz-Signature=canary"),
        ("strategy.backbone.choice[1]", "https://me:canary@host/weights"),
    ],
)
def test_nor_has_a_token_or_a_key_anywhere_in_it(key: str, value: str) -> None:
    raw: dict[str, Any] = {"name": "x", "data": {"kind": "image_folder", "path": "."}}
    section, _, name = key.partition(".")
    raw[section] = {**raw.get(section, {}), **({name: value} if "[" not in name else {})}
    if "[" in name:
        raw["strategy"] = {"backbone": {"choice": ["efficientnet_lite0", value]}}
    with pytest.raises(SpecError) as caught:
        parse_job(raw)
    mine = [problem for problem in caught.value.problems if problem.where == key]
    assert len(mine) == 1
    assert "but must not, because jobs are kept and logged" in mine[0].message
    assert "canary" not in str(caught.value)


def test_an_override_holds_none_either() -> None:
    with pytest.raises(SpecError, match=r"--set tracking\.uri: holds `token`, but must not") as caught:
        parse_job(MINIMAL, ["tracking.uri=http://host?token=canary"])
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("uri", ["http://tracker:5000", "https://me@tracker", "sqlite:////x/a:b@c.db", None])
def test_an_address_without_one_is_fine(uri):
    assert parse_job({"name": "x", "data": "digits", "tracking": {"uri": uri}}).tracking.uri == uri


def older(**changes: Any) -> dict[str, Any]:
    """A job as experiments hold it that began before there were tasks: without `task`, with a metric."""
    stored = parse_job({**MINIMAL, **changes}).model_dump(mode="json")
    del stored["task"]
    stored["search"].setdefault("metric", "accuracy")
    return stored


@pytest.mark.parametrize(
    ("data", "flip"),
    [
        ({"kind": "digits"}, "none"),
        ({"kind": "idx", "path": "/d"}, "none"),
        ({"kind": "image_folder", "path": "/d"}, "horizontal"),
    ],
)
@pytest.mark.parametrize(
    ("metric", "mode"), [("accuracy", "max"), ("balanced_accuracy", "max"), ("macro_f1", "max"), ("loss", "min")]
)
def test_a_job_of_an_older_experiment_has_an_objective(data: dict[str, Any], flip: str, metric: str, mode: str) -> None:
    stored = older(data=data, search={"metric": metric})
    for job in (Job.read_stored(stored), parse_job(stored)):
        assert (job.decided_task.kind, job.objective.name, job.objective.mode) == ("classification", metric, mode)
        assert job.data.flip == flip
        assert Job.read_stored(job.model_dump(mode="json")) == job


@pytest.mark.parametrize("task", ["", "auto", "classification"])
def test_a_metric_is_found_by_its_name_whether_the_task_is_known_or_not(task: str) -> None:
    assert metric_named("accuracy", task).mode == "max"
    with pytest.raises(KeyError):
        metric_named("mae", "classification")


def test_a_job_without_a_metric_is_judged_by_that_of_its_task() -> None:
    assert parse_job(MINIMAL).objective.name == "accuracy"
    assert parse_job({**MINIMAL, "task": "regression"}).objective.name == "mae"
    assert parse_job({**MINIMAL, "task": {"kind": "multilabel", "separator": "|"}}).objective.name == "map"


TABLE = {"kind": "table", "path": "/d/t.csv", "text": "t", "label": "y"}


def test_a_job_whose_labels_must_be_seen_has_no_objective_yet() -> None:
    job = parse_job({**MINIMAL, "data": TABLE})
    assert job.decided_task.kind == "auto"
    with pytest.raises(ValueError, match="resolve the job first"):
        _ = job.objective


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"task": "regresion"},
            "task: is `regresion`, but must be one of auto, classification, multilabel, regression",
        ),
        ({"task": {"kind": "regression", "coverage": 1}}, "task.coverage: is 1, but must be > 0 and < 1"),
        ({"task": {"kind": "classification", "separator": ";"}}, "task.separator: is not a key of task of kind"),
        (
            {"task": "regression", "search": {"metric": "accuracy"}},
            "search.metric: is `accuracy`, but must be one of mae, rmse, r2, spearman, loss",
        ),
        ({"search": {"metric": "mae"}}, "search.metric: is `mae`, but must be one of accuracy, balanced_accuracy,"),
        ({"data": TABLE, "search": {"metric": "maee"}}, "search.metric: is `maee`, but must be one of accuracy, "),
        (
            {"search": {"budget": {"target": {"loss": 0.1}}}},
            "search.budget.target: is a value of `loss`, but must be one of `accuracy`, which is `search.metric`",
        ),
        (
            {"data": TABLE, "search": {"budget": {"target": {"speed": 1}}}},
            "search.budget.target: is a value of `speed`, but must be one of accuracy, ",
        ),
    ],
)
def test_what_does_not_belong_to_the_task_is_told_by_its_key(changes: dict[str, Any], expected: str) -> None:
    found = problems(**changes)
    assert len(found) == 1
    assert found[0].startswith(expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": TABLE, "search": {"metric": "mae"}},
        {"data": TABLE, "search": {"budget": {"target": {"spearman": 0.9}}}},
        {"task": "regression", "search": {"budget": {"target": {"mae": 0.1}}}},
    ],
)
def test_as_long_as_the_task_is_open_any_metric_will_do(changes: dict[str, Any]) -> None:
    job = parse_job({**MINIMAL, **changes})
    assert Job.read_stored(job.model_dump(mode="json")) == job


def test_a_wrong_metric_is_told_beside_what_else_is_wrong() -> None:
    found = problems(search={"metric": "acuracy"}, training={"epochs": 0}, strategy={"freeze": 2})
    assert [line.split(":")[0] for line in found] == ["strategy.freeze", "training.epochs", "search.metric"]


@pytest.mark.parametrize(
    "beside",
    [
        {"budget": {"minutes": 0}},
        {"budget": {"target": float("nan")}},
        {"seed": "one"},
        {"searcher": "tp"},
        {"scheduler": {"kind": "asha", "eta": 3}},
        {"scheduler": {}},
        {"phases": [{"from": "top"}]},
        {"phases": 3},
        {"odd": 1},
    ],
)
def test_a_wrong_metric_is_told_beside_what_else_is_wrong_with_the_search(beside: dict[str, Any]) -> None:
    alone = problems(search=beside)
    found = problems(search={"metric": "acuracy", **beside})
    assert len(found) == len(alone) + 1
    assert set(alone) < set(found)
    assert any(line.startswith("search.metric: is `acuracy`, but must be one of accuracy, ") for line in found)
