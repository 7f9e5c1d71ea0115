"""`agnostic recipes`: what can be rendered, and with which options."""

from typing import Any

from agnostic.cli import common
from agnostic.optvis import presets, recipes


def show_recipes(name: str | None, *, as_json: bool) -> int:
    """Print all recipes and presets, or one recipe's options."""
    if name is not None:
        return _show_recipe(recipes.get(name), as_json)
    if as_json:
        listed = [_recipe(item) for item in recipes.all_recipes().values()]
        common.print_json({"recipes": listed, "presets": [vars(item) for item in presets.PRESETS.values()]})
        return 0
    rows = common.table("recipe", "takes", "preset", "what it renders")
    for item in recipes.all_recipes().values():
        rows.add_row(item.name, _takes(item), item.preset, item.summary)
    sizes = common.table("preset", "")
    for preset in presets.PRESETS.values():
        sizes.add_row(preset.name, preset.summary)
    common.stdout().print(rows)
    common.stdout().print(sizes)
    return 0


def _show_recipe(chosen: recipes.Recipe, as_json: bool) -> int:
    if as_json:
        common.print_json(_recipe(chosen))
        return 0
    console = common.stdout()
    console.print(f"[bold]{chosen.name}[/bold]  {chosen.summary}", markup=True)
    if chosen.options:
        console.print(common.option_rows(chosen.options))
    return 0


def _takes(item: recipes.Recipe) -> str:
    names = "units or layers" if item.takes == "either" else item.takes
    return f"{names}, a picture" if item.picture else names


def _recipe(item: recipes.Recipe) -> dict[str, Any]:
    return {
        "name": item.name,
        "takes": item.takes,
        "picture": item.picture,
        "preset": item.preset,
        "summary": item.summary,
        "options": common.option_mapping(item.options),
    }
