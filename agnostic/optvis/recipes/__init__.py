"""What can be rendered, by name: each recipe is a function of an `Order`, registered with its options."""

from agnostic.optvis.recipes import units
from agnostic.optvis.recipes.registry import Order, Recipe, all_recipes, get, recipe

__all__ = ["Order", "Recipe", "all_recipes", "get", "recipe", "units"]
