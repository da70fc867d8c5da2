from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import types
from pathlib import Path

import pytest

import bonescan

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(bonescan.__path__, "bonescan.")
    if not module.name.rpartition(".")[2].startswith("_")
)
ROOMS = sorted(module.name for module in pkgutil.iter_modules(bonescan.__path__, "bonescan.") if module.ispkg)
DRAWERS = {"base", "common", "core", "handler", "helpers", "manager", "utils"}


def exported() -> list[tuple[str, str]]:
    names = ((module, getattr(importlib.import_module(module), "__all__", ())) for module in MODULES)
    return [(module, name) for module, listed in names for name in listed]


def own(module: str, name: str) -> bool:
    """Whether a public name is written in this module, rather than handed on by a room's ``__init__``."""
    return getattr(getattr(importlib.import_module(module), name), "__module__", None) == module


WRITTEN = [(module, name) for module, name in exported() if own(module, name)]
FUNCTIONS = [
    (module, name) for module, name in WRITTEN if inspect.isfunction(getattr(importlib.import_module(module), name))
]


@pytest.mark.parametrize("module", MODULES)
def test_no_drawer_for_odds_and_ends(module):
    assert not DRAWERS & set(module.split("."))


@pytest.mark.parametrize("module", MODULES)
def test_every_module_begins_with_its_one_sentence(module):
    text = inspect.getdoc(importlib.import_module(module)) or ""
    assert re.match(r"[^\n]+[.:]$", text.partition("\n")[0]), f"{module} begins with: {text[:80]!r}"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_lists_its_public_names_and_does_nothing_else(room):
    source = Path(str(importlib.import_module(room).__file__)).read_text(encoding="utf-8")
    docstring, *statements = ast.parse(source).body
    assert isinstance(docstring, ast.Expr)
    *imports, last = statements
    assert all(isinstance(statement, ast.ImportFrom) for statement in imports)
    assert isinstance(last, ast.Assign)
    assert [ast.unparse(target) for target in last.targets] == ["__all__"]
    given = {alias.asname or alias.name for statement in imports for alias in statement.names} - {"annotations"}
    assert set(ast.literal_eval(last.value)) == given


@pytest.mark.parametrize(("module", "name"), exported())
def test_every_public_name_is_there_and_explained(module, name):
    thing = getattr(importlib.import_module(module), name)
    if isinstance(thing, type | types.FunctionType):
        purpose = (inspect.getdoc(thing) or "").partition("\n")[0]
        assert purpose.endswith((".", ":")), f"{module}.{name} needs a one-sentence purpose, has {purpose!r}"
        assert not purpose.startswith(f"{name}("), f"{module}.{name} has only a generated signature"


@pytest.mark.parametrize(("module", "name"), FUNCTIONS)
def test_every_public_function_explains_what_goes_in_and_what_comes_out(module, name):
    function = getattr(importlib.import_module(module), name)
    text = inspect.getdoc(function) or ""
    sections = dict(re.findall(r"^(\w[\w ]*)\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", text, flags=re.M | re.S))
    explained = {
        entry.strip().lstrip("*")
        for line in re.findall(r"^(\S[^:\n]*)", sections.get("Parameters", ""), flags=re.M)
        for entry in line.split(",")
    }
    signature = inspect.signature(function)
    assert explained >= signature.parameters.keys(), f"{module}.{name}: Parameters lacks some"
    if signature.return_annotation not in (None, "None", "NoReturn"):
        assert {"Returns", "Yields"} & sections.keys(), f"{module}.{name}: says nothing of what it returns"
