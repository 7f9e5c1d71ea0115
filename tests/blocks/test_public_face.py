import subprocess
import sys

from agnostic import blocks


def test_every_public_name_is_there():
    assert blocks.__all__ == sorted(blocks.__all__)
    for name in blocks.__all__:
        assert getattr(blocks, name).__doc__
    assert set(blocks.__all__) <= set(dir(blocks))


def test_looking_at_the_blocks_imports_neither_torch_nor_scikit_learn():
    code = "import sys; from agnostic.blocks import attribute, groups, trust, View; groups.groups; trust.parity; "
    code += "print([name for name in ('torch', 'sklearn', 'PIL.ImageDraw') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
