"""Bad tables and series: one clear line, the right exit status, nothing half-written."""

import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from agnostic import models

Run = Callable[..., tuple[int, str, str]]

GOOD = models.sample("breast_cancer").read_text("utf-8").splitlines()
HEADER, FIRST = GOOD[0].split(","), GOOD[1].split(",")
SEASON = models.sample("season").read_text("utf-8").splitlines()
MIXED = {
    "columns": [
        {"name": "age", "input": "x", "index": 0, "off": 40},
        {"name": "work", "input": "x", "index": [1, 2], "categories": ["farm", "sea"]},
    ]
}


def changed(column: str, cell: str) -> str:
    """The good file with one cell of its first row changed."""
    row = [cell if name == column else old for name, old in zip(HEADER, FIRST, strict=True)]
    return "\n".join([",".join(HEADER), ",".join(row), *GOOD[2:]]) + "\n"


def without(column: str, rename: str | None = None) -> str:
    """The good file without a column, or with one that is called otherwise."""
    frame = pandas.DataFrame([line.split(",") for line in GOOD[1:]], columns=HEADER)
    frame = frame.rename(columns={column: rename}) if rename else frame.drop(columns=column)
    return frame.to_csv(index=False)


def rows_model(section: object, width: int = 3) -> bytes:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])
    weights = numpy_helper.from_array(np.random.default_rng(0).normal(size=(width, 2)).astype(np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "toy", [x], [y], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if section is not None:
        model.metadata_props.add(key="agnostic.table", value=json.dumps(section))
    return model.SerializeToString()


def small_picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 40), "teal").save(buffer, "PNG")
    return buffer.getvalue()


@cache
def files() -> dict[str, str | bytes]:
    """Files that are nearly right."""
    return {
        "good.csv": "\n".join(GOOD) + "\n",
        "missing.csv": without("worst area"),
        "renamed.csv": without("mean radius", "mean radios"),
        "word.csv": changed("mean area", "large"),
        "comma.csv": changed("mean area", '"380,3"'),
        "nan.csv": changed("mean area", "NaN"),
        "hole.csv": changed("mean area", ""),
        "infinite.csv": changed("mean area", "inf"),
        "ragged.csv": "\n".join([*GOOD[:3], GOOD[3] + ",1"]) + "\n",
        "twice.csv": "\n".join([GOOD[0].replace("worst area", "mean area"), *GOOD[1:]]) + "\n",
        "nothing.csv": "",
        "header.csv": GOOD[0] + "\n",
        "latin.csv": (GOOD[0] + ",caf\xe9\n" + GOOD[1] + ",1\n").encode("latin-1"),
        "few.csv": "a,b\n1,2\n",
        "bare.csv": "1,2\n3,4\n",
        "categories.csv": "age,work\n30,town\n",
        "fine.csv": "age,work\n30,sea\n",
        "picture.csv": small_picture(),
        "broken.parquet": b"PAR1 and nothing more",
        "mixed.onnx": rows_model(MIXED),
        "odd.onnx": rows_model({"columns": [{"name": "a", "index": 7}]}),
        "plain.onnx": rows_model(None),
        "short.csv": "\n".join(SEASON[:20]) + "\n",
        "gap.csv": "\n".join([*SEASON[:9], "", *SEASON[10:]]) + "\n",
        "gap2.csv": "\n".join([*SEASON[:9], '""', *SEASON[10:]]) + "\n",
        "letters.csv": "\n".join([*SEASON[:9], "warm", *SEASON[10:]]) + "\n",
        "wide.csv": "\n".join(f"{line},{line}2" for line in SEASON) + "\n",
        "raggedseries.csv": "\n".join([*SEASON[:9], "1,2", *SEASON[10:]]) + "\n",
    }


