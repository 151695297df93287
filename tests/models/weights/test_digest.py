import hashlib
import subprocess

import pytest

from graft.core.errors import ArtifactError
from graft.models.weights.digest import WeightFile, file_of_hub, file_of_user, require_meant

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize("stated", ["", DIGEST, DIGEST[:8]])
def test_the_file_that_is_meant(path, stated):
    file = WeightFile(path, stated)
    assert (file.found(), file.bytes, file.problem()) == (DIGEST, len(CONTENT), None)
    require_meant((file,), "fetch it")


def test_another_file_is_refused_with_the_remedy(path):
    with pytest.raises(ArtifactError) as caught:
        require_meant((WeightFile(path, "0" * 64),), "fetch it anew")
    says = f"w.safetensors has sha256 {DIGEST[:12]}…, but must have 000000000000…; fetch it anew"
    assert str(caught.value) == says


def test_small_files_of_the_hub_are_named_as_git_names_them(tmp_path, path):
    done = subprocess.run(["git", "hash-object", str(path)], capture_output=True, text=True, check=True)
    assert WeightFile(path, done.stdout.strip()).problem() is None
    assert "git digest" in (WeightFile(path, "0" * 40).problem() or "")


def test_a_file_of_the_hub_states_its_digest_by_its_name(tmp_path):
    blob = tmp_path / "blobs" / DIGEST
    blob.parent.mkdir()
    blob.write_bytes(CONTENT)
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    assert file_of_hub(link) == WeightFile(link, DIGEST)
    assert file_of_hub(link).problem() is None
    blob.write_bytes(b"damaged")
    assert file_of_hub(link).problem() is not None
    copy = tmp_path / "copied.safetensors"
    copy.write_bytes(CONTENT)
    assert file_of_hub(copy) == WeightFile(copy)


def test_a_file_of_the_user_states_its_digest_beside_it(path):
    assert file_of_user(path) == WeightFile(path)
    beside = path.with_name("w.safetensors.sha256")
    beside.write_text(f"{DIGEST.upper()}  w.safetensors\n")
    assert file_of_user(path) == WeightFile(path, DIGEST)
    for content in ("", "no digest", "0" * 63):
        beside.write_text(content)
        with pytest.raises(ArtifactError, match="holds no sha256; write it anew: sha256sum"):
            file_of_user(path)
