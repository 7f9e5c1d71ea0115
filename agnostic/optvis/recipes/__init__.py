"""What can be rendered, by name: each recipe is a function of an `Order`, registered with its options."""

from agnostic.optvis.recipes import combinations, pictures, units
from agnostic.optvis.recipes.registry import Order, Recipe, all_recipes, default_for, get, recipe

__all__ = ["Order", "Recipe", "all_recipes", "combinations", "default_for", "get", "pictures", "recipe", "units"]
