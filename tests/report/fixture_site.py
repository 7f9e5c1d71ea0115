"""Write the data of a small microscope site from the embedded model and pictures: `python fixture_site.py OUT`.

Activations, example patches and groups are real; attributions, icons and badges are seeded stand-ins of the right
shape, so that the pages can be built and tested without gradients and without waiting for optimised pictures.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from PIL import Image
from sklearn.decomposition import NMF

from agnostic import models

STATIC = Path(__file__).parents[2] / "agnostic" / "report" / "microscope" / "static"
BLOCKS = ("conv1", "pool1", *(f"fire{n}" for n in range(2, 10)), "pool3", "pool5", "conv10")
PARTS = ("squeeze", "expand1x1", "expand3x3", "concat")
DEEP = ("fire3/concat", "fire5/concat", "fire7/concat", "fire9/concat")
GROUPED = ("fire5/concat", "fire7/concat", "fire9/concat")
DRAWN = ("fire5/concat", "fire9/concat")
UNITS, CROPS, SHOWN, SIDE, PICTURES = 72, 40, 4, 224, 3
HOSTILE = "<img src=x onerror=alert(1)>"

Floats = npt.NDArray[np.float32]


class Seen(NamedTuple):
    """What the model did on every crop: `crops` (n, 224, 224, 3), `logits` (n, classes),
    `layers` name -> (n, C, h, w)."""

    crops: npt.NDArray[np.uint8]
    logits: Floats
    layers: dict[str, Floats]
    labels: list[str]


def write(out: Path, *, hostile: bool = False) -> Path:
    """Write the site; `hostile` puts markup into a layer's name, a label and a file name."""
    rng = np.random.default_rng(0)
    shutil.copytree(STATIC, out, dirs_exist_ok=True)
    seen = look()
    names = {slug(name): (HOSTILE + name if hostile and name == DEEP[-1] else name) for name in seen.layers}
    if hostile:
        seen.labels[int(seen.logits[0].argmax())] = HOSTILE
    put(out, "site", site(seen, names, hostile))
    for name in seen.layers:
        write_layer(out, seen, name, names, rng)
    for index in range(PICTURES):
        write_image(out, seen, index, rng)
    write_compare(out, seen)
    write_atlas(out, seen, rng)
    write_renders(out, rng)
    return out


def look() -> Seen:
    """Run SqueezeNet on the pictures (the first crops, whole) and on random crops of them."""
    rng = np.random.default_rng(1)
    pictures = [Image.open(models.picture(name)).convert("RGB") for name in models.pictures()]
    crops = [square(picture, 1.0, rng) for picture in pictures]
    crops += [square(pictures[n % len(pictures)], rng.uniform(0.3, 0.8), rng) for n in range(CROPS - len(crops))]
    proto = onnx.load(models.path("squeezenet"))
    wanted = [f"{block}/{part}" for block in BLOCKS if block.startswith("fire") for part in PARTS]
    wanted = [name for name in outputs_in_order(proto) if name in {*wanted, *BLOCKS}]
    proto.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in wanted)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    stacked = np.stack(crops)
    runs = [session.run(None, {session.get_inputs()[0].name: prepared(crop)}) for crop in stacked]
    first, *held = (np.concatenate(parts) for parts in zip(*runs, strict=True))
    layers = {name: np.maximum(a[:, :UNITS], 0) for name, a in zip(wanted, held, strict=True)}
    labels = json.loads(Path(models.__path__[0], "imagenet_labels.json").read_text("utf-8"))
    return Seen(stacked, first.reshape(len(crops), -1), layers, [label.split(",")[0] for label in labels])


def outputs_in_order(proto: onnx.ModelProto) -> list[str]:
    return [name for node in proto.graph.node for name in node.output]


