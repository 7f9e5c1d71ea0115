import re

import pytest

from agnostic import errors
from agnostic.errors import AgnosticError, missing_extra, unknown

CLASSES = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, AgnosticError)]


@pytest.mark.parametrize(
    ("name", "parent", "status"),
    [
        ("UsageError", "AgnosticError", 2),
        ("ModelError", "AgnosticError", 3),
        ("ConversionError", "ModelError", 3),
        ("InputError", "AgnosticError", 4),
        ("ItemError", "InputError", 4),
        ("LimitError", "AgnosticError", 5),
    ],
)
def test_the_tree_and_its_exit_statuses(name: str, parent: str, status: int) -> None:
    found = getattr(errors, name)
    assert (found.__base__.__name__, found.exit_status) == (parent, status)


def test_the_docstring_draws_every_class_with_its_status() -> None:
    drawn = re.findall(r"(\w+Error)(?: +exit (\d))?", (errors.__doc__ or "").split("\n\n")[2])
    assert {name for name, _ in drawn} == {item.__name__ for item in CLASSES}
    for name, status in drawn:
        if status:
            assert getattr(errors, name).exit_status == int(status)


@pytest.mark.parametrize(
    ("given", "known", "hint", "message"),
    [
        ("lim", ["lime", "rise"], "", "unknown thing 'lim'; did you mean 'lime'?"),
        ("LIMA", ["lime", "cam"], "", "unknown thing 'LIMA'; did you mean 'lime'?"),
        ("tabby", ["Tabby", "x"], "", "unknown thing 'tabby'; did you mean 'Tabby'?"),
        ("zzz", ["lime", "rise"], "", "unknown thing 'zzz'; known: lime, rise"),
        ("zzz", ["lime", "rise"], "see there", "unknown thing 'zzz'; see there"),
        ("lim", ["lime"], "see there", "unknown thing 'lim'; did you mean 'lime'?"),
    ],
)
def test_what_is_unknown_offers_what_is_near(given: str, known: list[str], hint: str, message: str) -> None:
    assert str(unknown("thing", given, iter(known), hint)) == message


def test_of_many_names_a_dozen_is_listed() -> None:
    assert str(unknown("thing", "?", [f"name{i}" for i in range(99)])).count("name") == 12


def test_a_missing_package_comes_with_the_line_that_installs_it() -> None:
    error = missing_extra("shap", "shap", "to_shap()")
    assert str(error) == "to_shap() needs the package 'shap': pip install 'agnostic-xai[shap]'"
    assert error.exit_status == 2
