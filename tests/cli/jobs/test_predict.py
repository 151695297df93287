import pytest


def test_json_gives_every_class_of_every_image(graft, bundle, photo):
    done = graft("predict", bundle, photo, photo, "--json")
    assert (done.exit_code, done.err) == (0, "")
    assert done.json["model"] == str(bundle)
    assert len(done.json["predictions"]) == 2
    one = done.json["predictions"][0]
    assert (one["source"], one["error"]) == (str(photo), None)
    assert set(one["probabilities"]) == {"cat", "dog", "emu", "fox"}
    assert sum(one["probabilities"].values()) == pytest.approx(1)
    assert one["probability"] == max(one["probabilities"].values()) == one["probabilities"][one["label"]]


def test_the_text_shows_the_three_best(graft, bundle, photo):
    one = graft("predict", bundle, photo, "--json").json["predictions"][0]
    best = sorted(one["probabilities"].items(), key=lambda item: -item[1])[:3]
    expected = ", ".join(f"{name} {value:.3f}" for name, value in best)
    assert graft("predict", bundle, photo).out == f"{photo}: {expected}\n"


def test_a_folder_and_a_table_are_expanded(graft, bundle, photo):
    table = photo.with_name("list.csv")
    table.write_text("image,note\nphoto.png,a\nphoto.png,b\n")
    assert len(graft("predict", bundle, photo.parent, table, "--json").json["predictions"]) == 3


def test_an_unreadable_image_is_told_and_the_others_are_answered(graft, bundle, photo):
    bad = photo.with_name("bad.png")
    bad.write_text("hello")
    done = graft("predict", bundle, bad, photo)
    assert done.exit_code == 2
    assert done.out.splitlines()[0] == f"{bad}: is text, but must be an image (JPEG, PNG, WEBP, BMP, GIF, TIFF)"
    assert done.out.splitlines()[1].startswith(f"{photo}: ")


def test_an_unreadable_image_in_json_is_one_object(graft, bundle, photo):
    bad = photo.with_name("bad.png")
    bad.write_bytes(b"")
    done = graft("predict", bundle, bad, photo, "--json")
    assert done.exit_code == 2
    first, second = done.json["predictions"]
    assert first == {"source": str(bad), "probabilities": {}, "error": "is empty"}
    assert set(second) == {"source", "label", "probability", "probabilities", "error"}
    assert second["error"] is None


def test_missing_files_are_all_told_before_a_model_is_loaded(graft, photo, tmp_path):
    done = graft("predict", "no_such_model", tmp_path / "a.png", photo, tmp_path / "b.png")
    assert (done.exit_code, done.out) == (2, "")
    assert done.err.splitlines() == [
        f"graft: {tmp_path / name} does not exist; name a file, a folder or a table" for name in ("a.png", "b.png")
    ]


def test_a_directory_that_is_no_bundle_is_told(graft, photo):
    done = graft("predict", photo.parent, photo)
    assert done.exit_code == 2
    assert done.err.startswith(f"graft: {photo.parent} is not a bundle (no manifest.json in it); name a bundle")


@pytest.mark.usefixtures("home")
def test_an_unknown_model_is_told(graft, photo):
    done = graft("predict", "nope", photo)
    assert done.exit_code == 2
    assert "`nope`" in done.err


def test_an_experiment_without_a_bundle_says_how_to_finish_it(graft, make_experiment, photo):
    experiment = make_experiment([])
    done = graft("predict", "digits", photo)
    assert done.exit_code == 1
    assert done.err == (
        f"graft: experiment {experiment.name} has no bundle; finish it with `graft resume {experiment.name}`\n"
    )


def test_an_experiment_means_its_bundle(graft, make_experiment, bundle, photo):
    experiment = make_experiment([])
    experiment.bundle.symlink_to(bundle)
    assert graft("predict", "digits", photo).out == graft("predict", bundle, photo).out


def test_a_damaged_bundle_is_told(graft, bundle, photo, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    with (copy / "weights.safetensors").open("r+b") as stream:
        stream.seek(-4, 2)
        stream.write(b"oops")
    done = graft("predict", copy, photo)
    assert (done.exit_code, done.out) == (1, "")
    assert "weights.safetensors" in done.err
    assert "damaged" in done.err
    assert len(done.err.splitlines()) == 1


def test_a_registered_model_that_is_not_there_makes_no_store(graft, home, photo):
    done = graft("predict", "models:/nope@champion", photo)
    assert done.exit_code == 2
    assert "nope" in done.err
    assert not home.exists()
