"""Bytes to text, whatever charset they are said to be in.

A declared charset is used where Python knows it or a name for it stands in the table below, and where the bytes agree;
else the bytes themselves tell. What comes out is valid Unicode: no lone surrogates, U+FFFD for what cannot be read.
The superset that mail programs mean by a name (windows-1252 for ISO-8859-1, GB 18030 for GB 2312) follows the WHATWG
Encoding Standard, section 4.2.
"""

from __future__ import annotations

import codecs
import encodings.aliases
import pkgutil
import re
from functools import lru_cache

_ALIASES = {
    "ansi_x3.110": "cp1252",
    "ansi_x3.110-1983": "cp1252",
    "ansi_x3.4-1968": "us-ascii",
    "big5-hkscs": "big5hkscs",
    "cn-big5": "big5",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "cp50222": "iso2022_jp_ext",
    "csiso2022jp": "iso2022_jp_ext",
    "cseuckr": "cp949",
    "csksc56011987": "cp949",
    "euc-cn": "gb18030",
    "euc-kr": "cp949",
    "euckr": "cp949",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-8859-1": "cp1252",
    "iso-8859-11": "cp874",
    "iso-8859-6-e": "iso8859_6",
    "iso-8859-6-i": "iso8859_6",
    "iso-8859-8-e": "iso8859_8",
    "iso-8859-8-i": "iso8859_8",
    "iso-8859-9": "cp1254",
    "iso-ir-100": "cp1252",
    "ks_c_5601": "cp949",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601-1989": "cp949",
    "ksc5601": "cp949",
    "ksc_5601": "cp949",
    "l1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "macintosh": "mac_roman",
    "mac": "mac_roman",
    "shift-jis": "cp932",
    "shift_jis": "cp932",
    "sjis": "cp932",
    "tis-620": "cp874",
    "unicode": "utf-16",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "unicode-2-0-utf-7": "utf-7",
    "utf8mb3": "utf-8",
    "utf8mb4": "utf-8",
    "utf-8mb4": "utf-8",
    "windows-31j": "cp932",
}
# They turn bytes into bytes, run without bound (a bomb of zlib or bz2), or read escapes that nobody mails.
_NO_CHARSETS = frozenset({
    "base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec",
    "idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "charmap", "mbcs", "oem", "aliases",
})  # fmt: skip
# A lookup of an unknown name is remembered by Python for good, so that strangers' names never get that far.
_KNOWN = frozenset(module.name for module in pkgutil.iter_modules(encodings.__path__))
_CODE_PAGE = re.compile(r"(?:cp|ibm|win|windows|microsoft-cp)[-_ ]?([0-9]{3,4})")
_ISO = re.compile(r"(?:iso)?[-_ ]?8859[-_ ]([0-9]{1,2})(-[ie])?")
_WIDER = {"big5": "big5hkscs"}
_SURROGATES = re.compile("[\ud800-\udfff]")
_LATIN = frozenset({"cp1252", "ascii", "iso8859-1", "latin-1"})
_MULTIBYTE = re.compile("(?:utf-(?:16|32)|utf-7|iso2022|hz)")
_BEYOND_ASCII = re.compile("[\x80-\U0010ffff]")


def decode(data: bytes, charset: str) -> str:
    """The text of ``data``; ``charset`` is the declared name, ``""`` where none is. Raises nothing."""
    if not data:
        return ""
    codec = codec_of(charset)
    if not codec or (codec in _LATIN and not data.isascii()):
        # Latin-1 is what programs declare that never asked; bytes that read as UTF-8 are UTF-8.
        return guess(data)
    if codec == "utf-16" and not data.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        codec = _endian(data)
    if codec == "utf-8":
        return guess(data)
    try:
        return _scrub(data.decode(codec))
    except (UnicodeError, ValueError):
        if not _MULTIBYTE.match(codec):
            try:
                return data.decode()
            except UnicodeDecodeError:
                pass
    codec = _WIDER.get(codec, codec)
    try:
        return _scrub(data.decode(codec, "replace"))
    except (UnicodeError, ValueError):  # some codecs have no way to replace
        return guess(data)


def guess(data: bytes, latin: str = "cp1252") -> str:
    """The text of bytes that nobody declared, or declared wrongly: UTF-8, ISO-2022-JP, else ``latin``."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _wounded(data, latin)
    if b"\x1b$" in data:
        try:
            return _scrub(data.decode("iso2022_jp_ext"))
        except UnicodeError:
            return text
    return text.removeprefix("\ufeff")


def _wounded(data: bytes, latin: str) -> str:
    """The text of bytes that are no UTF-8 from end to end."""
    if data.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        return _scrub(data.decode("utf-16", "replace"))
    replaced = data.decode("utf-8", "replace")
    sample = replaced[:20_000]
    broken = sample.count("\ufffd")
    if len(_BEYOND_ASCII.findall(sample)) > 2 * broken:
        # UTF-8 that was cut, or had a byte flipped: more of it can be read than not.
        return replaced
    try:
        return _scrub(data.decode(latin))
    except (UnicodeError, ValueError):
        return data.decode("latin-1")


@lru_cache(maxsize=512)
def codec_of(charset: str) -> str:
    """The name of the codec that a declared charset means; ``""`` for one that nobody knows."""
    name = charset.strip(" \t\r\n'\"<>;").lower().removeprefix("charset=").removeprefix("x-").removeprefix("_")
    if not name or len(name) > 40 or not name.isascii():
        return ""
    if page := _CODE_PAGE.fullmatch(name):
        name = f"cp{page[1]}"
    elif part := _ISO.fullmatch(name):
        name = f"iso-8859-{part[1]}{part[2] or ''}"
    elif name.startswith("mac-"):
        name = f"mac_{name[4:]}"
    name = _ALIASES.get(name, name)
    plain = re.sub(r"[^a-z0-9]+", "_", name).strip("_")
    plain = encodings.aliases.aliases.get(plain, plain)
    if plain not in _KNOWN or plain in _NO_CHARSETS:
        return ""
    try:
        found = codecs.lookup(plain).name
    except LookupError:
        return ""
    return "" if found in _NO_CHARSETS else found


def _endian(data: bytes) -> str:
    """Without a mark UTF-16 is big-endian (RFC 2781 section 4.3), unless the zero bytes of Latin text say otherwise."""
    sample = data[:2000]
    return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"


def _scrub(text: str) -> str:
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)
