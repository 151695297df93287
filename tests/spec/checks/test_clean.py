import json

import jsonschema
import pytest

from graft.core.errors import SpecError
from graft.spec.checks.clean import decided, finding_kinds, kept_otherwise
from graft.spec.load import parse_job
from graft.spec.schema import job_schema


def job(clean: object) -> dict[str, object]:
    return {"version": 1, "name": "job", "data": {"kind": "digits", "clean": clean}}


def test_a_job_says_what_is_done() -> None:
    found = parse_job(job({"duplicate": "drop"}))
    assert found.data.clean == {"duplicate": "drop"}
    assert parse_job(json.loads(found.model_dump_json())) == found
    kinds = finding_kinds()
    assert decided(found.data.clean, kinds["duplicate"]) == "drop"
    assert decided(found.data.clean, kinds["unreadable"]) == "drop"


@pytest.mark.parametrize(
    ("clean", "told"),
    [
        ({"duplicat": "drop"}, "data.clean.duplicat: is no kind of finding; .* did you mean `duplicate`"),
        ({"duplicate": "dropp"}, "data.clean.duplicate: is `dropp`, but must be one of drop, keep, fail"),
        ({"unreadable": "keep"}, "data.clean.unreadable: is `keep`, but must be one of drop, fail"),
        ({"duplicate": ["drop"]}, "data.clean.duplicate: is a list, but must be one of"),
        ("drop", "data.clean: is `drop`, but must be a mapping"),
        ({3: "drop"}, "data.clean.3: is no kind of finding"),
    ],
)
def test_what_makes_no_sense_is_refused(clean: object, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        parse_job(job(clean))


def test_only_what_changes_the_samples_makes_another_dataset() -> None:
    assert kept_otherwise({"duplicate": "fail", "unreadable": "drop", "split_leak": "fix"}) == {}
    assert kept_otherwise({"split_leak": "keep", "duplicate": "drop"}) == {"duplicate": "drop", "split_leak": "keep"}


def test_the_schema_knows_every_kind() -> None:
    schema = job_schema()
    jsonschema.validate(job({"duplicate": "drop"}), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job({"duplicate": "vanish"}), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job({"unknown": "drop"}), schema)
