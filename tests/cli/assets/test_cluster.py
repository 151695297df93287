import json

import yaml


def test_a_file_is_made_and_checked(graft, tmp_path):
    made = graft("cluster", "make", "aws", "--size", "small")
    file = tmp_path / "cluster.yaml"
    file.write_text(made.out)
    assert yaml.safe_load(made.out)["max_workers"] == 4
    assert graft("cluster", "check", str(file)).out == f"{file}: no problem found\n"
    assert graft("cluster", "check", str(file), "--json").json == {"ok": True, "problems": []}


def test_what_is_wrong_is_told_with_key_rule_and_fix(graft, tmp_path):
    config = yaml.safe_load(graft("cluster", "make", "aws").out)
    config["max_worker"] = 3
    file = tmp_path / "cluster.yaml"
    file.write_text(yaml.safe_dump(config))
    told = graft("cluster", "check", str(file), "--json")
    assert told.exit_code == 2
    problem = {"key": "max_worker", "rule": "is no key that is known here", "fix": "did you mean `max_workers`?"}
    assert json.loads(told.out) == {"ok": False, "problems": [problem]}
    assert "max_worker: is no key that is known here" in graft("cluster", "check", str(file)).err


def test_the_table_of_prices_is_printed_as_it_is(graft):
    done = graft("cluster", "prices")
    assert (done.exit_code, done.err) == (0, "")
    assert "g5.2xlarge: {on_demand:" in done.out
