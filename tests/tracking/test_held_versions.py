"""Which version is meant, and one line with what there is where none is."""

import pytest

from graft.tracking.model_uri import HeldVersions, ModelUri, no_such_model, no_such_version

STORE = "https://me:canary@mlflow.example"


@pytest.mark.parametrize(
    ("aliases", "numbers", "address", "found"),
    [
        ({}, {1, 9, 10}, "models:/digits", 10),
        ({"champion": 1}, {2}, "models:/digits", 1),
        ({"best": 1}, {2}, "models:/digits@best", 1),
        ({}, {2}, "models:/digits@best", None),
        ({}, set(), "models:/digits", None),
        ({}, {2}, "models:/digits/7", 7),
    ],
)
def test_a_name_alone_means_the_champion_else_the_newest(aliases, numbers, address, found) -> None:
    assert HeldVersions(frozenset(numbers), aliases).number_of(ModelUri.parse(address)) == found


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["photos", "digits"], "no model `digts`; did you mean `digits`?"),
        (["b", "a"], "no model `digts`; it has `a`, `b`"),
        (list("gfedcba"), "no model `digts`; it has `a`, `b`, `c`, `d`, `e` and 2 more"),
        ([], "no model `digts`; it has none yet: `graft run` registers one"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_those_that_are(names, told) -> None:
    error = str(no_such_model(ModelUri.parse("models:/digts"), STORE, names))
    assert error == f"model is `models:/digts`, but tracking store https://***@mlflow.example has {told}"


@pytest.mark.parametrize(
    ("address", "held", "told"),
    [
        ("models:/d/7", HeldVersions(frozenset({1, 3})), "no version 7 of `d`; the newest is models:/d/3"),
        (
            "models:/d@best",
            HeldVersions(frozenset({3}), {"old": 1, "champion": 3}),
            "no alias `best` of `d`; its aliases are @champion (version 3), @old (version 1), "
            "the newest is models:/d/3",
        ),
        (
            "models:/d@x",
            HeldVersions(frozenset({3})),
            "no alias `x` of `d`; it has none, the newest is models:/d/3",
        ),
        ("models:/d", HeldVersions(), "no version of `d` any more; `graft run` registers one"),
    ],
)
def test_a_version_that_is_not_there_is_told_with_those_that_are(address, held, told) -> None:
    error = str(no_such_version(ModelUri.parse(address), "sqlite:////h/mlflow.db", held))
    assert error == f"model is `{address}`, but tracking store sqlite:////h/mlflow.db has {told}"
