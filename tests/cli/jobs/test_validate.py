import gzip
import os
import re
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from tests.learner.mapped.test_meta_map import meta_model

from graft.cli.output.looking import looking
from graft.modalities.image.storage import StoredImages
from graft.modalities.image.transforms import preprocessing_of
from graft.models.load import load_backbone
from graft.spec.meta.starts import MapStart

GOOD = "name: mine\ndata: {kind: digits}\n"
EVOLVING = """\
strategy: {lr: {loguniform: [0.001, 0.1]}}
search:
  - {scheduler: asha, trials: 32}
  - {scheduler: pbt, population: 6, from: top}
"""
BAD = """\
name: mine
data: {kind: digits}
strategy:
  freeze: 1.4
  lr: "0.1"
trianing: {epochs: 3}
search: {metric: acuracy}
"""


def test_a_valid_job_is_told_in_one_line(graft, job_file):
    path = job_file(GOOD + "training: {epochs: 3}\nsearch: {budget: {trials: 5}}\n")
    done = graft("validate", path)
    assert (done.exit_code, done.err) == (0, "")
    told = "mine, classification (each image shows one of ten digits), 5 trials (asha), at most 3 epochs each"
    assert done.out.splitlines() == [
        f"{path} is a valid job: {told}",
        "data       1,797 images (1,079 train, 359 drawn for validation, 359 drawn for test)",
        "classes    0 (178), 1 (182), 2 (177), 3 (183), 4 (181), 5 (182), 6 (181), 7 (179), 8 (174), 9 (180); "
        "10 in all",
    ]


def test_the_phases_of_a_valid_job_are_told_in_one_line(graft, job_file):
    path = job_file(GOOD + EVOLVING)
    done = graft("validate", path)
    assert done.out.splitlines()[0] == (
        f"{path} is a valid job: mine, classification (each image shows one of ten digits), 32 trials (asha), then 6 "
        "trials (pbt)"
    )
    job = graft("validate", path, "--json").json["job"]
    assert [(one["scheduler"]["kind"], one["from"]) for one in job["search"]["phases"]] == [
        ("asha", "space"),
        ("pbt", "top"),
    ]


def test_a_job_whose_search_is_a_list_can_be_overridden(graft, job_file):
    done = graft("validate", job_file(GOOD + EVOLVING), "--set", "search.seed=7", "--json")
    assert (done.json["job"]["search"]["seed"], len(done.json["job"]["search"]["phases"])) == (7, 2)


