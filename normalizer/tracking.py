"""Tracking numbers: their form, their drawing, and reading them as people type them (DESIGN section 6).

A number has exactly 10 digits. It does not begin with 0 or 62, which are phones, and its last digit is a check
digit by H. M. Damm's quasigroup of order 10 (dissertation, Marburg 2004): it catches every single wrong digit and
every swap of neighbours.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence

import msgspec

from normalizer.text import readable

LENGTH = 10
_LEAST = LENGTH - 1
MAX_FOUND = 20
"""A text names at most this many numbers; a mail that quotes old cases stays bounded."""

_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)
_FIRST = 100_000_000
_PHONES = range(620_000_000, 630_000_000)
_SPACE = 900_000_000 - len(_PHONES)


def check_digit(nine: str) -> str:
    """The Damm check digit of nine ASCII digits."""
    interim = 0
    for digit in nine:
        interim = _DAMM[interim][ord(digit) - 48]
    return str(interim)


def valid(number: str) -> bool:
    """Whether this is a tracking number as we write them: ten ASCII digits, nothing between."""
    return (
        len(number) == LENGTH
        and number.isascii()
        and number.isdigit()
        and not number.startswith(("0", "62"))
        and check_digit(number[:-1]) == number[-1]
    )


def shown(number: str) -> str:
    """The number in groups, as it is written to people: ``482 913 7065``."""
    return f"{number[:3]} {number[3:6]} {number[6:]}"


def draw(count: int) -> list[str]:
    """``count`` numbers without a repeat, each drawn evenly from all 890,000,000 by the system's random source.

    Knowing some tells nothing of the others. Whether a number is taken already, only the store knows.
    """
    drawn: dict[str, None] = {}
    while len(drawn) < count:
        nine = _FIRST + secrets.randbelow(_SPACE)
        if nine >= _PHONES.start:
            nine += len(_PHONES)
        text = str(nine)
        drawn[text + check_digit(text)] = None
    return list(drawn)


class Found(msgspec.Struct, frozen=True):
    """What digits a text holds, each kind in order and without repeats.

    ``numbers`` are tracking numbers; ``bad`` have their form but not their check digit; ``odd`` are other runs of
    nine digits and more (phones among them), which matter only right after a command. ``rest`` is the readable
    text with blanks in place of all three.
    """

    numbers: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    rest: str = ""


# Most messages hold no eight digits close together. In ASCII a table tells, in a quarter of the time of the pattern:
# what may stand between digits goes, digits and what looks like one become zeros, the rest becomes something else.
_WORTH_READING = re.compile(r"[\dOoIl|](?:[\s.,)\-_]{0,5}[\dOoIl|]){7}")
_BETWEEN_DIGITS = bytes(code for code in range(128) if chr(code).isspace() or chr(code) in ".,)-_")
_ZEROS = bytes(ord("0" if chr(code) in "0123456789OoIl|" else "x") for code in range(256))

# Every repeat is bounded or anchored, so that no text makes the reading slow.
_LINK = re.compile(r"(?:https?://|www\.)\S+|\b[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}/\S*|[^\s@]{1,64}@\S+")
_NO_NUMBER = re.compile(
    r"(?=\d)(?<![\dOoIl|.,])(?:"
    r"\d{1,3}(?:\.\d{3})+(?:,\d+)?(?![.,]?[\dOoIl|])"  # amounts: 1.500.000.000
    r"|\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![.,]?[\dOoIl|])"
    r"|\d{1,3}\.\d{3,},\s?-?\d{1,3}\.\d{3,}"  # coordinates
    r"|\d{1,9}[.,:]\d{1,9}(?![.,:]?[\dOoIl|])"  # decimals and times of day
    r"|\d{4}-\d{1,2}-\d{1,2}\b|\d{1,2}([-./])\d{1,2}\1(?:\d{4}|\d{2})\b(?!\1)"  # dates
    r")"
)

# People write the number right behind the word: "STATUS4829137065", "no4829137065".
_GLUED = "|".join(f"(?<=(?i:{word}))" for word in ("status", "cek", "nomor", "nomer", "no", "lapor", "laporan"))
_GROUP = re.compile(rf"(?=[0-9OoIl|])(?:(?<![^\W_])|(?:{_GLUED})(?=\d))[0-9OoIl|]+(?![^\W_])")
_HAS_DIGIT = re.compile("[0-9]")
_AS_DIGITS = str.maketrans("OoIl|", "00111")
_TIGHT = frozenset(".-_")
_LOOSE = re.compile(r"[ \t]{0,3}[.,)\-_]?[ \t]{0,3}")

_LABELS = (
    "(?:no|nomor)?(?:rek|hp|wa|telp)|rekening|account|acc|bca|bni|bri|btn|bsi|mandiri|va|kartu|saldo|meter|meteran|kwh"
    "|pelanggan|id[ .]?pel|sambungan|pln|pdam|nik|ktp|kk|npwp|sim|bpjs|kis|nip|nis|nisn|nib|nop|paspor|passport|imei"
    "|resi|invoice|inv|faktur|kuitansi|transaksi|trx|hape|handphone|telpon|telepon|tlp|tlpn|tel|phone|fax|whatsapp"
    "|kontak|contact|hubungi|hub|call|rp|rupiah|idr|usd|nominal|sebesar|senilai|seharga"
)
_CONNECTORS = (
    "no|nomor|nomer|nmr|number|saya|sy|kami|aku|gw|ini|itu|adalah|yaitu|yakni|ke|di|is|my|aktif|baru|kantor|rumah|bank"
)
_LABEL_BEFORE = re.compile(rf"(?<![^\W_])(?:{_LABELS})(?:[\W_]+(?:{_LABELS}|{_CONNECTORS}))*[\W_]*$", re.IGNORECASE)
_LABEL_AFTER = re.compile(
    r"\s?,(?:-|00)(?!\d)"  # 1500000000,- as on a receipt
    r"|[\s,.\-]*(?:rupiah|rp|ribu|rb|juta|jt|miliar|milyar|dolar|usd|kwh|kg|ton|liter|km|m2|m3|meter"
    r"|whatsapp|\(\s*(?:wa|hp|telp|rek|rekening)\s*\))(?![^\W_])",
    re.IGNORECASE,
)

# Whose account it is; behind a command, whose report.
_OWNER_AFTER = re.compile(r"[\s,.\-]{0,20}(?:a/n|a\.n|atas nama)(?![^\W_])", re.IGNORECASE)


def worth_reading(text: str) -> bool:
    """Whether a readable text holds digits enough for :func:`find` to find any."""
    # find() takes half the time of "in", which tries to read its left side as a number first.
    if text.isascii() and text.encode().translate(_ZEROS, _BETWEEN_DIGITS).find(b"00000000") < 0:
        return False
    return _WORTH_READING.search(text) is not None


def find(text: str, *, meant: bool = False) -> Found:
    """Read the numbers a person typed: through blanks, dots, hyphens, look-alikes, full-width and keycap digits.

    Phones, identity numbers, amounts, dates, links, and what a label ("rek", "NIK", "HP" and the like) right before
    it calls something else, are not taken. ``meant`` says that a command stands before the text or that it is
    nothing but the number: then amounts and decimals are read as numbers with dots in them, and groups of letters
    alone at its ends as digits.
    """
    text = readable(text)
    if not worth_reading(text):
        return Found(rest=text)
    quiet = text
    if "@" in text or "/" in text or "www" in text:
        quiet = _LINK.sub(_blotted, quiet)
    if not meant:
        quiet = _NO_NUMBER.sub(_blotted, quiet)
    numbers: dict[str, None] = {}
    bad: dict[str, None] = {}
    odd: dict[str, None] = {}
    rest: list[str] = []
    end = 0
    for piece in _pieces(quiet, meant=meant):
        rest.append(quiet[end : piece.start])
        end = piece.end
        if _labelled(text, piece.start, piece.end) or (not meant and _OWNER_AFTER.match(text, piece.end)):
            continue
        if piece.plus or not piece.shaped or piece.digits.startswith(("0", "62")):
            odd[piece.digits] = None
        elif valid(piece.digits):
            numbers[piece.digits] = None
            if len(numbers) == MAX_FOUND:
                break
        else:
            bad[piece.digits] = None
    rest.append(quiet[end:])
    return Found(tuple(numbers), tuple(bad)[:MAX_FOUND], tuple(odd)[:MAX_FOUND], " ".join(rest))


def read_number(text: str) -> str | None:
    """The one tracking number that a person typed, however it is spaced; ``None`` where there is none, or more."""
    found = find(text, meant=True)
    return found.numbers[0] if len(found.numbers) == 1 and not found.bad else None


class _Piece(msgspec.Struct, frozen=True):
    """Digits at ``start`` to ``end``; ``shaped``: ten that stand together; ``plus``: behind an international prefix."""

    digits: str
    start: int
    end: int
    plus: bool = False
    shaped: bool = False


def _blotted(match: re.Match[str]) -> str:
    """As long as what it covers, and part of no number."""
    return ";" * len(match[0])


def _pieces(text: str, *, meant: bool) -> Iterator[_Piece]:
    for run in _runs(text, meant=meant):
        yield from _split(run)


def _runs(text: str, *, meant: bool) -> Iterator[list[_Piece]]:
    """Tokens (digits with at most one dot or hyphen between groups), gathered while only blanks part them."""
    run: list[_Piece] = []
    for match in _GROUP.finditer(text):
        start, end = match.span()
        gap = text[run[-1].end : start] if run else ""
        if gap in _TIGHT:
            last = run.pop()
            run.append(_Piece(last.digits + _digits(match[0]), last.start, end, last.plus))
            continue
        if run and not (gap and _LOOSE.fullmatch(gap)):
            yield from _trimmed(run, text, meant=meant)
            run = []
        run.append(_Piece(_digits(match[0]), start, end, text[start - 1 : start] == "+"))
    yield from _trimmed(run, text, meant=meant)


def _digits(group: str) -> str:
    return group if group.isdigit() else group.translate(_AS_DIGITS)


def _trimmed(run: list[_Piece], text: str, *, meant: bool) -> Iterator[list[_Piece]]:
    """The run without tokens of letters alone at its ends: those are words ("I", "o"), not digits.

    They are digits where a number is meant and the run with them is as long as one, at least half of it typed as
    digits. Runs too short for anything are left out.
    """
    total = sum(len(token.digits) for token in run)
    if meant and total == LENGTH:
        typed = sum(len(_HAS_DIGIT.findall(text, token.start, token.end)) for token in run)
        if typed * 2 >= LENGTH:
            yield run
            return
    if total >= _LEAST:
        digits = [at for at, token in enumerate(run) if _HAS_DIGIT.search(text, token.start, token.end)]
        yield run[digits[0] : digits[-1] + 1] if digits else []


def _split(run: Sequence[_Piece]) -> Iterator[_Piece]:
    """Part a run of tokens into numbers. Where it is ten digits in all, it is one; 16 are an identity number."""
    total = sum(len(token.digits) for token in run)
    if total in (LENGTH, 16):
        yield _join(run)
        return
    left: list[_Piece] = []
    at = 0
    while at < len(run):
        taken = _phone(run, at) or _tracking(run, at, left)
        if taken:
            yield from _remainder(left)
            left = []
            yield _join(run[at : at + taken])
            at += taken
        else:
            left.append(run[at])
            at += 1
    yield from _remainder(left)


def _remainder(left: Sequence[_Piece]) -> Iterator[_Piece]:
    if sum(len(token.digits) for token in left) >= _LEAST:
        yield _join(left, shaped=False)


def _join(tokens: Sequence[_Piece], *, shaped: bool = True) -> _Piece:
    digits = "".join(token.digits for token in tokens)
    first = tokens[0]
    return _Piece(digits, first.start, tokens[-1].end, first.plus, shaped and len(digits) == LENGTH)


def _phone(run: Sequence[_Piece], at: int) -> int:
    """How many tokens from ``at`` are a phone: 08…, an area code, 62…, +…; 0 if it is none."""
    first = run[at]
    following = run[at + 1].digits if at + 1 < len(run) else ""
    prefixed = first.digits.startswith(("0", "62")) and len(first.digits) >= 3
    if not (first.plus or prefixed or (first.digits == "62" and following.startswith("8"))):
        return 0
    count, digits = 1, len(first.digits)
    while digits < 10 and at + count < len(run) and len(run[at + count].digits) < 9:
        digits += len(run[at + count].digits)
        count += 1
    return count


def _tracking(run: Sequence[_Piece], at: int, left: Sequence[_Piece]) -> int:
    """How many tokens from ``at`` are a tracking number amid other digits: ten at once, or in groups of 3, 3, 4.

    Beside groups, more than two digits that are no number themselves mean one longer number.
    """
    if len(run[at].digits) == LENGTH:
        return 1
    if _groups(run, at) != [3, 3, 4]:
        return 0
    before = len(left[-1].digits) if left else 0
    after = len(run[at + 3].digits) if at + 3 < len(run) else 0
    if after > 2 and (after >= LENGTH or _groups(run, at + 3) == [3, 3, 4] or _phone(run, at + 3)):
        after = 0
    return 3 if before <= 2 and after <= 2 else 0


def _groups(run: Sequence[_Piece], at: int) -> list[int]:
    return [len(token.digits) for token in run[at : at + 3]]


def _labelled(text: str, start: int, end: int) -> bool:
    """Whether the words around call these digits something other than a tracking number."""
    return bool(_LABEL_BEFORE.search(text[max(0, start - 60) : start]) or _LABEL_AFTER.match(text[end : end + 24]))
