import pickle

import pytest

from graft.core import errors
from graft.core.errors import (
    ArtifactError,
    DataError,
    GraftError,
    Interrupted,
    NodeLeaving,
    Problem,
    ResourceError,
    SpecError,
    StoreBusyError,
    TrackingError,
    TrialError,
)

EXIT_CODES = {
    GraftError: 1,
    SpecError: 2,
    DataError: 2,
    ResourceError: 3,
    NodeLeaving: 3,
    TrialError: 1,
    ArtifactError: 1,
    TrackingError: 1,
    StoreBusyError: 1,
    Interrupted: 130,
}
PROBLEMS = (
    Problem("strategy.freeze", "is 1.4, but must be between 0 and 1", "jobs/x.yaml", 14),
    Problem("", "is empty, but must hold keys and values", "jobs/x.yaml"),
)


def all_errors() -> list[type[GraftError]]:
    return [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, GraftError)]


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_an_error_survives_pickle_with_its_text(kind):
    found = pickle.loads(pickle.dumps(kind("home is full; free some")))
    assert type(found) is kind
    assert str(found) == "home is full; free some"
    assert found.args == kind("home is full; free some").args


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_spec_error_keeps_its_problems(protocol):
    found = pickle.loads(pickle.dumps(SpecError(PROBLEMS), protocol))
    assert found.problems == PROBLEMS
    assert str(found) == str(SpecError(PROBLEMS))


def test_a_spec_error_pickled_twice_is_still_the_same():
    # A relayed error crosses more than one process border.
    once = pickle.loads(pickle.dumps(SpecError(PROBLEMS)))
    assert pickle.loads(pickle.dumps(once)).problems == PROBLEMS


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.__name__)
def test_exit_codes_are_those_of_the_contract(kind):
    assert kind.exit_code == EXIT_CODES[kind]
    assert kind("x").exit_code == EXIT_CODES[kind]


def test_everything_raised_on_purpose_has_one_root():
    below = {kind: kind.__base__ for kind in all_errors() if kind is not GraftError}
    assert below.pop(StoreBusyError) is TrackingError
    assert below.pop(NodeLeaving) is ResourceError
    assert set(below.values()) == {GraftError}


def test_a_spec_error_says_all_problems_one_a_line():
    assert str(SpecError(PROBLEMS)).splitlines() == [
        "jobs/x.yaml:14 strategy.freeze: is 1.4, but must be between 0 and 1",
        "jobs/x.yaml is empty, but must hold keys and values",
    ]


def test_a_spec_error_of_a_plain_text_has_one_problem():
    assert SpecError("there is no such model").problems == (Problem("", "there is no such model"),)
    assert str(SpecError("there is no such model")) == "there is no such model"


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("", "is wrong"), "is wrong"),
        (Problem("a.b", "is wrong"), "a.b: is wrong"),
        (Problem("a.b", "is wrong", "x.yaml"), "x.yaml a.b: is wrong"),
        (Problem("a.b", "is wrong", "x.yaml", 3), "x.yaml:3 a.b: is wrong"),
        (Problem("", "is wrong", "x.yaml", 3), "x.yaml:3 is wrong"),
        (Problem("", "50 % of {x} is wrong", "a b.yaml", 1), "a b.yaml:1 50 % of {x} is wrong"),
    ],
)
def test_a_problem_is_file_line_key_message(problem, text):
    assert str(problem) == text


@pytest.mark.parametrize("kind", [errors.GraftError, errors.TrackingError, errors.SpecError, errors.ResourceError])
def test_no_error_of_ours_tells_a_password(kind):
    error = kind("RAY_ADDRESS is http://me:canary@host?token=canary, but must be host:port")
    for text in (str(error), repr(error), str(pickle.loads(pickle.dumps(error)))):
        assert "canary" not in text
        assert "http://***@host?token=***" in text
    problem = errors.SpecError([errors.Problem("tracking.uri", "is http://me:canary@host, but")]).problems[0]
    assert "canary" not in problem.message
