import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from graft.spec.load import load_meta_job, parse_job
from graft.spec.schema import job_schema, meta_job_schema, schema_text
from graft.spec.yaml_text import read_yaml

SNAPSHOT = Path(__file__).parents[2] / "docs" / "job.schema.json"
BASE: dict[str, Any] = {"version": 1, "name": "j", "data": {"kind": "digits"}}


@functools.cache
def validator() -> jsonschema.Draft202012Validator:
    """Made once: the schema of everything that can be in a job takes a fifth of a second."""
    return jsonschema.Draft202012Validator(job_schema())


def is_valid(raw: dict[str, Any]) -> bool:
    return bool(validator().is_valid(raw))


def test_the_snapshot_is_up_to_date() -> None:
    """Write it anew with ``python -m graft.spec.schema docs/job.schema.json``."""
    assert SNAPSHOT.read_text(encoding="utf-8") == schema_text()


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(job_schema())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data": "digits"},
        {"data": {"kind": "image_folder", "path": "d", "flip": "both"}},
        {"search": {"scheduler": "asha"}},
        {"search": {"scheduler": {"kind": "asha", "grace_epochs": 2}, "searcher": "random"}},
        *({"search": {"scheduler": kind}} for kind in ("none", "hyperband", "median", "one_epoch_top_k")),
        *({"search": {"searcher": kind}} for kind in ("grid", "sobol", "tpe", "cmaes", "bohb")),
        {"search": {"searcher": {"kind": "grid", "points": 4}}},
        {"search": {"scheduler": "pbt"}, "strategy": {"lr": {"loguniform": [1e-4, 0.1]}}},
        {
            "search": {"scheduler": {"kind": "pb2", "mutate": ["lr"], "quantile": 0.5}, "population": 2},
            "strategy": {"lr": {"loguniform": [1e-4, 0.1]}},
        },
        {
            "search": [{"scheduler": "asha", "trials": 32}, {"scheduler": "pbt", "population": 6, "from": "top"}],
            "strategy": {"lr": {"loguniform": [1e-4, 0.1]}},
        },
        {"search": {"phases": [{"scheduler": "asha", "epochs": 2}, {"from": "top"}], "seed": 3}},
        {"search": {"budget": {"target": 0.98}}},
        {"search": {"budget": {"target": {"accuracy": 0.98}, "gpu_hours": 2}}},
        {"search": {"budget": {"cost": 3}}, "resources": {"price": {"gpu_hour": 2.5}}},
        {"training": {"final_on": "train", "fit": {"soup": "greedy", "workers": "auto", "checkpoint_steps": 10}}},
        {"training": {"fit": {"batch": "scaled", "lr_rule": "sqrt", "accumulate": 2, "sync_batch_norm": True}}},
        {"resources": {"workers": 4, "cpus_per_worker": 2, "gpus_per_worker": 0.5, "placement": "spread"}},
        {"strategy": {"loss": {"choice": ["focal", {"kind": "class_balanced", "beta": {"uniform": [0, 0.9]}}]}}},
        {"strategy": {"augment": {"kind": "light", "share": {"uniform": [0, 1]}}}},
        {"resources": {"cpus_per_worker": "auto"}},
        {"resources": {"cpus_per_worker": 0.5}},
        {"strategy": {"freeze": 0.5, "penalty": "l2"}},
        {"strategy": {"freeze": {"choice": [0.5, {"uniform": [0.6, 0.7]}]}}},
        {"strategy": {"lr": {"loguniform": [1e-4, 0.1]}, "resolution": {"randint": [32, 64]}}},
        {"strategy": {"loss": {"kind": "cross_entropy", "label_smoothing": {"uniform": [0, 0.1]}}}},
        {"strategy": {"head": {"kind": "mlp", "width": {"choice": [1, 2]}}}},
        {"strategy": {"penalty": {"choice": ["none", {"kind": "l2_sp", "strength": {"loguniform": [0.1, 0.2]}}]}}},
        {"strategy": {"penalty": {"kind": {"choice": ["l1", "l2"]}, "strength": 0.1}}},
        {"strategy": {"precision": {"choice": ["auto", "fp32"]}}},
    ],
)
def test_what_graft_accepts_the_schema_accepts(changes: dict[str, Any]) -> None:
    parse_job({**BASE, **changes})
    assert is_valid({**BASE, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"nme": "x"},
        {"name": "A B"},
        {"data": "idx"},
        {"data": {"kind": "idx"}},
        {"data": {"path": "d"}},
        {"search": {"metric": "acuracy"}},
        {"search": {"scheduler": "ahsa"}},
        {"search": []},
        {"search": ["asha"]},
        {"search": {"population": 1, "scheduler": "pbt"}},
        {"search": [{"scheduler": "pbt", "population": 1}]},
        {"search": [{"scheduler": "asha", "from": "best"}]},
        {"search": [{"scheduler": "asha", "start": "top"}]},
        {"search": {"scheduler": {"kind": "pbt", "mutate": ["batch_size"]}}},
        {"search": {"scheduler": {"kind": "pbt", "mutate": []}}},
        {"search": {"scheduler": {"kind": "pbt", "quantile": 0.6}}},
        {"search": {"searcher": {"kind": "random", "points": 3}}},
        {"search": {"budget": {"target": "high"}}},
        {"search": {"budget": {"target": {"speed": 3}}}},
        {"search": {"budget": {"target": {"accuracy": 0.9, "loss": 0.1}}}},
        {"search": {"budget": {"cost": 0}}},
        {"training": {"fit": {"workers": "many"}}},
        {"training": {"fit": {"soup": "hot"}}},
        {"resources": {"workers": 0}},
        {"resources": {"placement": "near"}},
        {"resources": {"price": {"gpu_hour": -1}}},
        {"strategy": {"freeze": 1.4}},
        {"strategy": {"freeze": {"choice": [1.4]}}},
        {"strategy": {"freeze": {"choice": []}}},
        {"strategy": {"penalty": {"choice": ["l9"]}}},
        {"strategy": {"resolution": {"uniform": [32, 64]}}},
        {"strategy": {"lr": {"uniform": [1]}}},
        {"strategy": {"precision": {"uniform": [0, 1]}}},
        {"strategy": {"lr": {"choice": [1], "uniform": [0, 1]}}},
    ],
)
def test_what_the_schema_refuses_graft_refuses(changes: dict[str, Any]) -> None:
    from graft.core.errors import SpecError

    with pytest.raises(SpecError):
        parse_job({**BASE, **changes})
    assert not is_valid({**BASE, **changes})


def test_every_key_is_described() -> None:
    schema = job_schema()
    for owner in (schema, *schema["$defs"].values()):
        for name, found in owner.get("properties", {}).items():
            refers = schema["$defs"].get(found.get("$ref", "").rsplit("/", 1)[-1], {})
            assert (
                name in ("kind", "uniform", "loguniform", "randint")
                or found.get("description")
                or refers.get("description")
            ), name


def test_it_is_json() -> None:
    assert json.loads(schema_text()) == job_schema()


def test_every_job_of_the_repository_is_valid_as_it_stands(repository: Path) -> None:
    for path in sorted((repository / "jobs").glob("*.yaml")):
        data = dict(read_yaml(path.read_text(encoding="utf-8")).data)
        if data.get("kind") == "meta":
            jsonschema.validate(data, meta_job_schema())
            load_meta_job(path)
        else:
            assert is_valid(data), path


def test_a_stored_job_is_valid_too() -> None:
    search = [{"scheduler": "asha", "trials": 3}, {"scheduler": "pbt", "from": "top"}]
    job = parse_job({**BASE, "strategy": {"lr": {"loguniform": [1e-4, 0.1]}}, "search": search})
    assert is_valid(job.model_dump(mode="json"))
