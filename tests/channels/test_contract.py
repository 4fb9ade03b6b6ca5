"""The contract of every channel type: one suite over all folders of ``channels/``, fed by their golden fixtures."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import structlog

from channels import registry
from channels.base import ChannelSpec, InboundMessage
from channels.errors import Malformed, Misconfigured, Refused, RetryLater, Unverified
from channels.receiving import Item, Unreadable
from normalizer.normalize import Normalizer
from tests.channels.goldens import Golden, goldens, label
from tests.channels.kit import Kit, kits

KITS = {kit.type: kit for kit in kits()}
TYPES = sorted(KITS)
INBOUND = [(name, golden) for name in TYPES for golden in goldens(name, "inbound")]
OUTBOUND = [(name, golden) for name in TYPES for golden in goldens(name, "outbound")]
ENOUGH = 15


def named(value: Any) -> str:
    return label(value) if isinstance(value, Golden) else str(value)


def read(name: str, golden: Golden) -> list[Item]:
    kit = KITS[name]
    return list(kit.read(kit.channel(golden.settings), golden.case))


def written(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Messages as the fixtures write them, without ``raw``; of an unreadable one its reason alone."""
    found: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, Unreadable):
            found.append({"unreadable": item.reason})
        else:
            one = json.loads(msgspec.json.encode(item))
            found.append({key: value for key, value in one.items() if key != "raw"})
    return found


@pytest.mark.parametrize(("name", "golden"), INBOUND, ids=named)
def test_a_payload_becomes_these_messages(name: str, golden: Golden) -> None:
    items = read(name, golden)
    assert written(items) == golden.case["expect"]
    if "raw" in golden.case:
        assert [item.raw.decode() for item in items] == golden.case["raw"]


@pytest.mark.parametrize(("name", "golden"), INBOUND, ids=named)
def test_a_redelivery_is_the_same_event(name: str, golden: Golden) -> None:
    normalizer = Normalizer(name, "one", secret=b"key")
    now = datetime(2026, 11, 22, tzinfo=UTC)

    def ids() -> list[str]:
        return [normalizer.event(m, now).id for m in read(name, golden) if isinstance(m, InboundMessage)]

    identifiable = all(m.provider_id for m in read(name, golden) if isinstance(m, InboundMessage))
    assert (ids() == ids()) is (identifiable or not ids())
    assert len(set(ids())) == len(ids())


@pytest.mark.parametrize(("name", "golden"), INBOUND, ids=named)
def test_the_evidence_is_kept_and_holds_no_secret(name: str, golden: Golden) -> None:
    for item in read(name, golden):
        assert item.raw
        assert item.raw_type
        assert not [secret for secret in KITS[name].secrets if secret.encode() in item.raw]


@pytest.mark.parametrize(("name", "golden"), OUTBOUND, ids=named)
async def test_a_reply_becomes_this_request(name: str, golden: Golden, caplog: pytest.LogCaptureFixture) -> None:
    kit = KITS[name]
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logged:
        exchange = await kit.exchange(golden)
    if wanted := golden.case.get("raises"):
        assert type(exchange.error).__name__ == wanted["type"]
        told = {key: getattr(exchange.error, key) for key in wanted if key != "type"}
        assert told == {key: value for key, value in wanted.items() if key != "type"}
        assert not [secret for secret in (*kit.secrets, golden.case["message"]["to"]) if secret in str(exchange.error)]
    else:
        assert exchange.error is None
        assert exchange.sent is not None
        if "sent" in golden.case:
            assert list(exchange.sent.provider_ids) == golden.case["sent"]
    for parts in exchange.received[-1:]:
        for part, value in golden.case.get("request", {}).items():
            assert parts[part] == value
        for part, value in golden.case.get("request_has", {}).items():
            assert {key: parts[part].get(key) for key in value} == value
    assert exchange.received or not (golden.case.keys() & {"request", "request_has"})
    said = caplog.text + json.dumps(logged, default=str)
    assert not [secret for secret in kit.secrets if secret in said]


@pytest.mark.parametrize("name", TYPES)
class TestEveryType:
    def test_its_spec_is_discovered_and_whole(self, name: str) -> None:
        spec = registry.spec(name)
        assert isinstance(spec, ChannelSpec)
        assert spec.type == name
        assert spec.title
        assert spec.capabilities
        assert spec.secret_fields <= spec.settings.model_fields.keys()

    def test_its_secrets_are_not_shown(self, name: str) -> None:
        kit = KITS[name]
        shown = repr(registry.spec(name).settings.model_validate(dict(kit.settings)))
        assert kit.secrets
        assert not [secret for secret in kit.secrets if secret in shown]

    def test_each_setting_is_explained(self, name: str) -> None:
        fields = registry.spec(name).settings.model_fields
        assert not [field for field, what in fields.items() if not what.description]

    def test_there_are_enough_golden_fixtures(self, name: str) -> None:
        assert len(goldens(name, "inbound")) + len(goldens(name, "status")) >= ENOUGH
        assert len(goldens(name, "outbound")) >= ENOUGH

    @pytest.mark.parametrize("error", [RetryLater, Refused, Misconfigured], ids=lambda error: error.__name__)
    def test_each_outcome_of_sending_has_a_golden_fixture(self, name: str, error: type[Exception]) -> None:
        raised = {golden.case["raises"]["type"] for golden in goldens(name, "outbound") if "raises" in golden.case}
        assert error.__name__ in raised

    def test_a_stranger_is_refused(self, name: str) -> None:
        kit = KITS[name]
        channel = kit.channel()
        strangers = kit.unproven()
        assert strangers
        taken = []
        for what, request in strangers:
            try:
                channel.verify(request)
            except (Unverified, Malformed):
                continue
            taken.append(what)
        assert taken == []

    async def test_a_reading_twenty_times_at_once_is_the_same(self, name: str) -> None:
        golden = goldens(name, "inbound")[0]
        kit = KITS[name]
        channel = kit.channel(golden.settings)
        readings = await asyncio.gather(*(asyncio.to_thread(kit.read, channel, golden.case) for _ in range(20)))
        assert all(list(reading) == list(readings[0]) for reading in readings)


def test_every_kit_is_of_its_folder() -> None:
    assert [kit.type for kit in KITS.values()] == list(registry.types())
    assert all(isinstance(kit, Kit) for kit in KITS.values())
