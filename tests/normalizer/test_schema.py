"""The published schemas say what the code does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from channels.base import Attachment, Location, Part, Receipt, Thread
from normalizer.event import encode
from normalizer.messages import CaseChannel, CaseEvent, CaseSender, CaseUpdate, DeadLetter, DeliveryEvent
from normalizer.privacy import CONFIDENTIAL
from normalizer.schema import TOPICS, asyncapi, documents, json_schema
from tests.normalizer.make import NOW, normalizer, sms

ROOT = Path(__file__).parents[2]
N = "4829137065"

EVENT = normalizer().event(
    sms(
        "RAHASIA STATUS 4829137065\r\n",
        sent_at=NOW,
        thread=Thread("chat", ("m1",), "topic", public=True),
        part=Part("7", 1, 2),
        receipt=Receipt("delivered", "d1"),
        location=Location(-6.2, 106.8, "Monas"),
        attachments=(Attachment("a.jpg", "image/jpeg", 10),),
        raw=b"\x00\xff",
    ),
    NOW,
)
MESSAGES: list[msgspec.Struct] = [
    EVENT,
    normalizer().event(sms(), NOW),
    CaseEvent(
        id="c1",
        number=N,
        change="opened",
        at=NOW,
        channel=CaseChannel("sms", "sms-telkomsel"),
        state="received",
        sender=CaseSender("+6281234567890", "Budi"),
        text="jalan rusak",
        privacy=CONFIDENTIAL,
        attachments=EVENT.attachments,
        location=EVENT.location,
    ),
    CaseUpdate(id="u1", number=N, status="closed", text="Sudah selesai.", agency="Dinas PU", at=NOW),
    DeliveryEvent(id="d1", delivery="r1", number=N, channel="sms", outcome="sent", attempt=1, at=NOW),
    DeadLetter(id="l1", stage="intake", channel="sms", reason="malformed", at=NOW, raw=b"\x00\xff"),
]


@pytest.mark.parametrize("path", sorted(documents()))
def test_the_files_in_docs_are_what_the_code_makes(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == documents()[path], "run `make docs`"


def test_no_other_schema_lies_in_docs() -> None:
    lying = {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "schema").iterdir()}
    assert lying == {path for path in documents() if path.startswith("docs/schema/")}


@pytest.mark.parametrize("model", [topic.model for topic in TOPICS], ids=lambda model: model.__name__)
def test_each_schema_is_one(model: type[msgspec.Struct]) -> None:
    schema = json_schema(model)
    Draft202012Validator.check_schema(schema)
    assert all(part.get("description") for part in schema["$defs"].values())


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_real_message_is_valid(message: msgspec.Struct) -> None:
    validator = Draft202012Validator(json_schema(type(message)), format_checker=Draft202012Validator.FORMAT_CHECKER)
    validator.validate(json.loads(msgspec.json.encode(message)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("intent", "rant", id="an intent that is none"),
        pytest.param("schema", 2, id="another schema"),
        pytest.param("received_at", None, id="no time of receipt"),
        pytest.param("sender", {"key": "k"}, id="a sender without an address"),
        pytest.param("numbers", "4829137065", id="numbers that are no list"),
    ],
)
def test_a_wrong_event_is_not(field: str, value: Any) -> None:
    document = json.loads(encode(EVENT))
    assert Draft202012Validator(json_schema(type(EVENT))).is_valid(document)
    assert not Draft202012Validator(json_schema(type(EVENT))).is_valid(document | {field: value})


def test_every_reference_of_the_asyncapi_document_resolves() -> None:
    document = asyncapi()
    found = list(references(document))
    assert len(found) > 15
    for reference in found:
        place = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, reference
            place = place[step]


def test_the_asyncapi_document_holds_every_topic_of_the_contract() -> None:
    document = asyncapi()
    assert [channel["address"] for channel in document["channels"].values()] == [
        "lapor.complaints.v1",
        "lapor.cases.v1",
        "lapor.case-updates.v1",
        "lapor.deliveries.v1",
        "lapor.dead-letters.v1",
    ]
    actions = {name: operation["action"] for name, operation in document["operations"].items()}
    assert [name for name, action in actions.items() if action == "receive"] == ["receiveCaseUpdates"]
    assert document["asyncapi"] == "3.0.0"


def references(part: Any) -> Iterator[str]:
    """Every ``$ref`` in a document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)
