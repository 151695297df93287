import os
import subprocess
import sys
import time

import numpy as np
import pytest

from graft.core.storage import Home
from graft.data.feature_store.key import FeatureKey, View
from graft.data.feature_store.store import FeatureStore


@pytest.fixture
def store(home):
    return FeatureStore(Home(home).features, 10**6)


@pytest.fixture
def make(store):
    """Stores features that were used some seconds ago: `make(cut=3, age=100)`; returns them, closed."""

    def make(age=0, **changes):
        usual = {"data_fingerprint": "d", "split": "train", "preprocessing": "{}", "view": None, "weights_digest": "w"}
        key = FeatureKey(**{**usual, "backbone": "net", "cut": 1, **changes})
        features = store.build(key, (4, 4), 20, lambda start, stop: [np.zeros((stop - start, 4, 4), np.float32)])
        features.close()
        when = time.time() - age
        os.utime(store.catalog.use_lock(key.digest()), (when, when))
        return key

    return make


def shard(store, key):
    return next(store.catalog.directory(key.digest()).glob("*.arrow"))


def test_an_empty_cache(graft, home, monkeypatch):
    monkeypatch.setenv("GRAFT_CACHE_GB", "2")
    directory = f"{home}/cache/features"
    assert graft("cache", "ls").out == f"0 sets of features in {directory}: 0.000 GB of at most 2.000 GB\n"
    assert graft("cache", "ls", "--json").json == {
        "directory": directory, "bytes": 0, "limit_bytes": 2_000_000_000, "entries": [],
    }  # fmt: skip
    assert graft("cache", "verify").out == "0 sets of features checked, 0 damaged\n"
    assert graft("cache", "rm", "--all").out == "deleted 0 sets of features, 0.000 GB\n"
    assert not home.exists()


def test_ls_lists_what_there_is_the_newest_first(graft, make, store):
    old, new = make(age=500), make(age=5, cut=2, view=View(1, "flip", 0), split="test", dtype="float16")
    with store.open(new):
        found = graft("cache", "ls", "--json").json
        text = graft("cache", "ls").out.splitlines()
    assert [row["digest"] for row in found["entries"]] == [new.digest(), old.digest()]
    row = found["entries"][0]
    assert row.pop("last_used") == pytest.approx(time.time(), abs=600)
    assert row.pop("bytes") > 20 * 16 * 2
    assert row == {
        "digest": new.digest(), "backbone": "net", "cut": 2, "view": {"index": 1, "policy": "flip", "seed": 0},
        "split": "test", "dtype": "float16", "rows": 20, "shape": [4, 4], "in_use": True, "problem": None,
    }  # fmt: skip
    assert text[0].startswith(f"{new.digest()[:12]}  net  cut 2  view 1  test  20 rows 4x4 float16  0.00")
    assert text[0].endswith("  in use")
    assert "  net  cut 1  plain  train  20 rows 4x4 float32  " in text[1]
    assert "in use" not in text[1]
    assert text[2].startswith("2 sets of features in ")


def test_rm_by_the_beginning_of_a_digest(graft, make):
    one, other = make(), make(cut=2)
    found = graft("cache", "rm", one.digest()[:8], "--json").json
    assert (found["removed"], found["in_use"]) == ([one.digest()], [])
    assert found["bytes"] > 20 * 16 * 4
    assert [row["digest"] for row in graft("cache", "ls", "--json").json["entries"]] == [other.digest()]


def test_rm_of_what_is_not_used_for_long(graft, make):
    make(age=3 * 3600)
    new = make(age=60, cut=2)
    assert graft("cache", "rm", "--older-than", "2h").out.startswith("deleted 1 set of features, ")
    assert [row["digest"] for row in graft("cache", "ls", "--json").json["entries"]] == [new.digest()]


