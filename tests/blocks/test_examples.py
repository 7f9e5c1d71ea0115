"""The index of examples against brute force over everything a layer holds on every picture."""

import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

import agnostic
from agnostic.blocks.examples import Example, Index, build, load, merge, patch
from agnostic.blocks.examples_files import row_at, row_of
from agnostic.blocks.examples_summary import Extremes, counted, edges, ordered, peaks_of, select
from agnostic.engine.model import Model
from agnostic.engine.preprocess import Preprocess
from agnostic.errors import InputError, UsageError
from agnostic.inputs.image import fit
from agnostic.inputs.picture import open_picture

Open = Callable[..., Model]
SIDE = 12
PREPROCESS = {"agnostic.preprocess": '{"layout": "NCHW", "size": [12, 12], "mean": 0.5, "std": 0.25}'}
# A map that is often zero, channels last, a vector, and scores. Channel 3 of `r` is dead.
NET = """g (float[n,3,12,12] x) => (float[n,4] y) {
    c = Conv<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x, w, b)
    r = Relu(c)
    t = Transpose<perm=[0,2,3,1]>(r)
    l = MatMul(t, m)
    g1 = GlobalAveragePool(r)
    f = Flatten(g1)
    v = MatMul(f, q)
    y = MatMul(v, k)
}"""
LAYERS = ("r", "l", "v")


@pytest.fixture(scope="module")
def net() -> Model:
    return _net()


def _net(seed: int = 0) -> Model:
    import onnx
    from onnx import helper, numpy_helper

    rng = np.random.default_rng(seed)
    graph = onnx.parser.parse_graph(NET)
    shapes = {"w": (5, 3, 3, 3), "m": (5, 6), "k": (5, 4), "q": (5, 5)}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    bias = np.array([0, 0, 0, -1e4, -4], np.float32)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in {**weights, "b": bias}.items())
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in PREPROCESS.items():
        proto.metadata_props.add(key=key, value=value)
    return agnostic.load(proto, device="cpu")


