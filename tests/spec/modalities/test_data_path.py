"""Where data may be: paths of this machine, and addresses of stores, with what to write in place of others."""

from pathlib import Path

import pytest

from graft.core.errors import SpecError
from graft.spec.job import Job
from graft.spec.load import parse_job


def job_of(path: str) -> Job:
    return parse_job({"name": "x", "data": {"kind": "image_folder", "path": path}})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("s3://bucket", "s3://bucket"),
        ("S3://Bucket/a b/é/", "s3://Bucket/a b/é"),
        ("gs://bucket/a", "gs://bucket/a"),
        ("abfs://a-container-with-a-long-name@acc.dfs.core.windows.net/a", None),
        ("abfs://container/a", None),
        ("hf://datasets/user/name", None),
        ("hf://datasets/user/name@main/data", None),
        ("https://host:8000/list.txt?page=1", None),
    ],
)
def test_addresses_of_stores_stay_as_text_and_come_back_from_json(given: str, kept: str | None) -> None:
    job = job_of(given)
    assert job.data.path == (kept or given)
    assert parse_job(job.model_dump(mode="json")).data == job.data


def test_paths_of_this_machine_stay_paths() -> None:
    job = job_of("a/b")
    assert job.data.path == Path.cwd() / "a/b"
    assert job.model_dump(mode="json")["data"]["path"] == str(Path.cwd() / "a/b")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("s3a://b/x", "must begin with s3://; write s3://b/x"),
        ("gcs://b/x", "must begin with gs://; write gs://b/x"),
        ("wasbs://c@a/x", "must begin with abfs://; write abfs://c@a/x"),
        ("file:///data", "must be a path without file://; write the path alone"),
        ("hdfs://h/x", "must be a path, or begin with one of s3://, gs://"),
        ("s3://", "must have the form s3://BUCKET/PATH"),
        ("abfs://@acc/x", "must have the form abfs://CONTAINER@ACCOUNT"),
        ("hf://datasets/user", "must have the form hf://datasets/USER/NAME/PATH"),
        ("https://", "must have the form https://HOST/FILE"),
        ("https://huggingface.co/datasets/u/n/tree/main", "write hf://datasets/u/n"),
        ("s3://b/x?region=eu", "must be without `?`"),
        ("s3://b//x", "must have no empty part"),
        ("s3://b/../x", "must have no empty part"),
        ("s3://b/x\ny", "without control characters"),
    ],
)
def test_what_is_no_address_says_what_to_write(given: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        job_of(given)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        "s3://KEYOFSOMEBODY:verysecret@bucket/x",
        "abfs://container:verysecret@acc.dfs.core.windows.net/x",
        "https://user:verysecret@host/list.txt",
        "https://host/list.txt?X-Amz-Signature=verysecret",
        "https://host/list.txt?sig=verysecret",
    ],
)
def test_a_credential_in_an_address_is_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(SpecError, match="must not, because jobs are kept and logged") as caught:
        job_of(given)
    assert "verysecret" not in str(caught.value)