@pytest.mark.parametrize(
    ("search", "told"),
    [
        ("{scheduler: pbt, population: 1}", "search.population: is 1, but must be between 2 and 10000"),
        (
            "{budget: {target: {loss: 0.1}}}",
            "search.budget.target: is a value of `loss`, but must be one of `accuracy`",
        ),
        ("[{scheduler: asha, from: top}]", "search[0].from: is `top`, but there is no phase before the first"),
        (
            "{scheduler: {kind: pbt, mutate: [lr, resolution]}}",
            "search.scheduler.mutate[1]: is `resolution`, which cannot",
        ),
    ],
)
def test_a_search_that_cannot_be_run_is_told_in_a_line(graft, job_file, search, told):
    path = job_file(f"{GOOD}strategy: {{lr: {{loguniform: [0.001, 0.1]}}}}\nsearch: {search}\n")
    done = graft("validate", path)
    assert (done.exit_code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert done.err.startswith(f"graft: {path}:4 {told}")


def test_json_gives_the_whole_job_with_its_defaults(graft, job_file):
    done = graft("validate", job_file(GOOD), "--json")
    assert (done.exit_code, done.json["status"]) == (0, "ok")
    assert done.json["job"]["name"] == "mine"
    assert done.json["job"]["search"]["metric"] == "auto"
    assert (done.json["task"], done.json["task_reason"], done.json["modalities"]) == (
        "classification",
        "each image shows one of ten digits",
        ["image"],
    )
    assert done.json["job"]["training"]["epochs"] is None, "nobody has counted the samples"


def test_the_job_in_json_is_a_job_again(graft, job_file):
    from graft.spec.load import load_job, parse_job

    path = job_file(GOOD + "strategy: {lr: {loguniform: [1e-4, 1e-2]}, freeze: {choice: [0, 0.5]}}\n")
    assert parse_job(graft("validate", path, "--json").json["job"]) == load_job(path)


def test_what_does_not_fit_task_or_samples_is_told_before_the_run_does(graft, job_file):
    path = job_file(GOOD + "strategy: {loss: huber, max_tokens: 64}\n")
    told = [
        f"graft: {path}:3 strategy.loss: is huber, but task classification takes one of cross_entropy, focal, "
        "class_balanced",
        f"graft: {path}:3 strategy.max_tokens: is given, but belongs to texts, and the data are images; leave it out",
    ]
    for command in ("validate", "plan"):
        done = graft(command, path)
        assert done.exit_code == 2
        assert done.err.splitlines() == told


def test_all_problems_are_told_at_once_with_their_lines(graft, job_file):
    path = job_file(BAD)
    done = graft("validate", path)
    assert (done.exit_code, done.out) == (2, "")
    assert done.err.splitlines() == [
        f"graft: {path}:4 strategy.freeze: is 1.4, but must be between 0 and 1",
        f"graft: {path}:5 strategy.lr: is the text '0.1', but must be a number; remove the quotes",
        f"graft: {path}:6 trianing: is not a key of a job; did you mean `training`?",
        f"graft: {path}:7 search.metric: is `acuracy`, but must be one of accuracy, balanced_accuracy, macro_f1, loss, "
        "log_loss, auroc, ece, top_3_accuracy, top_5_accuracy; did you mean `accuracy`?",
    ]


def test_all_problems_are_one_json_object(graft, job_file):
    path = job_file(BAD)
    done = graft("validate", path, "--json")
    assert (done.exit_code, done.err) == (2, "")
    assert (done.json["status"], done.json["exit_code"]) == ("failed", 2)
    assert len(done.json["problems"]) == 4
    assert done.json["problems"][0] == f"{path}:4 strategy.freeze: is 1.4, but must be between 0 and 1"
    assert done.json["error"].splitlines() == done.json["problems"]


def test_an_override_is_validated_as_the_file_is(graft, job_file):
    done = graft("validate", job_file(GOOD), "--set", "training.epochs=3", "--set", "name=other", "--json")
    assert (done.json["job"]["training"]["epochs"], done.json["job"]["name"]) == (3, "other")


def test_a_wrong_override_is_told_by_its_key(graft, job_file):
    done = graft("validate", job_file(GOOD), "--set", "training.epochs=many", "--set", "training.epoks=3")
    assert done.exit_code == 2
    assert done.err.splitlines() == [
        "graft: --set training.epochs: is the text 'many', but must be a whole number",
        "graft: --set training.epoks: is not a key of training; did you mean `epochs`?",
    ]


@pytest.mark.parametrize("override", ["training.epochs", "=3", ""])
def test_an_override_without_key_or_value_is_an_error(graft, job_file, override):
    done = graft("validate", job_file(GOOD), "--set", override)
    assert done.exit_code == 2
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty, but must hold keys and values"),
        ("- a\n- b\n", "but must hold keys and values"),
        ("name: x\nname: y\n", "job.yaml:1 name: is given on line 1 and again on line 2, but must be given once"),
        ("name: [\n", "job.yaml:"),
    ],
)
def test_a_file_that_is_no_job_is_told_in_a_line(graft, job_file, text, told):
    done = graft("validate", job_file(text))
    assert done.exit_code == 2
    assert told in done.err


