"""The Bot API's own description, and what in a JSON value is not as it says.

The description stands beside the project (``../shared/specs``); without it the tests that need it are skipped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[4] / "shared" / "specs" / "telegram-bot-api-10.1.json"

described = pytest.mark.skipif(not FILE.exists(), reason="the Bot API's description is not beside the project")

_PLAIN: Mapping[str, tuple[type, ...]] = {
    "Integer": (int,),
    "String": (str,),
    "Boolean": (bool,),
    "Float": (int, float),
}
_CONSTANT = re.compile(r"always [“\"]([^”\"]+)[”\"]")


@cache
def description() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return found


def faults(value: Any, type_: str, path: str = "") -> list[str]:
    """What is wrong with a value of a type of the description (``Update``, ``Array of Integer``); empty if nothing."""
    if type_ in _PLAIN:
        wrong = not isinstance(value, _PLAIN[type_]) or (isinstance(value, bool) and type_ != "Boolean")
        return [f"{path} is no {type_}: {value!r}"] if wrong else []
    if type_.startswith("Array of "):
        if not isinstance(value, list):
            return [f"{path} is no array"]
        inner = type_.removeprefix("Array of ")
        return [fault for at, one in enumerate(value) for fault in faults(one, inner, f"{path}[{at}]")]
    known = description()["types"][type_]
    if "subtypes" in known:
        return any_of(value, known["subtypes"], path)
    if not isinstance(value, dict):
        return [f"{path} is no {type_}"]
    return fields_of(value, known.get("fields", []), path or type_)


def any_of(value: Any, types: list[str], path: str) -> list[str]:
    """The faults by the type that fits best."""
    return min((faults(value, one, path) for one in types), key=len)


def fields_of(value: Mapping[str, Any], fields: list[dict[str, Any]], path: str) -> list[str]:
    """The faults of an object, or of a call's parameters: what is missing, unknown, or of another type."""
    by_name = {field["name"]: field for field in fields}
    found = [f"{path}.{name} is not described" for name in value if name not in by_name]
    found += [f"{path}.{name} is missing" for name, field in by_name.items() if field["required"] and name not in value]
    for name, one in value.items():
        if name in by_name:
            found += any_of(one, by_name[name]["types"], f"{path}.{name}")
            constant = _CONSTANT.search(by_name[name]["description"])
            if constant and one != constant[1]:
                found.append(f"{path}.{name} is not {constant[1]}")
    return found


def faults_of_call(method: str, parameters: Mapping[str, Any]) -> list[str]:
    """What is wrong with the parameters of a call."""
    return fields_of(parameters, description()["methods"][method].get("fields", []), method)


def faults_of_answer(method: str, status: int, answer: Mapping[str, Any]) -> list[str]:
    """What is wrong with a method's answer ("Making requests")."""
    if status == 200:
        shape = answer.keys() == {"ok", "result"} and answer["ok"] is True
        returns = description()["methods"][method]["returns"]
        return any_of(answer.get("result"), returns, method) if shape else [f"{method}: not the shape of a yes"]
    keys = answer.keys() - {"parameters"}
    if keys != {"ok", "error_code", "description"} or answer["ok"] is not False or answer["error_code"] != status:
        return [f"{method}: not the shape of a no: {answer}"]
    return faults(answer.get("parameters", {}), "ResponseParameters")


def typed(method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a call's form, where all is text, in the types that the description has for them."""
    fields = {field["name"]: field["types"] for field in description()["methods"][method].get("fields", [])}
    return {name: _typed(value, fields.get(name, [])) for name, value in parameters.items()}


def _typed(value: Any, types: list[str]) -> Any:
    if not isinstance(value, str):
        return value
    if "Integer" in types:
        return int(value)
    return json.loads(value) if "Boolean" in types else value
