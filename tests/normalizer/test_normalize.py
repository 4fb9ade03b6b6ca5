"""From an inbound message to the event, for anything a channel can hand in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Attachment, InboundKind, InboundMessage, Location, Part, Receipt, Sender, Thread
from normalizer.event import ComplaintEvent, EventChannel, Privacy, Raw, decode, encode
from normalizer.normalize import MAX_TEXT, Normalizer
from normalizer.privacy import ANONYMOUS, BOTH
from tests.normalizer.make import NOW, PHONE, normalizer, sms

ANY = st.text(st.characters(exclude_categories=()), max_size=80)
NUMBERS = st.integers(-(10**30), 10**30)
TIMES = st.none() | st.datetimes(
    timezones=st.none()
    | st.just(UTC)
    | st.just(timezone(timedelta(hours=14)))
    | st.just(timezone(-timedelta(hours=12)))
)
KINDS: st.SearchStrategy[InboundKind] = st.sampled_from(["message", "edit", "deletion", "part", "receipt"])


def event(text: str = "jalan rusak", **fields: Any) -> ComplaintEvent:
    return normalizer().event(sms(text, **fields), NOW)


def test_a_short_message_through_and_through() -> None:
    sent = datetime(2026, 11, 22, 14, 59, tzinfo=timezone(timedelta(hours=7)))
    message = sms(
        "TANGKAB ANONIM jalan rusak, blm diperbaiki\r\n",
        sent_at=sent,
        raw=b"from=%2B6281234567890",
        raw_type="application/x-www-form-urlencoded",
    )
    made = normalizer().event(message, NOW)
    assert made == ComplaintEvent(
        id=made.id,
        channel=EventChannel("sms", "sms-telkomsel", "0d3cf9e2"),
        sender=made.sender,
        recipient="1708",
        sent_at=datetime(2026, 11, 22, 7, 59, tzinfo=UTC),
        received_at=NOW,
        text="TANGKAB ANONIM jalan rusak, blm diperbaiki",
        original="TANGKAB ANONIM jalan rusak, blm diperbaiki\r\n",
        language="id",
        region="TANGKAB",
        privacy=ANONYMOUS,
        raw=Raw("application/x-www-form-urlencoded", 21, b"from=%2B6281234567890"),
    )
    assert (made.sender.address, made.sender.kind, len(made.sender.key)) == ("+6281234567890", "phone", 32)
    assert normalizer().event(message, NOW + timedelta(days=2)).id == made.id


def test_the_document_begins_with_its_schema_and_leaves_out_what_is_absent() -> None:
    document = msgspec.json.decode(encode(event()))
    assert next(iter(document.items())) == ("schema", 1)
    assert set(document) == {"schema", "id", "channel", "sender", "recipient", "received_at", "text", "language"}
    assert set(document["channel"]) == {"type", "instance", "message_id"}


def test_a_document_of_another_schema_is_refused_and_a_later_field_is_not() -> None:
    document = encode(event())
    assert decode(document.replace(b'"text":', b'"mood":"angry","text":')) == event()
    with pytest.raises(msgspec.ValidationError, match="schema"):
        decode(document.replace(b'"schema":1', b'"schema":2'))


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="received_at"):
        decode(encode(event()).replace(b"08:00:00Z", b"08:00:00"))


def test_the_original_is_kept_where_it_differs() -> None:
    assert event("jalan rusak").original == ""
    assert event("jalan\x00 rusak").original == "jalan\ufffd rusak"
    assert event("ja\u200blan").original == "ja\u200blan"


def test_a_long_text_is_cut_and_its_command_still_read() -> None:
    long = "STATUS 4829137065 " + "x" * 1_000_000
    made = event(long, raw=long.encode())
    assert (made.intent, made.numbers) == ("status", ("4829137065",))
    assert (len(made.text), made.original) == (MAX_TEXT, "")
    assert made.raw is not None
    assert made.raw.size == len(long)


@pytest.mark.parametrize(
    ("subject", "text", "expected"),
    [
        pytest.param("Jalan rusak", "", ("Jalan rusak", "Jalan rusak", "complaint"), id="only a subject"),
        pytest.param("Jalan rusak", " \n", ("Jalan rusak", "Jalan rusak", "complaint"), id="a blank text"),
        pytest.param("Jalan rusak", "di Bogor", ("Jalan rusak", "di Bogor", "complaint"), id="both"),
        pytest.param("BERHENTI", "", ("BERHENTI", "BERHENTI", "stop"), id="a command as the subject"),
        pytest.param("", "", ("", "", "empty"), id="neither"),
        pytest.param("Jalan\r\nrusak", "x y", ("Jalan rusak", "x y", "complaint"), id="a subject of two lines"),
    ],
)
def test_subject(subject: str, text: str, expected: tuple[str, str, str]) -> None:
    made = event(text, subject=subject)
    assert (made.subject, made.text, made.intent) == expected


@pytest.mark.parametrize(
    ("subject", "text", "privacy"),
    [
        pytest.param("", "RAHASIA ANONIM pungli", BOTH, id="in front"),
        pytest.param("", "LAPOR BARU ANONIM pungli", ANONYMOUS, id="behind LAPOR BARU"),
        pytest.param("", "pungli, jangan sebut nama saya", ANONYMOUS, id="plain words"),
        pytest.param("", "RAHASIA pungli, jangan sebut nama saya", BOTH, id="in front and plain words"),
        pytest.param("ANONIM", "pungli di sekolah", ANONYMOUS, id="in the subject"),
        pytest.param("", "pungli, sudah rahasia umum", Privacy(), id="an idiom"),
    ],
)
def test_privacy(subject: str, text: str, privacy: Privacy) -> None:
    assert event(text, subject=subject).privacy == privacy


@pytest.mark.parametrize(
    ("fields", "intent"),
    [
        pytest.param({}, "empty", id="nothing at all"),
        pytest.param({"attachments": (Attachment("a.jpg", "image/jpeg"),)}, "complaint", id="a photo"),
        pytest.param({"location": Location(-6.2, 106.8)}, "complaint", id="a place"),
    ],
)
def test_a_photo_or_a_place_without_words_is_not_empty(fields: dict[str, Any], intent: str) -> None:
    assert event("", **fields).intent == intent


@pytest.mark.parametrize("kind", ["part", "receipt"])
def test_nothing_is_read_from_a_part_or_a_receipt(kind: str) -> None:
    made = event("ANONIM STATUS 4829137065 yang ", kind=kind)
    assert (made.intent, made.numbers, made.privacy, made.language) == ("complaint", (), Privacy(), "")
    assert made.text == "ANONIM STATUS 4829137065 yang "


@pytest.mark.parametrize(
    "days", [pytest.param(-3, id="3 days behind"), pytest.param(3, id="3 days ahead"), pytest.param(5000, id="years")]
)
def test_a_wrong_clock_is_kept_as_evidence_and_ours_counts(days: int) -> None:
    sent = NOW + timedelta(days=days)
    made = event(sent_at=sent)
    assert (made.sent_at, made.received_at) == (sent, NOW)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        pytest.param({"subject": "Lampu"}, {"subject": "Lampu"}, id="subject"),
        pytest.param({"quoted": "> a"}, {"quoted": "> a"}, id="quoted history"),
        pytest.param({"automated": "bounce"}, {"automated": "bounce"}, id="reason for a robot"),
        pytest.param({"part": Part("7", 1, 2)}, {"part": Part("7", 1, 2)}, id="part"),
        pytest.param({"receipt": Receipt("failed", "d1")}, {"receipt": Receipt("failed", "d1")}, id="receipt"),
        pytest.param({"location": Location(-6.2, 106.8)}, {"location": Location(-6.2, 106.8)}, id="place"),
        pytest.param(
            {"attachments": (Attachment("a.jpg", "image/jpeg", 9),)},
            {"attachments": (Attachment("a.jpg", "image/jpeg", 9),)},
            id="file",
        ),
        pytest.param({"edited_at": NOW, "kind": "edit"}, {"kind": "edit"}, id="edit"),
        pytest.param({"sent_at": NOW}, {"sent_at": NOW}, id="time of sending"),
        pytest.param({"recipient": ""}, {"recipient": ""}, id="no recipient"),
        pytest.param({"raw": b"x", "raw_type": "text/plain"}, {"raw": Raw("text/plain", 1, b"x")}, id="payload"),
        pytest.param(
            {"text": "TANGKAB jalan rusak"}, {"text": "TANGKAB jalan rusak", "region": "TANGKAB"}, id="region"
        ),
        pytest.param(
            {"text": "LAPOR BARU jalan rusak"}, {"text": "LAPOR BARU jalan rusak", "new_case": True}, id="new case"
        ),
        pytest.param(
            {"text": "STATUS 4829137066"},
            {"text": "STATUS 4829137066", "intent": "status", "bad_numbers": ("4829137066",), "language": ""},
            id="bad number",
        ),
        pytest.param(
            {"text": "jalan rusak, lanjutan laporan 4829137065"},
            {
                "text": "jalan rusak, lanjutan laporan 4829137065",
                "intent": "follow_up",
                "numbers": ("4829137065",),
            },
            id="number",
        ),
        pytest.param(
            {"text": "RAHASIA jalan rusak"},
            {"text": "RAHASIA jalan rusak", "privacy": Privacy(confidential=True)},
            id="wish",
        ),
        pytest.param({"authentication": {"spf": "pass"}}, {"authentication": {"spf": "pass"}}, id="authentication"),
    ],
)
def test_each_field_alone_makes_its_own_difference(given: dict[str, Any], made: dict[str, Any]) -> None:
    plain = event()
    one = event(**given)
    assert msgspec.structs.asdict(one) == {**msgspec.structs.asdict(plain), **made, "id": one.id}


def test_a_robots_reason_is_passed_on() -> None:
    assert event(automated="alphanumeric sender").automated == "alphanumeric sender"


def test_a_large_payload_is_named_by_its_place() -> None:
    made = normalizer().event(sms(raw=b"x" * 70_000, raw_type="message/rfc822"), NOW, raw_stored="raw/ab/cdef")
    assert made.raw == Raw("message/rfc822", 70_000, b"", "raw/ab/cdef")


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(Location(float("nan"), 106.8), id="not a number"),
        pytest.param(Location(-6.2, float("inf")), id="infinite"),
        pytest.param(Location(-96.2, 106.8), id="off the globe"),
    ],
)
def test_a_place_that_is_none_is_left_to_the_payload(place: Location) -> None:
    assert event(location=place).location is None


def test_a_sender_is_one_person_over_all_instances_of_a_type() -> None:
    other = Normalizer("sms", "sms-indosat", secret=b"secret")
    mail = Normalizer("email", "mail", secret=b"secret")
    made = [maker.event(sms(), NOW) for maker in (normalizer(), other, mail)]
    assert made[0].sender.key == made[1].sender.key != made[2].sender.key
    assert len({one.id for one in made}) == 3


@pytest.mark.parametrize("secret", [pytest.param(b"", id="empty"), pytest.param(b"x" * 65, id="too long")])
def test_a_secret_that_cannot_key_the_hash_is_refused(secret: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        normalizer(secret=secret)


@st.composite
def messages(draw: st.DrawFn) -> InboundMessage:
    """Any message that the types allow, and some that they do not forbid: huge numbers, NaN, lone surrogates."""
    files = st.builds(Attachment, name=ANY, media_type=ANY, size=NUMBERS, sha256=ANY, stored=ANY, reference=ANY)
    return InboundMessage(
        kind=draw(KINDS),
        sender=Sender(draw(ANY), draw(st.sampled_from(["phone", "email", "unknown"])), draw(ANY)),
        recipient=draw(ANY),
        provider_id=draw(st.none() | ANY),
        sent_at=draw(TIMES),
        edited_at=draw(TIMES),
        subject=draw(ANY),
        text=draw(ANY),
        quoted=draw(ANY),
        thread=draw(st.builds(Thread, ANY, st.tuples(ANY), ANY, st.booleans())),
        part=draw(st.none() | st.builds(Part, ANY, NUMBERS, NUMBERS)),
        receipt=draw(st.none() | st.builds(Receipt, st.just("delivered"), ANY, ANY, ANY)),
        location=draw(st.none() | st.builds(Location, st.floats(), st.floats(), ANY)),
        attachments=draw(st.lists(files, max_size=2).map(tuple)),
        automated=draw(ANY),
        raw=draw(st.binary(max_size=20)),
        raw_type=draw(ANY),
    )


@given(messages())
def test_any_message_makes_an_event_that_can_be_written_and_read_back(message: InboundMessage) -> None:
    made = normalizer().event(message, NOW)
    document = encode(made)
    assert decode(document) == made
    assert b"\\u0000" not in document  # PostgreSQL's text cannot hold it
    if message.provider_id:
        assert normalizer().event(message, NOW + timedelta(hours=1)).id == made.id


@given(st.text())
def test_any_text_makes_an_event(text: str) -> None:
    made = event(text)
    assert decode(encode(made)) == made


class TestJoined:
    """The parts of a long message."""

    TEXT = "TANGKAB ANONIM jalan rusak parah di depan SD 3, sudah 2 bulan. "

    def parts(self, *texts: str, **fields: Any) -> list[ComplaintEvent]:
        return [
            normalizer().event(
                sms(
                    text,
                    kind="part",
                    provider_id=f"id-{index}",
                    part=Part("7", index, len(texts)),
                    raw=text.encode(),
                    **fields,
                ),
                NOW + timedelta(seconds=10 - index),
            )
            for index, text in enumerate(texts, start=1)
        ]

    def test_in_the_order_of_their_index_whatever_order_they_came_in(self) -> None:
        parts = self.parts("TANGKAB ANONIM jalan ", "rusak, blm diper", "baiki ")
        whole = normalizer().joined([parts[2], parts[0], parts[1]], incomplete=False)
        assert whole == normalizer().joined(parts, incomplete=False)
        assert whole.text == "TANGKAB ANONIM jalan rusak, blm diperbaiki"
        assert (whole.kind, whole.region, whole.privacy, whole.language) == ("message", "TANGKAB", ANONYMOUS, "id")
        assert (whole.part, whole.raw, whole.incomplete) == (None, None, False)
        assert whole.received_at == NOW + timedelta(seconds=7)
        assert whole.channel.message_id == "id-1"
        assert decode(encode(whole)) == whole

    def test_a_command_over_two_parts_is_read(self) -> None:
        whole = normalizer().joined(self.parts("STATUS 48291", "37065"), incomplete=False)
        assert (whole.intent, whole.numbers) == ("status", ("4829137065",))

    def test_a_part_that_came_twice_counts_once(self) -> None:
        first, second = self.parts("jalan ", "rusak")
        again = normalizer().event(
            sms("jalan ", kind="part", provider_id=None, part=Part("7", 1, 2)), NOW + timedelta(minutes=1)
        )
        assert again.id != first.id
        whole = normalizer().joined([again, second, first], incomplete=False)
        assert whole == normalizer().joined([first, second], incomplete=False)

    def test_the_id_is_of_the_set_not_of_the_order_or_the_time(self) -> None:
        parts = self.parts("jalan ", "rusak ", "parah")
        whole = normalizer().joined(parts, incomplete=False)
        assert normalizer().joined(parts[:2], incomplete=True).id == whole.id
        assert normalizer().joined(parts[1:], incomplete=True).id != whole.id
        assert whole.id not in {part.id for part in parts}

    def test_a_missing_part_is_told(self) -> None:
        first, _, third = self.parts("jalan ", "rusak ", "parah")
        whole = normalizer().joined([first, third], incomplete=True)
        assert (whole.text, whole.incomplete) == ("jalan parah", True)

    def test_an_album_is_one_message_with_all_its_files(self) -> None:
        photos = [Attachment(f"{n}.jpg", "image/jpeg", reference=f"file-{n}") for n in (1, 2)]
        parts = [
            normalizer().event(
                sms(text, kind="part", provider_id=str(n), part=Part("album", n), attachments=(photo,)), NOW
            )
            for n, (text, photo) in enumerate(zip(["jalan rusak", "sisi timur"], photos, strict=True), start=1)
        ]
        whole = normalizer().joined(parts, incomplete=False)
        assert whole.attachments == tuple(photos)
        assert whole.text == "jalan rusak\nsisi timur"

    def test_an_album_without_a_word_is_a_complaint(self) -> None:
        photo = Attachment("1.jpg", "image/jpeg")
        (part,) = self.parts("", attachments=(photo,))
        assert normalizer().joined([part], incomplete=False).intent == "complaint"

    def test_what_differs_from_the_text_is_kept_as_the_original(self) -> None:
        whole = normalizer().joined(self.parts("jalan\u200b ", "rusak "), incomplete=False)
        assert (whole.text, whole.original) == ("jalan rusak", "jalan\u200b rusak ")

    def test_no_parts_make_no_message(self) -> None:
        with pytest.raises(ValueError, match="no parts"):
            normalizer().joined([], incomplete=True)

    @given(st.lists(messages(), min_size=1, max_size=4), st.booleans())
    def test_any_parts_make_an_event_that_can_be_written(self, given: list[InboundMessage], incomplete: bool) -> None:
        parts = [normalizer().event(msgspec.structs.replace(m, sender=PHONE, kind="part"), NOW) for m in given]
        whole = normalizer().joined(parts, incomplete=incomplete)
        assert decode(encode(whole)) == whole
