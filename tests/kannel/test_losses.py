"""What the gateway did not take is offered again, whatever ends meanwhile; the citizen and the logs see none of it."""

from __future__ import annotations

import pytest

from tests.kannel.conftest import CITIZEN, TOKEN, kannel_for, sendsms
from tests.kannel.peer import Kannel
from tests.kannel.recorder import Recorder
from tests.kannel.telco import Reply

FIVE = [f"pesan {n}" for n in range(5)]


def texts(gateway: Recorder) -> list[str]:
    return sorted(call.text for call in gateway.calls)


def ids(gateway: Recorder) -> set[str]:
    return {call.id for call in gateway.calls}


async def send_five(kannel: Kannel) -> None:
    for text in FIVE:
        await kannel.text(CITIZEN, text)


async def restart(kannel: Kannel, boxes: tuple[str, ...], signal: str) -> None:
    """End the boxes by ``kill`` or ``terminate`` and start them again."""
    for name in boxes:
        await getattr(getattr(kannel, name), signal)()
    if "bearerbox" in boxes:
        await kannel.telco.kill()
        await kannel.start_bearerbox()
    await kannel.start_smsbox()
    if "bearerbox" in boxes:
        await kannel.start_telco()


async def test_whatever_is_not_an_empty_answer_is_offered_again(kannel: Kannel, gateway: Recorder) -> None:
    refusals = [202, 301, 400, 401, 404, 413, 429, 500, 503]
    gateway.status = lambda call: int(call.text)
    for status in refusals:
        await kannel.text(CITIZEN, str(status))
    await gateway.until(2 * len(refusals))
    assert len(ids(gateway)) == len(refusals), "a message keeps its id"
    assert kannel.stored == sorted(ids(gateway))
    gateway.status = lambda _: 200
    await kannel.holds(0)


async def test_what_the_gateway_keeps_as_a_dead_letter_is_not_offered_again(kannel: Kannel, gateway: Recorder) -> None:
    gateway.status, gateway.dead_letter = (lambda _: 400), "0123456789abcdef"
    await kannel.text(CITIZEN, "tidak terbaca")
    await gateway.until(1)
    await kannel.holds(0)
    assert len(gateway.calls) == 1
    assert kannel.replies == []


async def test_refused_connections_are_tried_again(kannel: Kannel, gateway: Recorder) -> None:
    await gateway.stop()
    await send_five(kannel)
    await kannel.holds(5)
    await gateway.start()
    await kannel.holds(0)
    assert texts(gateway) == FIVE


async def test_a_gateway_that_dies_before_it_answers_is_asked_again(kannel: Kannel, gateway: Recorder) -> None:
    gateway.open.clear()
    await kannel.text(CITIZEN, "halo")
    await gateway.until(1)
    await gateway.stop()
    gateway.open.set()
    await gateway.start()
    first, second = await gateway.until(2)
    assert first == second
    await kannel.holds(0)


async def test_a_gateway_that_never_answers_is_asked_again(gateway: Recorder) -> None:
    async with kannel_for(gateway, http_timeout="1") as kannel:
        gateway.open.clear()
        await kannel.text(CITIZEN, "halo")
        first, second = (await gateway.until(2))[:2]
        assert first == second
        gateway.open.set()
        await kannel.holds(0)


@pytest.mark.parametrize("signal", ["kill", "terminate"])
@pytest.mark.parametrize("boxes", [("smsbox",), ("smsbox", "bearerbox")], ids="+".join)
async def test_nothing_is_lost_when_kannel_ends_while_the_gateway_refuses(
    kannel: Kannel, gateway: Recorder, boxes: tuple[str, ...], signal: str
) -> None:
    gateway.status = lambda _: 503
    await send_five(kannel)
    await gateway.until(5)
    offered = ids(gateway)
    await restart(kannel, boxes, signal)
    gateway.calls.clear()
    gateway.status = lambda _: 200
    await kannel.holds(0)
    assert texts(gateway) == FIVE
    assert ids(gateway) == offered


