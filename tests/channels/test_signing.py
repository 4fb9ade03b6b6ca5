"""Comparison in constant time, HMACs against published vectors, timestamps, JWTs."""

from __future__ import annotations

import base64
import json

import pytest

from channels.signing import fresh, hmac_base64, hmac_hex, jwt_claims, same

# RFC 4231 section 4.3 and RFC 2202 section 3, test case 2.
KEY, DATA = "Jefe", b"what do ya want for nothing?"


@pytest.mark.parametrize(
    ("given", "expected", "equal"),
    [
        ("abc", "abc", True),
        ("abc", b"abc", True),
        ("abc", "abd", False),
        ("abc", "abcd", False),
        ("", "abc", False),
        ("", "", False),
        ("abc", "", False),
        ("rahasia-é-🌊", "rahasia-é-🌊", True),
        ("\udcff\udcfe", "abc", False),
        ("\ud800", "abc", False),
        ("\x00", "abc", False),
    ],
)
def test_same(given: str, expected: str | bytes, equal: bool) -> None:
    assert same(given, expected) is equal


def test_hmac_sha256_of_rfc_4231() -> None:
    assert hmac_hex(KEY, DATA) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_hmac_sha1_of_rfc_2202() -> None:
    assert base64.b64decode(hmac_base64(KEY, DATA, "sha1")).hex() == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"


@pytest.mark.parametrize(
    ("timestamp", "is_fresh"),
    [("1000", True), ("700", True), ("1300", True), ("699", False), ("1301", False), (1000.5, True)]
    + [(text, False) for text in ("", "soon", "nan", "inf", "-inf", "1e999", "١٢٣", "0x3e8")],
)
def test_fresh(timestamp: str | float, is_fresh: bool) -> None:
    assert fresh(timestamp, window=300, now=1000) is is_fresh


# The token that jwt.io shows (RFC 7519 as HS256).
TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)
TOKEN_KEY = "your-256-bit-secret"


def test_jwt_claims() -> None:
    assert jwt_claims(TOKEN, TOKEN_KEY) == {"sub": "1234567890", "name": "John Doe", "iat": 1516239022}


def part(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "not a token",
        "\udcff.\udcff.\udcff",
        TOKEN.rpartition(".")[0],
        TOKEN.rpartition(".")[0] + ".",
        TOKEN[:-2] + "xx",
        TOKEN + ".x",
        f"{part({'alg': 'none'})}.{part({'sub': 'x'})}.",
        f"{part({'alg': 'HS512'})}.{part({'sub': 'x'})}.{'A' * 43}",
        f"{part([])}.{part([])}.{'A' * 43}",
        f"{base64.urlsafe_b64encode(b'[' * 100_000).decode()}.e30.{'A' * 43}",
    ],
)
def test_what_is_no_jwt_of_ours(token: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - why is told to nobody
        jwt_claims(token, TOKEN_KEY)


@pytest.mark.parametrize("algorithm", ["none", "HS512", "hs256", None])
def test_the_algorithm_is_not_the_token_s_to_choose(algorithm: str | None) -> None:
    signed = f"{part({'alg': algorithm})}.{part({'sub': 'x'})}"
    mac = base64.urlsafe_b64encode(bytes.fromhex(hmac_hex(TOKEN_KEY, signed.encode()))).decode().rstrip("=")
    with pytest.raises(ValueError, match="HS256"):
        jwt_claims(f"{signed}.{mac}", TOKEN_KEY)


def test_a_jwt_of_another_key() -> None:
    with pytest.raises(ValueError, match="not signed with this key"):
        jwt_claims(TOKEN, "another-secret")
