"""Imports go one way: gateway → normalizer → channels → config; and no channel type knows another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = ("gateway", "normalizer", "channels", "config")
TYPES = {path.parent.name for path in (ROOT / "channels").glob("*/__init__.py")}


def imported(source: str, module: str, *, is_package: bool = False) -> Iterator[str]:
    """The full names of the modules that a source imports, wherever in it, also by ``import_module("…")``."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=name, names=names, level=level):
                above = package[: len(package) - level + 1] if level else []
                base = ".".join([*above, *([name] if name else [])])
                # `from channels import sms` names a module too.
                yield base
                yield from (f"{base}.{alias.name}" for alias in names)
            case ast.Call(func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__")):
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def forbidden(module: str, name: str) -> str:
    """Why ``module`` must not import ``name``; ``""`` where it may."""
    ours, theirs = module.split("."), name.split(".")
    if theirs[0] in ("tests", "benchmarks"):
        return "the program must not need its tests"
    if theirs[0] not in ORDER:
        return ""
    if ORDER.index(theirs[0]) < ORDER.index(ours[0]):
        return f"imports go {' → '.join(ORDER)}"
    both = ours[0] == theirs[0] == "channels" and len(ours) > 1 and len(theirs) > 1
    if both and theirs[1] in TYPES and ours[1] != theirs[1]:
        return "a channel type is found by the registry, never imported by name"
    return ""


def modules() -> Iterator[tuple[str, Path]]:
    for package in ORDER:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


@pytest.mark.parametrize(("module", "path"), [pytest.param(*found, id=found[0]) for found in modules()])
def test_a_module_imports_only_what_it_may(module: str, path: Path) -> None:
    names = imported(path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py")
    assert {name: why for name in names if (why := forbidden(module, name))} == {}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("config.settings", "import channels.base"),
        ("config.settings", "from channels import base"),
        ("channels.base", "import gateway"),
        ("channels.base", "def f():\n    from normalizer.event import encode"),
        ("channels.base", "if TYPE_CHECKING:\n    import gateway.app as app"),
        ("channels.sms.inbound", "from ...gateway import app"),
        ("channels.fax.inbound", "from channels.sms import numbers"),
        ("channels.fax.inbound", "from ..sms.numbers import e164"),
        ("channels.fax.inbound", "from .. import sms"),
        ("channels.registry", "import channels.sms"),
        ("channels.registry", "importlib.import_module('channels.sms')"),
        ("normalizer.event", "import config, gateway.log"),
        ("gateway.app", "import tests.process"),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str) -> None:
    assert any(forbidden(module, name) for name in imported(source, module))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("gateway.app", "from channels import registry\nfrom config import words\nimport normalizer.event"),
        (
            "channels.sms.inbound",
            "from channels.sms import numbers\nfrom .numbers import e164\nfrom ..base import Part",
        ),
        ("channels.registry", "importlib.import_module(f'channels.{name}')"),
        ("config.load", "from config.settings import Settings\nimport pydantic, os"),
    ],
)
def test_an_allowed_import_passes(module: str, source: str) -> None:
    assert not any(forbidden(module, name) for name in imported(source, module))


def test_there_is_something_to_check() -> None:
    assert {"gateway.log", "normalizer.event", "channels.base", "config.settings"} <= {name for name, _ in modules()}
    assert "sms" in TYPES