def test_a_missing_file_is_told_in_a_line(graft, tmp_path):
    done = graft("validate", tmp_path / "nope.yaml")
    assert done.exit_code == 2
    assert done.err == f"graft: {tmp_path / 'nope.yaml'} does not exist, but must be a job file; check the path\n"


def test_every_job_of_the_repository_is_valid(graft, repository):
    for path in sorted((repository / "jobs").glob("*.yaml")):
        assert graft("validate", path, "--no-data").exit_code == 0, path


def test_a_job_of_meta_training_is_checked_as_one(graft, repository, job_file):
    found = graft("validate", repository / "jobs" / "wordnet_meta.yaml", "--json").json
    assert (found["status"], found["kind"]) == ("ok", "meta")
    wrong = graft("validate", job_file("kind: meta\nname: x\ndata: digits\nwayz: 5\n"))
    assert wrong.exit_code == 2
    assert "wayz" in wrong.err


@pytest.fixture(scope="module")
def meta_source(tmp_path_factory):
    """A meta-model on the features of efficientnet_lite0 at 32 pixels."""
    loaded = load_backbone("efficientnet_lite0", 32)
    given = preprocessing_of(StoredImages(32), 32, loaded.info.input)
    folder = tmp_path_factory.mktemp("meta")
    return meta_model(folder, MapStart(width=4), preprocessing=given, network=loaded.backbone).directory


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_meta_model_of_samples_that_were_prepared_otherwise_is_refused_in_a_line(
    graft, job_file, meta_source, command
):
    text = f"{GOOD}strategy: {{freeze: 1.0, resolution: SIDE, init: {{kind: meta, source: {meta_source}}}}}\n"
    assert graft(command, job_file(text.replace("SIDE", "32"))).exit_code == 0
    path = job_file(text.replace("SIDE", "48"))
    done = graft(command, path)
    assert (done.exit_code, done.out) == (2, "")
    assert done.err.splitlines() == [
        f"graft: {path}:3 strategy.init.source: meta-model tiny was learned with resolution 32, but the samples are "
        "prepared with 48; give both the same, or meta-train anew"
    ]


def test_a_chance_without_a_place_is_refused(graft, job_file):
    told = graft("validate", job_file("name: x\ndata: digits\nstrategy: {backbone_dropout: 0.1}\n"), "--no-data")
    assert told.exit_code == 2
    assert "the trained blocks of efficientnet_lite0 have no layers of dropout" in told.err


@pytest.mark.parametrize(("task", "told"), [("auto", "auto (the labels decide)"), ("regression", "regression (given")])
def test_without_its_data_only_the_job_file_is_looked_at(graft, job_file, task, told):
    path = job_file(f"name: x\ndata: {{kind: table, path: gone.csv, text: t, label: y}}\ntask: {task}\n")
    assert told in graft("validate", path, "--no-data").out
    assert graft("validate", path).exit_code == 2


def test_validating_makes_nothing(graft, job_file, home):
    graft("validate", job_file(GOOD))
    graft("validate", job_file(BAD))
    assert not home.exists()


HEAVY = ("torch", "torchvision", "ray", "mlflow", "transformers", "timm", "numpy", "pandas", "sklearn", "PIL")


