"""What a settings model says about its keys: their names, which are lists, which are secrets."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from config.places import Key

PREFIX: Final = "GATEWAY_"
CONFIG_VARIABLE: Final = "GATEWAY_CONFIG"
FILE_SUFFIX: Final = "_file"


def variable(key: Key) -> str:
    """The environment variable of a key: ``GATEWAY_CHANNELS__SMS_TELKOMSEL__SENDER``."""
    return PREFIX + "__".join(part.upper().replace("-", "_") for part in key)


def section(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is a table of its own, else ``None``."""
    annotation = field.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def leaves(model: type[BaseModel], prefix: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Every key of a model and of the tables in it, in order."""
    for name, field in model.model_fields.items():
        inner = section(field)
        if inner is None:
            yield (*prefix, name), field
        else:
            yield from leaves(inner, (*prefix, name))


def is_list(annotation: Any) -> bool:
    """Whether a value of this type is written as a list."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return any(is_list(part) for part in get_args(annotation))
    return (origin or annotation) in (list, tuple, set, frozenset)


def is_secret(annotation: Any) -> bool:
    """Whether a value of this type, or a part of it, is a secret."""
    return annotation is SecretStr or any(is_secret(part) for part in get_args(annotation))


def secrets(model: type[BaseModel]) -> frozenset[str]:
    """The keys of one model, not of the tables in it, that are secrets."""
    return frozenset(name for name, field in model.model_fields.items() if is_secret(field.annotation))


def model_at(model: type[BaseModel], key: Key) -> type[BaseModel] | None:
    """The model of the table at ``key``, ``None`` where no model describes it."""
    for name in key:
        field = model.model_fields.get(name)
        inner = section(field) if field else None
        if inner is None:
            return None
        model = inner
    return model
