"""Hugging Face folders to ONNX: classifiers of pictures and of text, with their preprocessor, tokenizer and labels.

Nothing is fetched and no code of the folder is run. Attention is written out, so that attention methods find it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from agnostic.converters import from_torch, metadata
from agnostic.converters.conversion import Array, Converted, Facts, Request
from agnostic.errors import ConversionError

_LENGTH = 12
_LARGEST = 2**26
_SUPPORTED = "what works: folders of a …ForImageClassification or …ForSequenceClassification model"


def convert(source: Any, request: Request) -> Converted:
    """Convert a folder of `save_pretrained`, or a loaded model.

    Raises:
        ConversionError: it is no classifier of pictures or text, or the folder is not whole.
    """
    folder = source if isinstance(source, Path) else None
    model = _opened(source) if isinstance(source, Path) else source
    kind = type(model).__name__
    processor = _read(folder / "preprocessor_config.json") if folder else None
    if kind.endswith("ForImageClassification"):
        example = request.example or _picture(model, processor)
        facts = Facts(_labels(model), _preprocess(model, processor))
    elif kind.endswith("ForSequenceClassification"):
        example = request.example or _tokens(model)
        facts = Facts(_labels(model), text=_text(folder))
    else:
        raise ConversionError(f"{kind} is no classifier; {_SUPPORTED}")
    network = _network(model, takes_segments=_takes_segments(model))
    found = from_torch.convert(network, Request(example, (), request.opset))
    notes = found.notes if folder is None or facts.preprocess or facts.text else (
        *found.notes, "the folder has no preprocessor_config.json or tokenizer.json: declare how inputs are made"
    )  # fmt: skip
    return Converted(found.proto, found.answer, facts, found.likeness, notes)


def _opened(folder: Path) -> Any:
    """Load the classifier that `config.json` names, from this folder alone."""
    import transformers

    config = _read(folder / "config.json") or {}
    names = [str(name) for name in config.get("architectures") or ()]
    loader = None
    if any(name.endswith("ForImageClassification") for name in names):
        loader = transformers.AutoModelForImageClassification
    elif any(name.endswith("ForSequenceClassification") for name in names):
        loader = transformers.AutoModelForSequenceClassification
    if loader is None:
        what = ", ".join(names) or f"a {config.get('model_type')} model"
        raise ConversionError(f"{folder.name} holds {what}; {_SUPPORTED}")
    if "auto_map" in config:
        raise ConversionError(f"{folder.name} brings Python code of its own (auto_map), which is not run; {_SUPPORTED}")
    try:
        return loader.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False, attn_implementation="eager"
        ).eval()
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConversionError(f"transformers cannot read {folder.name} ({reason}); save it again") from error


def _network(model: Any, *, takes_segments: bool) -> Any:
    """Make a torch module with named inputs that returns the logits alone."""
    from torch import Tensor, nn

    class Pictures(nn.Module):
        def forward(self, pixel_values: Tensor) -> dict[str, Tensor]:
            return _logits(self.model, pixel_values=pixel_values)

    class Texts(nn.Module):
        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
            return _logits(self.model, input_ids=input_ids, attention_mask=attention_mask)

    class Segments(nn.Module):
        def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> dict[str, Tensor]:
            segments = {"token_type_ids": token_type_ids}
            return _logits(self.model, input_ids=input_ids, attention_mask=attention_mask, **segments)

    is_picture = type(model).__name__.endswith("ForImageClassification")
    network = Pictures() if is_picture else Segments() if takes_segments else Texts()
    network.model = model  # a submodule: its weights belong to the network
    return network.eval()


def _logits(model: Any, **tensors: Any) -> dict[str, Any]:
    return {"logits": model(**tensors).logits}


def _takes_segments(model: Any) -> bool:
    return (getattr(model.config, "type_vocab_size", 0) or 0) > 1


def _picture(model: Any, processor: dict[str, Any] | None) -> dict[str, Array]:
    """Make noise of the size that the model was made for."""
    size = getattr(model.config, "image_size", None) or (
        metadata.image_processor(processor)["size"] if processor else 224
    )
    height, width = (size, size) if isinstance(size, int) else size
    channels = getattr(model.config, "num_channels", 3)
    noise = np.random.default_rng(0).standard_normal((2, channels, height, width))
    return {"pixel_values": noise.astype(np.float32)}


def _tokens(model: Any) -> dict[str, Array]:
    """Make rows of any words of the vocabulary, one of them cut short."""
    rng, shape = np.random.default_rng(0), (4, _LENGTH)
    mask = np.ones(shape, np.int64)
    mask[1, _LENGTH * 2 // 3 :] = 0
    made = {"input_ids": rng.integers(0, model.config.vocab_size, shape), "attention_mask": mask}
    if _takes_segments(model):
        made["token_type_ids"] = np.zeros(shape, np.int64)
    return made


def _labels(model: Any) -> list[str] | None:
    names = getattr(model.config, "id2label", None) or {}
    ordered = [str(names[key]) for key in sorted(names, key=int)]
    # What transformers writes where nobody named the classes.
    return None if ordered == [f"LABEL_{place}" for place in range(len(ordered))] else ordered or None


def _preprocess(model: Any, processor: dict[str, Any] | None) -> dict[str, Any] | None:
    if processor is None:
        return None
    found = metadata.image_processor(processor)
    return {**found, "channels": "L"} if getattr(model.config, "num_channels", 3) == 1 else found


def _text(folder: Path | None) -> dict[str, Any] | None:
    """Carry the tokenizer along, or, where it is large, its name."""
    path = None if folder is None else folder / "tokenizer.json"
    if path is None or not path.is_file():
        return None
    small = path.stat().st_size < metadata.LARGEST_TOKENIZER
    return {"kind": "tokens", "tokenizer": path.read_text("utf-8") if small else path.name}


def _read(path: Path) -> dict[str, Any] | None:
    """Read a small JSON file; None where there is none.

    Raises:
        ConversionError: it is no JSON object.
    """
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text("utf-8")) if path.stat().st_size < _LARGEST else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConversionError(f"{path} is no JSON object; copy or download the folder again")
    return found
