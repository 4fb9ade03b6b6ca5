"""A mail's own words apart from what it repeats: quoted history, signatures, notices of programs and lawyers.

For the ways in which Gmail, Outlook, Apple Mail, Thunderbird, Yahoo and the mail programs of phones quote, in
Indonesian and in English. What is not certain to be a repetition stays with the words; where nothing would be left
(a mail forwarded without a word), everything is the mail's own. Each line is looked at a bounded number of times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_LINES = 20_000
_WRAPPED = 4
"""Lines over which a program breaks "On … wrote:"."""

_QUOTED = re.compile(r"\s{0,3}>(?!From )")
_BEGINS = re.compile(r"\s{0,3}\*{0,2}(?:on|pada)\b", re.IGNORECASE)
_WROTE = re.compile(
    r"\b(?:wrote|writes|menulis|menuliskan|(?:menulis|mengirim|mengirimkan) pesan)\s{0,3}\*{0,2}\s{0,3}:\*{0,2}\s*$",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"\s{0,3}(?:[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}\b|quoting\b|mengutip\b)[^<>]{0,150}<[^<>\s@]{1,200}@[^<>\s]{1,200}>\s{0,3}:?\s*$",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"[<\[](?:mailto:)?[^\s<>@]{1,200}@")
_CLOCK = re.compile(r"[0-9]{1,2}[.:][0-9]{2}")
_ORIGINAL = (
    r"original message|original appointment|forwarded message|reply message|reply separator"
    r"|pesan (?:asli|semula|terusan|diteruskan|yang diteruskan|sebelumnya|balasan|email asli)|email asli|surat asli"
    r"|forwarded by [^-]{1,100}|diteruskan oleh [^-]{1,100}"
)
_RULE = re.compile(
    rf"[\s>]{{0,5}}(?:-{{3,60}}|_{{3,60}}|\*{{3,60}}|={{3,60}})\s{{0,5}}(?:{_ORIGINAL})\s{{0,5}}:?\s{{0,5}}"
    r"(?:[-_*=]{2,60})?\s*$",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"\s{0,3}(?:begin forwarded message|mulai pesan (?:yang )?(?:diteruskan|terusan)|memulai pesan (?:yang )?diteruskan"
    r"|pesan yang diteruskan|awal pesan (?:yang )?diteruskan|forwarded message|pesan terusan)\s{0,3}:\s*$",
    re.IGNORECASE,
)
_LINE = re.compile(r"\s{0,3}(?:_{10,200}|-{10,200})\s*$")
_FROM = re.compile(r"\s{0,3}\*{0,2}(?:from|dari|pengirim)\s{0,2}\*{0,2}\s{0,2}:\*{0,2}\s{0,3}(\S.*)?$", re.IGNORECASE)
_FIELD = re.compile(
    r"\s{0,3}\*{0,2}(sent|date|to|subject|cc|bcc|reply-to|importance|dikirim|terkirim|tanggal|tgl|kepada|ke|untuk|perihal|hal"
    r"|subjek|subyek|judul|tembusan|waktu|from|dari|balas ke)\s{0,2}\*{0,2}\s{0,2}:",
    re.IGNORECASE,
)
_SENT = frozenset({"sent", "date", "dikirim", "terkirim", "tanggal", "tgl", "waktu"})
_DEVICE = (
    r"(?:my |ponsel|perangkat|hp\b|handphone|smartphone|telepon|iphone|ipad|ipod|galaxy|samsung|xiaomi|redmi|mi phone"
    r"|oppo|vivo|realme|huawei|infinix|asus|nokia|sony|lg |lenovo|android|blackberry|windows|outlook|yahoo|gmail|aol"
    r"|proton|titan|zoho|thunderbird|apple|spark|mobile|(?:mail|surat|email) (?:for|untuk|app)\b"
    r"|(?!email)[a-z]{1,12}mail\b)"
)
_NOTICE = re.compile(
    r"\s{0,3}[*_-]?\s?(?:sent (?:from|via|with|using)|dikirim (?:dari|melalui|lewat|menggunakan|dengan|via)"
    rf"|terkirim (?:dari|melalui)|diposting dari)\s(?:the |aplikasi )?{_DEVICE}.{{0,100}}$"
    r"|\s{0,3}(?:get|dapatkan|unduh) outlook (?:for|untuk) .{1,60}$"
    r"|\s{0,3}yahoo mail: .{1,60}$"
    r"|\s{0,3}powered by (?:telkomsel|indosat|xl|blackberry).{0,60}$"
    r"|\s{0,3}virus-free\. ?.{0,60}$",
    re.IGNORECASE,
)
_DISCLAIMER = re.compile(
    r"[\s*_-]{0,5}(?:disclaimer|confidentiality|confidential notice|legal notice|important notice|privileged"
    r"|(?:this|the information (?:contained )?in this) (?:e-?mail|message|communication|transmission)\b"
    r"|(?:e-?mail|surel|surat elektronik|pesan) ini\b.{0,80}(?:ditujukan|rahasia|diperuntukkan|dimaksudkan)"
    r"|isi (?:dari )?(?:e-?mail|pesan) ini\b"
    r"|informasi (?:yang (?:terdapat|terkandung) )?(?:di ?dalam|pada) (?:e-?mail|pesan) ini\b"
    r"|penafian|pernyataan kerahasiaan|peringatan kerahasiaan)",
    re.IGNORECASE,
)
_LEGAL = re.compile(
    r"intended|confidential|recipient|privileged|disclos|unauthori[sz]ed|ditujukan|penerima|rahasia|diperuntukkan",
    re.IGNORECASE,
)
_MIN_DISCLAIMER = 80
_MAX_SIGNATURE = 20
_TAIL = 8

_OWN, _APART = 0, 1


def split(text: str, *, reply: bool = False) -> tuple[str, str]:
    """A text's own words, and what it repeats. ``reply``: the mail's headers say that it answers another.

    Both keep the order of their lines. Only lines are moved, none is changed but for blanks at the ends of both.
    """
    lines = [line.rstrip() if line != "-- " else line for line in text.split("\n", MAX_LINES)]
    marks = _marked(lines, reply=reply)
    _take_signature(lines, marks)
    _take_tail(lines, marks)
    own = _joined(lines, marks, _OWN)
    if not own:
        return _tidied("\n".join(lines)), ""
    return own, _joined(lines, marks, _APART)


def _marked(lines: Sequence[str], *, reply: bool) -> list[int]:
    """For each line, whether it is history."""
    marks = [_OWN] * len(lines)
    quoted = [bool(_QUOTED.match(line)) for line in lines]
    # One line that begins with ">" can mean "more than".
    quotes = reply or sum(quoted) > 1
    own_words = False
    at = 0
    while at < len(lines):
        if quoted[at]:
            marks[at] = _APART if quotes else _OWN
            own_words = own_words or not quotes
            at += 1
            continue
        span = _attribution(lines, at)
        following = _next(lines, at + span) if span else len(lines)
        if following < len(lines) and quoted[following]:
            marks[at : at + span] = [_APART] * span
            quotes = True
            at += span
            continue
        if (span and _certain(lines[at : at + span])) or _history_begins(lines, at):
            if own_words:
                marks[at:] = [_APART] * (len(lines) - at)
            # With nothing above it, the older mail is what the sender passes on.
            break
        own_words = own_words or bool(lines[at].strip() and not _NOTICE.match(lines[at]))
        at += 1
    return marks


def _certain(attribution: Sequence[str]) -> bool:
    """Whether what follows these lines is history without ``>``: people begin sentences with "Pada 3 Mei …" as well."""
    said = " ".join(attribution)
    return "@" in said or bool(_CLOCK.search(said))


def _history_begins(lines: Sequence[str], at: int) -> bool:
    """Whether everything from this line on is an older mail."""
    line = lines[at]
    if _RULE.match(line) or _FORWARDED.match(line):
        return True
    if _LINE.match(line):
        following = _next(lines, at + 1)
        return following < len(lines) and _block(lines, following)
    return _block(lines, at)


def _block(lines: Sequence[str], at: int) -> bool:
    """Whether the head of an older mail stands here: a sender, and a time and another field near below."""
    if not _FROM.match(lines[at]):
        return False
    found: set[str] = set()
    said = [line for line in lines[at + 1 : at + 12] if line.strip()][:7]
    # A letter may begin with "Dari:" and "Tanggal:" too; a program writes an address or the time of day.
    by_program = bool(_BRACKETED.search(lines[at]))
    for line in said:
        if field := _FIELD.match(line):
            name = field[1].lower()
            found.add(name)
            by_program = by_program or (name in _SENT and bool(_CLOCK.search(line)))
    return by_program and len(found) >= 2 and not found.isdisjoint(_SENT)


def _attribution(lines: Sequence[str], at: int) -> int:
    """How many lines from here on are one "On …, somebody wrote:"; 0 for none."""
    if len(lines[at]) > 400:
        return 0
    if _TOLD.match(lines[at]):
        return 1
    begins = bool(_BEGINS.match(lines[at]))
    joined = ""
    for count, line in enumerate(lines[at : at + _WRAPPED], 1):
        joined = f"{joined} {line.strip()}"
        if not line.strip() or len(joined) > 500 or (count > 2 and not begins):
            return 0
        if count > 1 and (_BEGINS.match(line) or not (begins or "@" in lines[at] or "<" in lines[at])):
            return 0  # the words above one
        if _WROTE.search(line):
            dated = begins and any(map(str.isdigit, joined))
            return count if dated or ("@" in joined and "<" in joined) else 0
    return 0


def _next(lines: Sequence[str], at: int) -> int:
    """The first line from here on that is not blank."""
    while at < len(lines) and not lines[at].strip():
        at += 1
    return at


def _take_signature(lines: Sequence[str], marks: list[int]) -> None:
    """Set a signature apart: what stands behind ``-- ``, up to the history that follows."""
    first = next((at for at, mark in enumerate(marks) if mark == _OWN and lines[at].strip()), len(lines))
    end = len(lines)
    behind = 0
    for at in range(len(lines) - 1, first, -1):
        if marks[at] == _APART:
            end, behind = at, 0
        elif lines[at] == "-- " or lines[at].rstrip("\xa0") == "--":
            if behind <= (_MAX_SIGNATURE if lines[at] == "-- " else _MAX_SIGNATURE // 2):
                marks[at:end] = [_APART] * (end - at)
                end, behind = at, 0
        elif lines[at].strip():
            behind += 1


def _take_tail(lines: Sequence[str], marks: list[int]) -> None:
    """Set the last lines apart that programs and lawyers put there."""
    for _ in range(_TAIL):
        own = [at for at, mark in enumerate(marks) if mark == _OWN and lines[at].strip()]
        if len(own) < 2:
            return
        first = last = own[-1]
        if not _NOTICE.match(lines[last]):
            while marks[first - 1] == _OWN and lines[first - 1].strip() and first:
                first -= 1
            paragraph = " ".join(lines[first : last + 1])
            if len(paragraph) < _MIN_DISCLAIMER or not (_DISCLAIMER.match(paragraph) and _LEGAL.search(paragraph)):
                return
        marks[first : last + 1] = [_APART] * (last + 1 - first)


def _joined(lines: Sequence[str], marks: Sequence[int], wanted: int) -> str:
    """The lines of a mark; where lines are left out between two of them, a blank one stands."""
    kept: list[str] = []
    before = wanted
    for line, mark in zip(lines, marks, strict=True):
        if mark == wanted:
            if before != wanted and kept and kept[-1]:
                kept.append("")
            kept.append(line)
        before = mark
    return _tidied("\n".join(kept))


def _tidied(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip()
