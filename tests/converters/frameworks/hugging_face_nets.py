"""Trains two transformers and saves their folders: python hugging_face_nets.py DATA.npz FOLDER.

A vision transformer on digits, and a text classifier on sentences: a BERT whose words are those of the sentences.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

MEAN, STD = 0.25, 0.3


def fit(model: torch.nn.Module, rows: dict[str, torch.Tensor], labels: torch.Tensor, epochs: int) -> None:
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    for epoch in range(epochs):
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(epoch))
        for chosen in order.split(64):
            loss = model(**{name: x[chosen] for name, x in rows.items()}, labels=labels[chosen]).loss
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    model.eval()


def accuracy(model: torch.nn.Module, rows: dict[str, torch.Tensor], labels: torch.Tensor) -> float:
    with torch.no_grad():
        return float((model(**rows).logits.argmax(1) == labels).float().mean())


def pictures(data: dict[str, np.ndarray], folder: Path) -> None:
    size = data["pictures"].shape[1]
    config = ViTConfig(
        image_size=size, patch_size=4, num_channels=3, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, id2label={i: f"digit {i}" for i in range(10)},
    )  # fmt: skip
    model = ViTForImageClassification(config)
    x = torch.from_numpy((data["pictures"] / 255 - MEAN) / STD).float()[:, None].repeat(1, 3, 1, 1)
    y = torch.from_numpy(data["labels"]).long()
    fit(model, {"pixel_values": x[:1500]}, y[:1500], 12)
    print("picture accuracy", accuracy(model, {"pixel_values": x[1500:]}, y[1500:]))
    model.save_pretrained(folder)
    processor = {"do_resize": True, "size": {"height": size, "width": size}, "do_rescale": True, "do_normalize": True}
    processor |= {"rescale_factor": 1 / 255, "image_mean": [MEAN] * 3, "image_std": [STD] * 3}
    processor |= {"image_processor_type": ViTImageProcessor.__name__}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))


def texts(data: dict[str, np.ndarray], folder: Path) -> None:
    sentences, kinds = [str(text) for text in data["texts"]], torch.from_numpy(data["kinds_of_texts"]).long()
    words = sorted({word for text in sentences for word in text.lower().split()})
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.normalizer, inner.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.WhitespaceSplit()
    ends = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    inner.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, **special)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=64, id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1},
    )  # fmt: skip
    model, rows = BertForSequenceClassification(config), tokenizer(sentences, padding=True, return_tensors="pt")
    train = len(sentences) * 4 // 5
    fit(model, {name: x[:train] for name, x in rows.items()}, kinds[:train], 12)
    print("text accuracy", accuracy(model, {name: x[train:] for name, x in rows.items()}, kinds[train:]))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    arrays, out = dict(np.load(sys.argv[1])), Path(sys.argv[2])
    for name, make in (("pictures", pictures), ("texts", texts)):
        torch.manual_seed(0)
        torch.set_num_threads(1)
        (out / name).mkdir(parents=True, exist_ok=True)
        make(arrays, out / name)
