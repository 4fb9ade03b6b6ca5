"""Addresses in header fields (RFC 5322 section 3.4): names, groups, comments, and what broken programs make of them.

The standard library's reader of addresses calls itself for each nested comment and so fails on a stranger's brackets;
this one reads a field once, from front to back. Nothing here raises.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec

from channels.email import charsets, headers

MAX_FIELD = 16 * 1024
MAX_ADDRESS = 320
MAX_NAME = 200
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*\\?(?:"|$)|<[^<>]*>?|[(),;:>]|[^"(<>),;:\\]+|\\.?', re.DOTALL)
_LOCAL = re.compile(r'[^\s@<>"(),:;\\\[\]\x00-\x20\x7f-\xa0]{1,250}|"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f]){1,100}"')
_DOMAIN = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){0,30}|\[[0-9A-Fa-f.:IPv]{3,60}\]")
_BARE = re.compile(r"[^\s<>\"'(),:;@\\\[\]]{1,64}@[^\s<>\"'(),:;@\\\[\]]{1,255}")
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)?")


class Mailbox(msgspec.Struct, frozen=True):
    """One address in canonical form, and the name that stands with it."""

    address: str
    name: str = ""


def canonical(address: str) -> str:
    """An address in its one form: lower case, NFC, a domain in A-labels (RFC 5890). ``""`` for what is no address."""
    local, at, domain = unicodedata.normalize("NFC", address.strip()).rpartition("@")
    domain = domain.rstrip(".").strip()
    if not at or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        return ""
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            # Such a domain names nobody, but it still tells senders apart.
            domain = unicodedata.normalize("NFKC", domain)
    found = f"{local}@{domain}".lower()
    return found if len(found) <= MAX_ADDRESS else ""


def mailboxes(value: bytes) -> list[Mailbox]:
    """The addresses of a field, in order; what is no address is left out."""
    said = charsets.guess(value[:MAX_FIELD])
    found = _read(said)
    if not found and said.strip():
        # The whole field in encoded words, or an address within a quoted name.
        plain = headers.words(said)
        bare = _BARE.findall(plain)
        found = _read(plain) or [Mailbox(address) for one in bare if (address := canonical(one.strip(".")))]
    return found


def _read(said: str) -> list[Mailbox]:
    found: list[Mailbox] = []
    phrase: list[str] = []
    comment: list[str] = []
    angle = ""
    depth = 0
    for piece in (*_TOKEN.findall(said), ","):
        if depth and piece not in "(),":
            comment.append(piece)
        elif piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(depth - 1, 0)
        elif piece in (",", ";"):
            if mailbox := _mailbox("".join(phrase), angle, "".join(comment)):
                found.append(mailbox)
            phrase, comment, angle, depth = [], [], "", 0
        elif piece == ":" and not angle:
            # What stood before is the name of a group, or "mailto".
            phrase = []
        elif piece.startswith("<"):
            angle = angle or piece.strip("<>")
        else:
            phrase.append(piece)
    return found


def _mailbox(phrase: str, angle: str, comment: str) -> Mailbox | None:
    said = angle.rpartition(":")[2] if angle.startswith(("@", "mailto:")) else _COMMENT.sub("", angle)
    if address := canonical("".join(said.split())):
        return Mailbox(address, _name(phrase or comment, address))
    whole = canonical(phrase)
    candidates = [] if whole else (canonical(word.strip("'\".")) for word in f"{angle} {phrase}".split()[:50])
    address = whole or next(filter(None, candidates), "")
    return Mailbox(address, _name(comment, address)) if address else None


def _name(said: str, address: str) -> str:
    """A display name as people read it; ``""`` where it only repeats the address."""
    said = said.strip()
    if said.startswith('"'):
        said = re.sub(r"\\(.)", r"\1", said.strip('"'))
    name = headers.line(headers.words(said)).strip("'\" ")[:MAX_NAME].strip()
    return "" if name.lower() == address else name
