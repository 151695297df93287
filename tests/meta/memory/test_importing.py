import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graft.core.errors import SpecError
from graft.meta.memory import import_file
from graft.meta.memory.exporting import export_memory
from graft.meta.memory.importing import known_metric, read_memory
from graft.meta.memory.records import HeldMemory, Scores, TrialState
from graft.meta.memory.trust import Reader
from graft.meta.memory.unknown import not_yet_known

HEADER = "task,modality,backbone,strategy_json,epoch,metric,value,seconds\n"
READER = Reader(now=1000.0)


@pytest.fixture
def csv(tmp_path):
    def write(text, name="results.csv", header=HEADER):
        path = tmp_path / name
        path.write_text(header + text)
        return path

    return write


def problems_of(call, *arguments):
    with pytest.raises(SpecError) as caught:
        call(*arguments)
    return [str(one).split("results.csv ")[-1] for one in caught.value.problems]


def test_a_csv_of_the_contract_is_read(csv):
    path = csv(
        'birds,image,m,"{""lr"": 0.1, ""freeze"": 1}",1,accuracy,0.5,2\n'
        'birds,image,m,"{""freeze"": 1, ""lr"": 0.1}",2,accuracy,0.6,4\n'
        "birds,image,e,,,val/accuracy,0.7,\n"
    )
    scores = csv("birds,m,logme,0.3\nbirds,e,logme,-0.1\n", "scores.csv", "task,backbone,score_name,value\n")
    memory = read_memory(path, scores)
    first, second, third = memory.records()
    assert first.trial == second.trial != third.trial
    assert first.strategy == {"lr": 0.1, "freeze": 1}
    assert (second.epoch, second.seconds, second.value) == (2, 4.0, 0.6)
    assert (third.metric, third.direction, third.task_kind, third.epoch) == ("accuracy", "max", "classification", None)
    assert [one.value for one in memory.scores()] == [0.3, -0.1]
    assert [one.task for one in memory.tasks()] == ["birds"]


def test_parquet_with_the_needed_columns_alone_is_read(tmp_path):
    path = tmp_path / "r.parquet"
    columns = {"task": ["a"], "modality": ["text"], "backbone": ["b"], "metric": ["rmse"], "value": [3.0]}
    pq.write_table(pa.table(columns), path)
    (one,) = read_memory(path).records()
    assert (one.direction, one.task_kind, one.strategy, one.seconds) == ("min", "regression", None, None)


def test_the_same_file_again_gives_the_same_trials_and_other_seeds_give_others(csv):
    rows = "birds,image,m,,1,accuracy,0.5,\nbirds,image,m,,1,accuracy,0.52,\n"
    first, again = (read_memory(csv(rows, name)).records() for name in ("a.csv", "b.csv"))
    assert [one.trial for one in first] == [one.trial for one in again]
    assert first[0].trial != first[1].trial


def test_all_problems_are_told_at_once(csv):
    path = csv(
        "birds,image,m,,1,accuracy,1.7,\n"
        "birds,image,m,,1,accuracy,nan,\n"
        "birds,image,m,{,-1,accuracy,x,-1\n"
        ",image,m,,1,likes,5,\n"
        "birds,image,m,,1,accuracy,87,\n"
    )
    assert problems_of(read_memory, path) == [
        "line 2, value: is 1.7, but accuracy must be >= 0 and <= 1; a share, not per cent: divide it by 100",
        "line 3, value: is nan, but must be finite; leave out what has no result",
        "line 4, value: is `x`, but must be a number; correct it",
        "line 4, strategy_json: is `{`, but must be a JSON object; correct it",
        "line 4, epoch: is -1, but must be a whole number >= 0; correct it",
        "line 4, seconds: is -1, but must be >= 0; correct it",
        "line 5, task: is empty, but must be given; fill it in",
        "line 5, metric: is `likes`, of which nobody knows whether more is better; name one of accuracy, "
        "balanced_accuracy, macro_f1, loss, log_loss, auroc, ece, top_3_accuracy, top_5_accuracy, map, micro_f1, "
        "subset_accuracy, mae, rmse, r2, spearman, or add the column direction with max or min",
        "line 6, value: is 87, but accuracy must be >= 0 and <= 1; a share, not per cent: divide it by 100",
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("task;modality;backbone;metric;value\nt;image;m;accuracy;0.5\n", "has `;` between its columns, but must have"),
        ("task;modality;backbone;metric;value\nt;image;m;accuracy;0,5\n", "has `;` between its columns, but must have"),
        ("task\tmodality\tbackbone\tmetric\tvalue\nt\timage\tm\taccuracy\t0.5\n", "has tabs between its columns"),
        ("task,modality,backbone,metric,value\n", "holds no rows, but must hold some beside its header"),
        ("task,modality,backbone,metric,value\nt\xe9,image,m,accuracy,0.5\n", "is 0xe9); save it as UTF-8"),
        ("task,backbone,modality,metric,value\nt,image,m,accuracy,0.5\n", "modality: is `m`, but must be one of"),
        (
            "backbone,modality,task,metric,value\nt,image,mobilenet_v2,accuracy,0.5\n",
            "backbone: is `t`, but the task is",
        ),
        ("task,modality,backbone,metric,value\nt,images,m,accuracy,0.5\n", "did you mean `image`?"),
    ],
)
def test_what_is_another_file_than_it_seems_is_refused(tmp_path, content, told):
    (tmp_path / "results.csv").write_bytes(content.encode("latin-1"))
    (found,) = problems_of(read_memory, tmp_path / "results.csv")
    assert told in found


