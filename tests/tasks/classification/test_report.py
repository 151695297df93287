import json
from dataclasses import replace

import numpy as np
import pytest

from graft.core.errors import ArtifactError
from graft.tasks.classification.metrics import METRIC_NAMES
from graft.tasks.classification.report import ClassificationReport, build_report

PROBS = np.array([[0.8, 0.2], [0.4, 0.6], [0.9, 0.1], [0.3, 0.7]])
LABELS = np.array([0, 0, 1, 1])
IDS = ["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"]


@pytest.fixture
def report():
    return build_report(PROBS, LABELS, ["cat", "dog"], IDS)


def test_it_holds_every_metric_with_its_interval(report):
    assert report.num_samples == 4
    assert [*report.metrics] == [*report.intervals] == [*METRIC_NAMES]
    assert report.metrics["accuracy"] == 0.5
    assert report.confusion == ((1, 1), (1, 1))
    assert [one.name for one in report.per_class] == ["cat", "dog"]


def test_the_most_surprising_mistakes_come_first(report):
    assert [one.id for one in report.worst] == ["dog/1.png", "cat/2.png"]
    first = report.worst[0]
    assert (first.label, first.predicted, first.probability, first.label_probability) == ("dog", "cat", 0.9, 0.1)


def test_only_so_many_mistakes_are_named():
    assert len(build_report(PROBS, LABELS, ["cat", "dog"], num_worst=1).worst) == 1


def test_positions_stand_in_for_ids():
    assert [one.id for one in build_report(PROBS, LABELS, ["cat", "dog"]).worst] == ["2", "1"]


def test_ids_may_be_an_array():
    assert build_report(PROBS, LABELS, ["cat", "dog"], np.array(IDS)).worst[0].id == "dog/1.png"


def test_it_survives_json(report):
    text = json.dumps(report.to_dict(), allow_nan=False)
    assert ClassificationReport.from_dict(json.loads(text)) == report


def test_unknown_keys_of_a_newer_writer_are_ignored(report):
    raw = json.loads(json.dumps(report.to_dict()))
    raw["of_a_newer_graft"] = 1
    raw["worst"][0]["thumbnail"] = "x"
    assert ClassificationReport.from_dict(raw) == report


@pytest.mark.parametrize("change", [{"metrics": None}, {"confusion": [["x"]]}, {"worst": [{}]}, {"intervals": []}])
def test_a_damaged_report_is_an_artifact_error(report, change):
    with pytest.raises(ArtifactError, match=r"evaluation report cannot be read .* evaluate the model again"):
        ClassificationReport.from_dict({**report.to_dict(), **change})


def test_reports_are_values(report):
    assert replace(report) == report
    assert build_report(PROBS, LABELS, ["cat", "dog"], IDS) == report


@pytest.mark.parametrize(("classes", "ids"), [(["cat"], IDS), (["cat", "dog"], IDS[:2])])
def test_names_must_fit(classes, ids):
    with pytest.raises(ValueError, match="but must be"):
        build_report(PROBS, LABELS, classes, ids)
