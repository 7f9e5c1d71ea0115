"""Trains a small torch CNN on digits, saved as a program and as TorchScript: python torch_net.py DATA.npz FOLDER."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

data, folder = np.load(sys.argv[1]), Path(sys.argv[2])
torch.manual_seed(0)
torch.set_num_threads(1)
net = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(256, 10),
)  # fmt: skip
x, y = torch.from_numpy(data["pictures"]).float()[:, None] / 255, torch.from_numpy(data["labels"]).long()
optimiser = torch.optim.Adam(net.parameters(), 0.003)
for epoch in range(8):
    for rows in torch.randperm(1500, generator=torch.Generator().manual_seed(epoch)).split(60):
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
net.eval()
print("accuracy", float((net(x[1500:]).argmax(1) == y[1500:]).float().mean()))
program = torch.export.export(net, (x[:2],), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
torch.export.save(program, folder / "digits.pt2")
torch.jit.script(net).save(folder / "digits.pt")
