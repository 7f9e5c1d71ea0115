"""What a method finds over a data set: importances, dependences, and priors for local methods.

Records are `Summary`. Attributions of single samples are collected by `tally`; `permutation` and `dependence` ask the
model about a data set as a whole, through `columns`. `clusters` gives pieces of pictures names, `priors` writes what
local methods can lean on. Importing this package registers the methods of data sets.
"""

from agnostic.summary import dependence, permutation
from agnostic.summary.record import Summary
from agnostic.summary.registry import GlobalMethod, get_global, global_methods

__all__ = ["GlobalMethod", "Summary", "dependence", "get_global", "global_methods", "permutation"]
