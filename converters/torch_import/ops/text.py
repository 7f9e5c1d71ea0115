"""Text and pictures as files: what is known and not imported, and counting n-grams, which is."""

from collections import Counter

import numpy as np
import torch
from torch import Tensor

from agnostic.converters.torch_import.registry import operator, refuse

refuse(
    "RegexFullMatch",
    "StringConcat",
    "StringNormalizer",
    "StringSplit",
    reason="text has no gradient; start from the numbers this node leads to, or use occlusion, lime or kernelshap",
)
refuse("ImageDecoder", reason="a picture file has no gradient; decode it and feed the model its pixels")


@operator("TfIdfVectorizer")
def tf_idf_vectorizer(
    x: Tensor,
    *,
    max_gram_length: int,
    max_skip_count: int,
    min_gram_length: int,
    mode: str,
    ngram_counts: list[int],
    ngram_indexes: list[int],
    pool_int64s: list[int] | None = None,
    pool_strings: list[str] | None = None,
    weights: list[float] | None = None,
) -> Tensor:
    """Count the n-grams of a pool, with gaps of up to max_skip_count between their items; no gradient."""
    pool = _grams(list(pool_int64s or pool_strings or []), ngram_counts)
    rows = x.reshape(-1, x.shape[-1]).tolist()
    counts = np.zeros((len(rows), max(ngram_indexes) + 1), np.float32)
    for row, items in enumerate(rows):
        found = _counted(items, min_gram_length, max_gram_length, max_skip_count)
        for place, gram in zip(ngram_indexes, pool, strict=True):
            counts[row, place] += found[gram]
    scale = np.ones(counts.shape[1], np.float32)
    scale[ngram_indexes] = weights or 1.0
    values = {"TF": counts, "IDF": (counts > 0) * scale, "TFIDF": counts * scale}[mode]
    return torch.from_numpy(values.astype(np.float32)).reshape(*x.shape[:-1], -1)


def _grams(items: list[object], starts: list[int]) -> list[tuple[object, ...]]:
    """Cut the flat pool into its 1-grams, 2-grams and so on."""
    grams: list[tuple[object, ...]] = []
    for n, (start, end) in enumerate(zip(starts, [*starts[1:], len(items)], strict=True), start=1):
        grams += [tuple(items[i : i + n]) for i in range(start, end, n)]
    return grams


def _counted(items: list[object], least: int, most: int, skips: int) -> "Counter[tuple[object, ...]]":
    found: Counter[tuple[object, ...]] = Counter()
    for n in range(least, most + 1):
        for gap in range(1, (skips + 1 if n > 1 else 0) + 1) if n > 1 else (1,):
            last = len(items) - (n - 1) * gap
            found.update(tuple(items[i : i + n * gap : gap][:n]) for i in range(last))
    return found
