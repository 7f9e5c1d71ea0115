"""Tables and series on the command line: what is written, printed and said."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agnostic import Explanation, models

Run = Callable[..., tuple[int, str, str]]
ROWS, BACKGROUND = str(models.sample("breast_cancer")), str(models.sample("breast_cancer_background"))


def test_a_row_is_explained_drawn_and_listed(tmp_path: Path, agnostic: Run) -> None:
    status, out, err = agnostic(
        "explain",
        "breast-cancer",
        ROWS,
        "--row",
        "17",
        "-m",
        "kernelshap",
        "--background",
        BACKGROUND,
        "-o",
        str(tmp_path),
    )
    assert (status, err) == (0, "note: breast_cancer.csv: the model does not eat 'diagnosis'\n")
    assert {path.name for path in tmp_path.iterdir()} == {
        "breast_cancer.row17.kernelshap.png",
        "breast_cancer.row17.kernelshap.safetensors",
    }
    record = Explanation.load(tmp_path / "breast_cancer.row17.kernelshap.safetensors")
    strongest = record.meta["feature_names"][np.abs(record.weights).argmax()]
    line = next(line for line in out.splitlines() if strongest in line)
    assert "█" * 24 in line
    assert record.meta["shown"]["off"] == "the 50 rows of breast_cancer_background.csv"
    with Image.open(tmp_path / "breast_cancer.row17.kernelshap.png") as figure:
        figure.verify()


def test_several_rows_are_several_items(tmp_path: Path, agnostic: Run) -> None:
    status, out, _ = agnostic(
        "explain", "breast-cancer", ROWS, "--row", "5,0-1", "-m", "occlusion", "-o", str(tmp_path), "--json"
    )
    report = json.loads(out)
    assert status == 0
    assert [item["input"] for item in report["items"]] == [f"breast_cancer.csv row {at}" for at in (5, 0, 1)]
    assert (tmp_path / "breast_cancer.row0.occlusion.png").exists()


def test_a_row_that_is_not_there_does_not_lose_the_others(tmp_path: Path, agnostic: Run) -> None:
    status, _, err = agnostic(
        "explain", "breast-cancer", ROWS, "--row", "19-20", "-m", "occlusion", "-o", str(tmp_path)
    )
    assert status == 1
    assert "there is no row 20; it has the rows 0 to 19" in err
    assert (tmp_path / "breast_cancer.row19.occlusion.png").exists()


def test_without_a_number_the_first_row_is_taken_and_that_is_said(tmp_path: Path, agnostic: Run) -> None:
    status, _, err = agnostic("explain", "breast-cancer", ROWS, "-m", "occlusion", "-o", str(tmp_path))
    assert status == 0
    assert "row 0 of 20 is explained; --row N takes another" in err
    assert (tmp_path / "breast_cancer.occlusion.png").exists()


def test_a_series_is_drawn_and_its_stretches_are_listed(tmp_path: Path, agnostic: Run) -> None:
    status, out, err = agnostic(
        "explain", "season", str(models.sample("season")), "-m", "lime,gradcam", "-o", str(tmp_path)
    )
    assert (status, err) == (0, "")
    assert "autumn" in out and "day 22-27" in out
    with Image.open(tmp_path / "season.all.png") as figure:
        assert figure.width > figure.height > 400


def test_cells_are_given_by_name(tmp_path: Path, agnostic: Run) -> None:
    header, *rows = Path(ROWS).read_text().splitlines()
    cells = [f"{name}={value}" for name, value in zip(header.split(","), rows[4].split(","), strict=True)][:-1]
    status, out, err = agnostic("explain", "breast-cancer", *cells, "-m", "occlusion", "-o", str(tmp_path), "--json")
    assert (status, err) == (0, "")
    (item,) = json.loads(out)["items"]
    again = agnostic("explain", "breast-cancer", ROWS, "--row", "4", "-m", "occlusion", "-o", str(tmp_path), "--json")
    assert item["predictions"] == json.loads(again[1])["items"][0]["predictions"]


@pytest.mark.parametrize("text", ["x", "1-", "3-1", "-2", "0-99999", "1,,2"])
def test_rows_are_numbers(agnostic: Run, text: str) -> None:
    status, _, err = agnostic("explain", "breast-cancer", ROWS, f"--row={text}")
    assert status == 2
    assert "expected a number from 0, or several as in 3,7 or 0-4" in err
