import re
import subprocess
import sys

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.targets import RawTargets
from graft.spec.registry import members
from graft.tasks.infer import check_fit, infer_task

RNG = np.random.default_rng(0)


def lists(*cells):
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found


TAGS = np.array(["red;small", "red", "small;round", "", "red;round"] * 8)
SENTENCES = np.array([f"first thing {k}; then thing {k + 1000}" for k in range(50)])

ANSWERS = np.array([["True", "no"], ["False", "yes"], ["TRUE", "No"]])
SUGGESTIONS = [
    (RawTargets(np.array([0, 1]), categories=("cat", "dog")), "classification", "one of 2 categories"),
    (RawTargets(np.array(["a", "b", "a"])), "classification", "2 different values"),
    (RawTargets(np.array([1.0, 2.0, 5.0] * 9)), "classification", "3 different values"),
    (RawTargets(np.array(["1", "2", "5"] * 9)), "classification", "3 different values"),
    (RawTargets(np.array([True, False, True])), "classification", "2 different values"),
    (RawTargets(np.array([1.0, 2.5, 5.0]), columns=("size",)), "regression", "`size` holds 3 .* fractions"),
    (RawTargets(np.arange(60.0)), "regression", "60 different numbers"),
    (RawTargets(np.tile(np.arange(21.0), 10)), "regression", "21 different numbers"),
    (RawTargets(np.tile(np.arange(21.0), 30)), "classification", "21 different values"),
    (RawTargets(RNG.normal(size=(9, 2)), columns=("a", "b")), "regression", "2 label columns of numbers"),
    (RawTargets(RNG.integers(0, 2, (9, 3)).astype(float), columns=("a", "b", "c")), "multilabel", "zeros and ones"),
    (RawTargets(ANSWERS, columns=("a", "b")), "multilabel", "2 label columns of yes and no"),
    (RawTargets(TAGS, columns=("tags",)), "multilabel", "`tags` holds 3 labels, separated by `;` in 60% of the rows"),
    (RawTargets(lists(["a"], ["b", "a"], [])), "multilabel", "lists"),
    (RawTargets(np.array(["['red', 'small']", "['red']", "[]"] * 8)), "multilabel", "lists"),
    (RawTargets(np.array(["Paris, France", "Paris, Texas", "Oslo"] * 8)), "classification", "3 different values"),
    (RawTargets(np.array(["a/1", "a/2", "b/1", "b/2"] * 8)), "classification", "4 different values"),
    (RawTargets(np.array(["[red]", "[blue]"] * 8)), "classification", "2 different values"),
    (RawTargets(SENTENCES), "classification", "50 different values"),
    (RawTargets(np.array(["3,5", "4", "0,25"]), columns=("size",)), "regression", "`size` .* written as `3,5`, .* 3.5"),
    (
        RawTargets(np.array([f"$1,{k}.50" for k in range(100, 130)])),
        "regression",
        r"`\$1,100.50`, which is read as 1100.5",
    ),
    (RawTargets(np.array([f"{k} %" for k in range(30)])), "regression", "30 different numbers, written as `0 %`"),
    (RawTargets(np.array(["5%", "10%", "20%"] * 9)), "classification", "3 different values"),
    (RawTargets(np.array([["1,5", "2"], ["3", "4"]]), columns=("a", "b")), "regression", "2 label columns of numbers"),
    (RawTargets(np.array([f"{k} kg" for k in range(30)] * 3)), "regression", "30 different numbers, written as `0 kg`"),
    (RawTargets(np.array(["6 months", "12 months"] * 9)), "classification", "2 different values"),
    (RawTargets(np.array([f"{k} {'kg' if k % 2 else 'lb'}" for k in range(30)] * 3)), "classification", "30 different"),
    (RawTargets(np.array(["a"] * 60 + ["b"] * 60 + ["a;b"])), "classification", "3 different values"),
]


@pytest.mark.parametrize(("raw", "kind", "reason"), SUGGESTIONS)
def test_what_labels_suggest(raw, kind, reason):
    found, why = infer_task(raw)
    assert found == kind
    assert re.search(reason, why), why


def test_the_separator_is_the_one_of_the_task():
    assert infer_task(RawTargets(np.char.replace(TAGS, ";", "|")), "|")[0] == "multilabel"
    with pytest.raises(DataError, match=r"holds `red\|small`.*separator: .\|.}\), or .* one class \(write task: class"):
        infer_task(RawTargets(np.char.replace(TAGS, ";", "|")))


