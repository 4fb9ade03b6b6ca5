"""What a newcomer writes on any of the four devices goes the provider's way, and comes back with a number."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from tests.sandbox.browser import NUMBER, Browser

pytestmark = pytest.mark.asyncio(loop_scope="package")

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


CITIZENS = {"sms": "+6281234567001", "twitter": "warga_satu", "telegram": "500101", "email": "satu@example.org"}


async def test_a_message_comes_back_with_a_number_and_leads_to_its_case(browser: Browser) -> None:
    async def on(channel: str, citizen: str) -> None:
        said = await browser.write(channel, citizen, "Lampu jalan mati <b>gelap</b> sejak Senin")
        reply = await browser.reply(channel, citizen, said)
        found = NUMBER.search(reply["text"])
        assert found
        number = found[0].replace(" ", "")
        assert reply["case"] == number
        line = await browser.until(lambda line: line["id"] == said and line["case"] != "")
        assert (line["case"], line["state"]) == (number, "taken")
        assert "Lampu jalan mati <b>gelap</b> sejak Senin" in line["text"]

    await asyncio.gather(*(on(channel, citizen) for channel, citizen in CITIZENS.items()))


async def test_who_is_not_offered_by_the_page_is_from_then_on(browser: Browser) -> None:
    async with browser.http.get("/sandbox/status") as answer:
        status = await answer.json()
    assert [one["addresses"]["sms"] for one in status["citizens"][:3]] == [
        "+6281234567890",
        "+6281234567891",
        "+6281234567892",
    ]
    assert all(set(one["addresses"]) == {"sms", "twitter", "telegram", "email"} for one in status["citizens"][:3])
    await browser.write("sms", "+6281234567777", "halo")
    await browser.until_status(lambda now: {"sms": "+6281234567777"} in [one["addresses"] for one in now["citizens"]])


async def test_a_post_is_answered_in_its_thread_and_a_direct_message_in_private(browser: Browser) -> None:
    post = await browser.write("twitter", "warga_dua", "Halte bocor")
    answer = await browser.reply("twitter", "warga_dua", post)
    posted = browser.lines[post]
    assert (answer["reply_to"], answer["private"]) == (posted["message"], False)

    more = await browser.write("twitter", "warga_dua", "tambahan: kursinya juga patah", reply_to=answer["message"])
    await browser.write("twitter", "warga_dua", "STATUS", private=True)
    joined = await browser.until(lambda line: line["id"] == more and line["case"] != "")
    assert joined["case"] == answer["case"]
    state = await browser.until(lambda line: line["who"] == "gateway" and line["private"])
    assert (state["address"], state["case"]) == ("warga_dua", answer["case"])
    assert "Diterima" in state["text"]


async def test_the_bots_buttons_work(browser: Browser) -> None:
    said = await browser.write("telegram", "500201", "Got mampet di depan rumah")
    reply = await browser.reply("telegram", "500201", said)
    assert [button["data"] for button in reply["buttons"]] == ["anonymous", "add"]
    pressed = await browser.write("telegram", "500201", "", reply_to=reply["message"], press="anonymous")
    line = await browser.until(lambda line: line["id"] == pressed and line["case"] != "")
    assert line["case"] == reply["case"]


async def test_a_photo_is_sent_and_can_be_seen_again(browser: Browser) -> None:
    said = await browser.write("telegram", "500301", "Jalan berlubang", photo=PNG)
    await browser.reply("telegram", "500301", said)
    async with browser.http.get(f"/sandbox/photos/{browser.lines[said]['photo']}") as photo:
        assert (photo.status, photo.content_type, await photo.read()) == (200, "image/png", PNG)


async def test_an_answer_to_a_mail_joins_its_thread(browser: Browser) -> None:
    sender = "dua@example.org"
    said = await browser.write("email", sender, "Jembatan putus sejak banjir", subject="Jembatan")
    reply = await browser.reply("email", sender, said)
    assert reply["reply_to"] == browser.lines[said]["message"]
    assert reply["subject"].startswith("Re: Jembatan [")
    more = await browser.write("email", sender, "Foto menyusul besok", reply_to=reply["message"])
    joined = await browser.until(lambda line: line["id"] == more and line["case"] != "")
    assert joined["case"] == reply["case"]


async def test_who_comes_back_sees_what_was_said_and_goes_on_from_there(browser: Browser) -> None:
    said = await browser.write("sms", "+6281234567004", "Jalan rusak parah")
    reply = await browser.reply("sms", "+6281234567004", said)
    async with browser.http.get("/sandbox/events") as stream:
        place = ""
        seen: list[str] = []
        async with asyncio.timeout(10):
            async for raw in stream.content:
                seen.append(raw.decode())
                if raw.startswith(b"id: "):
                    place = raw.decode().removeprefix("id: ").strip()
                    break
    ids = [int(found[1]) for line in seen if (found := re.match(r'data: \{"id":(\d+)', line))]
    assert ids == sorted(ids)
    assert {said, reply["id"]} <= set(ids)
    fresh = await browser.write("sms", "+6281234567004", "di depan pasar")
    async with browser.http.get("/sandbox/events", headers={"Last-Event-ID": place}) as stream, asyncio.timeout(10):
        async for raw in stream.content:
            if not raw.startswith(b'data: {"id":'):
                continue
            line = json.loads(raw.removeprefix(b"data: "))
            # Nothing is told again but what is new or has changed since.
            assert line["number"] > int(place.split(".")[1])
            if line["id"] == fresh:
                break


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"channel": "nobody", "from": "+6281234567890", "text": "x"}, 404, "unknown_channel"),
        ({"channel": "sms", "from": " ", "text": "x"}, 400, "no_sender"),
        ({"channel": "sms", "from": "+6281234567890", "text": "x" * 2001}, 413, "too_large"),
        ({"channel": "email", "from": "a@example.org", "text": "x", "subject": "x" * 201}, 413, "too_large"),
        ({"channel": "telegram", "from": "500001", "text": "", "photo": b"GIF89a"}, 400, "no_photo"),
        ({"channel": "telegram", "from": "500001", "text": "", "photo": PNG + b"\0" * 1024 * 1024}, 413, "too_large"),
        ({"channel": "telegram", "from": "500001", "press": "add", "reply_to": "999"}, 400, "not_sent"),
        ({"channel": "twitter", "from": "warga_x", "text": "x", "reply_to": "999"}, 400, "not_sent"),
    ],
    ids=["channel", "sender", "text", "subject", "no photo", "large photo", "button", "thread"],
)
async def test_a_wrong_form_is_told(browser: Browser, fields: dict[str, Any], status: int, code: str) -> None:
    assert (await browser.post("messages", status, **fields))["error"]["code"] == code
