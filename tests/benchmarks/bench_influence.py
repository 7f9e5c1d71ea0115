"""Do estimates of influence tell what leaving a sample out does? Beside dattri, on the same small network.

`python tests/benchmarks/bench_influence.py [--samples N] [--removals N]` (`make influence-experiment`). A small
convolutional network is trained on real digits to a minimum of its loss with a weight decay, by L-BFGS in float64.
Then samples are left out one at a time, and the training goes on from the minimum to the next one. What the loss of
each query really did is compared with each estimate by Spearman's rank correlation over the removals, as the mean over
the queries. All estimates get the weight decay as damping. dattri's attributors get the same network in torch.
"""

import argparse
import contextlib
import io
import os
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from digits_cnn import Digits, digits, inputs_of, network, to_onnx, trained
from torch import nn

import agnostic
from agnostic.engine.model import Model
from agnostic.training import influence, tracin
from agnostic.training.data import TrainingSet, arrays
from agnostic.training.influence import Query

DECAY, SIDE = 0.003, 14


def settle(net: nn.Sequential, x: torch.Tensor, y: torch.Tensor, steps: int) -> float:
    """Go to the minimum of the mean loss with decay; gives the largest slope that is left."""
    optimiser = torch.optim.LBFGS(
        net.parameters(), max_iter=steps, history_size=30, tolerance_grad=1e-9, tolerance_change=0,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = nn.functional.cross_entropy(net(x), y)
        value = value + DECAY / 2 * sum((weight**2).sum() for weight in net.parameters())
        value.backward()
        return value

    optimiser.step(loss)
    loss()
    return max(float(weight.grad.abs().max()) for weight in net.parameters())


def left_out(
    net: nn.Sequential, x: torch.Tensor, y: torch.Tensor, queries: tuple[torch.Tensor, torch.Tensor], ids: np.ndarray
) -> np.ndarray:
    """How much each query's loss rises when a sample is left out: (queries, removals)."""
    state = {name: value.clone() for name, value in net.state_dict().items()}
    before = losses(net, *queries)
    found = []
    for number in ids:
        keep = torch.arange(len(x)) != int(number)
        net.load_state_dict(state)
        settle(net, x[keep], y[keep], 60)
        found.append(losses(net, *queries) - before)
    net.load_state_dict(state)
    return np.stack(found, axis=1)


def losses(net: nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """The loss of each query."""
    with torch.no_grad():
        return nn.functional.cross_entropy(net(x), y, reduction="none").numpy()


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """The mean over the queries of the rank correlation over the removals."""
    from scipy.stats import spearmanr

    return float(np.mean([spearmanr(a, b).statistic for a, b in zip(one, other, strict=True)]))


def ours(model: Model, data: TrainingSet, queries: list[Query]) -> dict[str, Callable[[], np.ndarray]]:
    """Every estimate of this package, as what leaving out does to the loss."""
    how = {"damping": DECAY, "double": True}

    def by(solver: str, **settings: object) -> Callable[[], np.ndarray]:
        return lambda: influence.influence(model, data, queries, solver=solver, **settings).values

    return {
        "cg, Gauss-Newton": by("cg", **how),
        "cg, Hessian": by("cg", curvature="hessian", **how),
        "lissa, Gauss-Newton": by("lissa", depth=1500, batch=64, **how),
        "lissa, Hessian": by("lissa", depth=1500, batch=64, curvature="hessian", **how),
        "arnoldi, Gauss-Newton": by("arnoldi", rank=100, **how),
        "arnoldi, Hessian": by("arnoldi", rank=100, curvature="hessian", **how),
        "ekfac": by("ekfac", **how),
        "exact, last layer": by("exact", damping=DECAY),
        "gradient product (TracIn, last checkpoint)": lambda: tracin.tracin([model], data, queries).values,
        "gradient cosine": lambda: tracin.similarity(model, data, queries).values,
    }


def theirs(
    net: nn.Sequential, x: torch.Tensor, y: torch.Tensor, queries: tuple[torch.Tensor, torch.Tensor]
) -> dict[str, Callable[[], np.ndarray]]:
    """dattri's attributors, brought to the same sign."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dattri.algorithm import influence_function as there
        from dattri.task import AttributionTask
    # Its LiSSA and Arnoldi make float32 vectors of their own.
    net, x, queries = network_like(net).float(), x.float(), (queries[0].float(), queries[1])

    def loss(parameters: dict[str, torch.Tensor], data: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        rows, labels = data
        found = torch.func.functional_call(net, parameters, rows if rows.ndim == 4 else rows[None])
        # Its LiSSA hands labels out as float32.
        return nn.functional.cross_entropy(found, labels.reshape(-1).long())

    def by(name: str, **settings: object) -> Callable[[], np.ndarray]:
        def run() -> np.ndarray:
            task = AttributionTask(loss_func=loss, model=net, checkpoints=net.state_dict())
            attributor = getattr(there, name)(task=task, device="cpu", **settings)
            train = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=len(x))
            test = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*queries), batch_size=len(queries[1]))
            with contextlib.redirect_stderr(io.StringIO()):  # its progress bars
                attributor.cache(train)
                return attributor.attribute(train, test).detach().numpy().T

        return run

    return {
        "dattri cg": by("IFAttributorCG", max_iter=100, regularization=DECAY),
        "dattri lissa": by(
            "IFAttributorLiSSA", batch_size=64, num_repeat=1, recursion_depth=1500, damping=DECAY, scaling=50.0
        ),
        "dattri arnoldi": by("IFAttributorArnoldi", proj_dim=100, max_iter=320, regularization=DECAY),
        "dattri ekfac": by("IFAttributorEKFAC", damping=DECAY),
    }


def network_like(net: nn.Sequential) -> nn.Sequential:
    """A copy, as dattri hooks what it is given."""
    import copy

    return copy.deepcopy(net)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--queries", type=int, default=10)
    parser.add_argument("--removals", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    data = digits(options.samples + options.queries, wrong=0.05, seed=0)
    train = Digits(*(part[: options.samples] for part in data[:3]), data.flipped[data.flipped < options.samples])
    net = network((4, 8), 16, smooth=True, side=SIDE).double()
    x, y = torch.from_numpy(inputs_of(train.pictures, SIDE)).double(), torch.from_numpy(train.labels)
    asked = (
        torch.from_numpy(inputs_of(data.pictures[options.samples :], SIDE)).double(),
        torch.from_numpy(data.truth[options.samples :]),
    )
    for _ in trained(net, x.numpy(), train.labels, epochs=60, rate=3e-3, decay=DECAY, batch=32):
        pass
    slope = settle(net, x, y, 3000)
    count = sum(weight.numel() for weight in net.parameters())
    print(f"{options.samples} digits, {count} weights, decay {DECAY}; the largest slope at the minimum is {slope:.1e}")
    ids = np.sort(np.random.default_rng(1).permutation(options.samples)[: options.removals])
    started = time.perf_counter()
    true = left_out(net, x, y, asked, ids)
    seconds, most = time.perf_counter() - started, np.abs(true).max()
    print(f"leaving out {len(ids)} samples took {seconds:.0f} s; losses move by up to {most:.3g}", flush=True)
    model = agnostic.load(to_onnx(network_like(net).float(), SIDE), device="cpu")
    held = arrays(inputs_of(train.pictures, SIDE), train.labels)
    queries = [
        Query(str(k), {"x": asked[0][k : k + 1].float().numpy()}, None, int(asked[1][k]))
        for k in range(options.queries)
    ]
    for name, run in {**ours(model, held, queries), **theirs(net, x, y, asked)}.items():
        started = time.perf_counter()
        try:
            values = run()
        except Exception as error:
            print(f"{name:44} failed: {type(error).__name__}: {str(error).splitlines()[0][:90]}", flush=True)
            continue
        print(f"{name:44}{spearman(values[:, ids], true):8.3f}{time.perf_counter() - started:8.1f} s", flush=True)
    wrong_ones(model, held, train)


def wrong_ones(model: Model, held: TrainingSet, train: Digits) -> None:
    """Where the samples with a wrong label stand among the self-influences."""
    from agnostic.training.ranking import average_precision

    mask = np.isin(np.arange(len(held)), train.flipped)
    found = {
        "exact": influence.self_influence(model, held, damping=DECAY),
        "ekfac": influence.self_influence(model, held, solver="ekfac", damping=DECAY),
        "arnoldi": influence.self_influence(model, held, solver="arnoldi", damping=DECAY),
        "tracin": tracin.self_tracin([model], held),
    }
    print(
        f"self-influence against {mask.sum()} wrong labels: average precision "
        + ", ".join(
            f"{name} {average_precision(mask[np.argsort(-values, kind='stable')]):.3f}"
            for name, values in found.items()
        )
    )


if __name__ == "__main__":
    main()
