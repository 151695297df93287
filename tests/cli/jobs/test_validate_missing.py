"""What a job names and is not there, or does not fit, is told before a run: files, networks, weights and sizes."""

import pytest
import torch
from safetensors.torch import save_file

from graft.models.load import load_backbone

GOOD = "name: mine\ndata: {kind: digits}\n"


@pytest.mark.parametrize("name", ["C:\\\\photos\\\\{}.png", "Photos/{}.PNG", "file:///photos/{}.png", "folder"])
def test_a_table_whose_files_are_not_there_is_told_before_the_run(graft, tmp_path, job_file, name):
    (tmp_path / "folder").mkdir()
    rows = "".join(f"{name.format(number)},{'cat' if number % 2 else 'dog'}\n" for number in range(10))
    (tmp_path / "t.csv").write_text(f"file,label\n{rows}")
    path = job_file(f"name: x\ndata: {{kind: table, path: {tmp_path / 't.csv'}, image: file, label: label}}\n")
    for command in ("validate", "plan"):
        done = graft(command, path)
        assert (done.exit_code, done.err.count("\n")) == (2, 1)
        assert "10 of 10 images in" in done.err
        assert "cannot be read (row whose file is not there: 10 (t.csv:1" in done.err


@pytest.fixture
def own_weights(tmp_path):
    """A job with weights of its own: whole, as a function of the file's name."""

    def job(file, more=""):
        return f"name: x\ndata: digits\nstrategy: {{backbone: 'local:timm/test_convnext:{tmp_path / file}'{more}}}\n"

    return job


