"""What an operator is shown of a citizen before they ask: enough to follow a message, not enough to find a person.

Three degrees. Of any citizen the address and the name are masked wherever they stand, in the text and in the
provider's payload too. Of one who asked to stay unnamed or unpublished, what they wrote and what was sent to them
is left out altogether: no rule finds every spelling of a name. Revealed, all is shown. The secrets of a channel
are out at every degree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, cast
from urllib.parse import quote, quote_plus

from channels.base import SenderKind
from channels.redaction import HIDDEN, SHORT, mask_address, scrub

LONGEST: Final = 16 * 1024
"""Characters of a text or payload that a page shows."""
CUT: Final = "\n[…]"

_WORD: Final = re.compile(r"\w{3,}")
# Who wrote, in the payloads of providers that write JSON.
_NAMED: Final = re.compile(
    r'("(?:username|first_name|last_name|name|screen_name|ProfileName|WaId)"\s*:\s*)"(?:[^"\\]|\\.)*"'
)
_PRINTABLE: Final = {"\n", "\t"}


class Veil:
    """How one citizen's words are shown.

    ``sensitive`` says that they asked to be unnamed or unpublished; ``revealed`` that the operator asked to see, and
    that the asking is recorded. ``secrets`` are the values of the channel's settings that no page shows.
    """

    def __init__(
        self,
        kind: str,
        address: str,
        names: Iterable[str] = (),
        *,
        sensitive: bool,
        revealed: bool = False,
        secrets: Sequence[bytes] = (),
    ) -> None:
        self.sensitive = sensitive
        self.revealed = revealed
        self._kind = cast("SenderKind", kind)
        self._address = address
        self._secrets = [secret.decode("utf-8", "replace") for secret in secrets if len(secret) >= 4]
        self._pattern = _pattern(address, names)

    @property
    def withheld(self) -> bool:
        """Whether words are left out altogether."""
        return self.sensitive and not self.revealed

    def address(self) -> str:
        """The citizen's address as it is shown."""
        if self.revealed:
            return self._address
        return HIDDEN if self.sensitive else mask_address(self._kind, self._address)

    def name(self, name: str) -> str:
        """A display name as it is shown: its first letter, or all of it."""
        if self.revealed or not name:
            return name
        return SHORT if self.sensitive else f"{name[0]}{SHORT}"

    def text(self, text: str) -> str:
        """What the citizen wrote, or was sent; ``""`` where it is withheld."""
        if self.withheld:
            return ""
        text = text[:LONGEST] + CUT if len(text) > LONGEST else text
        return self.line(text)

    def line(self, text: str) -> str:
        """A word of ours or of a provider that may hold the address: never withheld."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        if self.revealed:
            return text
        return scrub(self._pattern.sub(SHORT, text) if self._pattern else text)

    def payload(self, raw: bytes) -> str:
        """The provider's payload as text, what is not printable as escapes; ``""`` where it is withheld."""
        if self.withheld:
            return ""
        text = plain(raw)
        if not self.revealed:
            text = _NAMED.sub(rf'\1"{SHORT}"', text)
        return self.text(text)


def plain(raw: bytes) -> str:
    """Bytes for people: UTF-8 as it is, anything else and control characters as escapes."""
    text = raw[: 4 * LONGEST].decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c in _PRINTABLE else c.encode("unicode_escape").decode() for c in text)


def _pattern(address: str, names: Iterable[str]) -> re.Pattern[str] | None:
    """Finds the address as it is, as URLs and other networks spell it, and the words of the names."""
    spelled = {address, quote(address, safe=""), quote_plus(address)}
    digits = re.sub(r"\D", "", address)
    if address.startswith("+") and len(digits) > 6:
        # Behind whatever prefix, and however it is grouped.
        tail = digits[2:] if digits.startswith("62") else digits
        spelled |= {digits, f"0{tail}", tail}
    words = {word for name in names for word in _WORD.findall(name)}
    found = sorted((one for one in spelled | words if len(one) > 2), key=len, reverse=True)
    if not found:
        return None
    return re.compile("|".join(rf"(?<!\w){re.escape(one)}(?!\w)" for one in found), re.IGNORECASE)
