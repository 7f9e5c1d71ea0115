"""The page on trust: every badge, what it asks, and how its number comes about."""

from collections.abc import Mapping

#: Name of the badge: title, what it asks, how it is computed.
_BADGES: Mapping[str, tuple[str, str, str]] = {
    "parity": (
        "Parity",
        "Are the gradients those of this very model?",
        "Gradients come from a re-import of the graph into torch. Its class scores are compared with onnxruntime's on "
        "the same input; the number is the largest difference over the largest score. Above 1e-2 none are given.",
    ),
    "completeness": (
        "Completeness",
        "Do the parts add up to the whole?",
        "The sum of all attributions of a layer over the rise of the score from that layer at zero to what it holds. "
        "1 is exact. Along a path it is a test of how finely the path was followed.",
    ),
    "path dependence": (
        "Path dependence",
        "Do two reasonable ways to attribute rank the same units first?",
        "Spearman's rank correlation over all units between the linear rule and the straight path from zero, and how "
        "many of the ten largest they share. Curved paths, on which units rise at different times, are compared too.",
    ),
    "ablation": (
        "Ablation",
        "Does taking units out cost what the attribution says?",
        "The sixteen units that matter most are set to zero one by one; the number is the rank correlation of the loss "
        "of score that is measured with the one that the attribution predicts.",
    ),
    "randomisation": (
        "Randomisation",
        "Does the attribution depend on what the model has learned?",
        "The weights behind the layer are shuffled, from the output on. The number is the mean size of the rank "
        "correlation with the attribution of the learned model: near 0 is good.",
    ),
    "fidelity of groups": (
        "Fidelity of groups",
        "How much of the layer do the groups account for?",
        "One minus the squared length of what the factorisation leaves out, over that of what the layer holds.",
    ),
    "stability of groups": (
        "Stability of groups",
        "Do other random beginnings find the same groups?",
        "The factorisation is begun anew with other seeds, and each group is paired with the most similar one; the "
        "number is their mean cosine.",
    ),
    "robust activation": (
        "Robust activation",
        "Does the icon excite its unit as real pictures do, however it is shifted?",
        "The mean activation of the icon under eight random shifts, turns and scalings over that of the picture of the "
        "folder that excites the unit most.",
    ),
    "consistency": (
        "Consistency",
        "Are the unit's top examples of one kind?",
        "The share of the commonest class among the classes that the model predicts for the unit's top examples. "
        "A low share may mean several meanings, or one that the classes have no name for.",
    ),
}


def trust() -> list[dict[str, str]]:
    """What the page on trust says of each badge, under the name that the badge has."""
    return [
        {"name": name, "title": title, "sentence": sentence, "how": how}
        for name, (title, sentence, how) in _BADGES.items()
    ]
