"""Proving who sent a request: comparison in constant time, and the HMACs that providers sign with (RFC 2104).

Everything here works on bytes: a token or a signature of odd characters is wrong, never an error.
"""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any


def as_bytes(value: str | bytes) -> bytes:
    """``value`` in UTF-8; lone surrogates, as broken input leaves them, are kept apart from anything valid."""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def same(given: str | bytes, expected: str | bytes) -> bool:
    """Whether the two are equal, in a time that does not tell how far they agree.

    An empty ``expected`` equals nothing: a secret that was never set must not let anyone in.
    """
    if not given or not expected:
        return False
    return hmac.compare_digest(as_bytes(given), as_bytes(expected))


def hmac_hex(key: str | bytes, message: bytes, algorithm: str = "sha256") -> str:
    """The HMAC of ``message`` in lower-case hex."""
    return hmac.digest(as_bytes(key), message, algorithm).hex()


def hmac_base64(key: str | bytes, message: bytes, algorithm: str = "sha256") -> str:
    """The HMAC of ``message`` in base64 (RFC 4648 section 4, padded)."""
    return base64.b64encode(hmac.digest(as_bytes(key), message, algorithm)).decode("ascii")


def fresh(timestamp: str | float, *, window: float, now: float) -> bool:
    """Whether Unix ``timestamp`` (seconds) lies within ``window`` seconds of ``now``, before or after.

    What cannot be read as a number is not fresh.
    """
    try:
        at = float(timestamp)
    except (ValueError, OverflowError):
        return False
    return abs(now - at) <= window


def jwt_claims(token: str, key: str | bytes) -> dict[str, Any]:
    """The claims of a JWT signed with HS256 (RFC 7519, RFC 7515); times in it are not looked at.

    Raises :class:`ValueError` for anything that is not such a token, or that ``key`` did not sign.
    """
    signed, _, signature = token.rpartition(".")
    try:
        header, claims = (json.loads(_base64url(part)) for part in signed.split("."))
    except RecursionError as error:
        raise ValueError("the token is nested too deeply") from error
    if not isinstance(header, dict) or header.get("alg") != "HS256" or not isinstance(claims, dict):
        raise ValueError("the token is not a JWT signed with HS256")
    if not same(_base64url(signature), hmac.digest(as_bytes(key), as_bytes(signed), "sha256")):
        raise ValueError("the token is not signed with this key")
    return claims


def _base64url(part: str) -> bytes:
    """Base64url without its padding (RFC 7515 appendix C). Raises :class:`ValueError`."""
    return base64.urlsafe_b64decode(as_bytes(part) + b"=" * (-len(part) % 4))
