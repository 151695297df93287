"""Variant (c): one `TorchTrainer` for all trainings."""

from nesting.plain_train import measure
from nesting.request import main

if __name__ == "__main__":
    main(lambda request: measure(request, at_once=request.trials))
