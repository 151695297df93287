"""Variant (b): one `TorchTrainer` a training."""

from nesting.plain_train import measure
from nesting.request import main

if __name__ == "__main__":
    main(lambda request: measure(request, at_once=1))
