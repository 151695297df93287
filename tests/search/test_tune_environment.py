import os

import pytest

from graft.search.tune_environment import tune_environment


def test_a_search_has_settings_of_its_own_and_the_shell_has_its_back(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = {
        "TUNE_RESULT_DIR": "/x", "RAY_AIR_LOCAL_CACHE_DIR": "/x", "TUNE_RESULT_BUFFER_LENGTH": "10",
        "TUNE_DISABLE_SIGINT_HANDLER": "0", "RAY_AIR_NEW_OUTPUT": "1", "TUNE_MAX_PENDING_TRIALS_PG": "99",
    }  # fmt: skip
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TUNE_DISABLE_STRICT_METRIC_CHECKING", raising=False)
    before = dict(os.environ)
    with tune_environment(3):
        found = {name: value for name, value in os.environ.items() if name.startswith(("TUNE_", "RAY_AIR_"))}
        assert os.environ["PATH"] == before["PATH"]
    assert found == {
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "RAY_AIR_NEW_OUTPUT": "0",
        "TUNE_MAX_PENDING_TRIALS_PG": "3",
    }
    assert dict(os.environ) == before
