"""Transfer encodings (RFC 2045 section 6, and uuencode) into bytes.

Nothing here raises: of broken ones comes what can be had.
"""

from __future__ import annotations

import binascii
import contextlib
import io
import re

_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


def named(said: str) -> str:
    """``base64``, ``quoted-printable``, ``uuencode``, ``binary`` or ``identity``, whatever mail programs call them."""
    said = said.lower().strip(" \"';")
    if said.startswith("quoted"):
        return "quoted-printable"
    if said.startswith("base64"):
        return "base64"
    if said.startswith("binary"):
        return "binary"
    return "uuencode" if said.removeprefix("x-").startswith("uue") or said in ("x-uu", "uu") else "identity"


def base64(data: bytes | memoryview) -> bytes:
    """The bytes of base64, garbage passed over and a missing end forgiven."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        letters = bytes(data).translate(None, _NOT_BASE64)
        letters = letters[: len(letters) - (len(letters) % 4 == 1)]
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def quoted_printable(data: bytes | memoryview) -> bytes:
    """The bytes of quoted-printable; what is no code in it stays as it is."""
    return binascii.a2b_qp(data)


def uudecode(body: bytes) -> bytes:
    """The bytes of a uuencoded body, from its ``begin`` line to its ``end``."""
    first = re.search(rb"^begin [0-7]+ .*$", body, re.MULTILINE)
    lines = io.BytesIO(body)
    lines.seek(first.end() + 1 if first else 0)
    decoded = io.BytesIO()
    for ended in lines:
        line = ended.rstrip(b"\r\n")
        if line.strip() == b"end":
            break
        if not line:
            continue  # binascii reads 32 zero bytes of nothing
        try:
            decoded.write(binascii.a2b_uu(line))
        except binascii.Error:
            # The length in front is right, what stands behind it is padding of broken encoders.
            count = (((line[0] - 32) & 63) * 4 + 5) // 3
            with contextlib.suppress(binascii.Error):
                decoded.write(binascii.a2b_uu(line[:count]))
    return decoded.getvalue()
