"""Labels that a file brings."""

import pytest

from graft.core.errors import GraftError
from graft.pipeline.exploration.sources import Answer, Question, labels_of_file

POOL = {"a.png", "b.png", "caf\u00e9.png"}


@pytest.fixture
def labels(tmp_path):
    def write(text):
        (tmp_path / "labels.csv").write_text(text)
        return labels_of_file(tmp_path / "labels.csv", POOL)

    return write


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,label\na.png,cat\nb.png,Cat\n", "has the classes `cat` and `Cat`, but names must differ"),
        ("id,label\na.png,new york\nb.png,new_york\n", "has the classes `new york` and `new_york`"),
        ("id,label\na.png,cats, big\n", "line 2 has more cells than there are columns, but must have as many; put"),
        ("id,label,label\na.png,cat,dog\n", "which has 2 columns `label`; leave one"),
        ("id;label\na.png;cat\n", "and `label`; separate them by commas"),
        ("id,class\na.png,cat\n", "whose columns are id, class, but must be `id` (or `path`) and `label`"),
        ("id,label\nz.png,cat\n", "line 2 labels `z.png`, which is not in the pool"),
        ("id,label\na.png,cat\na.png,dog\n", "line 3 says `dog` of `a.png`, which has been called `cat` before"),
    ],
)
def test_what_would_be_another_label_than_was_meant_is_refused(labels, text, told):
    with pytest.raises(GraftError) as refused:
        labels(text)
    assert told in str(refused.value)


def test_a_name_is_one_whichever_way_its_accents_and_its_column_were_typed(labels):
    source = labels("\ufeffid , label\ncafe\u0301.png,the\u0301\na.png,\n")
    assert source.ask(Question("caf\u00e9.png", "")) == Answer("th\u00e9")
    assert source.ask(Question("a.png", "")) is None
