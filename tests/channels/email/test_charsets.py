"""Bytes to text, whatever they are said to be."""

import codecs
import encodings
import pkgutil
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.charsets import codec_of, decode, guess
from channels.email.headers import text
from tests.channels.email.letters import letter, read

# What Python calls a codec and nobody writes mail in; two are Windows' own.
NO_CHARSETS = {
    "base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec", "mbcs", "oem",
    "charmap", "idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "aliases",
}  # fmt: skip
CHARSETS = sorted({module.name for module in pkgutil.iter_modules(encodings.__path__)} - NO_CHARSETS)
TEXTS = [
    "Jalan rusak di Müller",
    "мост сломан",
    "道路が壊れた",
    "도로 파손",
    "الطريق مكسور",
    "ถนนพัง",
    "路坏了",
    "AEIOU 123",
]


@pytest.mark.parametrize("charset", CHARSETS)
def test_every_charset_that_python_knows_is_read(charset: str) -> None:
    tried = 0
    for said in TEXTS:
        try:
            data = said.encode(charset)
        except UnicodeEncodeError:
            continue
        tried += 1
        assert decode(data, charset) == said
        assert decode(data, charset.upper().replace("_", "-")) == said
    assert tried


@pytest.mark.parametrize(
    ("said", "codec"),
    [
        ("cp-850", "cp850"),
        ("windows-874", "cp874"),
        ("x-windows-949", "cp949"),
        ("utf8mb4", "utf-8"),
        ("utf-8mb4", "utf-8"),
        ("UTF8", "utf-8"),
        ("'utf-8'", "utf-8"),
        ("charset=utf-8", "utf-8"),
        ("iso-8859-8-i", "iso8859-8"),
        ("ISO8859_15", "iso8859-15"),
        ("iso8859-2", "iso8859-2"),
        ("ks_c_5601-1987", "cp949"),
        ("x-sjis", "cp932"),
        ("gb2312", "gb18030"),
        ("x-gbk", "gb18030"),
        ("big5", "big5"),
        ("koi8-u", "koi8-u"),
        ("unicode-1-1-utf-7", "utf-7"),
        ("iso-8859-1", "cp1252"),
        ("us-ascii", "ascii"),
        ("ansi_x3.4-1968", "ascii"),
        ("tis-620", "cp874"),
        ("macintosh", "mac-roman"),
        ("x-mac-cyrillic", "mac-cyrillic"),
        ("unknown-8bit", ""),
        ("x-unknown", ""),
        ("", ""),
        ("zlib", ""),
        ("rot13", ""),
        ("idna", ""),
        ("punycode", ""),
        ("unicode_escape", ""),
        ("undefined", ""),
        ("a" * 1000, ""),
        ("utf-8\x00", "utf-8"),
    ],
)
def test_names_that_mail_programs_use(said: str, codec: str) -> None:
    assert codec_of(said) == codec


@pytest.mark.parametrize(
    ("data", "said", "expected"),
    [
        ("Müller".encode(), "iso-8859-1", "Müller"),
        ("Müller".encode(), "us-ascii", "Müller"),
        ("Müller".encode("latin-1"), "us-ascii", "Müller"),
        ("Müller".encode("latin-1"), "utf-8", "Müller"),
        ("Müller".encode("latin-1"), "unknown-8bit", "Müller"),
        ("Müller".encode(), "ansi_x3.110", "Müller"),
        ("“5 €”".encode("cp1252"), "iso-8859-1", "“5 €”"),
        ("路坏了".encode(), "gb2312", "路坏了"),
        ("路坏了".encode("gb18030"), "gb2312", "路坏了"),
        ("すみません".encode("iso2022_jp"), "", "すみません"),
        ("すみません".encode("cp932"), "shift_jis", "すみません"),
        ("jalan".encode("utf-16"), "utf-16", "jalan"),
        ("jalan".encode("utf-16-be"), "utf-16", "jalan"),
        ("jalan".encode("utf-16-le"), "utf-16", "jalan"),
        ("jalan".encode("utf-16"), "x-unknown", "jalan"),
        (codecs.BOM_UTF8 + b"jalan", "utf-8", "jalan"),
        ("мост сломан".encode()[:-1], "utf-8", "мост слома\ufffd"),
        (b"\x81\x8d", "iso-8859-1", "\x81\x8d"),
        (b"+2AA-", "utf-7", "\ufffd"),
    ],
)
def test_bytes_that_are_not_what_is_said(data: bytes, said: str, expected: str) -> None:
    assert decode(data, said) == expected


