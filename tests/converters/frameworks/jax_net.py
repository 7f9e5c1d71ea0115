"""A small flax CNN; `python jax_net.py DATA.npz FOLDER` trains it on digits, `FOLDER/net.py:model` is the result."""

import shutil
import sys
from pathlib import Path

import jax
import numpy as np
from flax import nnx


class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.edges = nnx.Conv(1, 8, (3, 3), rngs=rngs)
        self.strokes = nnx.Conv(8, 16, (3, 3), rngs=rngs)
        self.digit = nnx.Linear(256, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.max_pool(nnx.relu(self.edges(x / 255)), window_shape=(2, 2), strides=(2, 2))
        x = nnx.max_pool(nnx.relu(self.strokes(x)), window_shape=(2, 2), strides=(2, 2))
        return nnx.log_softmax(self.digit(x.reshape(x.shape[0], -1)))


def train(data: Path, folder: Path) -> None:
    import optax

    arrays = np.load(data)
    x, y = arrays["pictures"][..., None].astype("float32"), arrays["labels"]
    net = Net(nnx.Rngs(0))
    optimiser = nnx.Optimizer(net, optax.adam(0.003), wrt=nnx.Param)

    @nnx.jit
    def step(net: Net, optimiser: nnx.Optimizer, x: jax.Array, y: jax.Array) -> None:
        loss = lambda net: -net(x)[jax.numpy.arange(len(y)), y].mean()  # noqa: E731
        optimiser.update(net, nnx.grad(loss)(net))

    for epoch in range(8):
        for rows in np.split(np.random.default_rng(epoch).permutation(1500), 25):
            step(net, optimiser, x[rows], y[rows])
    leaves = jax.tree_util.tree_leaves(nnx.state(net, nnx.Param))
    np.savez(folder / "weights.npz", *map(np.asarray, leaves))
    shutil.copy(__file__, folder / "net.py")
    print("accuracy", float((np.asarray(net(x[1500:])).argmax(1) == y[1500:]).mean()))


def model() -> Net:
    """Load what was trained from beside this file."""
    net = Net(nnx.Rngs(0))
    arrays = np.load(Path(__file__).with_name("weights.npz"))
    state = nnx.state(net, nnx.Param)
    leaves = [arrays[f"arr_{place}"] for place in range(len(arrays))]
    nnx.update(net, jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(state), leaves))
    return net


if __name__ == "__main__":
    train(Path(sys.argv[1]), Path(sys.argv[2]))
