"""The architectures of the table: transformers' own at small sizes, and networks written out.

Each is a function without arguments to an `Architecture`; transformers is imported where it is used. A name that starts
with tv_ or timm_ is a design of torchvision or timm, both of which import only with torchvision's compiled operators.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import convnets
import networks
import torch
from torch import Tensor, nn


class Architecture(NamedTuple):
    """A module with its inputs.

    Attributes:
        module: what is exported; it answers with a tensor or a tuple of tensors.
        inputs: from a batch size to the inputs by name.
        embedding: the submodule whose output is differentiated, where the inputs are tokens.
        standing_for: which design this is, where the name says another library.
    """

    module: nn.Module
    inputs: Callable[[int], dict[str, Tensor]]
    embedding: str = ""
    standing_for: str = ""


class Answering(nn.Module):
    """A transformers model that takes its inputs in order and answers with some of its outputs as a tuple."""

    def __init__(self, model: nn.Module, takes: tuple[str, ...], gives: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.takes, self.gives = model, takes, gives

    def forward(self, *inputs: Tensor) -> Any:
        answer = self.model(**dict(zip(self.takes, inputs, strict=True)), return_dict=True, **self._settings())
        found = tuple(answer[name] for name in self.gives)
        return found[0] if len(found) == 1 else found

    def _settings(self) -> dict[str, bool]:
        return {"use_cache": False} if hasattr(self.model.config, "use_cache") and self.takes[0] == "input_ids" else {}


def pictures(side: int) -> Callable[[int], dict[str, Tensor]]:
    """Make square pictures of three channels."""
    return lambda n: {"pixel_values": torch.randn(n, 3, side, side)}


def series(length: int, width: int) -> Callable[[int], dict[str, Tensor]]:
    """Make series of vectors."""
    return lambda n: {"x": torch.randn(n, length, width)}


def tokens(n: int) -> dict[str, Tensor]:
    """Make rows of nine token ids, the last of which is padded."""
    mask = torch.ones(n, 9, dtype=torch.int64)
    mask[-1, 6:] = 0
    return {"input_ids": torch.randint(3, 99, (n, 9)), "attention_mask": mask}


def _pictured(model: str, config: str, side: int, gives: str = "logits", **settings: Any) -> Architecture:
    module = _transformer(model, config, **settings)
    return Architecture(Answering(module, ("pixel_values",), tuple(gives.split())), pictures(side))


def _worded(model: str, config: str, embedding: str, gives: str = "logits", **settings: Any) -> Architecture:
    module = _transformer(model, config, **settings)
    return Architecture(Answering(module, ("input_ids", "attention_mask"), (gives,)), tokens, f"model.{embedding}")


def _transformer(model: str, config: str, **settings: Any) -> nn.Module:
    import transformers

    return getattr(transformers, model)(getattr(transformers, config)(**settings))


_SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
_TEXT = {"vocab_size": 99, "max_position_embeddings": 16, **_SMALL}
_STAGES = {"embedding_size": 8, "hidden_sizes": [8, 16, 24, 32]}


def _detr() -> Architecture:
    import transformers

    backbone = transformers.ResNetConfig(**_STAGES, depths=[1, 1, 1, 1], layer_type="basic", out_features=["stage4"])
    sizes = {f"{part}_{key}": value for part in ("encoder", "decoder") for key, value in _DETR.items()}
    config = transformers.DetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=backbone,
        d_model=32, num_queries=5, num_labels=4, **sizes,
    )  # fmt: skip
    module = Answering(transformers.DetrForObjectDetection(config), ("pixel_values",), ("logits", "pred_boxes"))
    return Architecture(module, pictures(64))


_DETR = {"layers": 2, "attention_heads": 4, "ffn_dim": 48}


def _wav2vec2() -> Architecture:
    module = _transformer(
        "Wav2Vec2ForCTC", "Wav2Vec2Config", vocab_size=12, **_SMALL, conv_dim=(16, 16, 16), conv_kernel=(10, 3, 3),
        conv_stride=(5, 2, 2), num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    return Architecture(
        Answering(module, ("input_values",), ("logits",)), lambda n: {"input_values": torch.randn(n, 800)}
    )


def _written(
    module: Callable[[], nn.Module], inputs: Callable[[int], dict[str, Tensor]], standing_for: str = ""
) -> Any:
    return lambda: Architecture(module(), inputs, standing_for=standing_for)


def _efficientnet() -> Architecture:
    return _pictured(
        "EfficientNetForImageClassification",
        "EfficientNetConfig",
        64,
        width_coefficient=0.25,
        depth_coefficient=0.3,
        hidden_dim=320,
    )


_SWIN = {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}
_CONVNEXT = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]}
_VIT = {"image_size": 32, "patch_size": 8, **_SMALL}

_MODELS: dict[str, Callable[[], Architecture]] = {
    "hf_bert": lambda: _worded(
        "BertForSequenceClassification", "BertConfig", "bert.embeddings.word_embeddings", **_TEXT
    ),
    "hf_clip_vision": lambda: _pictured(
        "CLIPVisionModelWithProjection", "CLIPVisionConfig", 32, "image_embeds", projection_dim=16, **_VIT
    ),
    "hf_convnext": lambda: _pictured("ConvNextForImageClassification", "ConvNextConfig", 64, **_CONVNEXT),
    "hf_detr": _detr,
    "hf_distilbert": lambda: _worded(
        "DistilBertForSequenceClassification",
        "DistilBertConfig",
        "distilbert.embeddings.word_embeddings",
        vocab_size=99,
        max_position_embeddings=16,
        dim=32,
        n_layers=2,
        n_heads=4,
        hidden_dim=48,
    ),
    "hf_gpt2": lambda: _worded(
        "GPT2LMHeadModel",
        "GPT2Config",
        "transformer.wte",
        vocab_size=99,
        n_positions=16,
        n_embd=32,
        n_layer=2,
        n_head=4,
    ),
    "hf_llama": lambda: _worded(
        "LlamaForCausalLM", "LlamaConfig", "model.embed_tokens", num_key_value_heads=2, **_TEXT
    ),
    "hf_mobilenetv2": lambda: _pictured(
        "MobileNetV2ForImageClassification", "MobileNetV2Config", 64, depth_multiplier=0.25
    ),
    "hf_resnet": lambda: _pictured(
        "ResNetForImageClassification", "ResNetConfig", 64, **_STAGES, depths=[2, 2, 2, 2], layer_type="basic"
    ),
    "hf_segformer": lambda: _pictured(
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        64,
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 2, 4, 4],
        decoder_hidden_size=16,
    ),
    "hf_swin": lambda: _pictured("SwinForImageClassification", "SwinConfig", 32, **_SWIN),
    "hf_t5enc": lambda: _worded(
        "T5EncoderModel",
        "T5Config",
        "encoder.embed_tokens",
        "last_hidden_state",
        vocab_size=99,
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
    ),
    "hf_vit": lambda: _pictured("ViTForImageClassification", "ViTConfig", 32, **_VIT),
    "hf_wav2vec2": _wav2vec2,
    "net_encoder": _written(networks.Encoder, series(7, 6)),
    "net_gru": _written(lambda: networks.Recurrent(nn.GRU), series(7, 5)),
    "net_lstm": _written(lambda: networks.Recurrent(nn.LSTM), series(7, 5)),
    "net_tabular": _written(networks.Tabular, lambda n: {"x": torch.randn(n, 10)}),
    "net_unet": _written(networks.UNet, pictures(32)),
    "timm_beit": lambda: _pictured(
        "BeitForImageClassification", "BeitConfig", 32, use_relative_position_bias=True, **_VIT
    ),
    "timm_convnext": lambda: _pictured("ConvNextV2ForImageClassification", "ConvNextV2Config", 64, **_CONVNEXT),
    "timm_maxvit": _written(convnets.MaxViT, pictures(32), "MaxViT's block and grid attention, written out"),
    "timm_mixer": _written(convnets.Mixer, pictures(32), "MLP-Mixer, written out"),
    "timm_regnet": lambda: _pictured(
        "RegNetForImageClassification", "RegNetConfig", 64, **_STAGES, depths=[1, 2, 2, 1], groups_width=8
    ),
    "tv_deeplabv3": lambda: _pictured(
        "MobileNetV2ForSemanticSegmentation", "MobileNetV2Config", 64, depth_multiplier=0.25, output_stride=8
    ),
    "tv_densenet121": _written(convnets.DenseNet, pictures(64), "DenseNet of 14 layers, written out"),
    "tv_efficientnet_b0": _efficientnet,
    "tv_inception_v3": _written(convnets.Inception, pictures(64), "Inception v3 of 4 blocks, written out"),
    "tv_mobilenet_v3": _written(convnets.MobileNetV3, pictures(64), "MobileNetV3 of 6 blocks, written out"),
    "tv_resnet50": lambda: _pictured(
        "ResNetForImageClassification", "ResNetConfig", 64, embedding_size=16, hidden_sizes=[16, 32, 48, 64]
    ),
    "tv_swin_t": lambda: _pictured("Swinv2ForImageClassification", "Swinv2Config", 32, **_SWIN),
    "tv_vit_b16": _written(convnets.PackedViT, pictures(32), "ViT over nn.MultiheadAttention, written out"),
}

#: What stands for the designs that only other libraries sell.
_DESIGNS = {
    "timm_beit": "transformers Beit",
    "timm_convnext": "transformers ConvNeXt V2",
    "timm_regnet": "transformers RegNet",
    "tv_deeplabv3": "transformers MobileNetV2 + DeepLabV3+",
    "tv_efficientnet_b0": "transformers EfficientNet",
    "tv_resnet50": "transformers ResNet, 3-4-6-3 bottlenecks",
    "tv_swin_t": "transformers Swin V2",
}

ARCHITECTURES = tuple(_MODELS)


def architecture(name: str) -> Architecture:
    """Build one of them."""
    made = _MODELS[name]()
    return made._replace(standing_for=_DESIGNS.get(name, made.standing_for))