def _paint(folder: Path, count: int, seed: int = 0) -> Path:
    """Pictures in two folders, every fifth a copy of another (ties), flat ones among them."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        path = folder / ("b" if number % 3 else "a/c") / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        if number % 5 == 4:
            pixels = np.random.default_rng(7).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        if number % 7 == 6:
            pixels[:] = number % 256
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = _paint(tmp_path_factory.mktemp("pictures"), 43)
    (folder / "b" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_text("not looked at")
    return folder


class Whole(NamedTuple):
    """Everything at once: names, peaks (n, units) and places by layer, classes."""

    names: list[str]
    peaks: dict[str, np.ndarray]
    places: dict[str, np.ndarray]
    classes: np.ndarray


@pytest.fixture(scope="module")
def whole(net: Model, folder: Path) -> Whole:
    return _whole(net, folder)


def _whole(net: Model, folder: Path) -> Whole:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("[0-9]*.png"))
    peaks: dict[str, list[np.ndarray]] = {layer: [] for layer in LAYERS}
    places: dict[str, list[np.ndarray]] = {layer: [] for layer in LAYERS}
    classes = []
    for name in names:
        assert net.preprocess is not None
        x = net.preprocess.row(np.asarray(Image.open(folder / name).convert("RGB")))[None]
        # Four copies, since other batch sizes may round otherwise.
        held = net.run(np.repeat(x, 4, axis=0), (*LAYERS, "y"))
        units = {"r": held["r"][0].reshape(5, -1).T, "l": held["l"][0].reshape(-1, 6), "v": held["v"][:1]}
        for layer, values in units.items():
            peaks[layer].append(values.max(axis=0))
            places[layer].append(values.argmax(axis=0))
        classes.append(int(held["y"][0].argmax()))
    return Whole(names, _stacked(peaks), _stacked(places), np.array(classes))


def _stacked(columns: dict[str, list[np.ndarray]]) -> dict[str, np.ndarray]:
    return {layer: np.array(rows) for layer, rows in columns.items()}


@pytest.fixture(scope="module")
def index(net: Model, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    return build(net, folder, LAYERS, tmp_path_factory.mktemp("index") / "one", top=5, sample=20)


def _seen(examples: tuple[Example, ...]) -> list[tuple[str, float, tuple[int, int]]]:
    return [(example.picture, example.value, example.peak) for example in examples]


def _rows(whole: Whole, layer: str, unit: int, order: Any) -> list[tuple[str, float, tuple[int, int]]]:
    columns = {"r": 6, "l": 6, "v": 1}[layer]
    peaks, places = whole.peaks[layer][:, unit], whole.places[layer][:, unit]
    return [(whole.names[i], float(peaks[i]), divmod(int(places[i]), columns)) for i in order]


@pytest.mark.parametrize("layer", LAYERS)
def test_top_and_bottom_are_those_of_a_stable_sort(index: Index, whole: Whole, layer: str) -> None:
    for unit in range(index.units(layer)):
        peaks = whole.peaks[layer][:, unit]
        assert _seen(index.top(layer, unit)) == _rows(whole, layer, unit, np.argsort(-peaks, kind="stable")[:5])
        assert _seen(index.bottom(layer, unit)) == _rows(whole, layer, unit, np.argsort(peaks, kind="stable")[:5])


def test_there_are_ties_and_dead_units_to_get_wrong(index: Index, whole: Whole) -> None:
    assert len(set(whole.peaks["r"][:, 0])) < len(whole.names)
    assert index.stats("r").dead.tolist() == [False, False, False, True, False]
    assert [example.picture for example in index.top("r", 3)] == whole.names[:5]


def test_spread_lies_evenly_in_a_sample_that_names_alone_decide(index: Index, whole: Whole) -> None:
    import hashlib

    keys = [hashlib.sha256(f"0:{name!r}".encode()).digest()[:8] for name in whole.names]
    sample = sorted(sorted(range(len(keys)), key=keys.__getitem__)[:20])
    for layer, unit in (("r", 0), ("l", 5), ("v", 2)):
        order = sorted(sample, key=lambda i, layer=layer, unit=unit: (whole.peaks[layer][i, unit], i))  # type: ignore[misc]
        found = index.spread(layer, unit, 5)
        assert _seen(found) == _rows(whole, layer, unit, [order[i] for i in (0, 5, 10, 14, 19)])
        assert [example.quantile for example in found] == [i / 19 for i in (0, 5, 10, 14, 19)]


def test_spread_of_as_many_as_there_are_is_everything(index: Index) -> None:
    assert [example.quantile for example in index.spread("r", 0, 20)] == [i / 19 for i in range(20)]
    assert len(index.spread("r", 0, 50)) == 20


@pytest.mark.parametrize("layer", LAYERS)
def test_statistics_are_those_of_all_peaks(index: Index, whole: Whole, layer: str) -> None:
    stats, peaks = index.stats(layer), whole.peaks[layer]
    np.testing.assert_array_equal(stats.maximum, peaks.max(axis=0))
    np.testing.assert_array_equal(stats.minimum, peaks.min(axis=0))
    np.testing.assert_array_equal(stats.mean, peaks.sum(axis=0, dtype=np.float64) / len(peaks))
    np.testing.assert_array_equal(stats.active, (peaks > 0).mean(axis=0))


@pytest.mark.parametrize("layer", LAYERS)
def test_selectivity_compares_the_means_of_classes(index: Index, whole: Whole, layer: str) -> None:
    stats, seen = index.stats(layer), sorted(set(whole.classes))
    assert len(seen) > 1
    above = np.maximum(whole.peaks[layer].astype(np.float64), 0)
    means = np.array([above[whole.classes == label].mean(axis=0) for label in seen])
    for unit in range(index.units(layer)):
        row = sorted(means[:, unit])
        high, rest = row[-1], np.mean(row[:-1])
        if high == 0:
            assert (stats.selective_class[unit], stats.selectivity[unit]) == (-1, 0)
            continue
        assert stats.selective_class[unit] == seen[int(np.argmax(means[:, unit]))]
        assert stats.selectivity[unit] == pytest.approx((high - rest) / (high + rest), rel=1e-5)


def test_a_histogram_counts_every_picture_near_its_own_bin(index: Index, whole: Whole) -> None:
    for layer, unit in (("r", 0), ("l", 1), ("v", 4), ("r", 3)):
        low, high, counts = index.histogram(layer, unit, 8)
        peaks = whole.peaks[layer][:, unit]
        assert (low, high) == (peaks.min(), peaks.max())
        assert counts.sum() == len(peaks)
        # At most what lies within 1/32 of an edge may be counted on its other side.
        slack = np.abs(peaks).max() / 32
        for edge in range(1, 8):
            border = low + (high - low) * edge / 8
            assert (peaks < border - slack).sum() <= counts[:edge].sum() <= (peaks <= border + slack).sum()


def test_pictures_carry_their_class_and_files_that_are_none_are_named(index: Index, whole: Whole) -> None:
    assert [tuple(picture) for picture in index.pictures] == list(zip(whole.names, whole.classes, strict=True))
    assert [item.file for item in index.skipped] == ["b/broken.png", "notes.txt"]
    assert index.skipped[1].reason.startswith("not a picture;")
    assert sum(index.classes.values()) == len(whole.names)


def test_boxes_are_receptive_fields_or_shares(index: Index) -> None:
    y, x = index.top("r", 0)[0].peak
    assert index.top("r", 0)[0].box == (2 * y - 1, 2 * x - 1, 2 * y + 2, 2 * x + 2)
    assert index.grids["l"].box(0, 5) == (-1, 9, 2, 12)  # pointwise behind the convolution
    assert index.grids["v"].box(0, 0) == (0, 0, SIDE, SIDE)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _same(one: Index, other: Index) -> None:
    assert one.pictures == other.pictures
    assert one.skipped == other.skipped
    for layer in LAYERS:
        for unit in range(one.units(layer)):
            assert one.top(layer, unit) == other.top(layer, unit)
            assert one.bottom(layer, unit) == other.bottom(layer, unit)
            assert one.spread(layer, unit) == other.spread(layer, unit)
            assert str(one.histogram(layer, unit)) == str(other.histogram(layer, unit))
        a, b = one.stats(layer), other.stats(layer)
        np.testing.assert_array_equal(a.active, b.active)
        np.testing.assert_allclose(a.mean, b.mean, rtol=1e-14)
        np.testing.assert_allclose(a.selectivity, b.selectivity, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("shard_size", [1, 7, 16])
def test_shards_change_nothing(net: Model, folder: Path, index: Index, tmp_path: Path, shard_size: int) -> None:
    _same(build(net, folder, LAYERS, tmp_path, top=5, sample=20, shard_size=shard_size), index)


def test_merged_parts_are_the_whole_whatever_their_order(
    net: Model, folder: Path, index: Index, tmp_path: Path
) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
    anchors = [folder / "notes.txt", folder / "b" / "broken.png"]
    rest = [path for path in paths if path not in anchors]
    # Each part names a file at the top and one in b, so that names are relative to the same folder.
    one = build(net, [anchors[0], *rest[::2]], LAYERS, tmp_path / "1", top=5, sample=20, shard_size=10)
    other = build(net, [*anchors[1:], *rest[1::2]], LAYERS, tmp_path / "2", top=5, sample=20, shard_size=6)
    _same(merge([other, one]), index)


def test_merging_refuses_what_does_not_fit(net: Model, folder: Path, index: Index, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="differ in their layers"):
        merge([index, build(net, folder, ["r"], tmp_path / "a", top=5, sample=20)])
    with pytest.raises(UsageError, match=r"is in two of the indices"):
        merge([index, index])
    with pytest.raises(UsageError, match="at least one"):
        merge([])


def test_another_run_writes_the_same_bytes(net: Model, folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        build(net, folder, LAYERS, tmp_path / name, shard_size=16)
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")


CHILD = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
import test_examples as here
from agnostic.blocks.examples import build
def progress(done, count): print(done, flush=True)
build(here._net(), {folder!r}, here.LAYERS, {out!r}, shard_size=4, batch_size=2, progress=progress)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL on this system")
def test_killed_anywhere_and_started_again_it_ends_with_the_same_bytes(
    net: Model, folder: Path, tmp_path: Path
) -> None:
    build(net, folder, LAYERS, tmp_path / "whole", shard_size=4, batch_size=2)
    code = CHILD.format(tests=str(Path(__file__).parent), folder=str(folder), out=str(tmp_path / "killed"))
    found = []
    for pause in (0.0, 0.004, 0.011):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        while not (line := child.stdout.readline()).strip().isdigit() or int(line) < 6 + 9 * len(found):
            assert line, "the child ended before it could be killed"
        time.sleep(pause)
        child.kill()
        child.wait()
        child.stdout.close()
        found.append(len(list((tmp_path / "killed").glob("shard-*.safetensors"))))
        with pytest.raises(InputError, match=r"the index has \d+ of 12 shards"):
            load(tmp_path / "killed")
    assert 0 < found[0] < found[-1] < 12
    (tmp_path / "killed" / ".shard-00003.safetensors.abc").write_bytes(b"half")
    build(net, folder, LAYERS, tmp_path / "killed", shard_size=4, batch_size=2)
    assert _contents(tmp_path / "killed") == _contents(tmp_path / "whole")


def test_going_on_runs_only_what_is_missing(folder: Path, tmp_path: Path) -> None:
    build(_net(), folder, LAYERS, tmp_path, shard_size=16)
    (tmp_path / "shard-00001.safetensors").write_bytes(b"torn")
    again = _net()
    build(again, folder, LAYERS, tmp_path, shard_size=16)
    assert again.evaluations == 1 + 16  # the empty picture that shows the shapes, and one shard


def test_the_index_of_something_else_is_refused(net: Model, tmp_path: Path) -> None:
    folder, out = _paint(tmp_path / "in", 6), tmp_path / "out"
    build(net, folder, ["r"], out)
    for changed, what in (
        (lambda: build(_net(1), folder, ["r"], out), "other model"),
        (lambda: build(net, folder, ["v"], out), "other layers"),
        (lambda: build(net, folder, ["r"], out, top=3), "other settings"),
    ):
        with pytest.raises(UsageError, match=what):
            changed()
    _paint(tmp_path / "in", 7)
    with pytest.raises(UsageError, match="other pictures"):
        build(net, folder, ["r"], out)


def test_a_picture_that_changed_under_its_name_is_noticed(net: Model, tmp_path: Path) -> None:
    folder, out = _paint(tmp_path / "in", 6), tmp_path / "out"
    first = build(net, folder, ["r"], out)
    stat = (folder / "b" / "001.png").stat()
    os.utime(folder / "b" / "001.png", (1, 1))
    assert build(net, folder, ["r"], out).pictures == first.pictures  # touched, not changed
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "b" / "001.png")
    os.utime(folder / "b" / "001.png", (stat.st_atime, stat.st_mtime))
    with pytest.raises(UsageError, match=r"b/001\.png has changed since it was indexed"):
        build(net, folder, ["r"], out)


def test_an_index_inside_its_folder_does_not_index_itself(net: Model, tmp_path: Path) -> None:
    folder = _paint(tmp_path, 6)
    first = build(net, folder, ["r"], folder / "index")
    assert build(net, folder, ["r"], folder / "index").pictures == first.pictures
    assert len(first.pictures) == 6
    assert first.skipped == ()


def test_nothing_to_index_is_an_error(net: Model, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no files"):
        build(net, tmp_path / "empty", ["r"], tmp_path / "out")
    with pytest.raises(InputError, match="not a folder"):
        build(net, tmp_path / "none", ["r"], tmp_path / "out")
    with pytest.raises(InputError, match="no such file"):
        build(net, [tmp_path / "none.png"], ["r"], tmp_path / "out")
    (tmp_path / "empty" / "a.txt").write_text("a")
    with pytest.raises(InputError, match=re.escape("none of the 1 files is a picture; a.txt: not a picture")):
        build(net, tmp_path / "empty", ["r"], tmp_path / "out")
    with pytest.raises(InputError, match="holds no index"):
        load(tmp_path / "empty")


def test_what_does_not_exist_is_said(net: Model, folder: Path, index: Index, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown layer"):
        build(net, folder, ["rr"], tmp_path)
    with pytest.raises(UsageError, match="no layers were named"):
        build(net, folder, [], tmp_path)
    with pytest.raises(UsageError, match="shard_size=0"):
        build(net, folder, ["r"], tmp_path, shard_size=0)
    with pytest.raises(UsageError, match="unknown layer"):
        index.top("c", 0)
    with pytest.raises(UsageError, match="units 0 to 4"):
        index.top("r", 5)
    with pytest.raises(UsageError, match="at least 2"):
        index.spread("r", 0, 1)


def test_pictures_on_which_a_layer_is_not_finite_are_named(opened: Open, tmp_path: Path) -> None:
    net = opened(
        "g (float[n,3,12,12] x) => (float[n,3] y) { o = Constant<value_float=0.5>() d = Sub(x, o) "
        "s = Sqrt(d) r = Relu(s) p = GlobalAveragePool(r) y = Flatten(p) }",
        metadata={"agnostic.preprocess": '{"size": [12, 12]}'},
    )
    (tmp_path / "in").mkdir()
    for name, level in (("dark", 0), ("light", 200), ("white", 255)):
        Image.new("RGB", (12, 12), (level, 255, 255)).save(tmp_path / "in" / f"{name}.png")
    found = build(net, tmp_path / "in", ["r", "p"], tmp_path / "out")
    assert [picture.name for picture in found.pictures] == ["light.png", "white.png"]
    assert "NaN or infinite" in found.skipped[0].reason


def test_tokens_lose_the_class_token_and_lie_on_their_grid(opened: Open, tmp_path: Path) -> None:
    text = """g (float[n,3,12,12] x) => (float[n,4] y) {
        p = Conv<kernel_shape=[3,4], strides=[3,4]>(x, w)
        s = Constant<value_ints=[0,4,-1]>() f = Reshape(p, s) t = Transpose<perm=[0,2,1]>(f)
        z = Shape<start=0, end=1>(x) o = Constant<value_ints=[1,4]>() e = Concat<axis=0>(z, o)
        c = Expand(cls, e) tokens = Concat<axis=1>(c, t) u = MatMul(tokens, m)
        y = ReduceMean<axes=[1], keepdims=0>(u)
    }"""
    rng = np.random.default_rng(3)
    weights = {"w": rng.normal(size=(4, 3, 3, 4)), "m": np.eye(4), "cls": np.full((1, 1, 4), 1e3)}
    net = opened(text, {name: value.astype(np.float32) for name, value in weights.items()}, metadata=PREPROCESS)
    found = build(net, _paint(tmp_path / "in", 9), ["u"], tmp_path / "out")
    assert found.grids["u"].shape == (4, 3)
    best = found.top("u", 2)[0]
    pixels = np.asarray(Image.open(tmp_path / "in" / best.picture).convert("RGB"), np.float32)
    x = ((pixels / 255 - 0.5) / 0.25).transpose(2, 0, 1)[None]
    patches = net.run(x, ("p",))["p"][0, 2]
    assert best.peak == tuple(np.unravel_index(patches.argmax(), patches.shape))
    assert best.value == pytest.approx(patches.max(), rel=1e-5)
    y, x_ = best.peak
    assert best.box == (3 * y, 4 * x_, 3 * y + 3, 4 * x_ + 4)


def test_reading_in_threads_leaves_the_filters_of_warnings_alone(net: Model, folder: Path, tmp_path: Path) -> None:
    before = list(warnings.filters)
    build(net, folder, ["v"], tmp_path, batch_size=2)
    assert list(warnings.filters) == before


def test_progress_ends_with_all_files(net: Model, folder: Path, tmp_path: Path) -> None:
    said: list[tuple[int, int]] = []
    build(net, folder, ["v"], tmp_path, shard_size=16, progress=lambda done, count: said.append((done, count)))
    assert said[-1] == (45, 45)
    assert said == sorted(said)


def test_memory_does_not_grow_with_the_folder(net: Model, tmp_path: Path) -> None:
    import tracemalloc

    def peak(count: int) -> int:
        folder = _paint(tmp_path / str(count), count)
        tracemalloc.start()
        build(net, folder, ["r"], tmp_path / f"out{count}", shard_size=32)
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    peak(40)  # what is loaded and compiled once
    small, large = peak(64), peak(512)
    # Names, fingerprints and what is read of each shard's head; the input rows alone would be 1728 bytes each.
    assert large - small < 448 * 1000


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": "BGR", "mean": (104.0, 117.0, 124.0), "scale": 1.0},
        {"layout": "NHWC", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
        {"channels": "RGBA", "std": (0.3,)},
        {"layout": "NHW", "channels": "L"},
        {"channels": "L", "mean": (0.1,)},
    ],
)
def test_rows_are_what_the_declared_preprocessing_makes(settings: dict[str, Any]) -> None:
    preprocess = Preprocess(size=(5, 7), **settings)
    shape = (5, 7) if preprocess.depth == 1 else (5, 7, preprocess.depth)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    row = row_of(pixels, preprocess)
    np.testing.assert_array_equal(row, preprocess.row(pixels))
    assert row.flags.c_contiguous


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
@pytest.mark.parametrize("size", [(30, 20), (31, 90), (90, 31), (24, 24), (5, 300)])
@pytest.mark.parametrize("settings", [{}, {"channels": "BGR", "resize": "crop"}, {"layout": "NHWC", "resize": "pad"}])
def test_files_become_the_rows_that_explaining_them_uses(
    settings: dict[str, Any], size: tuple[int, int], mode: str, tmp_path: Path
) -> None:
    preprocess = Preprocess(size=(24, 28), mean=(0.4, 0.5, 0.6), std=(0.2,), **settings)
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)
    picture = Image.fromarray(noise).convert(mode) if mode != "RGBA" else Image.fromarray(noise)
    picture.save(tmp_path / "picture.png")
    fitted = fit(open_picture(tmp_path / "picture.png"), preprocess)
    pixels = np.asarray(fitted.resize((28, 24), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(row_at(tmp_path / "picture.png", preprocess), preprocess.row(pixels))


@pytest.mark.parametrize("shape", [(2, 40, 3), (3, 1, 5), (2, 7, 1)])
def test_peaks_are_the_same_in_either_order_of_axes(shape: tuple[int, int, int]) -> None:
    values = np.random.default_rng(0).integers(-3, 3, shape).astype(np.float32)
    for maps in (values, np.ascontiguousarray(values.transpose(0, 2, 1)).transpose(0, 2, 1)):
        peaks, places = peaks_of(maps)
        np.testing.assert_array_equal(peaks, values.max(axis=1))
        np.testing.assert_array_equal(places, values.argmax(axis=1))


def test_order_and_bins_of_any_float() -> None:
    values = np.array([-np.float32(3e38), -2, -1e-40, -0.0, 0.0, 1e-40, 0.5, 1, 1.03, 3e38], np.float32)
    order = ordered(values)
    assert (np.diff(order.astype(np.int64)) >= 0).all()
    assert order[3] == order[4]
    bins = counted(values[:, None])
    low, high = edges(bins.codes)
    for value in values:
        assert ((low <= value) & (value < high)).sum() == 1 or value < 0
    assert bins.counts.sum() == len(values)


def test_select_prefers_the_earlier_picture() -> None:
    values = np.array([[1, 5], [7, 5], [7, 5], [2, 5]], np.float32)
    numbers = np.broadcast_to(np.array([[3], [9], [4], [0]]), values.shape)
    found = select(Extremes(values, numbers, numbers * 10), 2, largest=True)
    assert found.pictures.tolist() == [[4, 0], [9, 3]]
    assert found.places.tolist() == [[40, 0], [90, 30]]


def test_a_patch_is_centred_and_padded_with_grey(net: Model) -> None:
    pixels = np.zeros((48, 48, 3), np.uint8)
    pixels[8:12, 0:4] = 255  # one of the 12 x 12 pixels that the model sees, at row 2, column 0
    assert net.preprocess is not None
    found = patch(Image.fromarray(pixels), net.preprocess, (1, -1, 4, 2), side=30, least=1)
    assert found.pixels.shape == (30, 30, 3)
    assert (found.pixels[:, :10] == 128).all()
    assert (found.pixels[13:17, 13:17] > 200).all()
    assert (found.pixels[2:6, 22:28] < 20).all()
    assert found.peak == (0.5, 0.5)
    assert found.box == (0, 0, 1, 1)


def test_a_small_field_is_shown_in_its_surroundings_and_a_large_one_whole(net: Model) -> None:
    assert net.preprocess is not None
    picture = Image.new("RGB", (24, 24), "red")
    small = patch(picture, net.preprocess, (4, 4, 6, 8), side=20, least=8)
    assert small.box == pytest.approx((3 / 8, 2 / 8, 5 / 8, 6 / 8))
    large = patch(picture, net.preprocess, (-20, -20, 32, 32), side=20)
    assert large.box == (0, 0, 1, 1)
    assert (large.pixels == (255, 0, 0)).all()
