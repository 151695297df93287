"""What a step of training is made of, beside the loss: clipping, the average of weights, sharpness-aware steps."""
