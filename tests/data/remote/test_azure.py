"""Azure, from Azurite, which has blobs but no folders of a Data Lake."""

import os

import pytest

from graft.core.errors import DataError
from graft.data.listing import list_samples
from graft.data.read import Unreadable, read_file
from graft.spec.modalities.image import ImageFolderData

pytestmark = pytest.mark.slow

FILES = {"set/cat/1.png": b"a cat", "set/dog/1 é.png": b"a dog", "set/readme.md": b"x"}


@pytest.fixture
def container(azurite: str) -> str:
    from azure.storage.blob import ContainerClient

    account = os.environ["AZURE_STORAGE_ACCOUNT_NAME"]
    credential = {"account_name": account, "account_key": os.environ["AZURE_STORAGE_ACCOUNT_KEY"]}
    url = f"{os.environ['AZURE_STORAGE_ENDPOINT']}/{account}"
    client = ContainerClient(url, azurite.removeprefix("abfs://"), credential=credential)
    for key, content in FILES.items():
        client.upload_blob(key, content)
    return azurite


def test_folders_are_listed_and_read(container: str) -> None:
    listing = list_samples(ImageFolderData(path=f"{container}/set"))
    assert listing.ids == ("cat/1.png", "dog/1 é.png")
    assert [read_file(source) for source in listing.sources] == [b"a cat", b"a dog"]


def test_what_is_not_there_is_told(container: str) -> None:
    with pytest.raises(DataError, match="there is nothing there"):
        list_samples(ImageFolderData(path=f"{container}/other"))
    with pytest.raises(DataError, match="there is no container no-such-box"):
        list_samples(ImageFolderData(path="abfs://no-such-box/set"))
    with pytest.raises(Unreadable, match="is not there any more"):
        read_file(f"{container}/set/cat/2.png".encode())
