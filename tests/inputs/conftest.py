"""A tokenizer.json small enough to know by heart."""

from collections.abc import Callable

import pytest


def _word_level(padding: str | None = None) -> str:
    """A tokenizer.json of whole words between [CLS] and [SEP]."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "warm", "film", "dull"]
    made = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    pair = "[CLS] $A [SEP] $B:1 [SEP]:1"
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", pair, [("[CLS]", 2), ("[SEP]", 3)])
    made.add_special_tokens(["[PAD]", "[CLS]", "[SEP]", "[MASK]"])
    if padding is not None:
        made.enable_padding(direction=padding, pad_id=0, length=20)
        made.enable_truncation(4)
    return str(made.to_str())


@pytest.fixture(scope="session")
def word_level() -> Callable[..., str]:
    return _word_level
