"""Secrets from files: ``password_file = "/run/secrets/x"`` stands for the password that the file holds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from config.errors import error_line
from config.fields import FILE_SUFFIX, is_list
from config.places import Key, Origins, file_key

MAX_SECRET: Final = 64 * 1024


def read_secret(path: str) -> str:
    """The text of a secret's file, without blanks and line breaks at its ends.

    Raises :class:`ValueError` that says why the file cannot be used; the message never holds its content.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_SECRET + 1)
    except OSError as error:
        raise ValueError(f'cannot read "{path}": {error.strerror or "no such file"}') from error
    except ValueError as error:
        raise ValueError("is no file name") from error
    if len(content) > MAX_SECRET:
        raise ValueError(f'"{path}" is larger than 64 KiB: no secret is')
    try:
        secret = content.decode().strip()
    except UnicodeDecodeError as error:
        raise ValueError(f'"{path}" is not UTF-8 text') from error
    if not secret:
        raise ValueError(f'"{path}" is empty')
    return secret


def settle_secrets(
    table: dict[str, Any], key: Key, model: type[BaseModel], names: Iterable[str], origins: Origins
) -> list[str]:
    """Put what the files hold in place of the keys that name them; returns one line for each error.

    ``table`` stands at ``key`` and is described by ``model``; ``names`` are its secrets.
    A list of secrets is a file with one secret a line.
    """
    lines = []
    for name in names:
        given = name + FILE_SUFFIX
        if given not in table or given in model.model_fields:
            continue
        path = table.pop(given)
        where = file_key((*key, name))
        if name in table:
            lines.append(error_line(where, origins, f"give {name} or {given}, not both"))
        elif not isinstance(path, str) or not path:
            lines.append(error_line(where, origins, "must be a file name in quotes"))
        else:
            try:
                secret = read_secret(path)
            except ValueError as error:
                lines.append(error_line(where, origins, str(error)))
                continue
            annotation = model.model_fields[name].annotation
            table[name] = [s.strip() for s in secret.splitlines() if s.strip()] if is_list(annotation) else secret
    return lines
