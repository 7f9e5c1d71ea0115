"""The building blocks of interpretability: what layers hold, what they add to a score, and how they group.

Arrays in, arrays out; nothing here draws. After Olah et al., "The Building Blocks of Interpretability" (Distill, 2018).
"""
