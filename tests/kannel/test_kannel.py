"""What the shipped Kannel configuration passes on, both ways, shown on a real Kannel with fakesmsc as the telco."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio

from tests.kannel.conftest import CITIZEN, TOKEN, get, kannel_for, sendsms
from tests.kannel.peer import Kannel
from tests.kannel.recorder import Call, Recorder
from tests.kannel.telco import Coding, Reply
from tests.services import require

pytestmark = pytest.mark.asyncio(loop_scope="module")

JAVANESE = "ꦢꦭꦤ꧀ꦫꦸꦱꦏ꧀"


class Line:
    """One Kannel and its gateway for all tests of this module, cleared before each."""

    def __init__(self, gateway: Recorder, kannel: Kannel) -> None:
        self.gateway = gateway
        self.kannel = kannel

    async def clear(self) -> None:
        self.gateway.status = lambda _: 200
        await self.kannel.holds(0)
        self.gateway.calls.clear()
        self.kannel.telco.log.clear()

    async def arrival(self, text: str, *, sender: str = CITIZEN, coding: Coding = "gsm") -> Call:
        """What the gateway is asked for one text."""
        await self.kannel.text(sender, text, coding=coding)
        return await self.only()

    async def only(self) -> Call:
        """The one call, when nothing is left to hand on."""
        await self.gateway.until(1)
        await self.kannel.holds(0)
        [call] = self.gateway.calls
        return call


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Line]:
    require("kannel")
    async with Recorder() as recorder, kannel_for(recorder) as kannel:
        yield Line(recorder, kannel)


@pytest_asyncio.fixture(loop_scope="module")
async def line(shared: Line) -> Line:
    await shared.clear()
    return shared


@pytest.mark.parametrize(
    ("coding", "text"),
    [
        pytest.param("gsm", "Jalan rusak di depan SD 3 Tangkab", id="plain"),
        pytest.param("gsm", "^{}[~]\\| € harga", id="GSM extension characters"),
        pytest.param("gsm", "à é Å ñ ¿ Σ", id="GSM letters outside ASCII"),
        pytest.param("gsm", "a%20b+c&d=e#f?g;h", id="characters of a URL"),
        pytest.param("gsm", "  dua  spasi ", id="blanks"),
        pytest.param("gsm", "", id="empty"),
        pytest.param("gsm", "x" * 400, id="400 characters in one"),
        pytest.param("ucs2", "Banjir 😀 di kampung", id="emoji"),
        pytest.param("ucs2", JAVANESE, id="Javanese script"),
        pytest.param("ucs2", "الطريق مكسور", id="Arabic"),
        pytest.param("ucs2", "baris satu\nbaris dua\r\n\tlagi", id="line breaks"),
        pytest.param("ucs2", "’kutip’ †† अ ਅ ଅ", id="characters with octets 09 to 20"),
        pytest.param("ucs2", "nul\0nul", id="NUL"),
        pytest.param("ucs2", JAVANESE * 100, id="a URL of 9,000 octets"),
    ],
)
async def test_a_text_arrives_as_it_was_written(line: Line, coding: Coding, text: str) -> None:
    before = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    call = await line.arrival(text, coding=coding)
    assert call.path == "/webhooks/sms"
    fields = dict(call.fields)
    assert before <= datetime.fromisoformat(fields.pop("ts")) <= before + timedelta(minutes=5), "ts is UTC"
    assert uuid.UUID(fields.pop("id"))
    assert fields == {"token": TOKEN, "from": CITIZEN, "to": "1708", "text": text, "charset": "UTF-8"}


async def test_octets_of_no_alphabet_are_passed_on_as_they_are(line: Line) -> None:
    call = await line.arrival("caf\xe9", coding="binary")
    assert call.fields["charset"] == "8-BIT"
    assert call.text.encode("utf-8", "surrogateescape") == b"caf\xe9"


async def test_an_alphanumeric_sender_is_passed_on(line: Line) -> None:
    assert (await line.arrival("Pulsa Anda habis", sender="TELKOMSEL")).fields["from"] == "TELKOMSEL"


async def test_400_characters_in_parts_arrive_as_one(line: Line) -> None:
    text = " ".join(f"kalimat{n}" for n in range(50))[:400]
    assert await line.kannel.long_text(CITIZEN, text, ref=1) == 3
    assert (await line.only()).text == text


async def test_parts_out_of_order_arrive_as_one(line: Line) -> None:
    for index, text in ((3, "tiga"), (1, "satu "), (2, "dua ")):
        await line.kannel.part(CITIZEN, text, ref=2, index=index, total=3)
    assert (await line.only()).text == "satu dua tiga"


@pytest.mark.parametrize(
    ("text", "coding", "shown"),
    [
        pytest.param("Halo 482 913 7065", "0", Reply("1708", CITIZEN, "Halo 482 913 7065", "gsm"), id="plain"),
        pytest.param("€^{}[~]\\| é", "0", Reply("1708", CITIZEN, "€^{}[~]\\| é", "gsm"), id="GSM"),
        pytest.param("satu\ndua", "0", Reply("1708", CITIZEN, "satu\ndua", "gsm"), id="line break"),
        pytest.param(JAVANESE, "2", Reply("1708", CITIZEN, JAVANESE, "ucs2"), id="UCS-2"),
        pytest.param("Halo 😀", "2", Reply("1708", CITIZEN, "Halo 😀", "ucs2"), id="emoji"),
        pytest.param("x" * 400, "0", Reply("1708", CITIZEN, "x" * 400, "gsm", parts=3), id="400 characters"),
        pytest.param("ꦲ" * 100, "2", Reply("1708", CITIZEN, "ꦲ" * 100, "ucs2", parts=2), id="long UCS-2"),
        pytest.param("ꦲ é", "0", Reply("1708", CITIZEN, "? é", "gsm"), id="what GSM lacks is a ?, without coding=2"),
    ],
)
async def test_a_reply_reaches_the_phone(line: Line, text: str, coding: str, shown: Reply) -> None:
    assert await sendsms(line.kannel, text, coding=coding) == (202, "0: Accepted for delivery")
    await sendsms(line.kannel, "dan satu lagi")
    assert await line.kannel.received(2) == [shown, Reply("1708", CITIZEN, "dan satu lagi", "gsm")]


@pytest.mark.parametrize(
    ("more", "answer"),
    [
        pytest.param({"password": "wrong"}, (403, "Authorization failed for sendsms"), id="password"),
        pytest.param({"source": "127.0.0.2"}, (403, "Authorization failed for sendsms"), id="address"),
        pytest.param({"to": ""}, (400, "Empty receiver number not allowed, rejected"), id="no receiver"),
        pytest.param({"from": ""}, (400, "Sender missing and no global set, rejected"), id="no sender"),
    ],
)
async def test_sendsms_refuses(line: Line, more: dict[str, str], answer: tuple[int, str]) -> None:
    assert await sendsms(line.kannel, "halo", **more) == answer


async def test_receipts_come_to_dlr_url_and_are_offered_until_taken(line: Line) -> None:
    gateway = line.gateway
    gateway.status = lambda _: 503
    url = f"{gateway.url}/webhooks/sms/status?token={TOKEN}&delivery=d-1&to={quote(CITIZEN)}"
    # Kannel fills in %d and reads %% as one percent sign.
    await sendsms(line.kannel, "halo", **{"dlr-mask": "31", "dlr-url": url.replace("%", "%%") + "&status=%d"})
    await gateway.until(3)
    gateway.status = lambda _: 200
    seen = len(gateway.calls)
    calls = await gateway.until(seen + 2)
    assert {call.path for call in calls} == {"/webhooks/sms/status"}
    assert all(call.fields.items() >= {"token": TOKEN, "delivery": "d-1", "to": CITIZEN}.items() for call in calls)
    # 8: the carrier has it; 1: the phone has it. With fakesmsc Kannel makes both, and no other, itself.
    assert {call.fields["status"] for call in calls} == {"8", "1"}


async def test_the_status_page_is_for_this_machine_and_the_password(line: Line) -> None:
    url, password = f"{line.kannel.admin_url}/status.txt", line.kannel.status_password
    _, page = await get(url, {"password": password})
    assert "gateway[gateway]" in page
    assert "from-carrier[from-carrier]" in page
    assert "Denied" in (await get(url, {"password": "wrong"}))[1]
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await get(url, {"password": password}, source="127.0.0.2")
