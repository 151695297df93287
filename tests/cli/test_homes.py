"""Homes that are no directories, as commands take them: every address is understood, or refused in a line."""

import pytest


@pytest.mark.parametrize("address", ["az://box/home", "abfs://c@a/home", "quux://x", "s3://", "gs:/bucket/home"])
def test_an_address_that_is_no_home_is_refused_in_a_line(graft, address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = graft("experiments", "--home", address)
    assert (done.exit_code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith("graft: home is ")
    assert list(tmp_path.iterdir()) == []


def test_it_is_refused_in_the_environment_too(graft, monkeypatch):
    monkeypatch.setenv("GRAFT_HOME", "gcs://bucket/home")
    done = graft("experiments", "--json")
    assert done.exit_code == 2
    assert "homes are kept in directories" in done.json["problems"][0]


@pytest.mark.parametrize(
    "arguments",
    [
        ("features", "job.yaml", "s3://bucket/out.parquet"),
        ("predict", "model", "photo.png", "--output", "s3://bucket/out.csv"),
        ("init", "photos", "--output", "gs://bucket/job.yaml"),
        ("doctor", "photos", "--html", "s3://bucket/page.html"),
    ],
)
def test_a_file_to_write_is_one_of_this_machine(graft, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = graft(*arguments)
    assert (done.exit_code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert "must be a path of this machine" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(params=["s3", "google", "azure"])
def bucket(request, tmp_path, monkeypatch):
    """The address of an empty bucket, in each kind of store."""
    monkeypatch.setenv("GRAFT_COPIES", str(tmp_path / "copies"))
    found = request.getfixturevalue(request.param)
    return found if isinstance(found, str) else found.at()


def test_an_empty_home_in_a_store(graft, bucket):
    home = f"{bucket}/home"
    done = graft("experiments", "--home", home)
    assert (done.exit_code, done.err) == (0, "")
    done = graft("status", "digits", "--home", home)
    assert (done.exit_code, done.out) == (2, "")
    assert done.err.endswith(f"but {home}/experiments holds none yet; start one with `graft run`\n")


def test_a_bucket_that_is_not_there(graft, bucket):
    scheme, what = bucket.partition(":")[0], "container" if bucket.startswith("abfs") else "bucket"
    more = " and AWS_ENDPOINT_URL" if scheme == "s3" else ""
    done = graft("experiments", "--home", f"{scheme}://no-such-one-here/home")
    assert (done.exit_code, done.out) == (2, "")
    assert done.err == (
        f"graft: home is {scheme}://no-such-one-here/home, but there is no {what} no-such-one-here; create it, or "
        f"check its name{more}\n"
    )


def test_an_address_with_a_password_is_refused_and_the_password_not_told(graft):
    done = graft("experiments", "--home", "abfs://box:verysecret@acc.dfs.core.windows.net/home")
    assert done.exit_code == 2
    assert "with the name of a container" in done.err
    assert "verysecret" not in done.out + done.err


def test_credentials_that_nobody_knows(graft, s3, knows_nobody, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFT_COPIES", str(tmp_path / "copies"))
    knows_nobody(True)
    done = graft("experiments", "--home", s3.at("home"))
    assert (done.exit_code, done.out) == (3, "")
    assert len(done.err.splitlines()) == 1
    assert f"home {s3.at('home')} refuses these credentials (InvalidAccessKeyId" in done.err


def test_faults_are_injected_into_directories_only(graft, s3, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFT_COPIES", str(tmp_path / "copies"))
    job = tmp_path / "job.yaml"
    job.write_text("name: x\ndata: digits\n")
    done = graft("chaos", job, "--home", s3.at("home"))
    assert done.exit_code == 2
    assert "faults are injected into a directory" in done.err
