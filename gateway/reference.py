"""The documents that are made from the code: ``python -m gateway.reference`` writes them into ``docs/``.

The page of settings is made here, the schemas in :mod:`normalizer.schema`. None can fall behind: tests compare the
files with what is made.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from channels import registry
from channels.base import ChannelSettings
from config.durations import Duration, Size, format_duration, format_size
from config.fields import is_list, is_secret, section, variable
from config.places import Key
from config.settings import Settings
from config.sources import CHANNELS
from gateway.metrics import Metrics
from normalizer import schema

ROOT: Final = Path(__file__).parent.parent
"""The checkout; an installed gateway has no documents to write."""

_HEAD: Final = """\
# Settings

*Made from the code by `make docs`.*

The settings stand in one TOML file: the one that `gateway run --config FILE` or the environment variable
`GATEWAY_CONFIG` names, else `./gateway.toml`, else the shipped [embedded.toml](../config/embedded.toml).
[production.toml](../config/production.toml) is an example with Kafka, PostgreSQL and three carriers.

- **Environment.** Every key is also an environment variable, which wins over the file: `GATEWAY_`, then the section
  and the key in capitals with `__` between; a hyphen becomes `_`. A list is written with commas between
  (`a,b`) or as a JSON array. A variable that begins with `GATEWAY_` and names no setting is an error. (Kubernetes sets
  such variables for a service named `gateway`: give the pod `enableServiceLinks: false` or the service another name.)
- **Secrets.** A secret `key` may be given as `key_file` (in the environment `…__KEY_FILE`): the name of a file that
  holds the secret and nothing else. A file for a list holds one secret a line. Secrets are never shown.
- **Durations** are written `"500ms"`, `"90s"`, `"10m"`, `"24h"`, `"30d"`, or as a number of seconds. **Sizes** are
  written `"64KiB"`, `"10MB"`, `"1GiB"`, or as a number of bytes.
- A wrong or unknown key is told in one line, with its place and what is allowed, and the exit status is 2.
"""

_METRICS_HEAD: Final = """\
# Metrics

*Made from the code by `make docs`.*

Every process that listens serves these at `/metrics` for Prometheus; each counts what it did itself since its start.
`channel` is the name of a channel in the settings.

| metric | type | labels | what it is |
|---|---|---|---|"""

_CHANNELS_HEAD: Final = """\
A channel is one table. Its name is yours (a lower-case letter, then letters, digits, single hyphens) and stands in its
webhook's address, `/webhooks/NAME`, and in the names of its environment variables. These keys are common to all types:
"""


def documents() -> dict[str, str]:
    """Every generated document: its path from the project's root, and its text."""
    return {"docs/settings.md": settings_page(), "docs/metrics.md": metrics_page(), **schema.documents()}


def metrics_page() -> str:
    """The page of metrics, a row each."""
    rows = [
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels) or '-'} | {text} |"
        for name, kind, labels, text in Metrics().described()
    ]
    return "\n".join([_METRICS_HEAD, *rows, ""])


def settings_page() -> str:
    """``docs/settings.md``: every section and every channel type, with all keys."""
    top = [(name, field) for name, field in Settings.model_fields.items() if not section(field)]
    plain = [(name, field) for name, field in top if name != CHANNELS]
    parts = [_HEAD, "## At the top\n", _table(plain, ())]
    for name, field in Settings.model_fields.items():
        model = section(field)
        if model is not None:
            parts += [f"## [{name}]\n", f"{_sentence(model)}\n", _table(model.model_fields.items(), (name,))]
    parts += [
        "## [channels.NAME]\n",
        _CHANNELS_HEAD,
        _table(ChannelSettings.model_fields.items(), (CHANNELS, "name")),
    ]
    for type_name in registry.types():
        spec = registry.spec(type_name)
        fields = spec.settings.model_fields
        own = [(name, field) for name, field in fields.items() if name not in ChannelSettings.model_fields]
        parts += [f'### type = "{type_name}": {spec.title}\n', _table(own, (CHANNELS, "name"), spec.secret_fields)]
    return "\n".join(parts)


def _sentence(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _table(fields: Iterable[tuple[str, FieldInfo]], table: Key, secret: frozenset[str] = frozenset()) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for name, field in fields:
        hidden = is_secret(field.annotation) or name in secret
        words = _words(field) if not hidden else "list of secrets" if is_list(field.annotation) else "secret"
        cells = [
            f"`{name}`<br>`{variable((*table, name))}`",
            words,
            _default(field),
            field.description or "",
        ]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _words(field: FieldInfo) -> str:
    """What a value of this field is, and its bounds, in words."""
    if Duration in field.metadata:
        return "duration"
    if Size in field.metadata:
        return "size"
    return " ".join(filter(None, [_kind(field.annotation), _bounds(field.metadata)]))


def _kind(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_kind(part) for part in inner if part is not NoneType))
    if origin is Literal:
        return "one of " + ", ".join(f"`{json.dumps(choice)}`" for choice in inner)
    if is_list(annotation):
        return f"list of {_kind(inner[0])}" if inner else "list"
    kinds = {bool: "`true` or `false`", int: "whole number", float: "number", SecretStr: "secret", Path: "path"}
    kinds |= {date: "date", datetime: "time"}
    named: dict[Any, str] = {**kinds, str: "text"}
    return named.get(annotation) or (
        "network" if "IPv4Network" in repr(annotation) or "IPvAny" in repr(annotation) else "table"
    )


def _bounds(metadata: Iterable[Any]) -> str:
    lowest = next((f"{bound.ge}" for bound in metadata if isinstance(bound, Ge)), "")
    above = next((f"{bound.gt}" for bound in metadata if isinstance(bound, Gt)), "")
    highest = next((f"{bound.le}" for bound in metadata if isinstance(bound, Le)), "")
    words = [f"from {lowest}" if lowest else f"above {above}" if above else "", f"to {highest}" if highest else ""]
    return " ".join(filter(None, words))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=False)
    if value is None:
        return "unset"
    if Duration in field.metadata:
        return f'`"{format_duration(value)}"`'
    if Size in field.metadata:
        return f'`"{format_size(value)}"`'
    return f"`{json.dumps(value, default=_shown, ensure_ascii=False)}`"


def _shown(value: Any) -> str:
    # A default is no secret: it stands in the source.
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def main() -> None:
    """Write every document that differs from what is in the checkout."""
    for name, text in documents().items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
