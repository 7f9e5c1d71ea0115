"""The labelled sentences: those of the sdist, split once and for all, and a clear word where they are missing."""

from pathlib import Path

import pytest

from agnostic.errors import InputError
from agnostic.models import movie_sentences
from agnostic.models.movie_sentences import read_sentences


def test_they_are_split_without_overlap_and_balanced() -> None:
    learnt, held_out = read_sentences()
    assert (len(learnt.texts), len(held_out.texts)) == (8572, 1500)
    assert len(learnt.labels) == 8572 and set(learnt.labels) == {0, 1}
    assert 0.48 < sum(learnt.labels) / 8572 < 0.52
    assert read_sentences() == (learnt, held_out)
    # A few sentences occur twice in the collection.
    assert len(set(learnt.texts) & set(held_out.texts)) <= 5


def test_labels_are_what_readers_made_of_them() -> None:
    learnt, held_out = read_sentences()
    known = dict(zip(learnt.texts + held_out.texts, learnt.labels + held_out.labels, strict=True))
    assert known["Effective but too tepid biopic"] == 0
    assert known["If you sometimes like to go to the movies to have fun, Wasabi is a good place to start."] == 1


@pytest.mark.parametrize(("content", "says"), [(None, "is missing"), (b"other", "is another file than expected")])
def test_without_the_sdist_the_line_that_gets_it_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / "v.zip").write_bytes(content)
    monkeypatch.setattr(movie_sentences, "SDIST", tmp_path / "v.zip")
    with pytest.raises(InputError, match=rf"{says}; get it with: pip download .* vaderSentiment==0\.5"):
        read_sentences()
