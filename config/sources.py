"""The two sources of settings: a TOML file, and the environment over it."""

from __future__ import annotations

import copy
import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import BaseModel

from config.errors import SettingsError
from config.fields import (
    CONFIG_VARIABLE,
    FILE_SUFFIX,
    PREFIX,
    is_list,
    is_secret,
    leaves,
    secrets,
    section,
    variable,
)
from config.places import ConfigFile, Key, Origins
from config.secrets import settle_secrets

DEFAULT_FILE: Final = "gateway.toml"
EMBEDDED: Final = "embedded.toml"
CHANNELS: Final = "channels"


class Source(msgspec.Struct, frozen=True):
    """The values of one source, secrets read from their files, and what is wrong with it."""

    tree: dict[str, Any]
    variables: Mapping[Key, str] = msgspec.field(default_factory=dict)
    errors: tuple[str, ...] = ()


def find_file(path: Path | None, environ: Mapping[str, str]) -> ConfigFile:
    """The file at ``path``, else of ``GATEWAY_CONFIG``, else ``./gateway.toml``, else the shipped one.

    Raises :class:`SettingsError` for a file that is missing, cannot be read or is not TOML.
    """
    asked = "--config"
    if path is None and environ.get(CONFIG_VARIABLE):
        path, asked = Path(environ[CONFIG_VARIABLE]), f"environment variable {CONFIG_VARIABLE}"
    if path is None and Path(DEFAULT_FILE).exists():
        path = Path(DEFAULT_FILE)
    if path is None:
        return parse_file(f"the shipped {EMBEDDED}", resources.files("config").joinpath(EMBEDDED).read_bytes())
    try:
        return parse_file(str(path), path.read_bytes())
    except OSError as error:
        raise SettingsError([f"{path} ({asked}): cannot read the settings file: {error.strerror}"]) from error


def parse_file(name: str, content: bytes) -> ConfigFile:
    """A settings file from its bytes. Raises :class:`SettingsError` with the line that is not TOML."""
    try:
        text = content.decode("utf-8-sig")
        return ConfigFile(name, text, tomllib.loads(text))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError([f"{name}:{line}: not UTF-8 text"]) from error
    except tomllib.TOMLDecodeError as error:
        said, _, where = str(error).rpartition(" (at ")
        line_number = re.match(r"line (\d+)", where)
        # "at end of document" has no number: it is the last line.
        line = int(line_number[1]) if line_number else content.count(b"\n") + 1
        raise SettingsError([f"{name}:{line}: not TOML: {said}"]) from error


def from_file(file: ConfigFile, model: type[BaseModel]) -> Source:
    """The file's values, with the secrets that its ``…_file`` keys name."""
    tree = copy.deepcopy(file.tree)
    return Source(tree, errors=tuple(_settle(tree, model, Origins(file))))


def from_environment(environ: Mapping[str, str], model: type[BaseModel]) -> Source:
    """The values of the ``GATEWAY_…`` variables. A variable that names no setting is an error."""
    tree: dict[str, Any] = {}
    found: dict[Key, str] = {}
    errors = []
    fields = dict(leaves(model))
    keys = {variable(key): key for key in fields if key != (CHANNELS,)}
    for key, info in fields.items():
        if is_secret(info.annotation):
            keys[variable(key) + FILE_SUFFIX.upper()] = (*key[:-1], key[-1] + FILE_SUFFIX)
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name == CONFIG_VARIABLE:
            continue
        key = keys.get(name) or _channel_key(name)
        if not key:
            errors.append(_unknown_variable(name, [*keys, CONFIG_VARIABLE], model))
            continue
        value: Any = environ[name]
        if key in fields and is_list(fields[key].annotation):
            try:
                value = split_list(value)
            except ValueError as error:
                errors.append(f"{'.'.join(key)} (environment variable {name}): {error}")
                continue
        table = tree
        for part in key[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                break
        if not isinstance(table, dict) or isinstance(table.get(key[-1]), dict):
            errors.append(f"{'.'.join(key)} (environment variable {name}): is both a value and a table")
            continue
        table[key[-1]] = value
        found[key] = name
    errors += _settle(tree, model, Origins(variables=found))
    return Source(tree, found, tuple(errors))


def split_list(text: str) -> list[Any]:
    """The items of ``a, b`` or of a JSON array.

    Raises :class:`ValueError` for what begins like an array and is none.
    """
    if text.lstrip().startswith("["):
        try:
            return list(json.loads(text))
        except ValueError:
            raise ValueError("must be a list with commas between, or a JSON array") from None
    return [item.strip() for item in text.split(",") if item.strip()]


def _settle(tree: dict[str, Any], model: type[BaseModel], origins: Origins) -> list[str]:
    lines = []
    for name, info in model.model_fields.items():
        inner, table = section(info), tree.get(name)
        if inner is not None and isinstance(table, dict):
            lines += settle_secrets(table, (name,), inner, sorted(secrets(inner)), origins)
    return lines


def _channel_key(name: str) -> Key:
    """``("channels", "sms-telkomsel", "sender")`` of a channel's variable; empty for any other."""
    if name != name.upper():
        return ()
    first, *rest = name.removeprefix(PREFIX).lower().split("__")
    if first != CHANNELS or len(rest) < 2 or not all(rest):
        return ()
    # No channel's name holds an underscore, so this is exact.
    return (CHANNELS, rest[0].replace("_", "-"), *rest[1:])


def _unknown_variable(name: str, known: list[str], model: type[BaseModel]) -> str:
    sections = {variable((key,)): key for key, info in model.model_fields.items() if section(info)}
    if name in sections:
        return f"environment variable {name}: is a whole section; set its keys, {name}__…"
    if name.startswith(variable((CHANNELS,))):
        return f"environment variable {name}: must be {variable((CHANNELS,))}__<CHANNEL>__<KEY> in capitals"
    bare = [other.removeprefix(PREFIX) for other in known]
    near = difflib.get_close_matches(name.upper().removeprefix(PREFIX), bare, n=1, cutoff=0.7)
    return f"environment variable {name}: no such setting" + (f"; did you mean {PREFIX}{near[0]}?" if near else "")
