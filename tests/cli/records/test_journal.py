import json

import pytest

from graft.core.errors import TrackingError
from graft.journal import events
from graft.journal.events import ExperimentStatus
from graft.journal.journal import Journal, scan
from graft.tracking.audit import AuditResult, Expected
from graft.tracking.relay_files import RelayFiles

KEYS = {
    "records",
    "torn",
    "trials",
    "runs_expected",
    "runs_in_mlflow",
    "metrics_expected",
    "metrics_in_mlflow",
    "lost",
    "doubled",
}


@pytest.fixture
def store(monkeypatch):
    """Replaces MLflow: what is found in it is tested in tests/tracking."""

    def holds(lost=0, doubled=0, error=None):
        def take(target, journal):
            if error is not None:
                raise error
            expected = Expected.of(scan(journal))
            runs, metrics = len(expected.points), expected.metrics
            return expected, AuditResult(runs, runs, metrics, metrics - lost, lost, doubled)

        monkeypatch.setattr("graft.tracking.mlflow.audit.audit_store", take)

    return holds


def damage(experiment, record):
    """Returns the byte at which the damaged record begins."""
    lines = experiment.journal_file.read_bytes().splitlines(keepends=True)
    lines[record] = lines[record].replace(b'"time"', b'"tome"')
    experiment.journal_file.write_bytes(b"".join(lines))
    return sum(map(len, lines[:record]))


# --- show ---


def test_every_record_is_a_line_with_its_time_and_its_story(graft, make_experiment, story):
    make_experiment(story)
    done = graft("journal", "show", "digits")
    assert (done.exit_code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert len(lines) == len(story) + 1
    assert lines[0][21:].startswith("writer 1 opens the journal: pid ")
    assert lines[1].startswith("1970-01-0")
    assert [line[21:] for line in lines[1:5]] == [
        "experiment digits-1 starts",
        "stage ingest starts",
        "stage ingest done in 3.0 s: 1797 images",
        "stage search starts",
    ]
    assert "t00 stopped after 2 epochs: below the best third at epoch 2" in done.out


def test_only_one_kind_or_trial_or_the_last_ones(graft, make_experiment, story):
    make_experiment(story)
    ends = graft("journal", "show", "--kind", "trialfinished").out.splitlines()
    assert [line[21:24] for line in ends] == ["t00", "t01", "t02"]
    of_one = graft("journal", "show", "--trial", "t01").out.splitlines()
    assert len(of_one) == 5
    assert all(" t01 " in line for line in of_one)
    assert graft("journal", "show", "--trial", "t01", "--last", 2).out.splitlines() == of_one[-2:]
    both = graft("journal", "show", "--trial", "t01", "--kind", "TrialFinished").out.splitlines()
    assert both == of_one[-1:]


def test_a_trial_is_also_shown_where_others_copy_it(graft, make_experiment, population):
    make_experiment(population)
    assert "t04 copies" in graft("journal", "show", "--trial", "t03").out


def test_an_unknown_kind_is_suggested(graft, make_experiment):
    make_experiment([])
    done = graft("journal", "show", "--kind", "TrialFinishd")
    assert done.exit_code == 2
    assert "did you mean `TrialFinished`?" in done.err


def test_json_is_the_records_as_they_stand(graft, make_experiment, story):
    experiment = make_experiment(story)
    lines = graft("journal", "show", "--json").out.splitlines()
    assert lines == experiment.journal_file.read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines[:2]] == ["WriterOpened", "ExperimentStarted"]


def test_json_keeps_what_it_says_and_shows_escapes(graft, make_experiment, story):
    text = "photo\x1b[2J\u202e\x9b1m\n é 👩\u200d🔬 \U000e0041.png"
    make_experiment([*story, events.TrialNoted("t03", text)])
    done = graft("journal", "show", "--json", "--kind", "TrialNoted")
    assert json.loads(done.out)["text"] == text
    assert r"photo\u001b[2J\u202e\u009b1m\n é" in done.out
    assert r"photo\x1b[2J\u202e\x9b1m\n é" in graft("journal", "show", "--kind", "TrialNoted").out


def test_damage_is_told_and_the_rest_shown(graft, make_experiment, story):
    experiment = make_experiment(story)
    offset = damage(experiment, 3)
    done = graft("journal", "show")
    assert done.exit_code == 0
    assert len(done.out.splitlines()) == len(story)
    assert f"byte {offset}: " in done.err


def test_a_record_of_a_newer_version_is_a_line(graft, make_experiment):
    experiment = make_experiment([])
    with experiment.journal_file.open("a") as stream:
        stream.write('{"v":1,"kind":"TrialDreamt","time":5.0}\n')
    assert graft("journal", "show").out.splitlines()[-1].strip().startswith("something that this version")


# --- verify ---


