import pytest


@pytest.fixture
def offered(graft, monkeypatch):
    """What a shell is offered for the last word of a command line."""

    def complete(*words: str) -> list[str]:
        monkeypatch.setenv("_GRAFT_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        done = graft()
        assert (done.exit_code, done.err) == (0, "")
        return done.out.split()

    return complete


def test_experiments_and_their_jobs_are_offered(make_experiment, offered):
    digits, other = make_experiment(name="digits"), make_experiment(name="other")
    for command in ("status", "watch", "leaderboard", "resume"):
        assert set(offered("graft", command, "")) == {"latest", "digits", "other", digits.name, other.name}


def test_only_what_begins_so_is_offered(make_experiment, offered):
    digits = make_experiment(name="digits")
    make_experiment(name="other")
    assert offered("graft", "journal", "show", "dig") == ["digits", digits.name]
    assert offered("graft", "status", "x") == []


def test_another_home_is_asked(make_experiment, offered, tmp_path):
    make_experiment()
    assert offered("graft", "status", "--home", str(tmp_path / "empty"), "") == []