def validated_alone(path) -> subprocess.CompletedProcess[str]:
    """`graft validate` in a process of its own; ends by printing which of the heavy packages it has imported."""
    program = (
        "import sys\n"
        "from graft.cli.main import main\n"
        f"sys.argv = ['graft', 'validate', {str(path)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.fixture
def samples(tmp_path):
    """Folders of images and of texts, and the labels of an IDX set."""
    for name in ("cat", "dog"):
        for number in range(5):
            for suffix in ("png", "txt"):
                path = tmp_path / suffix / name / f"{number}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("x")
    (tmp_path / "png" / "cat" / "notes.doc").touch()
    (tmp_path / "encoder").mkdir()
    for file in ("w.safetensors", "encoder/model.safetensors"):
        save_file({"a": torch.ones(3)}, tmp_path / file)
    (tmp_path / "encoder" / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "encoder" / "tokenizer.json").write_text("{}")
    labels = bytes(n % 3 for n in range(30))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x1e" + labels))
    return tmp_path


@pytest.mark.parametrize(
    ("data", "strategy"),
    [
        ("{kind: digits}", "{augment: light, resolution: 32}"),
        ("{kind: image_folder, path: png}", "{augment: light, resolution: 32}"),
        ("{kind: idx, path: .}", "{augment: light, resolution: 32}"),
        ("{kind: text_folder, path: txt}", "{max_tokens: 32}"),
        ("{kind: digits}", "{backbone: 'local:timm/resnet18:HERE/w.safetensors', resolution: 32}"),
        ("{kind: text_folder, path: txt}", "{backbone: 'hf:HERE/encoder'}"),
    ],
)
def test_a_job_that_says_its_task_is_validated_without_anything_heavy(job_file, samples, data, strategy):
    path = samples / "job.yaml"
    path.write_text(f"name: x\ndata: {data}\nstrategy: {strategy.replace('HERE', str(samples))}\n")
    done = validated_alone(path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]", done.stderr  # before it, on a busy machine, how far it has looked
    assert "\nclasses    " in done.stdout


def test_what_may_be_meant_otherwise_is_told(graft, job_file, tmp_path):
    rows = [f"text number {row},{-999 if row % 9 == 0 else row / 7}" for row in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["text,age", *rows]))
    path = job_file(f"name: x\ndata: {{kind: table, path: {tmp_path / 't.csv'}, text: text, label: age}}\n")
    note = "`age` is -999 in 7 of 60 rows, and nowhere else below 0; it is taken as that number"
    for command in ("validate", "plan"):
        assert f"note       {note}" in graft(command, path).out
        (told,) = graft(command, path, "--json").json["data"]["notes"]
        assert told.startswith(note)


def test_the_data_are_told_by_names_and_counts(graft, samples, job_file):
    path = job_file(f"name: x\ndata: {{kind: image_folder, path: {samples / 'png'}}}\n")
    assert graft("validate", path).out.splitlines()[1:] == [
        "data       10 images (6 train, 2 drawn for validation, 2 drawn for test)",
        "classes    cat (5), dog (5); 2 in all",
        "left out   suffix .doc: 1 (cat/notes.doc)",
    ]
    found = {
        "classes": ["cat", "dog"],
        "counts": {"cat": 5, "dog": 5},
        "splits": {"train": 6, "validation": 2, "test": 2},
        "division": {"by": "label", "groups": {}, "borders": {}, "notes": []},
        "ignored": [{"reason": "suffix .doc", "count": 1, "examples": ["cat/notes.doc"]}],
        "notes": [],
    }
    for command in ("validate", "plan"):
        assert graft(command, path, "--json").json["data"] == found
    assert graft("validate", path, "--json", "--no-data").json["data"] is None


