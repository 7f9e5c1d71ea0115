"""Sentences of movie reviews with what readers made of them, out of the sdist of vaderSentiment 0.5.

C.J. Hutto and E. Gilbert, "VADER: A parsimonious rule-based model for sentiment analysis of social media text", ICWSM
2014: twenty readers each rated a sentence from -4 to 4. The sentences are those that B. Pang and L. Lee collected from
reviews (ACL 2005); they are read, and not part of this product.

The wheel leaves them out, so the sdist itself is kept, where `make test` downloads it: share/agnostic/ of the
environment.
"""

import io
import sys
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agnostic.errors import InputError

SDIST = Path(sys.prefix) / "share" / "agnostic" / "vaderSentiment-0.5.zip"
SDIST_SHA256 = "5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a"
ARCHIVE = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
MEMBER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"

# Readers who found a sentence neither good nor bad say nothing of the film.
LEAST = 0.5
HELD_OUT = 1500


class Labelled(NamedTuple):
    """Sentences, and for each whether its readers found it positive (1) or negative (0)."""

    texts: tuple[str, ...]
    labels: tuple[int, ...]


def read_sentences() -> tuple[Labelled, Labelled]:
    """Return the sentences to learn from and those held out: 1500, drawn with seed 0.

    Raises:
        InputError: the sdist is not there, or is another file.
    """
    rows = [row for row in _rows() if abs(row[0]) >= LEAST]
    order = np.random.default_rng(0).permutation(len(rows))
    return _labelled(rows, order[HELD_OUT:]), _labelled(rows, order[:HELD_OUT])


def _labelled(rows: list[tuple[float, str]], chosen: NDArray[np.intp]) -> Labelled:
    picked = [rows[index] for index in chosen.tolist()]
    return Labelled(tuple(text for _, text in picked), tuple(int(rating > 0) for rating, _ in picked))


def _rows() -> list[tuple[float, str]]:
    with zipfile.ZipFile(io.BytesIO(_sdist())) as outer:
        packed = outer.read(ARCHIVE)
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as inner:
        member = inner.extractfile(MEMBER)
        lines = member.read().decode().splitlines() if member is not None else []
    parts = [line.split("\t", 2) for line in lines if line.count("\t") >= 2]
    return [(float(rating), " ".join(text.split())) for _, rating, text in parts]


def _sdist() -> bytes:
    data = SDIST.read_bytes() if SDIST.is_file() else b""
    if sha256(data).hexdigest() != SDIST_SHA256:
        raise InputError(
            f"{SDIST} is {'another file than expected' if data else 'missing'}; get it with: "
            f"pip download --no-deps --no-binary :all: --dest {SDIST.parent} vaderSentiment==0.5"
        )
    return data