def test_all_is_well(graft, store, make_experiment, story):
    store()
    make_experiment(story)
    done = graft("journal", "verify", "--json")
    assert (done.exit_code, done.err) == (0, "")
    assert done.json.keys() == KEYS
    assert done.json["records"] == len(story) + 1
    assert (done.json["trials"], done.json["runs_expected"], done.json["runs_in_mlflow"]) == (4, 5, 5)
    assert done.json["metrics_expected"] == done.json["metrics_in_mlflow"] > 0
    assert (done.json["torn"], done.json["lost"], done.json["doubled"]) == (0, 0, 0)


def test_people_get_lines(graft, store, make_experiment, story):
    store()
    make_experiment(story)
    done = graft("journal", "verify")
    assert [line.split()[0] for line in done.out.splitlines()] == [
        "records",
        "trials",
        "runs",
        "metrics",
        "lost",
        "doubled",
    ]
    assert "5 of 5 in MLflow" in done.out


@pytest.mark.parametrize(
    ("found", "advice"),
    [({"lost": 3}, "3 are not in MLflow; `graft track sync {}`"), ({"doubled": 2}, "2 are in MLflow twice; delete")],
)
def test_what_is_lost_or_doubled_says_what_to_do(graft, store, make_experiment, story, found, advice):
    store(**found)
    experiment = make_experiment(story)
    done = graft("journal", "verify", "--json")
    assert done.exit_code == 1
    assert {name: done.json[name] for name in found} == found
    assert advice.format(experiment.name) in done.err
    assert len(done.err.splitlines()) == 1


def test_what_the_store_has_refused_is_pointed_at(graft, store, make_experiment, story):
    store(lost=3)
    refused = RelayFiles(make_experiment(story).directory).refused
    refused.parent.mkdir()
    refused.write_text("{}\n")
    assert f"it has refused some for good, and {refused} says why" in graft("journal", "verify").err


def test_of_a_running_experiment_something_is_always_on_its_way(graft, store, make_experiment, story):
    store(lost=3)
    experiment = make_experiment(story)
    with Journal(experiment.journal_file):
        assert "still runs; ask again when it has ended" in graft("journal", "verify").err


def test_a_torn_last_line_is_counted_and_forgiven(graft, store, make_experiment, story):
    store()
    experiment = make_experiment(story)
    with experiment.journal_file.open("ab") as stream:
        stream.write(b'{"v":1,"ki')
    done = graft("journal", "verify", "--json")
    assert (done.exit_code, done.json["torn"], done.json["records"]) == (0, 1, len(story) + 1)
    assert "cut short" in done.err


def test_damage_in_the_middle_is_told_with_its_byte_and_a_way_out(graft, store, make_experiment, story):
    store()
    experiment = make_experiment(story)
    offset = damage(experiment, 6)
    done = graft("journal", "verify", "--json")
    assert (done.exit_code, done.json["torn"], done.json["records"]) == (1, 1, len(story))
    assert f"byte {offset}: " in done.err
    assert "sed -i.bak '7d'" in done.err
    refused = graft("leaderboard", "digits")
    assert "`graft journal verify" in refused.err


def test_records_of_a_newer_graft_are_no_damage_to_be_cut_out(graft, store, make_experiment, story):
    store()
    path = make_experiment(story).journal_file
    path.write_text(path.read_text() + '{"v":2,"kind":"Unheard","time":1.0}\n')
    done = graft("journal", "verify")
    assert done.exit_code == 1
    assert "but must have 1 at most; update graft" in done.err
    assert "a newer graft has written on it, and nothing of it is damaged: upgrade graft, and ask again" in done.err
    assert "sed" not in done.err


def test_without_mlflow_the_journals_part_is_there(graft, store, make_experiment, story):
    store(error=TrackingError("tracking store http://x does not answer; start it, or correct tracking.uri"))
    make_experiment(story)
    done = graft("journal", "verify", "--json")
    assert done.exit_code == 1
    assert (done.json["records"], done.json["runs_expected"]) == (len(story) + 1, 5)
    assert [done.json[name] for name in ("runs_in_mlflow", "metrics_in_mlflow", "lost", "doubled")] == [None] * 4
    assert done.err == "graft: tracking store http://x does not answer; start it, or correct tracking.uri\n"
    assert "? of 5 in MLflow" in graft("journal", "verify").out


def test_a_real_store_without_the_experiment_has_lost_all(graft, make_experiment, story, home):
    end = events.ExperimentFinished(ExperimentStatus.COMPLETED, 20.0)
    make_experiment([*story, end])
    done = graft("journal", "verify", "--json")
    assert (done.exit_code, done.json["runs_in_mlflow"]) == (1, 0)
    assert done.json["lost"] == done.json["runs_expected"] + done.json["metrics_expected"]
    assert not (home / "mlflow.db").exists()
