JOB = """\
name: small
data: digits
strategy:
  structure: {keep: {choice: [1.0, 0.5, 0.499]}}
  freeze: {choice: [0.5, 1.0]}
  penalty: {choice: [none, {kind: l2, strength: {loguniform: [0.001, 0.1]}}]}
"""


def test_the_tree_for_a_machine(graft, job_file):
    done = graft("space", "show", job_file(JOB), "--json")
    assert (done.exit_code, done.err) == (0, "")
    assert (done.json["job"], done.json["strategies"], done.json["distinct"]) == ("small", None, None)
    assert done.json["dimensions"] == 4
    assert [one["name"] for one in done.json["fields"]][:3] == ["structure", "freeze", "penalty"]
    finite = graft("space", "show", job_file(JOB), "--json", "--set", "strategy.penalty=none")
    assert (finite.json["strategies"], finite.json["distinct"]) == (6, 4)


def test_the_tree_for_people(graft, job_file):
    lines = graft("space", "show", job_file(JOB), "--set", "strategy.penalty=none").out.splitlines()
    assert lines[0] == (
        "space of small: at most 2 distributions in a strategy, 6 strategies, of which 4 train different models"
    )
    assert lines[1:4] == ["structure", "  keep     1 | 0.5 | 0.499", "freeze     0.5 | 1"]


def test_what_is_tried_first_is_told(graft, job_file):
    job = JOB + "search: {first: [{lr: 0.005}]}\n"
    assert "tried before any is drawn:" in graft("space", "show", job_file(job)).out
