import pytest

from graft.core.credentials import redact, without_login
from graft.tracking.projection.flattening import flatten


def test_components_stand_under_their_own_name() -> None:
    nested = {"penalty": {"kind": "l2_sp", "strength": 0.01}, "freeze": 0.75}
    assert flatten(nested) == {"penalty": "l2_sp", "penalty.strength": "0.01", "freeze": "0.75"}


def test_lists_become_json_and_none_is_left_out() -> None:
    nested = {"lr": {"choice": [0.1, "x"]}, "limit": None, "on": True, "epochs": 3}
    assert flatten(nested) == {"lr.choice": '[0.1, "x"]', "on": "true", "epochs": "3"}


def test_a_kind_at_the_top_stays_a_key() -> None:
    assert flatten({"kind": "digits"}) == {"kind": "digits"}


@pytest.mark.parametrize("key", ["token", "apiKey", "db.password", "aws_secret_access_key", "credentials"])
def test_secrets_are_hidden(key: str) -> None:
    assert flatten({key: "canary"}) == {key: "***"}


def test_passwords_in_urls_are_hidden() -> None:
    assert flatten({"uri": "http://me:canary@host/x"}) == {"uri": "http://***@host/x"}
    assert redact("a http://host/x@y and sqlite:////a@b/c") == "a http://host/x@y and sqlite:////a@b/c"


def test_an_address_to_open_has_no_login() -> None:
    assert without_login("https://me:secret@host:5000/x") == "https://host:5000/x"
    assert without_login("http://host:5000") == "http://host:5000"