async def test_nothing_is_lost_when_kannel_is_killed_before_the_answer(kannel: Kannel, gateway: Recorder) -> None:
    gateway.open.clear()
    await send_five(kannel)
    await gateway.until(5)
    await restart(kannel, ("smsbox", "bearerbox"), "kill")
    gateway.open.set()
    await kannel.holds(0)
    assert texts(gateway) == sorted(FIVE * 2)
    assert len(ids(gateway)) == 5, "by its id the gateway knows a message again"


async def test_without_the_missing_part_the_others_go_on_alone(gateway: Recorder) -> None:
    async with kannel_for(gateway, sms_combine_concatenated_mo_timeout="1") as kannel:
        await kannel.part(CITIZEN, "satu", ref=7, index=1, total=3)
        await kannel.part(CITIZEN, "tiga", ref=7, index=3, total=3)
        await kannel.holds(2)
        await kannel.holds(0)
        assert texts(gateway) == ["satu", "tiga"]


async def test_parts_that_wait_when_kannel_is_killed_go_on_alone(gateway: Recorder) -> None:
    async with kannel_for(gateway, sms_combine_concatenated_mo_timeout="1") as kannel:
        await kannel.part(CITIZEN, "satu", ref=7, index=1, total=3)
        await kannel.part(CITIZEN, "dua", ref=7, index=2, total=3)
        await kannel.holds(2)
        await restart(kannel, ("smsbox", "bearerbox"), "kill")
        await kannel.part(CITIZEN, "tiga", ref=7, index=3, total=3)
        await gateway.until(3)
        await kannel.holds(0)
        assert texts(gateway) == ["dua", "satu", "tiga"]


async def test_a_reply_survives_a_kill_while_the_carrier_is_away(kannel: Kannel) -> None:
    await kannel.telco.kill()
    await kannel.bearerbox.until(
        lambda: kannel.bearerbox.count("fakesmsc client. Closing connection") > 0, "the end of the telco's link"
    )
    assert await sendsms(kannel, "menunggu") == (202, "3: Queued for later delivery")
    await kannel.holds(1)
    await restart(kannel, ("smsbox", "bearerbox"), "kill")
    assert await kannel.received(1) == [Reply("1708", CITIZEN, "menunggu", "gsm")]


async def test_kannel_texts_the_citizen_nothing_of_its_own(kannel: Kannel, gateway: Recorder) -> None:
    await kannel.text(CITIZEN, "diterima")
    await gateway.until(1)
    gateway.status = lambda _: 500
    await kannel.text(CITIZEN, "ditolak")
    await gateway.until(3)
    await gateway.stop()
    await kannel.text(CITIZEN, "tidak ada")
    await kannel.holds(2)
    gateway.status = lambda _: 200
    await gateway.start()
    await kannel.holds(0)
    await sendsms(kannel, "Nomor laporan Anda 482 913 7065")
    assert await kannel.received(1) == [Reply("1708", CITIZEN, "Nomor laporan Anda 482 913 7065", "gsm")]


async def test_no_log_holds_a_number_a_text_or_the_token(kannel: Kannel, gateway: Recorder) -> None:
    await kannel.text(CITIZEN, "rahasia sekali")
    await gateway.until(1)
    await gateway.stop()
    await kannel.text(CITIZEN, "rahasia sekali")
    await kannel.bearerbox.until(lambda: kannel.bearerbox.count("Couldn't fetch") > 0, "a failed call")
    await sendsms(kannel, "rahasia kita")
    await kannel.received(1)
    assert f"[id:{gateway.calls[0].id}]" in kannel.logs, "but every message has its line"
    for secret in (CITIZEN.removeprefix("+"), "rahasia", TOKEN, kannel.password, kannel.admin_password):
        assert secret not in kannel.logs