def test_files_without_a_byte_are_told_without_a_look_into_any(graft, samples, job_file):
    for number in (1, 2):
        (samples / "png" / "dog" / f"none{number}.png").touch()
    path = job_file(f"name: x\ndata: {{kind: image_folder, path: {samples / 'png'}, max_unreadable: 0.2}}\n")
    told = "empty file: 2 (dog/none1.png, dog/none2.png)"
    for command in ("validate", "plan"):
        assert f"left out   suffix .doc: 1 (cat/notes.doc); {told}" in graft(command, path).out.splitlines()
    data = graft("validate", path, "--json").json["data"]
    assert data["counts"] == {"cat": 5, "dog": 5}
    assert {"reason": "empty file", "count": 2, "examples": ["dog/none1.png", "dog/none2.png"]} in data["ignored"]
    done = graft("validate", path, "--set", "data.max_unreadable=0.1")
    assert (done.exit_code, done.err.count("\n")) == (2, 1)
    assert "2 of 12 images in" in done.err
    assert "are empty, links to nothing, not downloaded, or no regular files (dog/none1.png)" in done.err


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (b"\0\0\0\x18ftypheic", "is HEIC, AVIF or a film, .* convert it to JPEG"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS, .* `git lfs pull`"),
        (b"<!DOCTYPE html>\n", "is a web page, .* download it again"),
        (b"<?xml version='1.0'?><svg/>", "is markup"),
    ],
)
def test_pictures_of_which_none_can_be_read_are_told_before_the_run(graft, samples, job_file, start, told):
    path = job_file(f"name: x\ndata: {{kind: image_folder, path: {samples / 'png'}}}\n")
    files = [samples / "png" / folder / f"{number}.png" for folder in ("cat", "dog") for number in range(5)]
    for file in files[:3]:
        file.write_bytes(start)
    assert graft("validate", path).exit_code == 0
    for file in files:
        file.write_bytes(start)
    for command in ("validate", "plan"):
        done = graft(command, path)
        assert (done.exit_code, done.err.count("\n")) == (2, 1)
        assert re.search(
            f"6 of 6 images that were looked into in .* cannot be read; the first, cat/0.png, {told}", done.err
        )


def test_what_cannot_be_read_in_one_way_is_told_before_the_run(graft, samples, job_file, home):
    (samples / "png" / "test" / "cat").mkdir(parents=True)
    (samples / "png" / "test" / "cat" / "0.png").write_text("x")
    path = job_file(f"name: x\ndata: {{kind: image_folder, path: {samples / 'png'}}}\n")
    for command in ("validate", "plan", "run"):
        done = graft(command, path)
        assert (done.exit_code, done.err.splitlines()[-1].count("either"), home.exists()) == (2, 1, False)
        assert done.err.splitlines()[-1].startswith(
            f"graft: {samples}/png has test, named as splits, beside cat and dog"
        )


def test_the_rows_of_a_table_are_told_too(graft, tmp_path, job_file):
    rows = [f"text {n},{'ab'[n % 2]},{'train' if n % 3 else 'dev'}" for n in range(30)]
    (tmp_path / "t.csv").write_text("\n".join(["text,label,part", *rows, ",a,train"]))
    (tmp_path / "t.tsv").write_text("image\tlabel\n" + "".join(f"gone{n}.png\t{n % 2}\n" for n in range(20)))
    path = job_file("name: x\ndata: {kind: table, path: t.csv, text: text, label: label, split: part}\n")
    found = graft("validate", path, "--json").json["data"]
    assert (found["classes"], found["counts"], sum(found["splits"].values())) == (["a", "b"], {"a": 16, "b": 15}, 31)
    assert found["splits"]["validation"] == 10
    assert found["ignored"] == [{"reason": "row without a text", "count": 1, "examples": ["t.csv:31"]}]
    path = job_file("name: x\ndata: {kind: table, path: t.tsv, image: image, label: label}\ntask: classification\n")
    done = graft("validate", path, "--json")
    assert done.exit_code == 2
    assert "cannot be read (row whose file is not there: 20 (" in done.json["error"]
    (missing,) = graft("validate", path, "--json", "--set", "data.max_unreadable=1").json["data"]["ignored"]
    assert (missing["reason"], missing["count"]) == ("row whose file is not there", 20)


def test_a_look_that_takes_long_says_how_far_it_is(capsys):
    clock = iter([0.0, 0.5, 1.5, 1.5, 2.0, 7.0, 7.0])
    progress = looking("images", lambda: next(clock))
    for count in (1000, 2000, 3000, 4000):
        progress(count)
    assert capsys.readouterr().err.splitlines() == [
        "looking at the data: 2,000 images so far",
        "looking at the data: 4,000 images so far",
    ]