def test_own_weights_are_looked_at_before_a_run(graft, job_file, tmp_path, own_weights):
    """The header by both; that they belong to the network by the plan alone, which `validate` says."""
    state = load_backbone("timm:test_convnext", pretrained=False).backbone.state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, tmp_path / "other.safetensors")
    whole = (tmp_path / "other.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    for command in ("validate", "plan"):
        cut = graft(command, job_file(own_weights("cut.safetensors", ", loss: huber")), "--json")
        assert (cut.exit_code, cut.err) == (2, "")
        assert "header tells of" in " ".join(cut.json["problems"]), "told"
        assert "strategy.loss: is huber" in " ".join(cut.json["problems"]), "with all else"
    found = graft("validate", job_file(own_weights("other.safetensors")), "--json").json
    name = f"local:timm/test_convnext:{tmp_path / 'other.safetensors'}"
    left = f"whether {name} takes such samples, and whether its weights fit"
    assert found["left_to_plan"] == [left]
    assert f"only graft plan finds out {left}" in graft("validate", tmp_path / "job.yaml").out
    plan = graft("plan", tmp_path / "job.yaml")
    assert plan.exit_code == 2
    assert plan.err.startswith(f"graft: {tmp_path / 'job.yaml'}:3 strategy.backbone: is {name}, but weights ")


def test_how_numbers_are_read_is_told_of_a_task_that_the_job_names_too(graft, job_file):
    table = "{kind: table, path: prices.tsv, text: text, label: price}"
    path = job_file(f"name: x\ndata: {table}\ntask: regression\n")
    rows = "".join(f"thing {n}\t{n},5 €\n" for n in range(30))
    path.with_name("prices.tsv").write_text(f"text\tprice\n{rows}", encoding="utf-8")
    told = "given by the job; `price` holds numbers, written as `0,5 €`, which is read as 0.5"
    assert told in graft("validate", path).out


def test_batches_that_are_larger_than_the_data_are_noted(graft, job_file):
    path = job_file("name: x\ndata: {kind: digits, limit: 60}\nstrategy: {batch_size: {choice: [16, 4096]}}\n")
    told = "batch_size is 4,096, but there are 45 training samples: each batch holds all of them, and an epoch is one "
    told += "step"
    for command in ("validate", "plan"):
        assert f"note       {told}" in graft(command, path).out.splitlines()
        assert graft(command, path, "--json").json["notes"] == [told]
    assert "note " not in graft("validate", path, "--set", "strategy.batch_size=32").out


def test_tokens_that_a_backbone_has_no_positions_for_are_noted(graft, job_file):
    strategy = '{backbone: {choice: [minilm_l3, "bag:minilm_l6"]}, max_tokens: {choice: [64, 600, 1000]}}'
    path = job_file(f"name: x\ndata: {{kind: table, path: t.csv, text: text, label: kind}}\nstrategy: {strategy}\n")
    path.with_name("t.csv").write_text("text,kind\n" + "".join(f"thing {n},{'ab'[n % 2]}\n" for n in range(40)))
    told = "strategy.max_tokens: minilm_l3 sees 512 tokens of a text at most, so 600, 1000 are 512 there"
    for command in ("validate", "plan"):
        assert f"note       {told}" in graft(command, path).out.splitlines()
        assert graft(command, path, "--json").json["notes"] == [told]
    plain = ("--set", "strategy.max_tokens=512")
    assert "note " not in graft("validate", path, *plain).out
    one = graft("validate", path, "--set", "strategy.max_tokens=513", "--set", "strategy.backbone=minilm_l3")
    assert "so 513 is 512 there" in one.out


def test_what_has_no_effect_is_noted(graft, job_file):
    strategy = "{freeze: 1.0, lr_decay: 0.5, unfreeze: gradual, lr: {loguniform: [0.001, 0.01]}}"
    path = job_file(f"name: x\ndata: {{kind: digits, limit: 60}}\nstrategy: {strategy}\n")
    blocks = "pretrained blocks are trained (freeze is below 1, and not all blocks start at random)"
    told = [
        f"strategy.unfreeze has no effect here; it has one where {blocks}",
        "strategy.lr_decay has no effect here; it has one where more than one block is trained",
    ]
    for command in ("validate", "plan"):
        assert [line[11:] for line in graft(command, path).out.splitlines() if line.startswith("note ")] == told
        assert graft(command, path, "--json").json["notes"] == told
    assert graft("validate", path, "--no-data", "--json").json["notes"] == told
    assert graft("validate", path, "--json", "--set", "strategy.freeze=0.5").json["notes"] == []


@pytest.mark.parametrize("more", ["", ", lr: {loguniform: [0.001, 0.01]}"])
def test_a_backbone_of_other_samples_is_refused_before_a_library_is_imported(graft, job_file, more):
    path = job_file(f"name: x\ndata: digits\nstrategy: {{backbone: {{choice: [minilm_l6, mobilenet_v2]}}{more}}}\n")
    done = graft("validate", path)
    told = "is minilm_l6, which takes texts, but the data are images; name another"
    assert (done.exit_code, done.err) == (2, f"graft: {path}:3 strategy.backbone: {told}\n")


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_network_that_is_not_there_is_told_with_its_key_and_with_all_else(graft, job_file, tmp_path, command):
    names = f"{{choice: ['hf:{tmp_path / 'gone'}', timm:resnt18]}}"
    path = job_file(f"name: x\ndata: digits\nstrategy:\n  backbone: {names}\n  loss: huber\n")
    done = graft(command, path)
    assert done.exit_code == 2
    assert [line.split(", but ")[0] for line in done.err.splitlines()] == [
        f"graft: {path}:5 strategy.loss: is huber",
        f"graft: {path}:4 strategy.backbone: is hf:{tmp_path / 'gone'}",
        f"graft: {path}:4 strategy.backbone: is timm:resnt18",
    ]


def test_missing_data_are_told_with_the_line_that_names_them(graft, job_file, tmp_path):
    path = job_file("name: x\ndata:\n  kind: image_folder\n  path: photos\n")
    for command in (("validate",), ("plan",), ("space", "show"), ("doctor",), ("memory", "recommend")):
        done = graft(*command, path)
        missing = f"data.path: is {tmp_path / 'photos'}, but there is nothing there; check the path\n"
        assert (done.exit_code, done.err) == (2, f"graft: {path}:4 {missing}")
    done = graft("validate", path, "--set", f"data.path={tmp_path / 'photos'}")
    assert done.err == f"graft: --set {missing}", "who names them in the command finds no line"


def test_what_a_mapping_fills_is_left_to_the_plan(graft, job_file, tmp_path):
    save_file({"a": torch.ones(3)}, tmp_path / "small.safetensors")
    init = f"{{kind: mapped, source: {tmp_path / 'small.safetensors'}}}"
    path = job_file(f"name: x\ndata: digits\nstrategy: {{init: {init}}}\n")
    done = graft("validate", path)
    assert done.exit_code == 0
    told = f"only graft plan finds out how much of each network the weights of {tmp_path / 'small.safetensors'} fill"
    assert done.out.splitlines()[-1] == told
    assert graft("plan", path).exit_code == 2
    (tmp_path / "small.safetensors").write_bytes(b"cut")
    assert "strategy.init.source: weights file" in graft("validate", path).err


def test_a_wrong_job_hides_nothing_of_its_data(graft, job_file, tmp_path):
    (tmp_path / "notes.csv").write_text("words,kind\na,b\n")
    table = "{kind: table, path: notes.csv, text: text, label: kind}"
    path = job_file(f"name: x\ndata: {table}\nstrategy: {{freeze: 7}}\nepochs: 3\n")
    told = graft("validate", path).err.splitlines()
    assert len(told) == 3
    assert "notes.csv has no column `text`" in told[-1], "of the table"
    assert len(graft("validate", path, "--no-data").err.splitlines()) == 2
    later = job_file(f"name: x\ndata: {table}\nstrategy: {{backbone: minilm_l7}}\n")
    told = graft("validate", later).err.splitlines()
    assert ["minilm_l7" in told[0] or "minilm_l7" in told[1], len(told)] == [True, 2], "what the schema cannot know"
    gone = job_file("name: x\ndata: {kind: image_folder, path: gone, test: 2}\nstrategy: {freeze: 7}\n")
    assert "gone" not in graft("run", gone).err, "a section that is wrong itself says nothing of the data"
