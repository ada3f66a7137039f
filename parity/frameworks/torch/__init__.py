"""PyTorch: how a case is run there, and the layers and optimizers that it has in another form."""
