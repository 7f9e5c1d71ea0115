import pytest

from agnostic.converters.torch_import.build import expanded  # noqa: F401  (loads the operators)
from agnostic.converters.torch_import.registry import find, known, operator, refusal


def test_a_signature_is_the_documentation() -> None:
    conv = find("", "Conv")
    assert conv is not None
    assert conv.inputs == 3
    assert "strides" in conv.attributes
    assert not conv.wants_node


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="registered twice"):
        operator("Conv")(lambda x: x)


def test_domains_are_kept_apart() -> None:
    assert find("", "Attention") is not find("com.microsoft", "Attention")
    assert find("com.microsoft", "Conv") is None
    assert ("com.microsoft", "FusedConv") in known()
    assert refusal("ai.onnx.ml", "TreeEnsemble")
    assert refusal("", "TreeEnsemble") is None
