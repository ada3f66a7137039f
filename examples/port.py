"""A model in torch and its port to Keras, which forgets one thing: `parity compare examples/port.py` says what."""

import keras
import numpy as np
import torch

first = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.GELU(), torch.nn.LayerNorm(32), torch.nn.Linear(32, 3))
second = keras.Sequential(
    [
        keras.Input((8,)),
        keras.layers.Dense(32, activation="gelu"),
        keras.layers.LayerNormalization(),
        keras.layers.Dense(3),
    ]
)
inputs = np.random.default_rng(0).standard_normal((16, 8), np.float32)
