"""Reading the settings: the environment over one TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import InitSettingsSource

from config.errors import SettingsError, explain
from config.places import Origins
from config.settings import Settings
from config.sources import find_file, from_environment, from_file


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings: ``environ`` over the file at ``path``.

    Without a path: the file that ``GATEWAY_CONFIG`` names, else ``./gateway.toml``, else the shipped
    ``config/embedded.toml``. Raises :class:`~config.errors.SettingsError` with one line for each error.
    """
    file = find_file(path, environ)
    over, under = from_environment(environ, Settings), from_file(file, Settings)
    origins = Origins(file, over.variables)
    lines = [*under.errors, *over.errors]
    # pydantic-settings merges the tables, the first source over the second.
    sources = (InitSettingsSource(Settings, over.tree), InitSettingsSource(Settings, under.tree))
    options: dict[str, Any] = {"_build_sources": (sources, {})}
    try:
        settings = Settings(**options)
    except ValidationError as error:
        raise SettingsError([*lines, *explain(error, Settings, origins)]) from None
    if lines:
        raise SettingsError(lines)
    return settings.located(origins)