def test_what_is_in_use_stays(graft, make, store):
    busy, other = make(), make(cut=2)
    with store.open(busy):
        one = graft("cache", "rm", busy.digest())
        assert (one.exit_code, one.out) == (3, "")
        assert f"{busy.digest()[:12]} is in use by a running process" in one.err
        everything = graft("cache", "rm", "--all", "--json")
    assert everything.exit_code == 0
    assert (everything.json["removed"], everything.json["in_use"]) == ([other.digest()], [busy.digest()])
    assert graft("cache", "rm", "--all").out.startswith("deleted 1 set of features, ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "one of DIGEST, --all and --older-than AGE"),
        (("abc", "--all"), "one of DIGEST, --all and --older-than AGE"),
        (("xyz",), "`xyz` begins no digest in"),
        (("",), "the digest is empty, but must be one, or how it begins; see `graft cache ls`"),
        (("--older-than=-7d",), "--older-than is `-7d`, but must be a number with m, h, d or w, such as 7d"),
        (("--older-than", "nand"), "--older-than is `nand`, but must be a number with m, h, d or w, such as 7d"),
        (("--older-than", "week"), "--older-than is `week`, but must be a number with m, h, d or w, such as 7d"),
    ],
)
def test_rm_of_something_unclear_deletes_nothing(graft, make, arguments, message):
    make()
    make(cut=2)
    done = graft("cache", "rm", *arguments)
    assert done.exit_code == 2
    assert message in done.err
    assert len(graft("cache", "ls", "--json").json["entries"]) == 2


def test_verify_says_what_is_damaged(graft, make, store):
    good, bad = make(), make(cut=2)
    assert graft("cache", "verify").out == "2 sets of features checked, 0 damaged\n"
    file = shard(store, bad)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    problem = "has changed since it was written"
    done = graft("cache", "verify", "--json")
    assert done.exit_code == 1
    assert done.json == {"checked": 2, "damaged": [{"digest": bad.digest(), "file": file.name, "problem": problem}]}
    text = graft("cache", "verify", bad.digest()[:10])
    assert (text.exit_code, text.err) == (1, "")
    assert text.out == f"{bad.digest()[:12]}  {file.name} {problem}\n1 set of features checked, 1 damaged\n"
    assert graft("cache", "verify", good.digest()).exit_code == 0


def test_a_damaged_manifest_does_not_hide_the_others(graft, make, store):
    good, bad = make(age=9), make(cut=2)
    (store.catalog.directory(bad.digest()) / "manifest.json").write_text("{")
    rows = graft("cache", "ls", "--json").json["entries"]
    assert [(row["digest"], row["rows"]) for row in rows] == [(bad.digest(), None), (good.digest(), 20)]
    assert "cannot be read as JSON" in rows[0]["problem"]
    assert graft("cache", "ls").out.startswith(f"{bad.digest()[:12]}  damaged  ")
    assert graft("cache", "verify").exit_code == 1
    assert graft("cache", "rm", bad.digest()).exit_code == 0


@pytest.mark.parametrize("command", ["ls", "rm", "verify"])
def test_every_command_shows_an_example(graft, command):
    done = graft("cache", command, "--help")
    assert done.exit_code == 0
    assert f"Example: graft cache {command}" in done.out


def test_looking_and_deleting_import_nothing_heavy(repository, home, make):
    make()
    code = (
        "import sys\nfrom graft.cli.main import main\n"
        "for arguments in (['ls'], ['verify'], ['rm', '--all']):\n"
        "    sys.argv = ['graft', 'cache', *arguments]\n"
        "    try:\n        main()\n    except SystemExit as end:\n        assert not end.code, end.code\n"
        "print([name for name in ('torch', 'ray', 'numpy', 'pyarrow') if name in sys.modules], file=sys.stderr)"
    )
    environment = {"PYTHONPATH": str(repository / "platform"), "PATH": "", "GRAFT_HOME": str(home), "LANG": "C.UTF-8"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"
    assert "deleted 1 set of features, " in done.stdout