@given(st.binary(max_size=200), st.sampled_from([*CHARSETS, *NO_CHARSETS, "", "x-unknown"]) | st.text(max_size=20))
def test_nothing_is_raised_and_everything_can_be_written_as_utf_8(data: bytes, charset: str) -> None:
    decode(data, charset).encode()
    guess(data).encode()


HEADERS = [
    ("=?utf-8?Q?Jalan_M=C3=BCller?=", "Jalan Müller"),
    ("=?utf-8?q?Jalan?= =?utf-8?q?_rusak?=", "Jalan rusak"),
    ("=?utf-8?Q?Jalan?= rusak =?utf-8?Q?parah?=", "Jalan rusak parah"),
    (
        "=?utf-8?B?"
        + b64encode("é".encode()[:1]).decode()
        + "?= =?utf-8?B?"
        + b64encode("é".encode()[1:]).decode()
        + "?=",
        "é",
    ),
    ("=?utf-8?Q?M=C3?=\r\n =?utf-8?Q?=BCller?=", "Müller"),
    ("=?UTF-8*id?Q?rusak?=", "rusak"),
    ("=?iso-8859-1?Q?M=C3=BCller?=", "Müller"),
    ("=?x-unknown?Q?M=FCller?=", "Müller"),
    ("=?NONE?B?VEVTVA=?=", "TEST"),
    ("=?utf-8?B??= kosong", "kosong"),
    ("=?utf-8?B?SmFsYW4?=", "Jalan"),
    ("=?utf-8?Q?belum selesai", "=?utf-8?Q?belum selesai"),
    ("=?utf-8?Q?satu=0D=0ABcc:_x@y.z?=", "satu Bcc: x@y.z"),
    ("kata=?utf-8?Q?_lekat?=", "kata lekat"),
    ("=?iso-2022-jp?B?GyRCJV4lXyVgGyhC?=", "マミム"),
]


@pytest.mark.parametrize(("said", "expected"), HEADERS, ids=[said for said, _ in HEADERS])
def test_encoded_words(said: str, expected: str) -> None:
    assert text(said.encode()) == expected


@pytest.mark.parametrize(
    ("said", "field", "expected"),
    [
        ("Jalan Müller".encode(), "", "Jalan Müller"),
        ("Jalan Müller".encode("latin-1"), "", "Jalan Müller"),
        ("мост".encode("koi8-r"), "Content-Type: text/plain; charset=koi8-r", "мост"),
        ("路坏了".encode("gb18030"), "Content-Type: text/plain; charset=gb2312", "路坏了"),
    ],
    ids=["utf-8", "latin-1", "the body's koi8-r", "the body's gb2312"],
)
def test_raw_bytes_in_a_subject(said: bytes, field: str, expected: str) -> None:
    raw = letter("x", "Subject: @@", *filter(None, [field])).replace(b"@@", said)
    assert read(raw).subject == expected


@pytest.mark.parametrize("charset", ["utf-8", "utf8mb4", "cp-850", "iso-8859-15", "windows-1252", "utf-7", "utf-16"])
def test_a_body_in_its_charset(charset: str) -> None:
    body = b64encode("Jalan é rusak".encode(codec_of(charset)))
    raw = letter(body, f"Content-Type: text/plain; charset={charset}", "Content-Transfer-Encoding: base64")
    assert read(raw).text == "Jalan é rusak"