def test_the_shipped_job_is_validated_without_anything_heavy(repository):
    """How many seconds that takes is a figure of `benchmarks/startup.py`."""
    done = validated_alone(repository / "jobs" / "digits.yaml")
    assert (done.returncode, done.stderr.strip()) == (0, "[]"), done.stderr


def test_how_groups_and_times_divide_a_table_is_told(graft, tmp_path, job_file):
    rows = [f"text {n},{'ab'[n % 2]},p{n % 20},20{10 + n % 10}-05-{n % 28 + 1:02},{n % 3}" for n in range(100)]
    (tmp_path / "t.csv").write_text("\n".join(["text,label,who,day,w", *rows]))
    data = "kind: table, path: t.csv, text: text, label: label"
    by_group = job_file(f"name: x\ndata: {{{data}, group: who, weight: w}}\n")
    assert [line.split()[0] for line in graft("validate", by_group).out.splitlines()] == [
        *(str(by_group), "data", "labels", "split", "groups"),
    ]
    assert graft("plan", by_group, "--json").json["data"]["division"] == {
        "by": "group",
        "groups": {"train": 12, "validation": 4, "test": 4},
        "borders": {},
        "notes": [],
    }
    by_time = job_file(f"name: x\ndata: {{{data}, time: day}}\n")
    found = graft("validate", by_time, "--json").json["data"]
    assert found["division"]["borders"] == {"validation": "2016-05-01", "test": "2018-05-01"}
    assert found["splits"] == {"train": 60, "validation": 20, "test": 20}
    wrong = graft("validate", job_file(f"name: x\ndata: {{{data}, time: who}}\n"))
    assert wrong.exit_code == 2
    assert "column `who` of t.csv is `p0` in row 1, but must be a number, or a date" in wrong.err


def test_groups_of_a_folder_are_in_the_names_of_its_files(graft, tmp_path, job_file):
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(40):
            (tmp_path / "photos" / label / f"ann{number % 10}_{number}.png").write_text("x")
    data = f"kind: image_folder, path: {tmp_path / 'photos'}"
    path = job_file(f"name: x\ndata: {{{data}, group: '/(ann[0-9]+)_'}}\n")
    division = graft("validate", path, "--json").json["data"]["division"]
    assert (division["by"], division["groups"]) == ("group", {"train": 6, "validation": 2, "test": 2})
    nothing = graft("validate", job_file(f"name: x\ndata: {{{data}, group: '/(bob[0-9]+)_'}}\n"))
    assert "data.group is `/(bob[0-9]+)_`, which finds nothing in the 80 paths in" in nothing.err
    by_hash = graft("validate", job_file(f"name: x\ndata: {{{data}, split_by: hash}}\n"), "--json").json["data"]
    assert (by_hash["division"]["by"], sum(by_hash["splits"].values())) == ("hash", 80)


def test_a_resolution_that_a_network_of_a_library_cannot_take_is_refused(graft, repository, tmp_path):
    weights = tmp_path / "w.safetensors"
    save_file({"a": torch.ones(3)}, weights)
    asked = [f"strategy.backbone=local:timm/test_convnext:{weights}", "strategy.resolution=16"]
    job = [repository / "jobs" / "digits.yaml", *(part for one in asked for part in ("--set", one))]
    assert f"finds out whether local:timm/test_convnext:{weights} takes such samples" in graft("validate", *job).out
    done = graft("plan", *job)
    assert done.exit_code == 2
    assert "strategy.resolution: is 16, which timm:test_convnext cannot take (" in done.err
    assert done.err.rstrip().endswith("the smallest that works is 32")


def test_a_resolution_is_refused_whether_the_weights_are_here_or_not(graft, job_file):
    path = job_file("name: x\ndata: digits\nstrategy: {backbone: timm:test_convnext, resolution: 16}\n")
    for command in ("validate", "plan"):
        done = graft(command, path)
        assert done.exit_code == 2
        assert "strategy.resolution: is 16, which timm:test_convnext cannot take (" in done.err


