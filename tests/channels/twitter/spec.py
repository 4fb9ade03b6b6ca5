"""X's own OpenAPI document, to hold against it what the channel asks and what the stand-in answers.

The document (2.167) is not part of the project; where it is not there, the tests that need it are skipped.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

PATH = Path(__file__).parents[4] / "shared" / "specs" / "x-openapi-2.167.json"
needs_spec = pytest.mark.skipif(not PATH.exists(), reason="X's OpenAPI document (x-openapi-2.167.json) is not here")


@cache
def _document() -> dict[str, Any]:
    found = _strict(json.loads(PATH.read_text("utf-8")))
    assert isinstance(found, dict)
    return found


def _strict(schema: Any) -> Any:
    """OpenAPI 3.0's ``nullable`` as JSON Schema has it, and no field beside those that are described."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _strict(value) for name, value in schema.items()}
    if made.get("nullable") is True and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    if made.get("type") == "object" and isinstance(made.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made


def _validate(value: Any, schema: dict[str, Any]) -> None:
    Draft202012Validator({**schema, "components": _document()["components"]}).validate(value)


def _operation(method: str, path: str) -> tuple[str, dict[str, Any], dict[str, str]]:
    """The operation that a request is for, and its path's parameters; one without parameters comes first."""
    for template in sorted(_document()["paths"], key=lambda one: one.count("{")):
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
        match = re.fullmatch(pattern, path)
        if match and method.lower() in _document()["paths"][template]:
            return template, _document()["paths"][template][method.lower()], match.groupdict()
    raise AssertionError(f"X has no {method} {path}")


def check_request(method: str, path: str, query: dict[str, str], body: Any) -> str:
    """Hold a request against the document; returns the path's template. Raises on any difference."""
    template, operation, in_path = _operation(method, path)
    given = {("query", name): value for name, value in query.items()}
    given |= {("path", name): value for name, value in in_path.items()}
    described = [
        _document()["components"]["parameters"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        for one in operation.get("parameters", ())
    ]
    known = {(one["in"], one["name"]): one for one in described}
    assert given.keys() <= known.keys(), f"{template}: {given.keys() - known.keys()} is not described"
    assert {key for key, one in known.items() if one.get("required")} <= given.keys()
    for key, value in given.items():
        _validate(_typed(value, known[key]["schema"]), known[key]["schema"])
    if "requestBody" in operation:
        _validate(body, operation["requestBody"]["content"]["application/json"]["schema"])
    else:
        assert body is None
    return template


def _typed(value: str, schema: dict[str, Any]) -> Any:
    match schema.get("type"):
        case "array":
            return value.split(",")
        case "integer":
            return int(value)
        case _:
            return value


def check_answer(method: str, path: str, status: int, content_type: str, body: Any) -> None:
    """Hold an answer against the document. Raises on any difference."""
    _, operation, _ = _operation(method, path)
    response = operation["responses"].get(str(status)) or operation["responses"]["default"]
    _validate(body, response["content"][content_type]["schema"])