def square(picture: Image.Image, share: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    side = int(min(picture.size) * share)
    x, y = (int(rng.integers(0, length - side + 1)) if share < 1 else (length - side) // 2 for length in picture.size)
    return np.asarray(picture.crop((x, y, x + side, y + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def prepared(crop: npt.NDArray[np.uint8]) -> Floats:
    blue_first = crop[..., ::-1] - np.array([103.939, 116.779, 123.68])
    return blue_first.transpose(2, 0, 1)[None].astype(np.float32)


def slug(name: str) -> str:
    return name.replace("/", "_")


def put(out: Path, key: str, value: Any, file: str = "") -> None:
    """Register a value under its key, escaped so that a script cannot end early."""
    text = json.dumps(value, default=lambda number: round(float(number), 4))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    path = out / "data" / (file or f"{key}.js")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"register({json.dumps(key)}, {text});\n", encoding="utf-8")


def sprite(cells: list[Image.Image], columns: int, path: Path) -> None:
    """Lay square pictures of one size side by side, row by row."""
    side = cells[0].width
    sheet = Image.new("RGB", (columns * side, -(-len(cells) // columns) * side))
    for n, cell in enumerate(cells):
        sheet.paste(cell, (n % columns * side, n // columns * side))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=85)


def softmax(logits: Floats) -> Floats:
    e = np.exp(logits - logits.max())
    shares: Floats = e / e.sum()
    return shares


def site(seen: Seen, names: dict[str, str], hostile: bool) -> dict[str, Any]:
    layers = [about(seen, name, names[slug(name)]) for name in seen.layers]
    return {
        "version": 1,
        "made": "agnostic 0.1",
        "model": {
            "name": "squeezenet",
            "sha256": "4ad7c70b7f6c" + "0" * 52,
            "classes": 1000,
            "labels": seen.labels,
            "inputs": ["input float32 (batch, 3, 224, 224)"],
            "outputs": ["logits float32 (batch, 1000)"],
            "preprocess": {"size": SIDE, "channels": "BGR", "mean": [103.939, 116.779, 123.68]},
            "notes": ["The last pooling is taken as the output."],
        },
        "parity": {
            "largest": 3.1e-6,
            "scale": 24.1,
            "sentence": "The gradients belong to the model that onnxruntime runs.",
        },
        "graph": graph(seen),
        "layers": layers,
        "images": [picture(seen, n, hostile) for n in range(PICTURES)],
        "examples": {"count": CROPS, "folder": "photos", "skipped": [{"file": "notes.txt", "reason": "not a picture"}]},
        "recipes": {"preset": "draft", "size": 128, "steps": 128, "optimiser": "Adam", "learning_rate": 0.05},
        "trust": trust(),
        "versions": {"onnxruntime": "1.24", "numpy": "2.4"},
        "commands": {
            "icons": "agnostic microscope squeezenet --images photos --out site --icons SLUG",
            "groups": "agnostic microscope squeezenet --images photos --out site --groups",
            "dreams": "agnostic microscope squeezenet --images photos --out site --dreams SLUG",
            "variants": "agnostic microscope squeezenet --images photos --out site --variants SLUG:UNIT",
        },
        "compare": True,
        "atlas": [slug(DEEP[-1])],
        "gradient": None,
    }


def about(seen: Seen, name: str, shown: str) -> dict[str, Any]:
    a = seen.layers[name]
    dead = int((a.max((0, 2, 3)) <= 0).sum())
    op = {"concat": "Concat", "pool": "MaxPool"}.get(name.split("/")[-1].rstrip("0123456789"), "Relu")
    return {
        "slug": slug(name),
        "name": shown,
        "op": op,
        "kind": "map",
        "shape": a.shape[1:],
        "units": a.shape[1],
        "dead": dead,
        "complete_icons": 64 if name in DRAWN else 0,
        "icons": [0, 1] if name in DRAWN else [],
        "gradient": True,
        "receptive": [min(15 + 16 * list(seen.layers).index(name), SIDE), SIDE // a.shape[2]],
        "baseline_examples": name != "conv10",
    }


def graph(seen: Seen) -> dict[str, Any]:
    """Place the layers: a fire block is one layer, two side by side, one that joins them."""
    nodes: list[dict[str, Any]] = []
    edges, column, ends = [], -1, list[int]()
    for n, (name, a) in enumerate(seen.layers.items()):
        part = name.split("/")[-1]
        column += part != "expand3x3"
        nodes.append(
            {
                "slug": slug(name),
                "name": name,
                "op": "Relu",
                "shape": a.shape[1:],
                "column": column,
                "row": int(part == "expand3x3"),
                "width": a.shape[1],
                "block": name.split("/")[0],
            }
        )
        edges += [[end, n] for end in (ends if part != "expand3x3" else [n - 2])]
        ends = [n - 1, n] if part == "expand3x3" else [n]
    return {"nodes": nodes, "edges": edges}


def picture(seen: Seen, n: int, hostile: bool) -> dict[str, Any]:
    shares, top = softmax(seen.logits[n]), np.argsort(-seen.logits[n])[:5]
    file = Path(models.picture(models.pictures()[n])).name
    return {
        "id": f"p{n}",
        "file": HOSTILE + file if hostile and n == 0 else file,
        "width": SIDE,
        "height": SIDE,
        "predictions": [
            {"index": int(k), "name": seen.labels[k], "score": seen.logits[n, k], "probability": shares[k]} for k in top
        ],
        "top": [int(k) for k in top],
        "layers": [slug(name) for name in DEEP],
        "groups": [slug(name) for name in GROUPED],
        "pairs": pairs(DEEP),
        "channels": pairs(DEEP),
    }


def pairs(names: tuple[str, ...]) -> list[list[str]]:
    return [[slug(a), slug(b)] for n, a in enumerate(names) for b in names[n + 1 :]]


def trust() -> list[dict[str, str]]:
    return [
        {
            "name": "completeness",
            "title": "Completeness",
            "sentence": "The parts sum to this share of the whole.",
            "how": "The sum of the attributions over the difference between the score and that of the baseline.",
        },
        {
            "name": "path",
            "title": "Path dependence",
            "sentence": "Do two reasonable paths rank the same channels first?",
            "how": "Rank correlation between the linear and the path-integrated attribution of all channels.",
        },
        {
            "name": "stability",
            "title": "Group stability",
            "sentence": "Do other starts find the same groups?",
            "how": "The mean best cosine between the groups of three starts.",
        },
    ]


def badge(name: str, value: float, sentence: str) -> dict[str, Any]:
    level = "good" if value > 0.8 else "fair" if value > 0.5 else "poor"
    return {"name": name, "value": value, "text": f"{value:.2f}", "sentence": sentence, "level": level}


def write_layer(out: Path, seen: Seen, name: str, names: dict[str, str], rng: np.random.Generator) -> None:
    a, key = seen.layers[name], slug(name)
    peaks = a.max((2, 3))
    patches = [patch(seen, name, int(peaks[:, c].argmax()), c, 64)[0] for c in range(a.shape[1])]
    order = list(names)
    at = order.index(key)
    near = {"up": order[max(0, at - 1) : at], "down": order[at + 1 : at + 2]}
    links = {
        c: {
            way: [[s, int(u), rng.normal()] for s in slugs for u in rng.permutation(16)[:3]]
            for way, slugs in near.items()
        }
        for c in range(a.shape[1])
    }
    units = [unit(seen, name, c, np.asarray(patches[c])) for c in range(a.shape[1])]
    put(
        out,
        f"layer/{key}",
        {
            **about(seen, name, names[key]),
            "columns": 12,
            "cell": 64,
            "units": units,
            "neighbours": links,
            **{way: [{"slug": s, "name": names[s]} for s in slugs] for way, slugs in near.items()},
        },
        f"layers/{key}.js",
    )
    if name != "conv10":
        sprite(patches, 12, out / "data" / "layers" / key / "top.jpg")
        for shard in range(-(-a.shape[1] // 32)):
            write_examples(out, seen, name, shard)
    for shard in (0, 1) if name in DRAWN else ():
        write_icons(out, name, shard, np.array([np.asarray(p).mean((0, 1)) for p in patches]), rng)


def unit(seen: Seen, name: str, c: int, patch: npt.NDArray[np.uint8]) -> dict[str, Any]:
    a = seen.layers[name][:, c]
    counts, edges = np.histogram(a[a > 0] if (a > 0).any() else a, bins=24)
    against = weights(seen, name)[:, c]
    best = np.argsort(-against)[:3]
    dead = bool(a.max() <= 0)
    return {
        "n": c,
        "max": a.max(),
        "mean": a.mean(),
        "share_active": (a > 0).mean(),
        "dead": dead,
        "selectivity": None
        if dead
        else {"class": int(best[0]), "name": seen.labels[best[0]], "value": float(against[best[0]])},
        "color": "#" + "".join(f"{int(v):02x}" for v in patch.mean((0, 1))),
        "histogram": {"edges": [edges[0], edges[-1]], "counts": [int(n) for n in counts]},
        "supports": []
        if dead
        else [{"class": int(k), "name": seen.labels[k], "value": float(against[k])} for k in best],
    }


def weights(seen: Seen, name: str) -> Floats:
    """Stand in for gradients: the correlation of every channel with every class over the crops, (classes, C)."""
    a = seen.layers[name].mean((2, 3))
    left, right = (v - v.mean(0) for v in (seen.logits, a))
    found: Floats = left.T @ right / (np.linalg.norm(left, axis=0)[:, None] * np.linalg.norm(right, axis=0) + 1e-6)
    return found


def patch(seen: Seen, name: str, crop: int, c: int, side: int) -> tuple[Image.Image, list[float], list[float]]:
    """Cut the peak's surroundings out of a crop; return it with the peak and its box, in 0..1 of what was cut."""
    h, w = seen.layers[name].shape[2:]
    peak = np.unravel_index(seen.layers[name][crop, c].argmax(), (h, w))
    y, x = ((p + 0.5) / n * SIDE for p, n in zip(peak, (h, w), strict=True))
    reach = 36
    top, left = (float(np.clip(v - reach, 0, SIDE - 2 * reach)) for v in (y, x))
    box = (left, top, left + 2 * reach, top + 2 * reach)
    cut = Image.fromarray(seen.crops[crop]).resize((side, side), Image.Resampling.BICUBIC, box=box)
    centre = [(y - top) / (2 * reach), (x - left) / (2 * reach)]
    return cut, centre, [max(0.0, v - 0.25) for v in centre] + [min(1.0, v + 0.25) for v in centre]


def write_examples(out: Path, seen: Seen, name: str, shard: int) -> None:
    a = seen.layers[name]
    cells: list[Image.Image] = []
    units: dict[int, Any] = {}
    for c in range(32 * shard, min(32 * shard + 32, a.shape[1])):
        order = np.argsort(-a[:, c].max((1, 2)))
        places = {"top": range(SHOWN), "spread": range(0, CROPS, CROPS // SHOWN), "bottom": range(CROPS - SHOWN, CROPS)}
        units[c] = {}
        for kind, ranks in places.items():
            units[c][kind] = [example(seen, name, int(order[rank]), c, cells, 1 - rank / CROPS) for rank in ranks]
    put(
        out,
        f"examples/{slug(name)}/{shard}",
        {"cell": 96, "columns": 12, "units": units},
        f"layers/{slug(name)}/examples-{shard}.js",
    )
    sprite(cells, 12, out / "data" / "layers" / slug(name) / f"examples-{shard}.jpg")


def example(seen: Seen, name: str, crop: int, c: int, cells: list[Image.Image], quantile: float) -> dict[str, Any]:
    picture, peak, box = patch(seen, name, crop, c, 96)
    cells.append(picture)
    label = seen.labels[int(seen.logits[crop].argmax())]
    value = seen.layers[name][crop, c].max()
    return {
        "image": f"crop-{crop:02d}.png",
        "cell": len(cells) - 1,
        "peak": peak,
        "box": box,
        "value": value,
        "label": label,
        "quantile": quantile,
    }


def texture(side: int, colour: npt.NDArray[np.float64], rng: np.random.Generator) -> Image.Image:
    """Draw smooth seeded noise around a colour, as an early optimised picture looks."""
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64)))
    band = np.exp(-(((frequencies - rng.uniform(0.05, 0.14)) / 0.03) ** 2))[..., None]
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(64, 64, 3)), axes=(0, 1)) * band, axes=(0, 1)).real
    mixed = noise / noise.std() * 38 @ (0.6 + 0.4 * np.eye(3)) / 1.2 + colour
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8)).resize((side, side))


def write_icons(out: Path, name: str, shard: int, colours: npt.NDArray[np.float64], rng: np.random.Generator) -> None:
    units = range(32 * shard, 32 * shard + 32)
    cells = [texture(128, colours[c], rng) for c in units]
    recipe = {
        "objective": "channel",
        "size": 128,
        "steps": 128,
        "seed": 0,
        "seconds": 5.1,
        "transforms": "jitter, scale, rotate",
    }
    put(
        out,
        f"icons/{slug(name)}/{shard}",
        {
            "cell": 128,
            "columns": 8,
            "units": {
                c: {
                    "cell": n,
                    "value": 12.4,
                    "robust": 0.71,
                    "high_frequency": 0.12,
                    "percentile": 97,
                    "dead": False,
                    "recipe": recipe,
                    "badges": [badge("robust", 0.71, "Shaking the picture keeps 71 % of its activation.")],
                }
                for n, c in enumerate(units)
            },
        },
        f"layers/{slug(name)}/icons-{shard}.js",
    )
    sprite(cells, 8, out / "data" / "layers" / slug(name) / f"icons-{shard}.jpg")


def write_image(out: Path, seen: Seen, n: int, rng: np.random.Generator) -> None:
    folder = out / "data" / "images" / f"p{n}"
    folder.mkdir(parents=True, exist_ok=True)
    whole = Image.fromarray(seen.crops[n])
    whole.save(folder / "image.jpg", quality=90)
    whole.resize((96, 96)).save(folder / "thumb.jpg", quality=88)
    for name in DEEP:
        put(out, f"image/p{n}/{slug(name)}", dictionary(seen, n, name, rng, folder), f"images/p{n}/{slug(name)}.js")
    for name in GROUPED:
        put(out, f"groups/p{n}/{slug(name)}", groups(seen, n, name), f"images/p{n}/{slug(name)}.groups.js")
    for a, b in pairs(DEEP):
        write_tiles(seen, n, a, b, folder)
        feeds = {c: [[int(u), rng.normal()] for u in rng.permutation(UNITS)[:5]] for c in range(UNITS)}
        put(out, f"channels/p{n}/{a}/{b}", {"from": a, "to": b, "units": feeds}, f"images/p{n}/channels__{a}__{b}.js")


def dictionary(seen: Seen, n: int, name: str, rng: np.random.Generator, folder: Path) -> dict[str, Any]:
    a = seen.layers[name][n]
    c, h, w = a.shape
    flat = a.reshape(c, -1)
    top = np.argsort(-seen.logits[n])[:5]
    toward = weights(seen, name)[top] * 0.2
    cells = [[[int(k), flat[k, p]] for k in np.argsort(-flat[:, p])[:5] if flat[k, p] > 0] for p in range(h * w)]
    sums = toward * flat.sum(1)
    best = {
        int(k): [[int(u), sums[i, u], sums[i, u] * rng.uniform(0.5, 1.4)] for u in np.argsort(-abs(sums[i]))[:12]]
        for i, k in enumerate(top)
    }
    used = {k for cell in cells for k, _ in cell} | {row[0] for rows in best.values() for row in rows}
    spatial = {int(k): toward[i] @ flat for i, k in enumerate(top)}
    norms = np.linalg.norm(flat, axis=0)
    if name in DRAWN:
        tones = np.asarray(Image.fromarray(seen.crops[n]).resize((w, h), Image.Resampling.BOX)).reshape(-1, 3)
        sprite([texture(48, tone, rng) for tone in tones], w, folder / f"{slug(name)}.grid.jpg")
    return {
        "shape": [c, h, w],
        "grid": [h, w],
        "norms": [*(norms / norms.max())],
        "cells": cells,
        "max": flat.max(),
        "classes": [{"index": int(k), "name": seen.labels[k], "score": seen.logits[n, k]} for k in top],
        "spatial": {k: [*v] for k, v in spatial.items()},
        "spatial_linear": {k: [*(v * 0.8)] for k, v in spatial.items()},
        "channels": best,
        "channel_max": abs(sums).max(),
        "totals": {
            int(k): {"sum": v, "true": v * 1.01, "completeness": 0.99} for k, v in zip(top, sums.sum(1), strict=True)
        },
        "maps": {k: [*(flat[k] / (flat[k].max() + 1e-6))] for k in sorted(used)},
        "nmf": factors(flat.T, list(spatial.values())),
        "grid_sprite": f"{slug(name)}.grid.jpg" if name in DRAWN else None,
        "between": {},
        "badges": [
            badge("completeness", 0.99, "The parts sum to 99 % of the score."),
            badge("path", 0.56, "Two reasonable paths rank different channels first."),
        ],
        "classes_of": {
            int(u): [[int(top[i]), seen.labels[top[i]], toward[i, u]] for i in np.argsort(-toward[:, u])[:3]]
            for u in used
        },
    }


def factors(rows: Floats, spatial: list[Floats]) -> dict[str, Any]:
    found = NMF(2, init="nndsvda", max_iter=1000, tol=1e-2, random_state=0).fit_transform(rows)
    scaled = found / found.max(0)
    return {
        "factors": 2,
        "maps": [[*column] for column in scaled.T],
        "to_classes": [[v @ column for v in spatial] for column in scaled.T],
    }


def groups(seen: Seen, n: int, name: str) -> dict[str, Any]:
    a = seen.layers[name][n]
    c, h, w = a.shape
    top = np.argsort(-seen.logits[n])[:5]
    toward = weights(seen, name)[top]
    later = GROUPED[GROUPED.index(name) + 1 :]
    rng = np.random.default_rng(n)
    links = {slug(other): [[i, j, rng.normal(0.3)] for i in range(6) for j in range(6)] for other in later}
    choices = {k: choice(a.reshape(c, -1).T, k, (h, w), toward, [int(t) for t in top], seen) for k in (2, 4, 6, 8)}
    return {"choices": choices, "links": links, "default": 6, "sprite": None}


def choice(rows: Floats, k: int, grid: tuple[int, int], toward: Floats, top: list[int], seen: Seen) -> dict[str, Any]:
    model = NMF(k, init="nndsvda", max_iter=1000, tol=1e-2, random_state=0)
    spatial = model.fit_transform(rows)
    order = np.argsort(spatial.argmax(0) % grid[1])
    made = []
    for i, g in enumerate(order):
        place, strong = spatial[:, g], np.argsort(-model.components_[g])[:5]
        effect = toward @ model.components_[g] * place.sum() / 10
        peak = divmod(int(place.argmax()), grid[1])
        made.append(
            {
                "hue": 360 * i / k,
                "map": [*(place / (place.max() + 1e-6))],
                "icon": None,
                "color": "#808080",
                "peak": peak,
                "channels": [[int(c), model.components_[g, c]] for c in strong],
                "to_classes": [[t, seen.labels[t], v] for t, v in zip(top, effect, strict=True)],
            }
        )
    explained = 1 - model.reconstruction_err_**2 / float((rows**2).sum())
    return {
        "groups": made,
        "explained": explained,
        "stability": 0.86,
        "badges": [badge("stability", 0.86, "Other starts find the same groups.")],
    }


def write_tiles(seen: Seen, n: int, a: str, b: str, folder: Path) -> None:
    """Stand in for attribution between layers: what lies near, weighted by how much layer A holds there."""
    held = {slug(name): np.linalg.norm(v[n], axis=0) for name, v in seen.layers.items()}
    (ha, wa), (hb, wb) = held[a].shape, held[b].shape
    ys, xs = ((np.arange(count) + 0.5) / count for count in (ha, wa))
    rows = []
    for y in (np.arange(hb) + 0.5) / hb:
        row = [held[a] * np.exp(-((ys[:, None] - y) ** 2 + (xs - x) ** 2) / 0.02) for x in (np.arange(wb) + 0.5) / wb]
        rows.append(np.hstack([tile / tile.max() for tile in row]))
    Image.fromarray((255 * np.vstack(rows)).astype(np.uint8)).save(folder / f"{a}__{b}.png")


def write_compare(out: Path, seen: Seen) -> None:
    layers = []
    for name in GROUPED:
        rng = np.random.default_rng(3)
        shutil.copytree(
            out / "data" / "layers" / slug(name),
            out / "data" / "compare",
            dirs_exist_ok=True,
            ignore=lambda _, files: [file for file in files if file != "top.jpg"],
        )
        (out / "data" / "compare" / "top.jpg").rename(out / "data" / "compare" / f"{slug(name)}.jpg")
        made = [[c, c if rng.random() < 0.8 else int(rng.integers(0, UNITS)), rng.uniform(0.4, 1)] for c in range(40)]
        layers.append(
            {
                "a": slug(name),
                "b": slug(name),
                "name_b": name,
                "pairs": sorted(made, key=lambda row: -row[2]),
                "mean_r": 0.87,
                "sprite_b": f"data/compare/{slug(name)}.jpg",
                "columns_b": 12,
            }
        )
    shares = [
        [{"name": seen.labels[k], "probability": p[k]} for k in np.argsort(-p)[:3]]
        for p in map(softmax, seen.logits[:PICTURES])
    ]
    put(
        out,
        "compare",
        {
            "a": {"name": "squeezenet"},
            "b": {"name": "squeezenet-int8"},
            "layers": layers,
            "outputs": {"agreement": 0.98, "largest": 0.61, "mean": 0.08},
            "images": [{"id": f"p{n}", "a": rows, "b": rows} for n, rows in enumerate(shares)],
        },
    )


def write_atlas(out: Path, seen: Seen, rng: np.random.Generator) -> None:
    name, grid = DEEP[-1], 12
    a = seen.layers[name].transpose(0, 2, 3, 1).reshape(-1, seen.layers[name].shape[1])
    centred = a - a.mean(0)
    flat = centred @ np.linalg.svd(centred[::7], full_matrices=False)[2][:2].T
    low, high = np.percentile(flat, [1, 99], axis=0)
    places = np.clip((flat - low) / (high - low), 0, 0.999)
    cells, pictures = [], []
    for key in sorted({(int(y), int(x)) for x, y in places * grid}):
        members = np.flatnonzero(((places * grid).astype(int) == key[::-1]).all(1))
        if len(members) < 5:
            continue
        crop, place = divmod(int(rng.choice(members)), int(np.prod(seen.layers[name].shape[2:])))
        k = int(seen.logits[crop].argmax())
        h, w = seen.layers[name].shape[2:]
        y, x = (place // w) * SIDE / h, (place % w) * SIDE / w
        box = (min(x, SIDE - 80), min(y, SIDE - 80), min(x, SIDE - 80) + 80, min(y, SIDE - 80) + 80)
        pictures.append(Image.fromarray(seen.crops[crop]).resize((80, 80), box=box))
        cells.append(
            {
                "x": (key[1] + 0.5) / grid,
                "y": (key[0] + 0.5) / grid,
                "n": len(members),
                "class": k,
                "name": seen.labels[k],
                "cell": len(cells),
            }
        )
    put(out, f"atlas/{slug(name)}", {"cells": cells, "columns": 12, "grid": grid})
    sprite(pictures, 12, out / "data" / "atlas" / f"{slug(name)}.jpg")


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), hostile="--hostile" in sys.argv))


def write_renders(out: Path, rng: np.random.Generator) -> None:
    """Write dreams of the first picture and variants of one unit, as textures."""
    last = slug(DEEP[-1])
    counts = {
        f"deepdream/p0/{last}": 1, f"caricature/p0/{last}": 1, f"groups/p0/{last}/6": 6, f"negative/{last}/7": 1,
        f"diversity/{last}/7": 4, f"accentuate/p0/{last}/7": 1,
    }  # fmt: skip
    rows = {}
    for name, count in counts.items():
        files = [f"data/renders/{name}-{number}.jpg" for number in range(count)]
        for file in files:
            (out / file).parent.mkdir(parents=True, exist_ok=True)
            texture(224, rng.uniform(60, 190, 3), rng).save(out / file, quality=80)
        recipe = {"recipe": name.split("/")[0], "of": last, "preset": {"steps": 40}, "seed": 0}
        rows[name] = {"pictures": files, "width": 224, "height": 224, "recipe": recipe}
    put(out, "renders", rows)