@pytest.fixture
def rows(place: Path) -> Path:
    """The folder with these files beside what every user has."""
    for name, content in files().items():
        (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    np.save(place / "long.npy", np.zeros((1, 40), np.float32))
    with (place / "huge.csv").open("wb") as file:
        file.truncate(2**28 + 1)
    return place


BC = "breast-cancer"
TABLE = [
    ("missing column", [BC, "missing.csv"], 4, "the column 'worst area' is missing; the nearest are"),
    ("renamed column", [BC, "renamed.csv"], 4, "'mean radius' is missing; the nearest are 'mean radios'"),
    ("word for a number", [BC, "word.csv"], 4, "row 0, column 'mean area': 'large' is no number"),
    ("decimal comma", [BC, "comma.csv"], 4, "write 380.3: a comma is no decimal point here"),
    ("NaN cell", [BC, "nan.csv"], 4, "column 'mean area': the cell is empty"),
    ("empty cell", [BC, "hole.csv"], 4, "the cell is empty; fill it in, or allow it with missing = true"),
    ("infinite cell", [BC, "infinite.csv"], 4, "'inf' is not finite"),
    ("ragged CSV", [BC, "ragged.csv"], 4, "line 4 has 32 cells, the first one 31"),
    ("two columns of one name", [BC, "twice.csv"], 4, "two columns are called 'mean area'"),
    ("empty file", [BC, "nothing.csv"], 4, "the file is empty"),
    ("header only", [BC, "header.csv"], 4, "there is no row in it"),
    ("other encoding", [BC, "latin.csv"], 4, "not text in UTF-8"),
    ("row out of range", [BC, "good.csv", "--row", "20"], 4, "there is no row 20; it has the rows 0 to 19"),
    ("row that is no number", [BC, "good.csv", "--row", "last"], 2, "--row last: expected a number from 0"),
    ("too few columns", [BC, "few.csv"], 4, "is missing; it has 'a', 'b'"),
    ("columns without names", [BC, "bare.csv"], 4, "2 columns without names, the model eats 30"),
    ("missing file", [BC, "none.csv"], 4, "none.csv: no such file or directory; expected a table"),
    ("huge file", [BC, "huge.csv"], 4, "larger than 256 MB"),
    ("broken Parquet", [BC, "broken.parquet"], 4, "cannot be read as Parquet"),
    ("picture as table", [BC, "picture.csv"], 4, "picture.csv: not text in UTF-8"),
    (
        "picture for a table's model",
        [BC, "small.png"],
        4,
        "small.png: the model eats the rows of a table; expected a .csv",
    ),
    ("table for a picture's model", ["squeezenet", "good.csv"], 4, "holds no rows of columns"),
    ("array of another width", [BC, "long.npy"], 4, "40 columns without names, the model eats 30"),
    ("missing background", [BC, "good.csv", "--background", "none.csv"], 4, "none.csv: no such file"),
    (
        "other background",
        [BC, "good.csv", "--background", "few.csv"],
        4,
        "few.csv: the column 'mean radius' is missing",
    ),
    ("background without a table", ["good.onnx", "small.png", "--background", "few.csv"], 2, "--background goes with"),
    ("row without a table", ["good.onnx", "small.png", "--row", "1"], 2, "--row goes with a table"),
    ("unknown features", [BC, "good.csv", "--features", "colums"], 2, "did you mean 'columns'"),
    ("superpixels of a row", [BC, "good.csv", "--features", "superpixels:9"], 2, "columns, groups or bins"),
    ("bins of nothing", [BC, "good.csv", "--features", "bins"], 2, "bins are those of a background"),
    ("fill", [BC, "good.csv", "--fill", "gray"], 2, "--fill gray goes with pictures and series"),
    ("window over columns", [BC, "good.csv", "-m", "occlusion", "--window", "2"], 2, "have no neighbours"),
    ("unknown cell", [BC, "mean radius=3", "mean radios=3"], 4, "the column 'mean texture' is missing"),
    ("unknown category", ["mixed.onnx", "categories.csv", "--background", "fine.csv"], 4, "unknown category 'town'"),
    ("category without a stand-in", ["mixed.onnx", "fine.csv"], 2, "nothing can stand in for 'work'"),
    ("a declaration that fits nothing", ["odd.onnx", "fine.csv"], 2, "[table] columns fill 1 entries of the input x"),
    ("undeclared, too few", ["plain.onnx", "few.csv"], 4, "has 3 columns, the table 2"),
    ("gradients of trees", ["breast-cancer-trees", "good.csv", "-m", "saliency"], 3, "TreeEnsembleClassifier"),
    (
        "short series",
        ["season", "short.csv"],
        4,
        "1 channel of 19 steps; the input heat float32 [n, 1, 28] takes 1 of 28",
    ),
    ("line left out of a series", ["season", "gap.csv"], 4, "1 channel of 27 steps"),
    ("gap in a series", ["season", "gap2.csv"], 4, "step 8 of 'highest temperature': the cell is empty"),
    ("word in a series", ["season", "letters.csv"], 4, "step 8 of 'highest temperature': 'warm' is no number"),
    ("ragged series", ["season", "raggedseries.csv"], 4, "line 10 has 2 cells, the first one 1"),
    ("two series for one", ["season", "few.csv"], 4, "2 channels of 1 steps"),
    ("row of a series", ["season", "short.csv", "--row", "1"], 2, "--row goes with a table, not with a series"),
    ("unknown cut", ["season", "season.csv", "--features", "change:3"], 2, "did you mean 'changes:8'"),
    (
        "unknown fill of a series",
        ["season", "season.csv", "--fill", "blurr"],
        2,
        "of a series: mean, zero, line, noise",
    ),
    ("picture as series", ["season", "small.png"], 4, "small.png: the model eats a series; expected a .csv"),
]


@pytest.mark.parametrize(("arguments", "status", "says"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_one_line_and_the_exit_status(rows: Path, agnostic: Run, arguments: list[str], status: int, says: str) -> None:
    (rows / "season.csv").write_text("\n".join(SEASON) + "\n")
    before = sorted(rows.iterdir())
    found, out, err = agnostic("explain", "--quiet", *arguments)
    assert (found, out) == (status, ""), err
    assert err.startswith("agnostic: ") and err.count("\n") == 1, err
    assert says in err
    assert "Traceback" not in err
    assert sorted(rows.iterdir()) == before


def test_an_extra_column_is_no_error_but_is_named(rows: Path, agnostic: Run) -> None:
    status, _, err = agnostic("explain", "season", "wide.csv", "-m", "occlusion")
    assert (status, err) == (0, "note: wide.csv: the model does not eat 'highest temperature2'\n")


def test_parquet_without_its_package_says_what_to_install(
    rows: Path, agnostic: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    status, _, err = agnostic("explain", BC, "broken.parquet")
    assert status == 2
    assert "needs the package 'pyarrow': pip install 'agnostic-xai[table]'" in err


def test_names_from_files_do_not_reach_the_terminal_as_markup(rows: Path, agnostic: Run) -> None:
    names = ["[red]a[/red]", "\x1b[31mb", "<script>"]
    (rows / "evil.csv").write_text(",".join(names) + "\n1,2,3\n")
    status, out, _ = agnostic("explain", "plain.onnx", "evil.csv", "-m", "occlusion")
    assert status == 0
    assert "[red]a[/red]" in out and "\x1b[31m" not in out
