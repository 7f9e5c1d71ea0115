"""Trains a small Paddle CNN on digits and saves its program: python paddle_net.py DATA.npz FOLDER."""

import sys
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

data, folder = np.load(sys.argv[1]), Path(sys.argv[2])
paddle.seed(0)
net = nn.Sequential(
    nn.Conv2D(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2D(2),
    nn.Conv2D(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2D(2),
    nn.Flatten(), nn.Linear(256, 10),
)  # fmt: skip
x, y = data["pictures"][:, None].astype("float32") / 255, data["labels"].astype("int64")
optimiser = paddle.optimizer.Adam(0.003, parameters=net.parameters())
for epoch in range(8):
    for rows in np.split(np.random.default_rng(epoch).permutation(1500), 25):
        loss = nn.functional.cross_entropy(net(paddle.to_tensor(x[rows])), paddle.to_tensor(y[rows]))
        loss.backward()
        optimiser.step()
        optimiser.clear_grad()
net.eval()
print("accuracy", float((net(paddle.to_tensor(x[1500:])).numpy().argmax(1) == y[1500:]).mean()))
paddle.jit.save(
    net, str(folder / "digits"), input_spec=[paddle.static.InputSpec([None, 1, 16, 16], "float32", "image")]
)