def test_blanks_around_the_names_of_columns_are_none_of_them(csv):
    path = csv("t , image, m, accuracy, 0.5\n", header="task , modality, backbone, metric, value\n")
    (one,) = read_memory(path).records()
    assert (one.task, one.modality, one.value) == ("t", "image", 0.5)


def test_a_row_is_of_one_backbone_and_a_score_has_one_value(csv):
    path = csv('t,image,m,"{""backbone"": ""e""}",1,accuracy,0.5,\nt,image,m,"{""backbone"": ""m""}",1,accuracy,0.5,\n')
    assert problems_of(read_memory, path) == [
        "line 2, strategy_json: names the backbone `e`, but the row is of `m`; correct one of them"
    ]
    path = csv("t,image,m,,1,accuracy,0.5,\n")
    scores = csv("t,m,logme,1\nt,m,logme,1\nt,m,logme,2\n", "scores.csv", "task,backbone,score_name,value\n")
    (found,) = problems_of(read_memory, path, scores)
    assert found.endswith("value: logme of m on t is 1 and 2, but must be one; remove a row")


def test_one_metric_has_one_direction(csv):
    path = csv("t,image,m,fun,1,max\nt,image,n,fun,2,min\n", header="task,modality,backbone,metric,value,direction\n")
    assert problems_of(read_memory, path) == [
        "direction: is max in some rows of `fun` and min in others, but must be one for a metric; correct it"
    ]


def test_epochs_may_be_counted_from_zero(csv):
    path = csv("birds,image,m,,0,accuracy,0.5,\nbirds,image,m,,1,accuracy,0.6,\nbirds,image,n,,,accuracy,0.6,\n")
    first, second, third = read_memory(path).records()
    assert (first.epoch, second.epoch, third.epoch) == (1, 2, None)
    assert first.trial == second.trial


def test_problems_of_both_files_are_told_and_not_without_end(csv):
    scores = csv("birds,m,logme,inf\n", "scores.csv", "task,backbone,score_name,value\n")
    many = csv("birds,image,m,,1,accuracy,2,\n" * 80)
    found = problems_of(read_memory, many, scores)
    assert len(found) == 51
    assert found[-1] == "and 31 more problems"


def test_missing_columns_are_named_together(csv):
    path = csv("a,b\n", header="task,value\n")
    told = "has the columns task, value, but must have modality, backbone, metric too; add them"
    assert problems_of(read_memory, path) == [told]


def test_a_metric_of_their_own_needs_a_direction(csv):
    header = "task,modality,backbone,metric,value,direction\n"
    (one,) = read_memory(csv("a,image,m,likes,50,max\n", header=header)).records()
    assert (one.metric, one.direction, one.task_kind) == ("likes", "max", "")
    assert problems_of(read_memory, csv("a,image,m,accuracy,0.5,min\n", header=header)) == [
        "line 2, direction: is min, but of accuracy max is better; correct it"
    ]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("results.json", b"{}", "ends in `.json`, but must be one of .parquet, .csv"),
        ("results.parquet", b"junk", "cannot be read"),
        ("results.csv", b"", "cannot be read"),
        ("results.csv", b"task,task\na,b\n", "has 2 columns `task`"),
        ("results.csv", b"\xff\xfe,\x00\n\x00,\x01\n", "results.csv"),
        ("results.csv", b"PK\x03\x04\0\0", "is a zip archive or an Excel workbook; unpack it, or save it as CSV"),
        ("results.csv", b"\x1f\x8b\x08\0", "is compressed by gzip; unpack it"),
        ("results.csv", HEADER.encode("utf-16-le"), "is UTF-16-LE text, but must be UTF-8; save it as that"),
    ],
)
def test_what_is_no_table_is_refused_in_a_line(tmp_path, name, content, told):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read_memory(path)
    assert told in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_pipe_and_a_file_of_too_many_rows_are_refused_before_they_are_read(csv, tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "x.csv")
    with pytest.raises(SpecError, match=r"is a pipe, a device or a socket.; name a file of results"):
        read_memory(tmp_path / "x.csv")
    monkeypatch.setattr(import_file, "MOST_ROWS", 2)
    with pytest.raises(SpecError, match="has 4 rows, but at most 2 are taken in at once; import it in parts"):
        read_memory(csv("birds,image,m,,,accuracy,0.5,\n" * 3))
    pq.write_table(pa.table({"task": ["a"] * 3}), tmp_path / "x.parquet")
    with pytest.raises(SpecError, match="has 3 rows, but at most 2"):
        read_memory(tmp_path / "x.parquet")


