"""What our own mail server found out about a mail's sender (Authentication-Results, RFC 8601)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from channels.email import charsets
from channels.email.headers import Headers

_NAME = "authentication-results"
_RESULT = re.compile(
    r"\s{0,20}([a-z][\w.-]{0,40})\s{0,5}(?:/\s{0,5}[0-9]{1,5}\s{0,5})?=\s{0,5}([a-z]{1,40})\b", re.IGNORECASE
)
_PAREN = re.compile(r"[()]|[^()]+")
MAX_FIELD = 16 * 1024


def authentication(headers: Headers, trusted: str) -> Mapping[str, str]:
    """Result by method (``{"spf": "pass", "dkim": "none"}``) in lower case; empty where nothing is trusted.

    ``trusted`` is the authserv-id of our own server. Only the topmost run of fields that bear it counts: it stands
    above whatever the mail brought along. A server must take out fields that claim its own id (RFC 8601 section 5);
    one that adds none itself and lets strangers' through cannot be told apart here. Of several signatures the
    first that passes counts, else the first.
    """
    found: dict[str, str] = {}
    if not trusted:
        return found
    begun = False
    for name, value in headers.fields:
        server, results = _read(value) if name == _NAME else ("", [])
        if server != trusted.lower():
            if begun:
                break
            continue
        begun = True
        for method, result in results:
            if method not in found or (result == "pass" and found[method] != "pass" and method == "dkim"):
                found[method] = result
    return found


def _read(value: bytes) -> tuple[str, list[tuple[str, str]]]:
    """The authserv-id and the results of one field; comments, which may hold anything, are left out."""
    depth = 0
    kept: list[str] = []
    for piece in _PAREN.findall(charsets.guess(value[:MAX_FIELD])):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(depth - 1, 0)
        elif not depth:
            kept.append(piece)
    server, *rest = " ".join(kept).split(";")
    words = server.split()
    results = [(match[1].lower(), match[2].lower()) for part in rest if (match := _RESULT.match(part))]
    return (words[0].strip('"').lower() if words else ""), results
