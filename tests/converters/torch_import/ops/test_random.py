import torch

from agnostic.converters.torch_import.ops import random
from agnostic.converters.torch_import.precision import Precision
from agnostic.converters.torch_import.registry import Node

NODE = Node("n", (True,), (), Precision(), straight_through=False)


def test_a_seed_repeats_a_draw() -> None:
    first, second = (random.random_normal(shape=[4000], mean=3.0, scale=2.0, seed=7.0, node=NODE) for _ in range(2))
    assert torch.equal(first, second)
    assert abs(float(first.mean()) - 3) < 0.1
    assert abs(float(first.std()) - 2) < 0.1


def test_uniform_stays_in_its_range() -> None:
    y = random.random_uniform(shape=[1000], low=-2.0, high=3.0, seed=1.0, node=NODE)
    assert -2 <= float(y.min()) < -1.9
    assert 2.9 < float(y.max()) < 3


def test_bernoulli_and_multinomial_follow_their_probabilities() -> None:
    draws = random.bernoulli(torch.full((4000,), 0.3), seed=1.0, node=NODE)
    assert abs(float(draws.mean()) - 0.3) < 0.03
    classes = random.multinomial(torch.log(torch.tensor([[0.2, 0.8]])), sample_size=4000, seed=1.0, node=NODE)
    assert abs(float(classes.float().mean()) - 0.8) < 0.03


def test_dropout_only_drops_in_training() -> None:
    x = torch.ones(4000)
    assert random.dropout(x, torch.tensor(0.5))[0] is x
    y, mask = random.dropout(x, torch.tensor(0.25), torch.tensor(True), seed=3)
    assert torch.equal(y, mask / 0.75)
    assert abs(float(mask.float().mean()) - 0.75) < 0.03
