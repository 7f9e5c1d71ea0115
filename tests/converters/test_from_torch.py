import numpy as np
import onnx
import pytest
import torch
from torch import nn

import agnostic
from agnostic.converters import from_torch, verify
from agnostic.converters.conversion import Request, as_example
from agnostic.converters.metadata import read_conversion
from agnostic.errors import ConversionError, UsageError
from agnostic.models.two_digits import read_digits

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


class Digits(nn.Module):
    """A small CNN with blocks, to see how layers are named."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU())
        self.block = nn.ModuleDict({"a": nn.Conv2d(8, 8, 3, padding=1), "b": nn.Conv2d(8, 8, 3, padding=1)})
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(8 * 16, 10)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        x = self.stem(picture)
        x = torch.relu(x + self.block["b"](torch.relu(self.block["a"](x))))
        return self.head(self.drop(nn.functional.max_pool2d(x, 2).flatten(1)))


@pytest.fixture(scope="module")
def trained() -> tuple[Digits, torch.Tensor, torch.Tensor]:
    """Trained on a thousand of scikit-learn's digits; right on nine in ten of the others."""
    torch.manual_seed(0)
    digits, held_out = read_digits()
    x, y = torch.from_numpy(digits.glyphs).float()[:, None] / 255, torch.from_numpy(digits.labels)
    net = Digits()
    optimiser = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(4):
        for rows in torch.arange(1000).split(50):
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    unseen, answers = torch.from_numpy(held_out.glyphs).float()[:, None] / 255, torch.from_numpy(held_out.labels)
    assert (net.eval()(unseen).argmax(1) == answers).float().mean() > 0.85
    return net, unseen, answers


def test_a_trained_net_is_the_same_in_onnx(trained, tmp_path) -> None:
    net, x, _ = trained
    net.train()  # dropout must be off in the file, and on again in the net
    proto = agnostic.convert(net, x[:4], out=tmp_path / "net.onnx")
    assert net.training and not net.eval().training
    (made,) = verify.run(onnx.load(tmp_path / "net.onnx"), {"picture": x.numpy()})
    assert np.abs(made - net(x).detach().numpy()).max() < 1e-5 * np.abs(made).max()
    record = read_conversion(proto)
    assert record["framework"] == "torch" and record["batches"] == [1, 3, 4]
    assert 0 < record["largest_difference"] < 1e-4
    assert record["versions"]["torch"] == torch.__version__


def test_layers_carry_the_names_of_the_modules(trained) -> None:
    net, x, _ = trained
    proto = agnostic.convert(net, x[:4])
    made = [name for node in proto.graph.node for name in node.output]
    assert {"stem.0", "stem.1", "block.a", "block.b", "output"} <= set(made)
    assert {t.name for t in proto.graph.initializer} >= {"stem.0.weight", "block.a.weight", "head.bias"}
    model = agnostic.load(proto, device="cpu")
    assert model.inputs[0].shape == ("batch", 1, 8, 8)
    held = model.activations(x[:1].numpy(), at="block.a")
    assert np.allclose(held, net.block["a"](net.stem(x[:1])).detach().numpy(), atol=1e-5)
    text = proto.SerializeToString()
    assert b".py" not in text and b"/tmp" not in text, "no stack traces of the machine are left"


def test_one_prediction_is_explained_and_adds_up(trained) -> None:
    net, x, _ = trained
    e = agnostic.explain(agnostic.convert(net, x[:4]), x[:1].numpy(), "integrated_gradients", source="picture")
    score = float(net(x[:1]).detach().max())
    assert e.meta["score"] == pytest.approx(score, rel=1e-5)
    assert e.values.shape == (8, 8)
    assert e.values.sum() == pytest.approx(score - e.base_value, rel=5e-3, abs=5e-3)


def test_programs_and_scripts_are_converted_from_their_files(trained, tmp_path) -> None:
    net, x, _ = trained
    free = torch.export.Dim.DYNAMIC
    torch.export.save(torch.export.export(net, (x[:2],), dynamic_shapes=({0: free},)), tmp_path / "net.pt2")
    torch.jit.script(net).save(tmp_path / "net.pt")
    for name, example in (("net.pt2", None), ("net.pt", {"picture": x[:3]})):
        found = from_torch.convert(tmp_path / name, Request(as_example(example)))
        (made,) = verify.run(found.proto, {"picture": x[:7].numpy()})
        assert np.abs(made - net(x[:7]).detach().numpy()).max() < 1e-4
    assert {"stem/0/Conv", "head/Gemm"} & {name for node in found.proto.graph.node for name in node.output}


def test_a_program_with_a_fixed_batch_is_freed_and_asked_row_by_row(trained, tmp_path) -> None:
    net, x, _ = trained
    torch.export.save(torch.export.export(net, (x[:1],)), tmp_path / "one.pt2")
    found = from_torch.convert(tmp_path / "one.pt2", Request())
    assert found.proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert np.allclose(found.answer({"picture": x[:3].numpy()})["output"], net(x[:3]).detach().numpy(), atol=1e-5)


class Tagger(nn.Module):
    """Tokens in, two answers by name out; its word table is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 8)
        self.out = nn.Linear(8, 20, bias=False)
        self.out.weight = self.words.weight

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        held = self.words(ids) * mask[..., None]
        return {"words": self.out(held), "mean": held.mean(1)}


def test_inputs_and_outputs_keep_their_names_lengths_are_free_and_weights_are_kept_once() -> None:
    ids = torch.arange(12).reshape(2, 6)
    proto = agnostic.convert(Tagger().eval(), {"ids": ids, "mask": torch.ones(2, 6)})
    assert [value.name for value in proto.graph.output] == ["words", "mean"]
    shapes = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in proto.graph.input}
    assert shapes["ids"][0] == "batch" and isinstance(shapes["ids"][1], str)
    tables = [tensor for tensor in proto.graph.initializer if 20 in tensor.dims]
    held = sum(len(tensor.raw_data) for tensor in tables)
    assert held <= 2 * 20 * 8 * 4, "one copy, or that and its transpose"


class Flat(nn.Module):
    """Looks at a single row as code for one picture at a time does."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.reshape(int(x.shape[0]), 4))


def test_a_module_that_fixes_its_batch_is_exported_with_one_row_and_freed() -> None:
    proto = agnostic.convert(Flat().eval(), torch.randn(5, 2, 2))
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_sizes_stand_in_for_an_example_and_one_of_them_is_needed() -> None:
    net = nn.Linear(4, 2).eval()
    assert read_conversion(agnostic.convert(net, input_shape=[4]))["largest_difference"] < 1e-6
    with pytest.raises(ConversionError, match=r"--example FILE\.npy .* --input-shape"):
        agnostic.convert(net)


def test_an_example_of_other_inputs_is_refused() -> None:
    with pytest.raises(UsageError, match="the model takes ids, mask"):
        agnostic.convert(Tagger(), {"tokens": torch.arange(4).reshape(1, 4), "mask": torch.ones(1, 4)})


def test_a_module_that_cannot_be_exported_says_why() -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("not today")

    with pytest.raises(ConversionError, match=r"cannot export Odd .*not today"):
        agnostic.convert(Odd(), torch.ones(2, 2))
