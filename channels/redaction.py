"""Hiding what must not be in a log: phone numbers, mail addresses, tokens and passwords.

The ``mask_`` functions shorten an address that is known to be one, for people to tell citizens apart by.
:func:`scrub` is the last line of defence: it finds what looks like one in any text. It would rather hide too much
than too little, but it leaves tracking numbers (10 digits that begin with neither 0 nor 62), event ids (hexadecimal,
UUID) and times as they are.
"""

from __future__ import annotations

import re
from typing import Final

from channels.base import SenderKind

HIDDEN: Final = "•••••"
SHORT: Final = "•••"

# Between the digits of a number people write blanks, dots, hyphens, parentheses, slashes; never more than two.
_GAP: Final = r"[ \t\u00a0\u2009\u202f.()/\u2010-\u2015-]{0,2}"

_ID: Final = (
    r"(?<![0-9A-Za-z])(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|"
    r"(?=[0-9]*[a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}|[0-9a-f]{24}|[0-9a-f]{16}))(?![0-9A-Za-z])"
)
_TIME: Final = (
    r"(?<!\d)(?:19|20)\d\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?(?![\d-])"
)
# With its prefix a number may be written in groups. Without one, only a run of 11 to 16 digits is taken for a phone
# or an identity number: ten are a tracking number, more are an id of X or a time in nanoseconds.
_NUMBER: Final = (
    rf"\+(?:{_GAP}\d){{7,}}"
    rf"|(?<!\d)(?:62|0(?=\d))(?:{_GAP}\d){{7,}}"
    r"|(?<!\d)\d{11,16}(?!\d)"
)
_PHONE: Final = re.compile(rf"{_ID}|{_TIME}|(?P<number>{_NUMBER})")
_DIGIT: Final = re.compile(r"\d")

_EMAIL: Final = re.compile(r"(?<![\w.+%'-])([\w.+%'-])[\w.+%'-]*?(@|%40)(?=[\w\[])")
_USERINFO: Final = re.compile(r"(?<=://)[^\s/@]{1,512}@")
_BOT_TOKEN: Final = re.compile(r"(?<!\d)\d{5,12}:[A-Za-z0-9_-]{30,}")
_SCHEME: Final = re.compile(r"(?i:\b(bearer)\s+)[\w.~+/=-]{6,}|(?i:\b(basic)\s+)(?=[a-z+/_-]*[A-Z0-9=])[\w+/=-]{8,}")
_NAME: Final = r"[\w-]*(?:token|secret|password|passwd|passphrase|passkey|userkey|api[_-]?key|signature)|pass|pwd|sig"
_QUOTED: Final = r"""\\*"(?:[^"\\]|\\.)*"?|\\*'(?:[^'\\]|\\.)*'?"""
# `name=value` as in a query or a repr, `"name": "value"` as in JSON, `X-Name: value` as in a header. Not
# `token: why it is wrong`: that is a sentence.
_NAMED: Final = re.compile(
    rf"(?i:(?<![\w-])((?:{_NAME})\s?=\s?"
    rf"|(?:\\*[\"'])(?:{_NAME})\\*[\"']\s*[:=]\s*"
    r"|x-[\w-]*(?:token|secret|signature)\s*:\s*))"
    rf"(?:{_QUOTED}|[^\s&;,\"'<>)}}\]]+)"
    r"|(?i:\b(authorization\\*[\"']?\s*[:=,]\s*))"
    rf"(?:{_QUOTED}|[^\r\n,;)}}\]]+)"
)

_SUSPECT: Final = re.compile(rf"\d(?:{_GAP}\d){{6}}|:[A-Za-z0-9_-]{{30}}")
_SUSPECT_WORDS: Final = re.compile(r"@|%40|token|secret|pass|key|sig|pwd|bearer|basic|authori")


def scrub(text: str) -> str:
    """The text with everything hidden that looks like a phone, an address, a token or a password.

    A text without any costs one cheap look.
    """
    if not (_SUSPECT_WORDS.search(text.lower()) or _SUSPECT.search(text)):
        return text
    text = _NAMED.sub(_hide_named, text)
    text = _SCHEME.sub(_hide_scheme, text)
    text = _BOT_TOKEN.sub(HIDDEN, text)
    text = _USERINFO.sub(f"{SHORT}@", text)
    text = _EMAIL.sub(rf"\1{SHORT}\2", text)
    return _PHONE.sub(_hide_number, text)


def mask_phone(phone: str) -> str:
    """``+62812•••••67``: the country, the operator and the last two digits; at least four digits are hidden."""
    digits = "".join(str(int(digit)) for digit in _DIGIT.findall(phone))  # of any script
    keep = 5 if digits.startswith("62") else 4 if digits.startswith("0") else 3
    keep = min(keep, len(digits) - 6)
    if keep < 1:
        return HIDDEN
    plus = "+" if phone.lstrip().startswith("+") else ""
    return f"{plus}{digits[:keep]}{HIDDEN}{digits[-2:]}"


def mask_email(address: str) -> str:
    """``a•••@example.go.id``: the first letter and the domain."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}{SHORT}{at}{domain}" if at else f"{address[:1]}{SHORT}"


def mask_address(kind: SenderKind, address: str) -> str:
    """A sender's address as logs may show it. Short codes and alphanumeric senders are no persons and stay."""
    match kind:
        case "phone":
            return mask_phone(address)
        case "email":
            return mask_email(address)
        case "short_code" | "alphanumeric":
            return scrub(address)
        case "user_id":
            return f"{SHORT}{address[-2:]}" if len(address) > 4 else SHORT
        case "username" | "unknown":
            return f"{address[:1]}{SHORT}"


def _hide_number(match: re.Match[str]) -> str:
    return mask_phone(match[0]) if match["number"] is not None else match[0]


def _hide_named(match: re.Match[str]) -> str:
    return f"{match[1] or match[2]}{SHORT}"


def _hide_scheme(match: re.Match[str]) -> str:
    return f"{match[1] or match[2]} {SHORT}"