def test_a_list_is_no_name_of_a_task(tmp_path):
    row = {"task": [["a"]], "modality": ["image"], "backbone": ["m"], "metric": ["accuracy"], "value": [0.5]}
    pq.write_table(pa.table(row), tmp_path / "x.parquet")
    with pytest.raises(SpecError, match="row 1, task: is of type list, but must be a text or a number"):
        read_memory(tmp_path / "x.parquet")


@pytest.mark.parametrize("name", ["x.csv", "x"])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(SpecError, match=f"{name} is not there; name another file"):
        read_memory(tmp_path / name)


def test_a_file_of_another_schema_version_is_refused(tmp_path):
    path = tmp_path / "r.parquet"
    table = pa.table({"task": ["a"]}).replace_schema_metadata({b"graft.memory.version": b"7"})
    pq.write_table(table, path)
    with pytest.raises(SpecError, match="has schema version 7, but this graft reads 1"):
        read_memory(path)


def test_what_is_exported_is_imported_again(store, record, entry, tmp_path):
    store.append(
        [
            record(strategy_json=json.dumps({"lr": 0.1}), seconds=2.0, versions={"torch": "2"}, epochs=3, device="cpu"),
            record(trial="run/t02", epoch=None, value=None, state=TrialState.FAILED),
            record(task="dogs", trial="run/t03"),
            entry(embedding=(1.0, 2.0), embedding_version="1:x"),
            Scores("cats", "m", "logme", 0.5, "screening", 5.0),
        ]
    )
    contents = store.contents()
    assert export_memory(contents, tmp_path / "out", "cats") == {"tasks": 1, "scores": 1, "records": 2}
    files = [tmp_path / "out" / f"{kind}.parquet" for kind in ("records", "scores", "tasks")]
    read = read_memory(*files)
    held = contents.memory(READER)
    assert [one.trial for one in read.records()] == ["run/t01", "run/t02"]
    assert read.records()[0].versions == {"torch": "2"}
    assert list(read.tasks()) == list(held.tasks())
    new = not_yet_known(contents, read)
    assert (list(new.records()), list(new.scores()), list(new.tasks())) == ([], [], [])


def test_a_trial_that_went_on_is_new(store, record):
    store.append([record(state=TrialState.STOPPED)])
    given = HeldMemory([record(), record(), record(epoch=2)])
    assert len(not_yet_known(store.contents(), given).records()) == 2


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("acc", "accuracy"),
        ("val_loss", "loss"),
        ("Accuracy", "accuracy"),
        ("test_accuracy", "accuracy"),
        ("eval/Balanced Acc", "balanced_accuracy"),
        ("Top-1", "accuracy"),
        ("top5_acc", "top_5_accuracy"),
        ("ROC-AUC", "auroc"),
        ("F1", "macro_f1"),
        ("train_accuracy", None),
        ("desktop1", None),
        ("error_rate", None),
        ("likes", None),
    ],
)
def test_metrics_are_known_by_other_names(name, known):
    found = known_metric(name)
    assert (found.name if found else None) == known


def test_scores_with_task_and_backbone_swapped_are_refused(csv):
    path = csv("birds,image,timm:resnet18,,,accuracy,0.7,\n")
    scores = csv("timm:resnet18,birds,logme,0.3\n", "scores.csv", "task,backbone,score_name,value\n")
    (told,) = problems_of(read_memory, path, scores)
    assert "scores.csv line 2, backbone: is `birds`, but the task is called `timm:resnet18`, as a backbone is" in told


def test_a_task_may_be_called_as_a_backbone_where_the_backbone_is_one(csv):
    (one,) = read_memory(csv("mobilenet_v2,image,timm:resnet18,,,accuracy,0.7,\n")).records()
    assert one.task == "mobilenet_v2"


def test_a_directory_is_no_file_and_a_file_no_directory(csv, store, tmp_path):
    with pytest.raises(SpecError, match="is a directory, but must be a file"):
        read_memory(tmp_path)
    with pytest.raises(SpecError, match=r"results.csv is a file, but must be a directory; name another"):
        export_memory(store.contents(), csv(""))
