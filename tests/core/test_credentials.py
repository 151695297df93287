import logging

import pytest

from graft.core.credentials import RedactingFormatter, credential_in, is_secret, redact, without_login

WITH_ONE = [
    "abfs://box:canary@account.dfs.core.windows.net/x",
    "https://account.blob.core.windows.net/box/x?sv=2026-02-06&sr=b&sig=canary%3D",
    "http://me:canary@host:5000",
    "https://me:canary@host/path?x=1",
    "postgresql://me:canary@host/db",
    "postgresql+psycopg2://me:can/ary@host/db",
    "postgresql://me:can@ary@host/db",
    "mysql+pymysql://root:canary@/db?unix_socket=/s",
    "https://me:can/canary@host/path",
    "https://ghp_canary0123456789canary@github.com/a/b",
    "https://canary0123456789abcdefghij@host/",
    "s3://AKIA:canary@bucket/key",
    "https://:canary@host",
    "http://host:5000?token=canary",
    "http://host/?x=1&password=canary",
    "http://host/?x=1;pwd=canary",
    "http://host/?PASSWORD=canary",
    "http://host/?pass%77ord=canary",
    "http://host/#access_token=canary&x=1",
    "https://a.blob.core.windows.net/c/b?sv=2024&sig=canary",
    "https://b.s3.amazonaws.com/k?X-Amz-Credential=canary&X-Amz-Signature=canary&X-Amz-Date=1",
    "https://b.s3.amazonaws.com/k?X-Amz-Security-Token=canary",
    "https://storage.googleapis.com/b/k?X-Goog-Signature=canary",
    "https://host/?api_key=canary",
    "https://host/?apikey=canary",
    "https://host/?key=canary",
    "s3://bucket/p?access_key=canary&secret_key=canary",
    "postgresql://host/db?user=me&password=canary",
    "postgresql://host/db?sslpassword=canary",
    "mssql+pyodbc://host/db?driver=x&PWD=canary",
]
WITHOUT = [
    "http://host:5000",
    "http://me@tracker:5000",
    "http://host:5000/x@y",
    "http://host:5000/path?searchFilter=a@b",
    "postgresql://me@host/db?sslmode=require",
    "sqlite:////home/me@work/mlflow.db?timeout=20",
    "s3://bucket/folder@2?endpoint_override=http://minio:9000&scheme=http",
    "models:/digits@champion",
    "https://host/?max_tokens=12&tokenizer=x&keys=1&author=me&passengers=3",
    "a text with a : colon and an @ sign?",
    "",
]


@pytest.mark.parametrize("uri", WITH_ONE)
def test_a_credential_is_found_and_hidden_wherever_it_stands(uri: str) -> None:
    assert credential_in(uri) is not None
    for text in (uri, f"could not connect to {uri}: refused", f'{{"uri": "{uri}"}}', f"<{uri}>"):
        assert "canary" not in redact(text)
        assert "***" in redact(text)
    assert "canary" not in without_login(uri)
    assert redact(redact(uri)) == redact(uri)


@pytest.mark.parametrize("uri", WITHOUT)
def test_an_address_without_one_may_be_written_down(uri: str) -> None:
    assert credential_in(uri) is None
    assert redact(uri) == uri or uri.startswith(("http://me@", "postgresql://me@"))


def test_what_is_wrong_is_named() -> None:
    assert credential_in("http://me:pw@host") == "a password"
    assert credential_in("https://ghp_0123456789@host") == "a token"
    assert credential_in("http://host?x=1&api%5Fkey=1") == "`api_key`"


def test_the_rest_of_a_text_stays() -> None:
    assert redact("http://me:pw@host:5000/a and https://b?x=1&token=t&y=2 failed") == (
        "http://***@host:5000/a and https://b?x=1&token=***&y=2 failed"
    )
    assert redact("Max retries exceeded with url: /api?token=t (Caused by x)") == (
        "Max retries exceeded with url: /api?token=*** (Caused by x)"
    )
    assert redact("host=db user=me password=pw dbname=x") == "host=db user=me password=*** dbname=x"
    assert redact("AWS_SECRET_ACCESS_KEY=abc") == "AWS_SECRET_ACCESS_KEY=***"
    assert redact("AccountName=a;AccountKey=abc==;x=1") == "AccountName=a;AccountKey=***;x=1"
    assert redact("freeze=0.5, key=accuracy, max_tokens=128") == "freeze=0.5, key=accuracy, max_tokens=128"


def test_an_address_to_open_has_no_login() -> None:
    assert without_login("http://me:pw@host:5000/a") == "http://host:5000/a"
    assert without_login("http://host:5000/a?token=t#/x") == "http://host:5000/a"
    assert without_login("http://host:5000/a?page=1") == "http://host:5000/a?page=1"


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "MLFLOW_TRACKING_PASSWORD",
             "MLFLOW_TRACKING_TOKEN", "RAY_AUTH_TOKEN", "HF_TOKEN", "OPENAI_API_KEY", "AZURE_STORAGE_KEY",
             "AWS_SECURITY_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "PGPASSWORD", "SENTRY_DSN", "data.api_key",
             "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN",
             "AZURE_CLIENT_SECRET"]
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["max_tokens", "data.tokenizer", "lr", "RAY_TRAIN_V2_ENABLED", "keep.checkpoints"])
def test_names_of_other_things(name: str) -> None:
    assert not is_secret(name)


def test_a_log_tells_none_not_even_in_a_traceback() -> None:
    try:
        raise ConnectionError("http://me:canary@host: refused")
    except ConnectionError as error:
        told = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "lost %s", ("http://host?token=canary",), told)
    text = RedactingFormatter("%(levelname)s %(message)s").format(record)
    assert "canary" not in text
    assert text.startswith("ERROR lost http://host?token=***\nTraceback")


@pytest.mark.parametrize(
    "text",
    [
        "://a:b" * 160_000,
        "postgresql://" * 80_000,
        "a=" * 500_000,
        "?password" * 110_000,
        "_" * 1_000_000 + "=",
        "x" * 10**6 + "://=",
    ],
)
def test_a_text_made_to_take_long_takes_no_longer_than_another(text: str) -> None:
    # Without bounds in the patterns these take hours: there is no need for a time limit to notice.
    assert redact(text)
    assert credential_in(text) is None
    assert without_login(text)


def test_the_container_of_an_azure_address_is_no_login():
    address = "abfs://a-container-with-a-long-name@account.dfs.core.windows.net/x"
    assert credential_in(address) is None
    assert redact(f"no {address} there") == f"no {address} there"
    assert credential_in("abfs://container:secret@account/x") == "a password"
    assert "secret" not in redact("abfs://container:secret@account/x")
