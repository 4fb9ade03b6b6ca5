"""Everything that goes over the wire, either way, is as the Bot API's own description says."""

from __future__ import annotations

from typing import Any

import pytest

from channels.errors import Refused
from channels.telegram import TelegramSettings
from channels.telegram.content import SERVICE
from channels.telegram.inbound import ALLOWED
from channels.telegram.standin import StandIn
from channels.telegram.standins import shapes
from tests.channels.goldens import Golden, goldens, label
from tests.channels.telegram.kit import KIT
from tests.channels.telegram.spec import (
    described,
    description,
    faults,
    faults_of_answer,
    faults_of_call,
    typed,
)
from tests.channels.telegram.world import SARI, Gateway, account, hooked, pair, reply

pytestmark = described

GROUP = shapes.group(-1001234567890, forum=True)
ODD = {"a message of a kind that nobody has seen", "an update of a kind that nobody has seen"}
"""Fixtures that no description of today has."""


USUAL = [one for one in goldens("telegram", "inbound") if "update" in one.case and one.name not in ODD]


@pytest.mark.parametrize("golden", USUAL, ids=label)
def test_a_fixture_is_an_update(golden: Golden) -> None:
    assert faults(golden.case["update"], "Update") == []


@pytest.mark.parametrize("golden", goldens("telegram", "outbound"), ids=label)
async def test_what_we_send_is_a_call(golden: Golden) -> None:
    for call in (await KIT.exchange(golden)).received:
        assert faults_of_call(call["method"], typed(call["method"], call["parameters"])) == []


async def everything(standin: StandIn, channel: Any, webhook_url: str) -> None:
    """All that the stand-in can be asked, by citizens and by the channel."""
    posted = await standin.text(webhook_url, SARI, "Jalan rusak /status@lapor1708_bot @lapor1708_bot")
    await standin.edit(webhook_url, posted.message, "Jalan rusak sekali")
    await standin.photo(webhook_url, SARI, "Lubang")
    await standin.album(webhook_url, SARI, "Tiga", 3)
    await standin.say(webhook_url, SARI, location={"latitude": -6.2, "longitude": 106.8})
    await standin.text(webhook_url, SARI, "@lapor1708_bot lampu", chat=GROUP, topic=40, reply_to=1)
    await standin.text(webhook_url, SARI, "Balasan", reply_to=posted.message["message_id"])
    await standin.migrate(webhook_url, SARI, -4321, -1009876543210)
    await channel.send(reply(purpose="acknowledgement"))
    await standin.press(webhook_url, standin.sent[-1], "add")
    await channel.send(reply(chat=-4321))
    await standin.block(webhook_url, SARI)
    with pytest.raises(Refused):
        await channel.send(reply())
    await channel.probe()
    await channel.register()
    assert b"".join([piece async for piece in channel.api.file("photo1")]) == b"photo"
    for source in channel.sources():
        cursor = (await source.fetch("")).cursor
        await standin.text(webhook_url, SARI, "lagi")
        await source.fetch(cursor)


@pytest.mark.parametrize("settings", [account(), hooked()], ids=["polling", "webhook"])
async def test_the_stand_in_speaks_as_described(settings: TelegramSettings) -> None:
    async with pair(settings) as (standin, channel), Gateway(channel) as gateway:
        await everything(standin, channel, gateway.url)
        asked = {call.method for call in standin.calls}
        assert asked >= {"getMe", "sendMessage", "getFile"}
        assert asked >= ({"getUpdates", "deleteWebhook"} if settings.mode == "polling" else {"setWebhook"})
        assert len(standin.updates) >= 12
        assert [fault for update in standin.updates for fault in faults(update, "Update")] == []
        for call in standin.calls:
            assert faults_of_call(call.method, call.parameters) == []
            assert faults_of_answer(call.method, call.status, call.answer) == []


def test_what_we_know_of_messages_is_described() -> None:
    message = {field["name"] for field in description()["types"]["Message"]["fields"]}
    update = {field["name"] for field in description()["types"]["Update"]["fields"]}
    assert message >= SERVICE
    assert update >= set(ALLOWED)


@pytest.mark.parametrize(
    ("value", "type_", "fault"),
    [
        ({"update_id": "5"}, "Update", "Update.update_id is no Integer: '5'"),
        ({"update_id": True}, "Update", "Update.update_id is no Integer: True"),
        ({}, "Update", "Update.update_id is missing"),
        ({"update_id": 5, "mesage": {}}, "Update", "Update.mesage is not described"),
        ({"update_id": 5, "message": {"message_id": 1, "date": 1}}, "Update", "Update.message.chat is missing"),
        ([{"type": "bold", "offset": 0}], "Array of MessageEntity", "[0].length is missing"),
        ({"status": "gone", "user": {}, "until_date": 0}, "ChatMemberBanned", "ChatMemberBanned.status is not kicked"),
    ],
)
def test_the_check_finds(value: Any, type_: str, fault: str) -> None:
    assert fault in faults(value, type_)