@pytest.mark.parametrize("data", ["digits", "{kind: table, path: notes.csv, text: text, label: kind}"])
@pytest.mark.parametrize("command", [("validate",), ("plan",), ("space", "show"), ("run",)])
def test_a_backbone_that_nobody_knows_is_refused_by_every_command_with_a_near_one(graft, job_file, home, command, data):
    path = job_file(f"name: x\ndata: {data}\nstrategy: {{backbone: {{choice: [minilm_l6, efficientnet_lit0]}}}}\n")
    path.with_name("notes.csv").write_text("text,kind\n" + "".join(f"note {n},{'ab'[n % 2]}\n" for n in range(20)))
    done = graft(*command, path, "--json")
    assert (done.exit_code, done.err) == (2, "")
    told = [one for one in done.json["problems"] if "efficientnet_lit0" in one]
    assert len(told) == 1
    assert told[0].startswith(f"{path}:3 strategy.backbone: is `efficientnet_lit0`, but must be one of ")
    assert "did you mean `efficientnet_lite0`?" in told[0]
    assert not home.exists()


@pytest.fixture
def standard_input(tmp_path):
    """Gives the process something to read: `standard_input(text)`, through a pipe or redirected from a file."""
    kept = os.dup(0)

    def give(text, is_file=False):
        (file := tmp_path / "redirected" / "job.yaml").parent.mkdir(exist_ok=True)
        file.write_text(text)
        if is_file:
            reading = os.open(file, os.O_RDONLY)
        else:
            reading, writing = os.pipe()
            os.write(writing, text.encode())
            os.close(writing)
        os.dup2(reading, 0)
        os.close(reading)

    yield give
    os.dup2(kept, 0)
    os.close(kept)


@pytest.mark.parametrize("is_file", [False, True])
@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_dash_is_standard_input_whose_paths_start_where_one_is(
    graft, standard_input, samples, monkeypatch, command, is_file
):
    monkeypatch.chdir(samples)
    standard_input("name: piped\ndata: {kind: image_folder, path: png}\n", is_file)
    done = graft(command, "-", "--json")
    assert (done.exit_code, done.err) == (0, "")
    assert done.json["data"]["counts"] == {"cat": 5, "dog": 5}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty, but must hold keys and values, such as `name: digits`"),
        ("no job", "holds `no job`, but must hold keys and values, such as `name: digits`"),
        ("name: [x\n", "opens a list with `[` that is not closed before the end of the text; close it"),
        ("name: x\ndata: digits\nlr: 1\n", "lr: is not a key of a job"),
    ],
)
@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_what_comes_from_standard_input_and_is_no_job_is_one_line(graft, standard_input, home, command, text, told):
    standard_input(text)
    done = graft(command, "-")
    assert (done.exit_code, done.out, done.err.count("\n"), home.exists()) == (2, "", 1, False)
    assert done.err.startswith("graft: /dev/stdin")
    assert told in done.err


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_table_of_which_nothing_is_trained_on_is_refused_and_a_label_that_is_not_is_told(
    graft, tmp_path, job_file, command
):
    path = job_file("name: x\ndata: {kind: table, path: t.csv, text: text, label: label, split: part}\n")

    def asked(new: str, part: str):
        rows = [f"text {n},{new if n > 20 else 'ab'[n % 2]},{'test' if n > 20 else part}" for n in range(30)]
        (tmp_path / "t.csv").write_text("\n".join(["text,label,part", *rows]))
        return graft(command, path, "--json")

    refused = asked("a", "test")
    assert (refused.exit_code, "all 30 samples" in refused.json["error"]) == (2, True)
    told = asked("c", "train")
    (note,) = told.json["data"]["notes"]
    assert told.exit_code == 0
    assert note.startswith("the label `c` is for validation or test, but not in train")
