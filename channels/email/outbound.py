"""A reply as a mail: pure functions from an :class:`~channels.base.OutboundMessage` to the bytes for DATA.

The formats are RFC 5322 (mail), RFC 2045-2047 (MIME) and RFC 3834 (automatic responses). The mail is written with the
``compat32`` policy of the standard library: the newer policies encode a long Message-ID in ``References`` as if it
were text, and a reader then finds no thread.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, formataddr
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from channels.base import OutboundMessage
from channels.email.settings import ADDRESS
from channels.errors import Refused

if TYPE_CHECKING:
    from jinja2 import Template

MAX_SUBJECT: Final = 200
"""Characters of the citizen's subject that a reply repeats."""
MAX_REFERENCES: Final = 20
MAX_MESSAGE_ID: Final = 500

_BEFORE: Final = re.compile(r"^(?:(?:re|bls|balas|aw|sv|antw)\s*(?:\[\d{1,3}\]|\(\d{1,3}\))?\s*:\s*)+", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# A text keeps its line ends and tabs.
_CONTROL_IN_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MESSAGE_ID: Final = re.compile(r"<[\x21-\x3b\x3d\x3f-\x7e]+>")

_UTF8: Final = Charset("utf-8")
_UTF8.body_encoding = QP


def recipient(to: str) -> str:
    """``to`` as the envelope has it, its domain in ASCII.

    Raises :class:`~channels.errors.Refused` for what is no address, and for a local part beyond ASCII, which few
    servers take (RFC 6531).
    """
    local, at, domain = to.rpartition("@")
    if at and not local.isascii():
        raise Refused("the part before the @ is not in ASCII", reason="not_ascii")
    try:
        found = f"{local}@{domain if domain.isascii() else domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        found = ""
    if not ADDRESS.fullmatch(found):
        raise Refused("the recipient is not a mail address", reason="not_an_address")
    return found


def compose(message: OutboundMessage, *, address: str, from_name: str, message_id: str, at: datetime) -> bytes:
    """The mail, with CRLF line ends. Message-IDs are in angle brackets, ``at`` is aware.

    Raises :class:`~channels.errors.Refused` for a recipient that is no address and for an empty text.
    """
    to = recipient(message.to)
    text = _CONTROL_IN_TEXT.sub("", _storable(message.text)).replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise Refused("the text is empty", reason="empty_text")
    mail: Message[Any, Any] = MIMEMultipart("alternative")
    mail["From"] = formataddr((_one_line(from_name), address), "utf-8")
    mail["To"] = to
    about = subject(message.subject, message.number, from_name)
    mail["Subject"] = Header(about, "us-ascii" if about.isascii() else _UTF8, header_name="Subject")
    mail["Date"] = format_datetime(at)
    _add_id(mail, "Message-ID", [message_id])
    _add_id(mail, "In-Reply-To", message.thread.replies_to[:1])
    _add_id(mail, "References", message.thread.replies_to[MAX_REFERENCES - 1 :: -1])
    mail["Auto-Submitted"] = "auto-replied"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.attach(_part(text, "plain"))
    mail.attach(_part(html(text, message.number), "html"))
    return mail.as_bytes(policy=compat32.clone(linesep="\r\n", max_line_length=78))


def subject(of: str, number: str, otherwise: str) -> str:
    """``Re: Jalan rusak [482 913 7065]``: the number stands in it once, however often an answer is answered.

    Without a subject to answer it is ``Laporan 482 913 7065``, and without a number ``otherwise``.
    """
    own = _BEFORE.sub("", _one_line(of)).strip()
    if len(own) > MAX_SUBJECT:
        own = f"{own[: MAX_SUBJECT - 1].rstrip()}…"
    if not own:
        return f"Laporan {grouped(number)}" if number else _one_line(otherwise)
    if not number or re.search(_typed(number), own):
        return f"Re: {own}"
    return f"Re: {own} [{grouped(number)}]"


def grouped(number: str) -> str:
    """``482 913 7065``, as it is read aloud; another length stays as it is."""
    return f"{number[:3]} {number[3:6]} {number[6:]}" if len(number) == 10 else number


def html(text: str, number: str) -> str:
    """The text as HTML: paragraphs and lines as they stand, the number in bold, everything escaped."""
    paragraphs = [[_pieces(line, number) for line in paragraph.split("\n")] for paragraph in re.split(r"\n\s*\n", text)]
    return _template().render(paragraphs=paragraphs)


@cache
def _template() -> Template:
    # Imported here: a gateway that has yet to answer a mail does not need it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("reply.html")


def _pieces(line: str, number: str) -> list[tuple[str, bool]]:
    """A line cut into words and numbers, told apart."""
    if not number:
        return [(line, False)]
    cut = re.split(f"({_typed(number)})", line)
    return [(piece, index % 2 == 1) for index, piece in enumerate(cut) if piece]


def _typed(number: str) -> str:
    """A pattern for the number with blanks, dots or hyphens between its digits."""
    return r"(?<!\d)" + r"[ .-]?".join(re.escape(digit) for digit in number) + r"(?!\d)"


def _part(text: str, subtype: str) -> Message:
    return MIMEText(text + "\n", subtype, _UTF8)  # type: ignore[arg-type]  # typeshed knows names only


def _add_id(mail: Message[Any, Any], name: str, ids: Sequence[str]) -> None:
    """A header of Message-IDs; what cannot be one is left out: it came from outside, or is a hash."""
    found = [one for one in ids if _is_id(one)]
    if found:
        mail[name] = Header(" ".join(dict.fromkeys(found)), "us-ascii", header_name=name)


def _is_id(text: str) -> bool:
    return len(text) <= MAX_MESSAGE_ID and _MESSAGE_ID.fullmatch(text) is not None


def _one_line(text: str) -> str:
    """Nothing in it ends a header; half characters, which no encoding can write, are replaced."""
    return " ".join(_CONTROL.sub(" ", _storable(text)).split())


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
