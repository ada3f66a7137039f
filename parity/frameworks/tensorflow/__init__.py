"""TensorFlow and Keras: how a case is run there, and the layers and optimizers that they have in another form."""
