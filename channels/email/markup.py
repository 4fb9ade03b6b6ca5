"""HTML to text: what a reader sees, quoted mail marked with ``>``, whatever the markup."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import Any

MAX_HTML = 512 * 1024
_LOST = 4
"""How many times more text than inscriptis the plain way must find before it is believed."""
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"  # noncharacters: no mail means them
_BLOCKQUOTE = re.compile(r"<(/?)blockquote\b([^<>]{0,2000})>", re.IGNORECASE)
# A blockquote without these is how editors indent.
_CITES = re.compile(r"type\s*=\s*[\"']?cite|\bcite\b|quote|border-left", re.IGNORECASE)
_MARK = re.compile(f"([{_OPEN}{_CLOSE}])")
_HIDDEN = frozenset({"head", "script", "style", "title", "template", "noscript"})
_BREAKS = frozenset({
    "br", "p", "div", "tr", "li", "ul", "ol", "table", "blockquote", "hr", "pre", "h1", "h2", "h3", "h4", "h5", "h6",
    "section", "article", "header", "footer", "dt", "dd",
})  # fmt: skip
_TAG = re.compile(r"/?([a-zA-Z][a-zA-Z0-9]*)")
_HIDES = re.compile(r"display\s{0,5}:\s{0,5}none", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t\r\f\v\xa0\u200b\u200c\u2007\u202f\u034f\xad]+")


def to_text(source: str) -> str:
    """The text of an HTML body, of its first 512 Ki characters; never raises.

    inscriptis lays it out; where that refuses, or loses what deep nesting hides from its parser, the tags are
    simply taken out.
    """
    marked = _mark_quotes(source[:MAX_HTML].translate({0: None, ord(_OPEN): None, ord(_CLOSE): None}))
    plain = _without_tags(marked)
    rich = _laid_out(marked)
    return _quoted(rich if _LOST * _weight(rich) >= _weight(plain) else plain)


def _mark_quotes(source: str) -> str:
    """Put marks where quoted mail begins and ends."""
    cites: list[bool] = []
    pieces: list[str] = []
    at = 0
    for tag in _BLOCKQUOTE.finditer(source):
        if not tag[1]:
            cites.append(bool(_CITES.search(tag[2])))
            mark = _OPEN if cites[-1] else ""
        else:
            mark = _CLOSE if cites and cites.pop() else ""
        pieces += (source[at : tag.start()], f"<div>{mark}</div>" if mark else "<br>")
        at = tag.end()
    return "".join((*pieces, source[at:]))


def _laid_out(source: str) -> str:
    from inscriptis import get_text  # type: ignore[import-untyped]  # late: lxml behind it takes a while to load

    try:
        return str(get_text(source, _layout()))
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return ""  # another's code over a stranger's markup
    except SyntaxError:
        return ""  # what lxml's errors are


@lru_cache(maxsize=1)
def _layout() -> Any:
    """Without what a stranger could fill the memory with: paddings, and columns as wide as their widest.

    Mails use tables to place things: a row is a line here. Of styles only the one that hides is kept.
    """
    from inscriptis.css_profiles import CSS_PROFILES  # type: ignore[import-untyped]
    from inscriptis.html_properties import Display  # type: ignore[import-untyped]
    from inscriptis.model.config import ParserConfig  # type: ignore[import-untyped]
    from inscriptis.model.html_element import HtmlElement  # type: ignore[import-untyped]
    from inscriptis.model.tag import CustomHtmlTagHandlerMapping  # type: ignore[import-untyped]

    def hide(style: str, element: Any) -> None:
        if _HIDES.search(style):
            element.display = Display.none

    css = CSS_PROFILES["strict"].copy()
    css |= dict.fromkeys(("table", "tbody", "tr", "caption"), HtmlElement(display=Display.block))
    css |= dict.fromkeys(("td", "th"), HtmlElement(suffix=" "))
    table = ("table", "tr", "td", "th")
    plain = CustomHtmlTagHandlerMapping(
        start_tag_mapping=dict.fromkeys(table, lambda _state, _attributes: None),
        end_tag_mapping=dict.fromkeys(table, lambda _state: None),
    )
    config = ParserConfig(css=css, custom_html_tag_handler_mapping=plain)
    config.attribute_handler.attribute_mapping = {"style": hide}
    return config


def _without_tags(source: str) -> str:
    """The text between the tags, without those that hide; linear, whatever the markup."""
    pieces: list[str] = []
    hidden = ""
    first, *rest = source.split("<")
    pieces.append(first)
    for piece in rest:
        name = _TAG.match(piece)
        if piece.startswith("!--"):
            piece = piece.partition("-->")[2]
            pieces.append("" if hidden else piece)
            continue
        tag = name[1].lower() if name else ""
        if hidden:
            if piece.startswith("/") and tag == hidden:
                hidden = ""
                pieces.append(piece.partition(">")[2])
            continue
        if not name and not piece.startswith(("/", "!", "?")):
            pieces.append("<" + piece)
            continue
        if tag in _HIDDEN and not piece.startswith("/"):
            hidden = tag
            continue
        pieces.append(("\n" if tag in _BREAKS else "") + piece.partition(">")[2])
    return html.unescape("".join(pieces))


def _weight(text: str) -> int:
    return sum(map(len, text.split()))


def _quoted(text: str) -> str:
    """Lines between the marks with ``>`` in front, blanks tidied."""
    depth = 0
    lines: list[str] = []
    for piece in _MARK.split(text):
        if piece == _OPEN:
            depth = min(depth + 1, 20)
        elif piece == _CLOSE:
            depth = max(depth - 1, 0)
        else:
            said = [_BLANKS.sub(" ", line).strip() for line in piece.strip("\n").split("\n")]
            lines += [f"{'>' * depth} {line}".rstrip() for line in said] if depth else said
    return "\n".join(lines)
