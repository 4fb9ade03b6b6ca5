"""The pages as operators and viewers see them, checked by what they say, on both stores."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import event, text, update

from channels.base import Location, OutboundMessage
from gateway.console import letters as letter_model
from gateway.console.words import words
from gateway.dispatcher.rules import Row, Template
from gateway.evidence import MEDIA_TYPE, KeptRequest
from gateway.store.deadletters import bury
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.operations import audit, health, health_changes, instances, interactions, pauses, traffic
from gateway.store.tables import dead_letters, deliveries, outbox, updates
from gateway.updates.rules import Outcome
from normalizer.event import encode
from normalizer.messages import DeadLetter
from normalizer.tracking import shown
from tests.console.site import Browser
from tests.console.world import NAME, NOON, PHONE, Page, World, hidden, opened, said
from tests.inside import TOKEN

ANONYMOUS = f"ANONIM saya {NAME}, telepon 0812-9876-5432, melapor jembatan Cempaka runtuh"
SECRETS = (PHONE, "81298765432", "9876-5432", "Siti", "Rahmawati", "Cempaka")
AT = NOON.timestamp()


@pytest.fixture
async def world(store: Store, tmp_path: Path) -> AsyncIterator[World]:
    async with opened(store, tmp_path) as made:
        yield made


async def read(browser: Browser, path: str, *, status: int = 200) -> Page:
    answer = await browser.get(path)
    assert answer.status == status, (path, answer.location, answer.text[-2000:])
    return Page(answer.text)


async def buried(world: World, *letters: DeadLetter) -> None:
    async with world.store.write() as connection:
        await bury(connection, world.store, letters)


def letter(id_: str = "a" * 32, *, stage: str = "decode", raw: bytes = b"{}", **more: Any) -> DeadLetter:
    fields = {
        "channel": "sms",
        "reason": "undecodable",
        "detail": "no event",
        "at": NOON,
        "raw_type": "application/json",
    }
    return DeadLetter(id=id_, stage=stage, raw=raw, **(fields | more))  # type: ignore[arg-type]


async def seeded(world: World) -> str:
    """A row in every table that a page reads; returns the number of an anonymous case."""
    number = await world.case(said(ANONYMOUS, location=Location(-6.2, 106.8, f"Rumah {NAME}")))
    (reply,) = await world.rows(outbox)
    await world.add(
        deliveries,
        {
            "outbox_id": reply.id, "channel": "sms", "step": "attempt", "at": AT, "outcome": "refused",
            "detail": f"not_a_number: {PHONE} is barred", "provider_id": PHONE,
        },
    )  # fmt: skip
    await world.add(
        updates,
        {
            "id": "u-1", "number": number, "text": f"Yth. {NAME}, selesai.", "agency": "Dinas PU",
            "at": AT, "received_at": AT, "state_changed": False, "outcome": "told",
        },
    )  # fmt: skip
    out = OutboundMessage(delivery=reply.id, to=PHONE, text=reply.text, number=number)
    (row,) = await world.rows(outbox)
    kept = KeptRequest("POST", "/webhooks/sms", b"token=[secret]", "text/plain", f"ANONIM {NAME} {PHONE}".encode())
    await buried(
        world,
        letter("a" * 32, stage="dispatch", raw=encode(said(ANONYMOUS)), reason="bug"),
        letter("b" * 32, stage="deliver", raw=msgspec.json.encode(out), reason="refused", event_id=row.id),
        letter("c" * 32, stage="intake", raw=msgspec.json.encode(kept), raw_type=MEDIA_TYPE, reason="malformed"),
    )
    await world.add(health, {"channel": "sms", "part": "", "state": "down", "reason": "no answer", "since": AT})
    change = {"at": AT, "channel": "sms", "part": "sending", "was": "healthy", "state": "down", "reason": "no answer"}
    await world.add(health_changes, change)
    await world.add(
        interactions,
        {"channel": "sms", "at": AT, "direction": "out", "call": "GET /sendsms", "status": 503, "seconds": 0.1},
    )
    return number


async def test_no_page_of_an_anonymous_case_tells_who_or_what_until_somebody_asks(world: World) -> None:
    number = await seeded(world)
    event_id = (await world.rows(outbox))[0].event_id
    paths = [
        "/ops",
        f"/ops/cases/{number}",
        f"/ops/messages/{event_id}",
        "/ops/letters",
        *(f"/ops/letters/{id_ * 32}" for id_ in "abc"),
        "/ops/channels/sms",
        "/ops/channels/sms/calls",
        "/ops/channels/sms/changes",
        "/ops/audit",
    ]
    async with world.browser("ani") as browser:
        for path in paths:
            answer = await browser.get(path)
            assert answer.status == 200, path
            for secret in SECRETS:
                assert secret not in answer.text, (path, secret)
        asked = await browser.submit(f"/ops/cases/{number}/reveal", on=f"/ops/cases/{number}")
        for secret in (PHONE, NAME, "Cempaka"):
            assert secret in asked.text
    (row,) = await world.acts()
    assert (row.operator, row.action, row.subject) == ("ani", "reveal", number)


async def test_a_viewer_sees_no_action_and_cannot_take_one(world: World) -> None:
    number = await seeded(world)
    event_id = (await world.rows(outbox))[0].event_id
    actions = {
        f"/ops/cases/{number}": ("reveal", "write"),
        f"/ops/messages/{event_id}": ("reveal",),
        f"/ops/letters/{'a' * 32}": ("reveal", "replay", "discard"),
        "/ops/letters": ("replay",),
        "/ops/channels/sms": ("pause", "resume", "test"),
    }
    before = [list(await world.rows(table)) for table in (outbox, dead_letters, pauses, updates)]
    async with world.browser("budi") as browser:
        for place, names in actions.items():
            seen = await read(browser, place)
            shell = {"/ops/sign-out", "/ops/language"}
            assert set(seen.forms) <= shell, place
            for name in names:
                answer = await browser.submit(
                    f"{place}/{name}",
                    key="a" * 32,
                    text="x",
                    reason="x",
                    to=PHONE,
                    direction="in",
                    stage="x",
                    language="",
                )
                assert answer.status == 403, f"{place}/{name}"
    assert [list(await world.rows(table)) for table in (outbox, dead_letters, pauses, updates)] == before
    assert not await world.acts()


async def test_the_overview_shows_each_channel_and_what_changed(world: World) -> None:
    await seeded(world)
    minute = int(AT // 60) * 60
    counted = {"channel": "sms", "minute": minute, "instance": "i", "received": 7, "sent": 5, "failed": 0}
    await world.add(traffic, counted | {"latencies": ""})
    running = {"name": "h:1", "role": "all", "host": "h", "pid": 1, "version": "0.1.0", "started_at": AT, "told": "{}"}
    await world.add(instances, running | {"beat_at": time.time()})
    async with world.browser("budi") as browser:
        answer = await browser.get("/ops")
    seen = Page(answer.text)
    assert {"sms", "telegram"} <= set(seen.headings[0:20])
    assert {"/ops/channels/sms", "/ops/channels/telegram", "/ops/letters"} <= set(seen.links)
    assert "7 in, 5 out" in seen.text
    assert "no answer" in seen.text
    assert [row[1] for row in seen.rows if row and row[0] == "all"] == ["h, 1"]
    assert (
        "in each minute of the last hour: 7 in all, at most 7 in a minute, 0 in the minute that is not" in answer.text
    )


async def test_a_channel_s_charts_stand_on_its_page_as_figures_too(world: World) -> None:
    minute = int(AT // 60) * 60
    counted = {"channel": "sms", "instance": "i", "sent": 0, "failed": 0, "latencies": ""}
    await world.add(
        traffic, counted | {"minute": minute, "received": 7}, counted | {"minute": minute - 600, "received": 2}
    )
    async with world.browser("budi") as browser:
        seen = await read(browser, "/ops/channels/sms")
    rows = [row for row in seen.rows if len(row) == 2 and row[1].isdigit()]
    assert (len(rows), sum(int(row[1]) for row in rows)) == (12 + 24, 2 * (7 + 2))
    assert [row for row in rows if row[1] == "2"] == [["11:47", "2"], ["11:00", "2"]]
    assert [row[0] for row in rows if "not over yet" in row[0]] == ["11:57, not over yet", "12:00, not over yet"]


async def test_the_stream_sends_the_overview_s_fragments(world: World) -> None:
    async with world.browser("budi") as browser, browser.session.get(f"{world.url}/ops/live") as response:
        names = set()
        async for line in response.content:
            if line.startswith(b"event: "):
                names.add(line.decode().removeprefix("event: ").strip())
            if len(names) == 5:
                break
        assert names == {"vitals", "changes", "processes", "channel-sms", "channel-telegram"}
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_a_search_leads_on_and_leaves_no_trace_of_its_term(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    number = await world.case()
    async with world.browser("ani") as browser:
        answer = await browser.submit("/ops/cases", on="/ops/cases", term=shown(number))
        assert (answer.status, answer.location) == (303, f"/ops/cases/{number}")
        answer = await browser.submit("/ops/cases", on="/ops/cases", term="0812 9876 5432")
        assert f"/ops/cases/{number}" in Page(answer.text).links
        assert "5432" not in answer.text
        answer = await browser.submit("/ops/cases", on="/ops/cases", term="no such thing")
        assert "Nothing was found." in Page(answer.text).text
        assert (await browser.get(f"/ops/cases/{shown(number)}")).location == f"/ops/cases/{number}"
        await read(browser, "/ops/cases/4829137065", status=404)
        await read(browser, "/ops/cases/abc", status=404)
    (row,) = await world.acts()
    assert (row.action, row.detail) == ("search", "by sender: 1 cases")
    assert "5432" not in caplog.text


async def test_a_case_s_page_tells_its_way_in_words(world: World) -> None:
    number = await world.case()
    async with world.browser("budi") as browser:
        seen = await read(browser, f"/ops/cases/{number}")
        steps = [heading for heading in seen.headings if heading.split(":")[0] in words("en").values()]
        assert steps[1:] == [
            "Given by the provider",
            "Made an event: message",
            "Decided: 14, anything else: a new case",
            "Case opened",
            "Reply written: acknowledgement",
        ]
        assert "Jalan Merdeka rusak parah" in seen.text
    async with world.browser("budi", "id") as browser:
        seen = await read(browser, f"/ops/cases/{number}")
        assert "Diputuskan: 14, selain itu: laporan baru" in seen.headings


async def test_an_operator_writes_to_the_citizen_once_however_often_the_form_is_sent(world: World) -> None:
    number = await world.case()
    place = f"/ops/cases/{number}"
    async with world.browser("ani") as browser:
        key = hidden((await browser.get(place)).text, "key")
        form = {"key": key, "text": "Mohon kirim foto.", "language": "en"}
        for _ in range(2):
            answer = await browser.submit(f"{place}/write", on=place, **form)
            assert (answer.status, answer.location) == (303, f"{place}?said=written_told")
        seen = await read(browser, answer.location)
        assert "The message to the citizen is written and will be sent." in seen.text
        assert "an operator" in seen.text
    (news,) = [row for row in await world.rows(outbox) if row.template == "news"]
    assert news.text == f"News on report {shown(number)}: Mohon kirim foto."
    assert (news.channel, news.address, news.case_number, news.state) == ("sms", PHONE, number, "waiting")
    assert [(row.action, row.subject) for row in await world.acts()] == [("write", number)]


async def test_what_cannot_be_sent_to_a_citizen_is_refused(world: World) -> None:
    number = await world.case()
    forms = {
        "no text": {"text": ""},
        "blanks": {"text": " \n"},
        "too long": {"text": "x" * 2001},
        "a key of another's making": {"key": "../../x"},
        "a language without templates": {"language": "fr"},
    }
    async with world.browser("ani") as browser:
        for what, form in forms.items():
            sent = {"key": "a" * 32, "text": "x", "language": "", **form}
            assert (await browser.submit(f"/ops/cases/{number}/write", **sent)).status == 400, what
    assert not await world.rows(updates)


async def test_dead_letters_by_kind_and_one_by_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter_model, "PAGE", 2)
    good = encode(said("lampu jalan mati", id_="m-9"))
    await buried(world, *(letter(f"{n}" * 32, raw=good, reason="bug") for n in range(5)), letter("e" * 32))
    async with world.browser("ani") as browser:
        seen = await read(browser, "/ops/letters")
        assert [row[:3] for row in seen.rows if row[0] == "reading an event"][:2] == [
            ["reading an event", "bug", "5"],
            ["reading an event", "undecodable", "1"],
        ]
        ids: list[str] = []
        path = "/ops/letters"
        while path:
            seen = await read(browser, path)
            ids += [link.rpartition("/")[2] for link in seen.links if re.fullmatch(r"/ops/letters/[0-9a-f]{32}", link)]
            path = next((link for link in seen.links if "before=" in link), "")
        assert ids == ["e" * 32, *(f"{n}" * 32 for n in (4, 3, 2, 1, 0))]

        answer = await browser.submit(f"/ops/letters/{'0' * 32}/replay")
        assert answer.location == f"/ops/letters/{'0' * 32}?said=letter_replayed"
        answer = await browser.submit(f"/ops/letters/{'0' * 32}/replay")
        assert answer.location.endswith("said=letter_settled")
        answer = await browser.submit(f"/ops/letters/{'e' * 32}/replay")
        assert answer.status == 409
        assert "Not replayed: still cannot be decoded" in Page(answer.text).text
        answer = await browser.submit("/ops/letters/replay", stage="decode", reason="bug")
        assert answer.location.endswith("said=letters_replayed&n=4")
        answer = await browser.submit(
            f"/ops/letters/{'e' * 32}/discard", reason="a test of the carrier's, +6281298765432"
        )
        assert answer.location.endswith("said=letter_discarded")
        assert "No dead letter waits." in (await read(browser, "/ops/letters")).text
        assert "a test of the carrier's, +62812•••••32" in (await read(browser, "/ops/letters?settled=1")).text
    assert [(row.action, row.subject[:12]) for row in await world.acts()] == [
        ("replay", "0" * 12),
        ("replay", "e" * 12),
        *(("replay", f"{n}" * 12) for n in (1, 2, 3, 4)),
        ("discard", "e" * 12),
    ]


async def test_a_letter_s_bytes_are_shown_as_text_without_secrets_and_without_running(world: World) -> None:
    raw = f"token={TOKEN}&text=<script>alert(1)</script>&x=".encode() + b"\x00\xff" + b"y" * 100_000
    await buried(world, letter(raw=raw, stage="intake"))
    async with world.browser("ani") as browser:
        answer = await browser.submit(f"/ops/letters/{'a' * 32}/reveal", on=f"/ops/letters/{'a' * 32}")
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "<script>alert" not in answer.text
    assert TOKEN not in answer.text
    assert "\\x00" in answer.text
    assert len(answer.text) < 40_000


async def test_a_channel_is_paused_and_resumed_with_a_reason(world: World) -> None:
    place = "/ops/channels/sms"
    async with world.browser("ani") as browser:
        assert (await browser.submit(f"{place}/pause", direction="out")).status == 400
        answer = await browser.submit(f"{place}/pause", direction="out", reason="carrier at work")
        assert answer.location == f"{place}?said=paused_out"
        seen = await read(browser, answer.location)
        assert "carrier at work" in seen.text
        assert {"Resume outgoing", "Pause incoming"} <= set(seen.buttons)
        (pause,) = await world.rows(pauses)
        assert (pause.channel, pause.direction, pause.by) == ("sms", "out", "ani")
        answer = await browser.submit(f"{place}/resume", direction="out")
        assert answer.location == f"{place}?said=resumed_out"
    assert not await world.rows(pauses)
    told = [(row.action, row.subject, row.detail) for row in await world.acts()]
    assert told == [("pause", "sms", "out: carrier at work"), ("resume", "sms", "out")]


async def test_a_test_message_goes_through_the_outbox_once(world: World) -> None:
    place = "/ops/channels/sms"
    async with world.browser("ani") as browser:
        form = {"key": "b" * 32, "to": "0812 9876 5432"}
        for _ in range(2):
            assert (await browser.submit(f"{place}/test", **form)).location == f"{place}?said=test_written"
        assert (await browser.submit(f"{place}/test", key="c" * 32, to="no address!")).status == 400
        (row,) = await world.rows(outbox)
        assert (row.channel, row.address, row.template, row.state) == ("sms", PHONE, "test", "waiting")
        said_no = {"step": "attempt", "at": AT, "outcome": "refused", "detail": f"barred: {PHONE}"}
        await world.add(deliveries, said_no | {"outbox_id": row.id, "channel": "sms"})
        seen = await read(browser, place)
        assert "barred: +62812•••••32" in seen.text
    (told,) = await world.acts()
    assert (told.action, told.subject, told.detail) == ("test", "sms", "b" * 32)


async def test_a_channel_s_settings_and_calls_without_its_secrets(world: World) -> None:
    calls = [
        {"channel": "sms", "at": AT + n, "direction": "in", "call": f"POST {n}", "status": 200, "seconds": 0.01}
        for n in range(60)
    ]
    await world.add(interactions, *calls)
    async with world.browser("budi") as browser:
        answer = await browser.get("/ops/channels/sms")
        assert TOKEN not in answer.text
        assert "p4ssword" not in answer.text
        seen = Page(answer.text)
        values = {row[0].split()[0]: row[1] for row in seen.rows if len(row) == 3 and row[0]}
        assert (values["sender"], values["webhook_token"], values["password"]) == ("1708", "•••••", "•••••")
        older = next(link for link in seen.links if "/calls?before=" in link)
        more = await read(browser, older)
        shown_calls = [row[2] for page in (seen, more) for row in page.rows if len(row) == 7]
        assert [one for one in shown_calls if one != "Call"] == [f"POST {n}" for n in range(59, -1, -1)]
        await read(browser, "/ops/channels/nothing", status=404)
        await read(browser, "/ops/channels/sms/calls?before=x", status=400)


async def test_the_audit_is_read_newest_first_a_page_at_a_time(world: World) -> None:
    rows = [
        {"at": AT + n, "operator": "ani" if n % 2 else "budi", "action": "pause", "subject": f"s-{n}"}
        for n in range(120)
    ]
    await world.add(audit, *rows)
    async with world.browser("budi") as browser:
        found: list[str] = []
        path = "/ops/audit?operator=ani"
        while path:
            seen = await read(browser, path)
            found += [row[3] for row in seen.rows if row[1] == "ani"]
            path = next((link for link in seen.links if "before=" in link), "")
        assert found == [f"s-{n}" for n in range(119, 0, -2)]
        assert "Nothing was found." in (await read(browser, "/ops/audit?action=nothing")).text


SMALL = frozenset({"operators", "sessions", "pauses", "health", "instances", "forgotten", "leases", "blocks"})
"""Tables of some dozens of rows: reading one whole is no fault."""


async def test_no_page_reads_a_large_table_without_an_index(postgres: Any, tmp_path: Path) -> None:
    """With scans forbidden the planner takes one only where no index serves: so it would at a million cases."""
    store = Store(postgres.create())
    await migrate(store)
    asked: dict[str, Any] = {}

    @event.listens_for(store.engine.sync_engine, "before_cursor_execute")
    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            asked.setdefault(statement, parameters)

    try:
        async with opened(store, tmp_path) as world:
            number = await seeded(world)
            asked.clear()
            event_id = (await world.rows(outbox))[0].event_id
            asked.clear()
            async with world.browser("ani") as browser:
                for path in ("", f"/cases/{number}?before={event_id}", f"/messages/{event_id}", "/letters",
                             f"/letters/{'a' * 32}", f"/letters?before={'a' * 32}&stage=x&reason=y", "/channels/sms",
                             "/channels/sms/calls?before=9", "/audit?operator=ani&action=x&before=9"):  # fmt: skip
                    await read(browser, f"/ops{path}")
                for term in (number, PHONE, "m-1"):
                    await browser.submit("/ops/cases", on="/ops/cases", term=term)
                await browser.submit("/ops/letters/replay", stage="decode", reason="none")
            assert len(asked) > 20
            scans = await scanned(store, asked)
    finally:
        await store.close()
    assert not {(table, statement) for table, statement in scans if table not in SMALL}


async def scanned(store: Store, asked: dict[str, Any]) -> set[tuple[str, str]]:
    """The tables that a statement reads whole, though the planner would do anything else."""
    found = set()
    async with store.engine.connect() as connection:
        await connection.execute(text("SET enable_seqscan = off"))
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        for statement, parameters in asked.items():
            plan = await driver.fetch(f"EXPLAIN {statement}", *parameters)
            for row in plan:
                if match := re.search(r"Seq Scan on (\w+)", row[0]):
                    found.add((match[1], statement))
    return found


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        pytest.param("row", Row, id="rows of the table"),
        pytest.param("template", Template, id="templates"),
        pytest.param("update", Outcome, id="updates"),
        pytest.param("outcome", ["waiting", "sent", "delivered", "failed", "dead", "retry", "refused", "gave_up"], id="outcomes"),
        pytest.param("stage", ["intake", "decode", "dispatch", "case_update", "deliver"], id="stages"),
        pytest.param("said", [f"written_{outcome}" for outcome in Outcome], id="what became of words to a citizen"),
    ],
)  # fmt: skip
def test_there_is_a_word_for_everything_the_store_may_say(table: str, keys: list[str]) -> None:
    for language in ("id", "en"):
        missing = [key for key in keys if f"{table}.{key}" not in words(language)]
        assert not missing, language


def test_both_languages_have_the_same_words() -> None:
    assert set(words("id")) == set(words("en"))
    fields = {key: set(re.findall(r"\{\w+\}", words("en")[key])) for key in words("en")}
    assert {key: set(re.findall(r"\{\w+\}", said)) for key, said in words("id").items()} == fields


async def test_a_letter_that_was_replayed_is_not_discarded(world: World) -> None:
    await buried(world, letter())
    async with world.store.write() as connection:
        await connection.execute(update(dead_letters).values(replayed_at=AT, outcome="done"))
    async with world.browser("ani") as browser:
        answer = await browser.submit(f"/ops/letters/{'a' * 32}/discard", reason="x")
    assert answer.location.endswith("said=letter_settled")
    assert not await world.acts()
