import numpy as np
import pytest
import torch
from torch import nn

from graft.data.batch import Batch
from graft.models.backbone import Backbone
from graft.models.network import Network
from graft.spec.tasks.classification import Classification
from graft.tasks.registry import build_task
from graft.training.predict import predict_in_parts, predict_outputs
from graft.training.world import ALONE


class Fixed:
    def __init__(self, *batches):
        self.batches = batches

    def for_evaluation(self):
        return iter(self.batches)


def probabilities(outputs):
    return build_task(Classification()).decide(outputs, {})


def test_outputs_stand_where_their_samples_stood_however_batches_are_formed():
    class Doubled(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.tensor(2.0))

        def forward(self, batch):
            return batch["value"] * self.factor

    def part(*places):
        return np.array(places), Batch({"value": torch.tensor(places, dtype=torch.float32)[:, None]})

    found = predict_outputs(Doubled(), Fixed(part(3, 0), part(4, 1), part(2)))
    assert found[:, 0].tolist() == [0, 2, 4, 6, 8]


def test_rows_are_probabilities_in_the_order_of_the_batches(make_session, batches):
    model = make_session().model
    probs = probabilities(predict_outputs(model, batches))
    assert probs.shape == (48, 3)
    assert probs.dtype == np.float64
    np.testing.assert_allclose(probs.sum(axis=1), 1)
    model.eval()
    with torch.no_grad():
        expected = torch.softmax(model(batches.images[20:21]).double(), dim=1)
    np.testing.assert_allclose(probs[20], expected[0], rtol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_model_is_put_back(make_session, batches, training):
    model = make_session().model.train(training)
    predict_outputs(model, batches)
    assert model.training is training


def test_evaluation_is_in_eval_mode_and_changes_nothing(make_session, batches):
    model = make_session().model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    first, second = predict_outputs(model, batches), predict_outputs(model, batches)
    np.testing.assert_array_equal(first, second)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_bf16_is_near_fp32(make_session, batches):
    model = make_session().model
    full, half = (probabilities(predict_outputs(model, batches, precision)) for precision in ("fp32", "bf16"))
    assert 0 < np.abs(full - half).max() < 0.05


def test_tiny_probabilities_keep_their_logarithm():
    layer = nn.Linear(1, 2, bias=False)
    layer.weight.data = torch.tensor([[0.0], [200.0]])
    model = Network(Backbone(nn.Identity(), [], nn.Identity(), 1, "pixels"), layer)
    probs = probabilities(predict_outputs(model, Fixed((np.array([0]), Batch({"pixels": torch.ones(1, 1)})))))
    assert np.log(probs[0, 0]) == pytest.approx(-200)


def test_no_sample_is_refused(make_session):
    with pytest.raises(ValueError, match="no sample to predict"):
        predict_outputs(make_session().model, Fixed())


def test_alone_the_parts_are_all(make_session, batches):
    model = make_session().model
    found, expected = predict_in_parts(model, batches, "fp32", ALONE), predict_outputs(model, batches)
    assert torch.equal(found, expected)
    assert found.dtype == expected.dtype


def test_no_part_at_all_is_refused(make_session):
    with pytest.raises(ValueError, match="no sample to predict"):
        predict_in_parts(make_session().model, Fixed(), "fp32", ALONE)
