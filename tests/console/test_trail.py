"""A case's whole way as it is read: every step in order, and what is kept back of whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from channels.base import Attachment
from gateway.blobs.folder import Folder
from gateway.console import trail as trails
from gateway.console.trail import case_trail, message_trail
from gateway.console.veil import Veil
from gateway.privacy.blank import NOBODY
from gateway.store.engine import Store
from gateway.store.tables import cases, deliveries, messages, outbox, updates
from tests.console.world import NAME, NOON, PHONE, World, opened, said

ANONYMOUS = "ANONIM saya Siti Rahmawati melapor, telepon 081298765432: jalan rusak parah"


@pytest.fixture
async def world(store: Store, tmp_path: Path) -> AsyncIterator[World]:
    async with opened(store, tmp_path) as made:
        yield made


def no_secrets(_channel: str) -> tuple[bytes, ...]:
    return ()


async def delivered(world: World) -> None:
    """The reply that waits was refused once, sent, and confirmed."""
    (reply,) = await world.rows(outbox)
    at = reply.created_at
    steps = (("attempt", 1, "retry", "", "status_503: the provider answered 503"), ("attempt", 2, "sent", "p-9", ""))
    await world.add(
        deliveries,
        *(
            {
                "outbox_id": reply.id,
                "channel": "sms",
                "step": s,
                "at": at + t,
                "outcome": o,
                "provider_id": p,
                "detail": d,
            }
            for s, t, o, p, d in (*steps, ("receipt", 3, "delivered", "", "1"))
        ),
    )


async def test_a_case_s_whole_way_from_the_payload_to_the_receipt(world: World) -> None:
    number = await world.case(said(attachments=(Attachment("foto.jpg", "image/jpeg", 10, reference="r"),)))
    await delivered(world)
    await world.add(
        updates,
        {
            "id": "u-1", "number": number, "status": "closed", "text": "Sudah diperbaiki.", "agency": "Dinas PU",
            "at": NOON.timestamp(), "received_at": NOON.timestamp() + 10**9, "state_changed": True, "outcome": "told",
        },
    )  # fmt: skip

    found = await case_trail(world.store, number, secrets=no_secrets)

    assert found is not None
    assert [step.what for step in found.steps] == [
        "payload", "event", "decision", "opened", "attachment", "reply", "attempt", "attempt", "receipt", "updated",
    ]  # fmt: skip
    by_what = {step.what: step for step in found.steps}
    assert by_what["decision"].key == "complaint"
    assert "Jalan Merdeka rusak parah" in by_what["payload"].text
    assert by_what["event"].text == "Jalan Merdeka rusak parah"
    assert by_what["opened"].key == number
    assert (by_what["attachment"].key, dict(by_what["attachment"].facts)["name"]) == ("waiting", "foto.jpg")
    assert (by_what["reply"].key, by_what["receipt"].key) == ("acknowledgement", "delivered")
    answers = [dict(step.facts).get("answer") for step in found.steps if step.what == "attempt"]
    assert answers == ["status_503: the provider answered 503", None]
    said_by = dict(by_what["updated"].facts)
    assert (said_by["by"], said_by["agency"], by_what["updated"].text) == ("agency", "Dinas PU", "Sudah diperbaiki.")


async def test_of_any_citizen_address_and_name_are_masked_also_in_the_payload(world: World) -> None:
    found = await case_trail(world.store, await world.case(), secrets=no_secrets)
    assert found is not None
    assert found.address == "+62812•••••32"
    shown = str(msgspec.to_builtins(found))
    assert "81298765432" not in shown
    assert "Rahmawati" not in shown


async def test_an_anonymous_case_shows_neither_who_nor_what_until_asked(world: World) -> None:
    number = await world.case(said(ANONYMOUS))
    found = await case_trail(world.store, number, secrets=no_secrets)
    assert found is not None
    assert found.anonymous
    shown = str(msgspec.to_builtins(found))
    for secret in (PHONE, "81298765432", "Siti", "Rahmawati", "jalan rusak"):
        assert secret not in shown
    assert {step.what for step in found.steps if step.withheld} == {"payload", "event"}

    asked = await case_trail(world.store, number, secrets=no_secrets, revealed=True)
    assert asked is not None
    assert (asked.address, asked.name) == (PHONE, NAME)
    assert "jalan rusak parah" in next(step.text for step in asked.steps if step.what == "event")


async def test_secrets_of_the_channel_stay_out_even_when_revealed(world: World) -> None:
    number = await world.case(said(raw=b"token=s3cret-token&text=x"))
    found = await case_trail(world.store, number, secrets=lambda _: (b"s3cret-token",), revealed=True)
    assert "s3cret-token" not in str(msgspec.to_builtins(found))


async def test_a_long_case_is_read_a_page_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "PAGE", 2)
    # Three came at one moment, as they do from a mailbox.
    events = [said(f"jalan rusak bagian {n}", after=max(n - 2, 0) * 60, id_=f"m-{n}") for n in range(5)]
    number = await world.case(*events)
    seen: list[str] = []
    before = ""
    pages = 0
    while True:
        found = await case_trail(world.store, number, secrets=no_secrets, before=before)
        assert found is not None
        seen += [step.event_id for step in found.steps if step.what == "event"]
        before, pages = found.older, pages + 1
        if not before:
            break
    assert pages == 3
    assert sorted(seen) == sorted(event.id for event in events)


async def test_a_message_without_a_case_is_reached_by_its_id(world: World, tmp_path: Path) -> None:
    event = said("BANTUAN")
    await world.bench.take(event)
    found = await message_trail(world.store, event.id, secrets=no_secrets, blobs=Folder(tmp_path / "b"))
    assert found is not None
    assert (found.number, found.event_id) == ("", event.id)
    assert [(s.what, s.key) for s in found.steps if s.what in ("decision", "reply")] == [
        ("decision", "help"),
        ("reply", "help"),
    ]


async def test_a_forgotten_citizen_s_case_says_so(world: World) -> None:
    number = await world.case()
    async with world.store.write() as connection:
        await connection.execute(update(messages).values(sender_key=NOBODY))
        await connection.execute(update(cases).values(sender_key=NOBODY))
    found = await case_trail(world.store, number, secrets=no_secrets)
    assert found is not None
    assert found.forgotten
    assert [s.what for s in found.steps][:2] == ["forgotten", "decision"]


async def test_what_does_not_exist_has_no_trail(world: World, tmp_path: Path) -> None:
    assert await case_trail(world.store, "4829137065", secrets=no_secrets) is None
    blobs = Folder(tmp_path / "b")
    assert await message_trail(world.store, "nothing", secrets=no_secrets, blobs=blobs) is None


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(b"from=%2B6281298765432", id="as a form writes it"),
        pytest.param(b"0812-9876-5432 or 0812 9876 5432", id="grouped"),
        pytest.param(b"hubungi 081298765432", id="as people dial it"),
        pytest.param(b'{"from":"6281298765432"}', id="without its plus"),
        pytest.param(b'{"first_name":"Siti","username":"siti_r","name":"Siti \\"R\\" Rahmawati"}', id="named in JSON"),
        pytest.param(b"saya SITI RAHMAWATI", id="the name in capitals"),
    ],
)
def test_no_spelling_of_the_citizen_gets_through_the_veil(written: bytes) -> None:
    shown = Veil("phone", PHONE, [NAME], sensitive=False).payload(written)
    assert "98765432" not in "".join(shown.split())
    assert "9876" not in shown
    for part in ("siti", "rahmawati"):
        assert part not in shown.lower()


def test_an_account_s_id_and_handle_are_masked() -> None:
    veil = Veil("user_id", "1234567890", ["Budi Santoso (@budi_s)"], sensitive=False)
    shown = veil.payload(b'{"id": 1234567890, "username": "budi_s", "text": "dari @budi_s, Budi"}')
    assert "1234567890" not in shown
    assert "budi" not in shown.lower()


def test_bytes_that_are_no_text_are_shown_as_escapes_and_bounded() -> None:
    veil = Veil("unknown", "", sensitive=False)
    assert veil.payload(b"\x00\xff\x1b[31m") == "\\x00\\xff\\x1b[31m"
    assert len(veil.payload(b"x" * 10**6)) < 20_000
