"""The configured channels: each table ``[channels.<name>]``, checked by the model of its type."""

from __future__ import annotations

import difflib
from typing import Any

import msgspec
from pydantic import ValidationError

from channels import registry
from channels.base import ChannelSettings, ChannelSpec
from config.errors import SettingsError, error_line, explain
from config.fields import FILE_SUFFIX, is_list, secrets
from config.places import Key, Origins
from config.secrets import settle_secrets
from config.settings import Settings
from config.sources import CHANNELS, split_list


class ChannelConfig(msgspec.Struct, frozen=True):
    """One configured channel: its name, its type's spec, its settings (of the spec's model)."""

    name: str
    spec: ChannelSpec
    settings: ChannelSettings


def load_channels(settings: Settings) -> dict[str, ChannelConfig]:
    """The channels by name, in the order of the settings; only the types that are used are imported.

    Raises :class:`~config.errors.SettingsError` with one line for each error of any channel.
    """
    found: dict[str, ChannelConfig] = {}
    lines: list[str] = []
    for name, table in settings.channels.items():
        key = (CHANNELS, name)
        spec, said = _find_spec(table.get("type"))
        if spec is None:
            lines.append(error_line((*key, "type"), settings.origins, said))
            continue
        try:
            found[name] = ChannelConfig(name, spec, _read(key, table, spec, settings.origins))
        except SettingsError as error:
            lines += error.lines
    if lines:
        raise SettingsError(lines)
    return found


def _find_spec(name: Any) -> tuple[ChannelSpec | None, str]:
    known = registry.types()
    if name is None:
        return None, f"is required; the types are: {', '.join(known)}"
    if name in known:
        return registry.spec(name), ""
    near = difflib.get_close_matches(name, known, n=1) if isinstance(name, str) else []
    return None, "no such type; " + (f"did you mean {near[0]}?" if near else f"the types are: {', '.join(known)}")


def _read(key: Key, table: dict[str, Any], spec: ChannelSpec, origins: Origins) -> ChannelSettings:
    model: type[ChannelSettings] = spec.settings
    hidden = (secrets(model) | spec.secret_fields) & model.model_fields.keys()
    values = dict(table)
    for name in hidden:
        _keep_one(key, name, values, origins)
    lines = settle_secrets(values, key, model, sorted(hidden), origins)
    lines += _split_lists(key, values, model, origins)
    try:
        read = model.model_validate(values)
    except ValidationError as error:
        told = explain(error, model, origins, prefix=key, secret=frozenset(hidden))
        raise SettingsError([*lines, *told]) from None
    # Out loud is in the settings, not in a program that forgets to ask for a proof.
    if not lines and spec.proof(read) == "" and getattr(read, "verification", "") != "none":
        wrong = "nothing proves what comes in: set a secret for it"
        also = ', or "none" to take it unproven' if "verification" in model.model_fields else ""
        lines.append(error_line((*key, "verification"), origins, wrong + also))
    if lines:
        raise SettingsError(lines)
    return read


def _split_lists(key: Key, values: dict[str, Any], model: type[ChannelSettings], origins: Origins) -> list[str]:
    """Make lists of what the environment gives for them; in TOML a list is written as one."""
    lines = []
    for name, field in model.model_fields.items():
        value = values.get(name)
        if isinstance(value, str) and is_list(field.annotation) and origins.from_environment((*key, name)):
            try:
                values[name] = split_list(value)
            except ValueError as error:
                values[name] = []
                lines.append(error_line((*key, name), origins, str(error)))
    return lines


def _keep_one(key: Key, name: str, values: dict[str, Any], origins: Origins) -> None:
    """Of a secret and a file for it, the environment's wins; two of one source stay, and are an error."""
    given = name + FILE_SUFFIX
    if name not in values or given not in values:
        return
    plain, by_file = (origins.from_environment((*key, spelled)) for spelled in (name, given))
    if plain != by_file:
        del values[given if plain else name]
