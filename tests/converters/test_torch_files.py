import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from agnostic.converters import torch_files
from agnostic.errors import ConversionError, LimitError

Edit = Callable[[str, bytes], bytes | None]


class Sizes(nn.Module):
    """Its program has symbolic sizes in arithmetic, and guards on them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.shape[0] * x.shape[1], -1).sum(1)[: x.shape[0] // 2]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "sizes.pt2"
    free = torch.export.Dim.DYNAMIC
    torch.export.save(torch.export.export(Sizes(), (torch.ones(4, 3, 8),), dynamic_shapes=({0: free, 1: free},)), path)
    return path


def rewritten(source: Path, target: Path, edit: Edit, more: dict[str, bytes] | None = None) -> Path:
    """Copy an archive, changing or leaving out members."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if (data := edit(name, old.read(name))) is not None:
                new.writestr(name, data)
        for name, data in (more or {}).items():
            new.writestr(name, data)
    return target


def in_graph(change: Callable[[Any], None]) -> Edit:
    """Change the description of the program."""

    def edit(name: str, data: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return data
        content = json.loads(data)
        change(content)
        return json.dumps(content).encode()

    return edit


def first_node(content: Any) -> Any:
    return content["graph_module"]["graph"]["nodes"][0]


CODE = "__import__('pathlib').Path('touched').touch()"


def expression(content: Any) -> None:
    text = json.dumps(content["graph_module"]["graph"])
    start = text.index('"expr_str": "') + len('"expr_str": "')
    content["graph_module"]["graph"] = json.loads(text[:start] + CODE + text[text.index('", "hint"', start) :])


CHANGES: dict[str, tuple[Callable[[Any], None], str]] = {
    "guards": (lambda c: c.update(guards_code=[CODE]), "condition that is no arithmetic"),
    "a size": (expression, "no arithmetic"),
    "any function of torch": (lambda c: first_node(c).update(target="torch.hub.load"), r"calls torch\.hub\.load"),
    "os": (lambda c: first_node(c).update(target="torch.os.system"), r"calls torch\.os\.system"),
    "a file": (lambda c: first_node(c).update(target="torch.ops.aten.from_file.default"), "from_file"),
    "foreign operators": (lambda c: first_node(c).update(target="torch.ops.mine.run.default"), "mine"),
    "a name": (lambda c: c["graph_module"]["graph"]["inputs"][0]["as_tensor"].update(name=f"x={CODE}"), "has the name"),
    "a range": (lambda c: c["range_constraints"].update({CODE: {"min_val": 0, "max_val": 1}}), "constrains"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_program_with_code_in_it_is_refused(
    change: str, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edit, cause = CHANGES[change]
    bad = rewritten(program, tmp_path / "bad.pt2", in_graph(edit))
    with pytest.raises(ConversionError, match=cause) as refusal:
        torch_files.open_program(bad)
    assert "nothing of it was run" in str(refusal.value)
    assert not Path("touched").exists()


class Touch:
    def __reduce__(self) -> Any:
        return os.system, ("touch touched",)


def saved(thing: Any, *, archive: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer, _use_new_zipfile_serialization=archive)
    return buffer.getvalue()


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("place", ["data/sample_inputs/model.pt", "data/weights/model.pt", "data/constants/model.pt"])
def test_pickles_inside_are_read_as_weights_alone(
    place: str, archive: bool, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = lambda name, data: None if name.endswith(place) else data  # noqa: E731
    bad = rewritten(program, tmp_path / "bad.pt2", kept, {f"sizes/{place}": saved((Touch(), {}), archive=archive)})
    with pytest.raises(ConversionError, match="holds a pickle that is no tensor"):
        torch_files.open_program(bad)
    assert not Path("touched").exists()


def test_a_weight_that_asks_to_be_unpickled_is_looked_at_whatever_its_bytes(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = {"config": {"w": {"path_name": "weight_0", "is_param": True, "use_pickle": True, "tensor_meta": None}}}
    edit = lambda name, data: json.dumps(config).encode() if name.endswith("weights_config.json") else data  # noqa: E731
    more = {"sizes/data/weights/weight_0": pickle.dumps(Touch())}
    with pytest.raises(ConversionError, match="weight_0"):
        torch_files.open_program(rewritten(program, tmp_path / "bad.pt2", edit, more))
    assert not Path("touched").exists()


@pytest.mark.parametrize(
    "member", ["data/aotinductor/model/a.so", "data/constants/opaque_obj_0", "data/constants/custom_obj_0", "x.py"]
)
def test_compiled_code_and_objects_are_refused(member: str, program: Path, tmp_path: Path) -> None:
    bad = rewritten(program, tmp_path / "bad.pt2", lambda _, data: data, {f"sizes/{member}": b"x"})
    with pytest.raises(ConversionError, match="nothing of it was run"):
        torch_files.open_program(bad)


def test_an_honest_program_opens_with_its_sizes_and_guards(program: Path) -> None:
    x = torch.arange(6 * 3 * 8.0).reshape(6, 3, 8)
    assert torch.equal(torch_files.open_program(program).module()(x), Sizes()(x))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_that_writes_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    class Reader(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.from_file("secret", False, 1)

    torch.jit.script(Reader()).save("reader.pt")
    with pytest.raises(ConversionError, match=r"calls torch\.from_file"):
        torch_files.open_script(Path("reader.pt"))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_honest_torchscript_opens(tmp_path: Path) -> None:
    torch.jit.script(nn.Sequential(nn.Linear(3, 2), nn.ReLU())).save(tmp_path / "n.pt")
    assert torch_files.open_script(tmp_path / "n.pt")(torch.ones(1, 3)).shape == (1, 2)


def test_damaged_and_huge_archives_are_refused(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is left of the archive may still hold another one, a stored tensor's.
    (tmp_path / "cut.pt2").write_bytes(program.read_bytes()[:-50])
    with pytest.raises(ConversionError, match=r"damaged archive|no tensor"):
        torch_files.open_program(tmp_path / "cut.pt2")
    monkeypatch.setattr(torch_files, "LARGEST", 100)
    with pytest.raises(LimitError, match="unpacks to more"):
        torch_files.open_program(program)