WORDS, FLOATS = RawTargets(np.array(["good", "bad", "good"])), RawTargets(RNG.normal(size=900), columns=("price",))

MISFITS = [
    ("regression", WORDS, r"x\.csv holds words \(`good`, `bad`\), but regression needs numbers; set task: classif"),
    ("regression", RawTargets(lists(["a"], ["b"])), "holds lists .* set task: multilabel, or name a column of numbers"),
    ("regression", RawTargets(np.array([3.0, 3.0])), "is 3 in all 2 rows, but must differ"),
    (
        "regression",
        RawTargets(np.array([3.0, np.nan])),
        r"1 of 2 numbers are missing .*\(row 2\).*fill them in or remove",
    ),
    ("regression", RawTargets(np.array([3.0, np.inf])), r"1 of 2 numbers are infinite"),
    ("regression", RawTargets(np.array([0, 1]), categories=("cat", "dog")), "holds words"),
    ("classification", FLOATS, "`price` .* holds 900 different numbers .* set task: regression, or name a column"),
    ("classification", RawTargets(np.arange(900)), "holds 900 different numbers"),
    ("classification", RawTargets(np.array(["a", "a"])), r"has 1 class \(a\), but needs at least 2"),
    (
        "classification",
        RawTargets(np.array(["a", "", "b"])),
        r"1 of 3 values are missing in the label of x\.csv \(row 2\)",
    ),
    ("classification", RawTargets(np.array(["a", "A"])), "differ in more than case"),
    ("classification", RawTargets(lists(["a"], ["b"])), "holds lists .* set task: multilabel"),
    ("classification", RawTargets(lists("a", 3)), "holds numbers .* and words"),
    ("multilabel", RawTargets(np.array([1.0, 2.5])), "holds numbers .* set task: classification or task: regression"),
    ("multilabel", RawTargets(np.array(["a", "a"])), r"has 1 different label \(a\), but multilabel needs at least 2"),
    ("multilabel", RawTargets(lists(["a"], [2.5])), "holds `2.5` in the list of row 2"),
    ("multilabel", RawTargets(lists("a;b", 3)), "holds numbers .* and words"),
    ("multilabel", RawTargets(np.array([[0.0, 2.0], [1.0, 0.0]]), columns=("a", "b")), "column `b` .* zeros and ones"),
]


@pytest.mark.parametrize(("kind", "raw", "message"), MISFITS)
def test_what_labels_cannot_have_is_asked_back_in_one_line(kind, raw, message):
    with pytest.raises(DataError, match=message) as caught:
        check_fit(members("task")[kind].model_validate({}), raw, "x.csv")
    assert "\n" not in str(caught.value)


UNCLEAR = RawTargets(np.array([f"{k % 9 + 1},{k + 101}" for k in range(40)]), columns=("price",))


def test_what_reads_in_two_ways_is_asked_back():
    with pytest.raises(
        DataError, match=r"`price` .* `1,101`, .* it is 1101 if it is the point and 1.101 if .* comma; s"
    ):
        infer_task(UNCLEAR)
    with pytest.raises(DataError, match=r"say which, as in `task: \{kind: regression, decimal:"):
        check_fit(members("task")["classification"].model_validate({}), UNCLEAR, "x.csv")
    for mark in (".", ","):
        check_fit(members("task")["regression"].model_validate({"decimal": mark}), UNCLEAR, "x.csv")


@pytest.mark.parametrize(("raw", "kind"), [(raw, kind) for raw, kind, _ in SUGGESTIONS])
def test_what_is_suggested_fits(raw, kind):
    check_fit(members("task")[kind].model_validate({}), raw, "x.csv")


@pytest.mark.parametrize("name", ["infer", "classification.task", "regression.task", "multilabel.task"])
def test_tasks_are_inferred_without_heavy_imports(repository, name):
    heavy = ("torch", "ray", "mlflow", "transformers", "pandas", "sklearn", "matplotlib", "PIL")
    check = f"import sys, graft.tasks.{name}\nprint([x for x in {heavy!r} if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=repository / "platform")
    assert done.stdout.strip() == "[]", done.stderr
