"""Who an SMS is from: numbers to E.164 (ITU-T), short codes, and senders that are words.

What the telco gives is never trusted to be a number: ``canonical`` keeps whatever it is given and never raises.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from channels.base import Sender, SenderKind

if TYPE_CHECKING:
    import phonenumbers

MAX_ADDRESS = 64

AUTOMATED: dict[SenderKind, str] = {"short_code": "short_code", "alphanumeric": "alphanumeric_sender"}
"""Kinds of sender that only machines have, and the reason that is written on their messages."""

# Indonesian mobile numbers: 8, then 1-3 or 5-9, 9 to 12 digits in all; the trunk zero is often left in by mistake.
_MOBILE = r"(8[1-35-9][0-9]{7,10})"
_HOME = re.compile(rf"(?:\+?62)?0?{_MOBILE}")
_HOME_ABROAD = re.compile(rf"(?:\+?620?|0){_MOBILE}")
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SHORT_CODE = re.compile(r"\+?([0-9]{3,6})")
_DIGITS = re.compile(r"\+?[0-9]{7,15}")
_ABROAD = re.compile(r"^00([1-9][0-9]{6,14})$")
_PUNCTUATION = re.compile(r"[\s().\-/\u2010-\u2015]+")
MAX_NAME = 15


def canonical(address: str, home: str = "ID", *, international: bool = False) -> Sender:
    """The sender that ``address`` names; ``home`` is the ISO country of numbers without a country code.

    ``international`` says that bare digits are a whole international number without its plus, as some providers
    write them: then 819012345678 is in Japan; otherwise it is a mobile number of Indonesia.
    """
    if home == "ID":
        match = (_HOME_ABROAD if international else _HOME).fullmatch(address)
        if match:
            return Sender(f"+62{match[1]}", "phone")
    return _canonical(address, home, international)


def bounded(value: str, limit: int = MAX_ADDRESS) -> str:
    """``value`` on one line without control characters; beyond ``limit`` its end gives way to a hash of the whole."""
    if not value.isprintable():
        value = "".join(char for char in value if char.isprintable())
    value = value.strip()
    if len(value) <= limit:
        return value
    digest = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:32]
    return f"{value[: limit - 33]}~{digest}"


@lru_cache(maxsize=8192)
def _canonical(address: str, home: str, international: bool) -> Sender:
    text = "".join(char for char in unicodedata.normalize("NFKC", address) if char.isprintable()).strip()
    compact = _ABROAD.sub(r"+\1", _PUNCTUATION.sub("", text.removeprefix("tel:")))
    match = _HOME_ABROAD.fullmatch(compact) or (None if international else _HOME.fullmatch(compact))
    if home == "ID" and match:
        return Sender(f"+62{match[1]}", "phone")
    code = _SHORT_CODE.fullmatch(compact)
    if code:
        return Sender(code[1], "short_code")
    if _DIGITS.fullmatch(compact):
        number = _e164(compact, home, international)
        return Sender(number, "phone") if number else Sender(bounded(compact), "unknown")
    if len(text) <= MAX_NAME and any(char.isalpha() for char in text):
        return Sender(text, "alphanumeric")
    return Sender(bounded(text), "unknown")


def _e164(digits: str, home: str, international: bool) -> str:
    """The first reading of ``digits`` that is a number in use; ``""`` where none is.

    Behind a plus or a trunk zero a number of the right length will do: numbering plans grow faster than our copy.
    """
    import phonenumbers  # loaded for the first number that is not an Indonesian mobile: it is large

    bare = not digits.startswith("+")
    readings = [digits, f"+{digits}"] if bare else [digits]
    if international or digits.startswith(str(phonenumbers.country_code_for_region(home))):
        readings.reverse()
    for reading in readings:
        number = _parsed(reading, home)
        if number is not None and phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    trunk = digits.startswith("0") and not digits.startswith("00")
    trusted = readings[0] if not bare or international or trunk else ""
    number = _parsed(trusted, home)
    if number is None or not phonenumbers.is_possible_number(number):
        return ""
    # What the provider wrote whole is left as it is; only the trunk zero of a home number gives way.
    written = trusted if trusted.startswith("+") else f"+{number.country_code}{trusted[1:]}"
    return written if E164.fullmatch(written) else ""


def _parsed(digits: str, home: str) -> phonenumbers.PhoneNumber | None:
    import phonenumbers

    try:
        return phonenumbers.parse(digits, home)
    except phonenumbers.NumberParseException:
        return None
