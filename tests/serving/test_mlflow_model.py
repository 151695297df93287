import base64
from types import SimpleNamespace

import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from graft.core.errors import ArtifactError
from graft.serving import mlflow_model
from graft.serving.mlflow_model import BundleModel


@pytest.fixture
def model(bundle) -> BundleModel:
    """As MLflow loads it: by the name of the module and the directory of the bundle."""
    loaded = mlflow_model._load_pyfunc(str(bundle))
    assert isinstance(loaded, BundleModel)
    return loaded


@pytest.fixture
def cell(pixels, encode) -> str:
    return base64.b64encode(encode(pixels)).decode()


def test_a_table_of_images_becomes_a_table_of_labels(model, colour, pixels, cell):
    found = model.predict(pd.DataFrame({"image": [cell, cell]}))
    (expected,) = colour.predict([pixels])
    assert list(found.columns) == ["label", "probability"]
    assert list(found["label"]) == [expected.label] * 2
    assert list(found["probability"]) == pytest.approx([expected.probability] * 2, abs=1e-5)


def test_mlflow_passes_params_that_do_not_matter(model, cell):
    assert len(model.predict(pd.DataFrame({"image": [cell]}), params={"x": 1})) == 1


def test_other_columns_and_any_index_do_not_matter(model, cell):
    table = pd.DataFrame({"id": [7], "image": [cell]}, index=["row"])
    assert len(model.predict(table)) == 1


def test_an_unreadable_image_is_an_empty_row(model, cell):
    found = model.predict(pd.DataFrame({"image": [base64.b64encode(b"hello").decode(), cell]}))
    assert found.isna().all(axis=1).tolist() == [True, False]


def test_a_table_without_the_column_is_told(model, cell):
    with pytest.raises(MlflowException, match="the table has the columns img, but needs `image`"):
        model.predict(pd.DataFrame({"img": [cell]}))


@pytest.mark.parametrize("bad", ["no base64!", "größe", None, 3.5, "abc"])
def test_a_cell_that_is_not_base64_is_named(model, cell, bad):
    with pytest.raises(
        MlflowException, match=r"image of row 1 is not base64 \(.+\); encode the file's bytes"
    ) as caught:
        model.predict(pd.DataFrame({"image": [cell, bad]}))
    assert caught.value.get_http_status_code() == 400


def test_a_server_answers_400_with_the_sentence(model):
    from fastapi.testclient import TestClient
    from mlflow.pyfunc import PyFuncModel
    from mlflow.pyfunc.scoring_server import init

    class Loaded(PyFuncModel):
        metadata = SimpleNamespace(get_input_schema=lambda: None)

        def __init__(self) -> None:
            pass

        def predict(self, data, params=None):
            return model.predict(data, params)

    client = TestClient(init(Loaded()), raise_server_exceptions=False)
    answer = client.post("/invocations", json={"dataframe_split": {"columns": ["image"], "data": [["no base64!"]]}})
    assert answer.status_code == 400
    assert "image of row 0 is not base64" in answer.json()["message"]
    assert "encode the file's bytes" in answer.json()["message"]


def test_an_empty_table_gives_an_empty_table(model):
    found = model.predict(pd.DataFrame({"image": []}))
    assert (len(found), list(found.columns)) == (0, ["label", "probability"])


def test_a_damaged_bundle_is_told(tmp_path):
    with pytest.raises(ArtifactError, match="is no bundle"):
        mlflow_model._load_pyfunc(str(tmp_path))
