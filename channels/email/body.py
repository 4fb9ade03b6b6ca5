"""What a mail says and brings: the text that a reader would see first, and the files that come with it."""

from __future__ import annotations

import hashlib
import re

import msgspec

from channels.base import Attachment
from channels.email import charsets, headers, markup
from channels.email.parts import Mail, Part

MAX_TEXT = 256 * 1024
"""Bytes of encoded text that are read of each part, and characters of the text in all."""
MAX_READ = 1024 * 1024
"""Encoded bytes after which no further part is read for its text."""
MAX_FILES = 200
"""Files that a message lists; the raw mail has all."""
MAX_NAME = 120
_HTML = frozenset({"text/html", "application/xhtml+xml", "text/enriched", "text/richtext"})
_PLAIN = frozenset({"text/plain", "text/text", "text/unknown", "text/x-plain", "text/markdown"})
_META = re.compile(rb"<meta[^<>]{0,200}charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffd]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
_SUFFIXES = {
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "audio/mpeg": ".mp3",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "message/rfc822": ".eml",
    "text/calendar": ".ics",
    "text/html": ".html",
    "text/plain": ".txt",
    "video/3gpp": ".3gp",
    "video/mp4": ".mp4",
}


class Body(msgspec.Struct, frozen=True):
    """``text`` with newlines as LF, quotes still in it; ``attachments`` in the order of the mail."""

    text: str
    attachments: tuple[Attachment, ...]


def read_body(mail: Mail) -> Body:
    """The text and the files of a mail. Raises nothing."""
    shown, files = _sorted(mail)
    return Body(_text(mail, shown, files), tuple(_attachment(mail, part) for part in files[:MAX_FILES]))


def read_text(mail: Mail) -> str:
    """The text alone. Raises nothing."""
    return _text(mail, *_sorted(mail))


def _text(mail: Mail, shown: list[Part], files: list[Part]) -> str:
    said: list[str] = []
    left = MAX_READ
    for part in shown:
        left -= part.end - part.start
        piece = text_of(mail, part).strip("\n")
        if piece.strip() and piece not in said[-1:]:
            said.append(piece)
        if left < 0:
            break
    if not said:
        said = _instead(mail, files)
    return "\n\n".join(said)[:MAX_TEXT]


def text_of(mail: Mail, part: Part) -> str:
    """The text of one part: decoded, HTML laid out, flowed lines joined, newlines as LF."""
    data = mail.content(part, MAX_TEXT)
    charset = part.params.get("charset", "")
    rich = part.media_type in _HTML
    if rich and not charsets.codec_of(charset) and (meta := _META.search(data[:4096])):
        charset = meta[1].decode("ascii")
    text = charsets.decode(data, charset).replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    if part.media_type.startswith("multipart/"):
        edge = f"--{part.params.get('boundary', '')}"
        return "\n".join(line for line in text.split("\n") if line.rstrip() not in (edge, f"{edge}--"))
    if rich or (part.media_type in _PLAIN and text.lstrip()[:200].lower().startswith(("<!doctype html", "<html"))):
        return markup.to_text(text)
    if part.params.get("format", "").lower() == "flowed":
        return _unflowed(text, delsp=part.params.get("delsp", "").lower() == "yes")
    return text


def file_name(part: Part, said: str = "") -> str:
    """A name that is safe on every file system: no folders, no controls, no tricks with dots or reserved names."""
    name = _UNSAFE.sub("", (said or part.filename).replace("\\", "/").rpartition("/")[2])
    name = headers.line(name).strip(". ")
    stem, dot, suffix = name.rpartition(".")
    if len(name) > MAX_NAME:
        keep = f".{suffix[:16]}" if dot and len(suffix) <= 16 else ""
        name = (stem if keep else name)[: MAX_NAME - len(keep)].rstrip(". ") + keep
    if _RESERVED.match(name):
        name = f"_{name}"
    return name or f"part-{part.index}{_SUFFIXES.get(part.media_type, '.bin')}"


def _sorted(mail: Mail) -> tuple[list[Part], list[Part]]:
    """The parts to read and the parts that are files, in order."""
    texts = _texts(mail)
    shown: list[Part] = []
    files: list[Part] = []
    waiting = [(mail.parts[0], True)]  # and whether its text is the one that is shown
    while waiting:
        part, wanted = waiting.pop()
        inner = mail.inside(part)
        if part.media_type == "message/rfc822":
            if part.index:
                files.append(part)
                continue
        elif _is_text(part) and not inner:
            if wanted:
                shown.append(part)
            continue
        if not inner:
            if part.end > part.start and not part.media_type.startswith("multipart/"):
                files.append(part)
            elif part.end > part.start and wanted:
                shown.append(part)  # a multipart without parts: what stands there is read as it is
            continue
        chosen = _chosen(inner, texts) if part.media_type == "multipart/alternative" else None
        waiting += [(one, wanted and (chosen is None or one is chosen)) for one in reversed(inner)]
    return shown, files


def _chosen(inner: list[Part], texts: list[str]) -> Part | None:
    """The alternative to show: plain text unless it is blank, else HTML; ``None`` where none has text."""
    for kind in ("plain", "html"):
        for one in inner:
            if texts[one.index] == kind:
                return one
    return None


def _texts(mail: Mail) -> list[str]:
    """For each part, the best text within it: ``plain``, ``html`` or ``""``."""
    best = [""] * len(mail.parts)
    for part in reversed(mail.parts):  # what is inside comes after what is around it
        if not part.children and _is_text(part):
            if part.media_type in _HTML:
                best[part.index] = "html"
            elif mail.content(part, 2000).strip(b" \t\r\n\xa0\xc2"):
                best[part.index] = "plain"
        if part.parent >= 0 and best[part.index] and part.media_type != "message/rfc822":
            around = mail.parts[part.parent].index
            best[around] = "plain" if "plain" in (best[part.index], best[around]) else "html"
    return best


def _is_text(part: Part) -> bool:
    """Whether a part is there to be read; a text with a name or sent as an attachment is a file."""
    if part.media_type not in _HTML and part.media_type not in _PLAIN:
        return False
    return not part.index or (part.disposition != "attachment" and not part.filename)


def _instead(mail: Mail, files: list[Part]) -> list[str]:
    """What stands for the text of a mail that has none: a forwarded mail's, or an attached text's."""
    for part in files:
        if part.media_type in _PLAIN and (text := text_of(mail, part)).strip():
            return [text.strip("\n")]
        if part.media_type == "message/rfc822" and part.children:
            inner = mail.parts[part.children[0]]
            texts = _forwarded(mail, inner)
            return [one for one in (inner.headers.text("subject"), *texts) if one]
    return []


def _forwarded(mail: Mail, inner: Part) -> list[str]:
    """The first text within a forwarded mail, however deep; plain text before HTML."""
    within = [inner]
    for part in mail.parts[inner.index + 1 :]:
        if part.start >= inner.end:
            break
        within.append(part)
    for kinds in (_PLAIN, _HTML):
        for part in within:
            if part.media_type in kinds and not part.children and (text := text_of(mail, part)).strip():
                return [text.strip("\n")]
    return []


def _attachment(mail: Mail, part: Part) -> Attachment:
    content = mail.content(part)
    said = part.filename
    if part.media_type == "message/rfc822" and not said and part.children:
        subject = mail.parts[part.children[0]].headers.text("subject")
        said = f"{subject[:80].replace('/', '-')}.eml" if subject else ""
    media_type = part.media_type if part.typed or part.media_type == "message/rfc822" else "application/octet-stream"
    return Attachment(
        name=file_name(part, said),
        media_type=media_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        reference=f"part:{part.index}",
    )


def _unflowed(text: str, *, delsp: bool) -> str:
    """Lines that end in a blank go on in the next (RFC 3676), but for the line that begins a signature."""
    out: list[str] = []
    run: list[str] = []
    depth = 0
    for line in text.split("\n"):
        level = len(line) - len(line.lstrip(">"))
        said = line[level:].removeprefix(" ")
        if run and level != depth:
            out.append(_level(depth, "".join(run)))
            run = []
        depth = level
        if said.endswith(" ") and said != "-- ":
            run.append(said[:-1] if delsp else said)
            continue
        if said == "-- " and run:
            out.append(_level(depth, "".join(run)))
            run = []
        out.append(_level(depth, "".join((*run, said))))
        run = []
    if run:
        out.append(_level(depth, "".join(run)))
    return "\n".join(out)


def _level(depth: int, said: str) -> str:
    return f"{'>' * depth} {said}" if depth else said
