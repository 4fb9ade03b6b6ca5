"""The published schemas: JSON Schema (draft 2020-12) of every message, AsyncAPI 3.0 of every topic.

Both are made from the models, so that they cannot say anything else; a test holds the files in ``docs/`` to what
stands here.
"""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import msgspec

from normalizer import cloudevents
from normalizer.event import ComplaintEvent
from normalizer.messages import CaseEvent, CaseUpdate, DeadLetter, DeliveryEvent


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic: what flows on it, which way (``send``: the gateway writes), and what its records are keyed by."""

    name: str
    address: str
    model: type[msgspec.Struct]
    action: str
    types: tuple[str, ...]
    key: str
    summary: str


TOPICS = (
    Topic(
        name="complaints",
        address="lapor.complaints.v1",
        model=ComplaintEvent,
        action="send",
        types=(cloudevents.COMPLAINT_RECEIVED,),
        key="A keyed hash of the sender: one citizen's messages stay in order, and no address shows.",
        summary="Every message of every citizen, from whichever channel.",
    ),
    Topic(
        name="cases",
        address="lapor.cases.v1",
        model=CaseEvent,
        action="send",
        types=(cloudevents.CASE_OPENED, cloudevents.CASE_CHANGED),
        key="The tracking number.",
        summary="A case was opened or changed.",
    ),
    Topic(
        name="caseUpdates",
        address="lapor.case-updates.v1",
        model=CaseUpdate,
        action="receive",
        types=(cloudevents.CASE_UPDATE,),
        key="The tracking number.",
        summary="What an agency says to a citizen.",
    ),
    Topic(
        name="deliveries",
        address="lapor.deliveries.v1",
        model=DeliveryEvent,
        action="send",
        types=tuple(cloudevents.DELIVERY_TYPES.values()),
        key="The tracking number; the delivery's id where there is none.",
        summary="What became of each reply.",
    ),
    Topic(
        name="deadLetters",
        address="lapor.dead-letters.v1",
        model=DeadLetter,
        action="send",
        types=(cloudevents.DEAD_LETTER,),
        key="The dead letter's id.",
        summary="Messages that could not be handled, with their raw bytes.",
    ),
)


def documents() -> dict[str, str]:
    """The text of each published file by its path in the project, the same at every call."""
    files = {f"docs/schema/{_file(topic.model)}.json": _pretty(json_schema(topic.model)) for topic in TOPICS}
    return files | {"docs/asyncapi.json": _pretty(asyncapi())}


def json_schema(model: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of one message: a schema of its own, with the models it holds under ``$defs``."""
    (schema,), parts = _components([model], "#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:lapor:schema:{_file(model)}:v1",
        **schema,
        "$defs": parts,
    }


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0.0 document of all topics, as the gateway sees them."""
    _, schemas = _components([topic.model for topic in TOPICS], "#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "LAPOR gateway",
            "version": "1.0.0",
            "description": (
                "The topics of the message gateway of SP4N-LAPOR!. Records are CloudEvents 1.0 in binary mode; the"
                " names of the topics are settings."
            ),
        },
        "defaultContentType": cloudevents.CONTENT_TYPE,
        "channels": {
            topic.name: {
                "address": topic.address,
                "summary": topic.summary,
                "messages": {topic.model.__name__: {"$ref": f"#/components/messages/{topic.model.__name__}"}},
                "bindings": {"kafka": {"topic": topic.address, "bindingVersion": "0.5.0"}},
            }
            for topic in TOPICS
        },
        "operations": {
            f"{topic.action}{topic.name[0].upper()}{topic.name[1:]}": {
                "action": topic.action,
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "messages": [{"$ref": f"#/channels/{topic.name}/messages/{topic.model.__name__}"}],
            }
            for topic in TOPICS
        },
        "components": {
            "messages": {topic.model.__name__: _message(topic) for topic in TOPICS},
            "schemas": schemas,
        },
    }


def _message(topic: Topic) -> dict[str, Any]:
    return {
        "name": topic.model.__name__,
        "summary": topic.summary,
        "contentType": cloudevents.CONTENT_TYPE,
        "headers": {
            "type": "object",
            "description": "CloudEvents attributes; each value is UTF-8.",
            "properties": {
                "ce_specversion": {"const": "1.0"},
                "ce_id": {"type": "string", "description": "The id of the message in the value."},
                "ce_type": {"enum": list(topic.types)},
                "ce_source": {"type": "string", "description": "Which gateway wrote it (a URI reference)."},
                "ce_time": {"type": "string", "format": "date-time"},
                "ce_subject": {"type": "string", "description": "The channel instance or the tracking number."},
                "content-type": {"const": cloudevents.CONTENT_TYPE},
            },
            "required": ["ce_specversion", "ce_id", "ce_type", "ce_source"],
        },
        "payload": {"$ref": f"#/components/schemas/{topic.model.__name__}"},
        "bindings": {
            "kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"},
        },
    }


def _components(models: list[type[msgspec.Struct]], template: str) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    schemas, parts = msgspec.json.schema_components(models, ref_template=template)
    described = {name: {**part, "description": _plain(part["description"])} for name, part in sorted(parts.items())}
    return schemas, described


def _plain(docstring: str) -> str:
    """A docstring as a description: its markup out, each paragraph on one line."""
    text = re.sub(r"``|:\w+:", "", inspect.cleandoc(docstring).replace('``""``', "an empty string"))
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _file(model: type[msgspec.Struct]) -> str:
    """ComplaintEvent: ``complaint-event``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", model.__name__).lower()


def _pretty(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
