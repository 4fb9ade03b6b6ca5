"""Writing the folder of a new channel type, and the folder of its tests, from the templates beside this file."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from channels import registry

TEMPLATES = Path(__file__).parent / "template"
_NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")
_IMPORTS = re.compile(r"(?:^from channels\..+\n)+", re.MULTILINE)


class ScaffoldError(Exception):
    """The folder cannot be made; the message says why."""


def scaffold(root: Path, name: str) -> list[Path]:
    """Write ``channels/<name>/`` and ``tests/channels/<name>/`` under ``root``; returns the files written.

    Raises :class:`ScaffoldError` for a name that cannot be a type's, for one that is there already, and where
    ``root`` is not a checkout of the project.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ScaffoldError(f"{name!r} cannot be a type: 2 to 31 small letters, digits and underscores, a letter first")
    if name in registry.types() or (root / "channels" / name).exists():
        raise ScaffoldError(f"there is a type {name} already, see channels/{name}/")
    places = {"channel": root / "channels" / name, "tests": root / "tests" / "channels" / name}
    for place in places.values():
        if not place.parent.is_dir():
            raise ScaffoldError(f"no {place.parent.relative_to(root)}/ here: run this in a checkout of the project")
    # The templates are Python and JSON, which are full of braces.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        variable_start_string="[[",
        variable_end_string="]]",
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - what is written is source code
    )
    words = {
        "type": name,
        "title": name.replace("_", " ").capitalize(),
        "name": "".join(word.capitalize() for word in name.split("_")),
    }
    written = []
    for template in sorted(TEMPLATES.rglob("*.jinja")):
        kind, *rest = template.relative_to(TEMPLATES).parts
        path = places[kind].joinpath(*rest).with_suffix("")
        path.parent.mkdir(parents=True, exist_ok=True)
        text = environment.get_template(template.relative_to(TEMPLATES).as_posix()).render(words)
        path.write_text(_IMPORTS.sub(_in_order, text), encoding="utf-8")
        written.append(path)
    return written


def _in_order(imports: re.Match[str]) -> str:
    """A block of imports in the order that the lint asks for, which depends on the type's name."""
    return "".join(sorted(imports[0].splitlines(keepends=True), key=lambda line: line.split()[1]))
