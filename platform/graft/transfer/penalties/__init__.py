"""What is added to the loss: penalties of the weights, and of what the network makes of a batch."""
