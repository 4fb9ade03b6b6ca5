"""Reply texts: what fits a short message, what an operator may change, and what is told at the start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from channels import registry
from channels.sms.segments import measure
from gateway.dispatcher.rules import Template
from gateway.replies import LANGUAGES, NAMES, STATES, Replies, ReplyTemplateError

SHOWN, TYPED = "482 913 7065", "4829137065"
TYPES = registry.types()


def replies(override: Path | None = None) -> Replies:
    return Replies(override=override, default_language="id", channel_types=TYPES)


def rendered(name: str, language: str, state: str = "in_progress", made: Replies | None = None) -> str:
    return (made or replies()).render(
        name, language=language, channel_type="sms", number=SHOWN, typed=TYPED, state=state
    )


def test_every_reply_the_rules_can_give_has_a_template() -> None:
    assert {template.value for template in Template} | {"acknowledgement_public"} == set(NAMES)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_reply_by_sms_fits_one_segment(name: str, language: str, state: str) -> None:
    segments = measure(rendered(name, language, state))
    assert (segments.encoding, segments.count) == ("gsm", 1)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["acknowledgement", "joined", "repeated", "flood", "status", "news", "news_public"])
def test_the_number_is_the_first_long_group_of_digits_in_groups(name: str, language: str) -> None:
    digits = re.findall(r"\d[\d ]{5,}\d", rendered(name, language))
    assert digits[0] == SHOWN


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["not_found", "check_number", "no_case", "help", "stopped", "status_public"])
def test_a_reply_that_must_tell_nothing_holds_no_number(name: str, language: str) -> None:
    text = rendered(name, language)
    assert SHOWN not in text
    assert TYPED not in text


NEWS = {"number": SHOWN, "agency": "Dinas PU", "text": "Jalan {{ x }} & <b>\nselesai.", "when": "22-11-2026 10:31"}


@pytest.mark.parametrize(
    ("language", "kind", "more", "text"),
    [
        ("id", "sms", {}, f"Kabar laporan {SHOWN} (Dinas PU): Jalan {{{{ x }}}} & <b>\nselesai."),
        ("en", "sms", {"agency": ""}, f"News on report {SHOWN}: Jalan {{{{ x }}}} & <b>\nselesai."),
        ("id", "email", {}, f"Kabar laporan {SHOWN} dari Dinas PU: Jalan {{{{ x }}}} & <b>\nselesai."),
        ("en", "email", {}, f"News on report {SHOWN} from Dinas PU: Jalan {{{{ x }}}} & <b>\nselesai."),
        ("en", "email", {"agency": ""}, f"News on report {SHOWN}: Jalan {{{{ x }}}} & <b>\nselesai."),
    ],
    ids=["sms", "sms, no agency", "mail", "mail in English", "mail, no agency"],
)
def test_news_holds_the_agencys_words_as_they_are(language: str, kind: str, more: dict[str, str], text: str) -> None:
    assert replies().render("news", language=language, channel_type=kind, **(NEWS | more)) == text


def test_long_news_by_sms_is_cut_between_words_and_by_mail_it_is_whole() -> None:
    long = NEWS | {"text": "kata " * 4000}
    text = replies().render("news", language="id", channel_type="sms", **long)
    assert text.endswith("kata...")
    assert measure(text).count <= 7
    assert replies().render("news", language="id", channel_type="email", **long).count("kata") == 4000


@pytest.mark.parametrize("language", LANGUAGES)
def test_news_in_public_holds_nothing_of_the_agencys(language: str) -> None:
    text = replies().render("news_public", language=language, channel_type="twitter", state="closed", **NEWS)
    assert not any(word in text for word in ("Dinas", "Jalan", "Selesai", "closed"))
    # X refuses the same words twice.
    assert NEWS["when"] in text


@pytest.mark.parametrize(("wished", "language"), [("id", "id"), ("en", "en"), ("", "id"), ("jv", "id"), ("su", "id")])
def test_a_language_without_templates_is_answered_in_the_default(wished: str, language: str) -> None:
    assert rendered("help", wished) == rendered("help", language)


def write(folder: Path, path: str, text: str) -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return folder


def test_an_operator_changes_one_text_and_keeps_the_others(tmp_path: Path) -> None:
    made = replies(write(tmp_path, "id/help.txt", "Hubungi kami."))
    assert rendered("help", "id", made=made) == "Hubungi kami."
    assert rendered("help", "en", made=made) == rendered("help", "en")
    assert rendered("joined", "id", made=made) == rendered("joined", "id")


def test_a_text_for_one_channel_type_goes_before_one_for_all(tmp_path: Path) -> None:
    write(tmp_path, "id/help.txt", "semua")
    made = replies(write(tmp_path, "sms/id/help.txt", "SMS saja"))
    assert rendered("help", "id", made=made) == "SMS saja"


@pytest.mark.parametrize(
    ("text", "said"),
    [("Nomor {{ nomor }}", "nomor"), ("{% if %}", "help.txt"), ("{{ number", "help.txt")],
    ids=["an unknown name", "a broken tag", "an open tag"],
)
def test_a_text_that_does_not_render_is_told_at_the_start(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ReplyTemplateError, match=said):
        replies(write(tmp_path, "id/help.txt", text))


def test_a_folder_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ReplyTemplateError, match="is not a folder"):
        replies(tmp_path / "nowhere")
