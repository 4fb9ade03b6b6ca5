"""The two wishes a citizen can utter: keep my identity from the agencies; do not publish the report (DESIGN section 5).

``ANONIM`` and ``RAHASIA`` in front of a message are commands. Plain words count where they ask for it: who is
meant (the writer, not "the recipients of aid"), and a request, not a statement ("tender results are not
published") and not its refusal ("no need to keep it secret").

Plain words are read in two steps: each word takes its canonical form (``jgn`` is ``jangan``, ``dipublish`` is
``publikasikan``), then a short table of rules looks at those.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from normalizer.event import NO_WISHES, Privacy
from normalizer.text import readable

MAX_REMEMBERED, MAX_WORD = 50_000, 24
"""Bounds of the words that are remembered, and of each one's letters."""

NONE = NO_WISHES
ANONYMOUS = Privacy(anonymous=True)
CONFIDENTIAL = Privacy(confidential=True)
BOTH = Privacy(anonymous=True, confidential=True)


class Front(msgspec.Struct, frozen=True):
    """The privacy words in front of a text, and ``end``, where the text goes on after them."""

    privacy: Privacy
    end: int


# "Rahasia umum" and its like speak of secrets; they ask for none.
_IDIOM = "umum|publik|lagi|dapur|negara|bank|dagang|jabatan|perusahaan|pribadi|kecil|besar|medis|keluarga|alam"
FRONT = re.compile(
    rf"(?P<anonymous>an[o0]n[i1l|]m|anonymous)(?![^\W_])"
    rf"|(?P<confidential>rahas[i1l|]a|confidential)(?![^\W_])(?!\s+(?:{_IDIOM})\b)",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"[\W_]*(?:(?:dan|and|serta)[\W_]+(?=an[o0]n|rahas|conf))?", re.IGNORECASE)
_BEFORE_FRONT = re.compile(r"(?:[@#]\w+|[\W_])*")


def front(text: str, start: int = 0) -> Front | None:
    """The words ``ANONIM`` and ``RAHASIA`` at ``start``, in either order; ``None`` where there are none."""
    privacy, end = NONE, start
    while match := FRONT.match(text, end):
        privacy = either(privacy, ANONYMOUS if match.lastgroup == "anonymous" else CONFIDENTIAL)
        end = _end(_BETWEEN, text, match.end())
    return None if privacy == NONE else Front(privacy, end)


def read(text: str, words: Sequence[str] = ()) -> Privacy:
    """The wishes that a text utters, in front or in plain words, in Indonesian or English.

    ``words`` are all the words of an ASCII text, in lower case, where the caller has them: those of texts without
    a wish are remembered, and a text of such words alone need not be searched for each stem again.
    """
    text = readable(text).lower()
    if words and _HARMLESS.issuperset(words) and "an0n" not in text:
        return NONE
    for stem in _STEMS:
        if stem in text:
            break
    else:
        if words and len(_HARMLESS) < MAX_REMEMBERED and not any(half in text for half in _HALVES):
            _HARMLESS.update(word for word in words if len(word) <= MAX_WORD)
        return NONE
    ahead = front(text, _end(_BEFORE_FRONT, text, 0))
    wishes = ahead.privacy if ahead else NONE
    canonical = " ".join(_CANONICAL.get(word, word) for word in _WORD.findall(text))
    for rule, wish in _RULES:
        uttered = list(rule.finditer(canonical))
        for match in uttered:
            if not _REFUSED.search(canonical, max(0, match.start() - 40), match.start()):
                wishes = either(wishes, wish)
        if uttered:
            # What one rule has read, the next does not: "do not publish my name" is about the name alone.
            canonical = rule.sub(";", canonical)
    return wishes


def either(one: Privacy, other: Privacy) -> Privacy:
    """Both wishes together."""
    if other is NONE:
        return one
    return Privacy(one.anonymous or other.anonymous, one.confidential or other.confidential)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start


# A cheap look before the rules: few messages hold one of these.
_STEMS = (
    *("an0n", "anon", "rahas", "publi", "identi", "jangan", "jgn", "sembunyi", "samar", "lindungi", "tidak usah"),
    *("nama saya", "nama sy", "nama kami", "namaku", "tanpa", "umumkan", "sebar", "secret", "confid", "private"),
    *("name", "identity", "disclose", "reveal"),
)
# A word with one of these may be half of a stem of two words, so it is never harmless.
_HALVES = ("usah", "nama")
_HARMLESS: set[str] = set()
_WORD = re.compile(r"[a-z']+|[.,;!?()]")

_SAME = {
    "saya": "sy aku ak kami gue gw gua kula abdi pelapor pengadu pengirim",
    "tidak": "tdk tak gak gk ga ngga nggak enggak ndak tida",
    "jangan": "jgn jng jgan jangn ojo ulah",
    # Words of asking, which may stand anywhere in a request.
    "mohon": "mhn tolong tlg tlong harap minta mnt agar supaya spy biar harus ingin mau ya yah dong please juga",
    "rahasiakan": "rahasiakn rahasiain merahasiakan sembunyikan menyembunyikan samarkan lindungi anonimkan",
    "dirahasiakan": "dirahasiakn dirahasiain disembunyikan disamarkan dilindungi dianonimkan",
    "sebut": (
        "sebutkan disebut disebutkan menyebut menyebutkan bocorkan dibocorkan bocor bocorin tulis ditulis tuliskan"
        " dituliskan cantumkan dicantumkan mencantumkan tampilkan ditampilkan ungkap ungkapkan diungkap diungkapkan"
        " beritahu beritahukan diberitahukan diketahui dibuka dikasih"
    ),
    "publikasikan": (
        "publikasi dipublikasi dipublikasikan dipublikasikn mempublikasikan memublikasikan dipublish dipublis umumkan"
        " diumumkan mengumumkan sebarkan disebarkan menyebarkan sebar disebar sebarluaskan disebarluaskan dimuat"
        " viralkan diviralkan ekspos diekspos"
    ),
    "identitas": "identitasnya jatidiri",
    "nama": "nm namanya",
    "identitas saya": "identitasku",
    "nama saya": "namaku namakami",
    "laporan": "aduan pengaduan keluhan pesan cerita",
    "melapor": "lapor melaporkan",
    "do not": "don't dont",
    "my": "our",
    "name": "names identity details",
}
_CANONICAL = {word: canonical for canonical, words in _SAME.items() for word in words.split()}

_PARTS = {
    "NOUN": r"(?:identitas|nama|data (?:diri|pribadi)|jati diri|kontak|alamat|(?:no|nomor) (?:hp|telp|telepon|wa))",
    "SECRET": r"(?:secret|private|confidential|anonymous|hidden)",
    "HIDDEN": r"(?:di )?(?:rahasiakan|dirahasiakan|sembunyikan)",
}
# The writer's own: with "saya", or said bare at the end of a clause or right after a request.
_PARTS["MINE"] = (
    r"(?:(?<=mohon )NOUN|NOUN(?: (?:dan |, )?NOUN){0,4}(?: lengkap| asli)?(?: saya|(?= mohon$)|(?= [.,;!?)])|$))"
)
_PARTS["REPORT"] = r"(?:isi )?laporan(?: (?:saya|ini)){0,4}"
_PARTS["THIS"] = r"(?:this|it|(?:my|the|this) (?:report|complaint|message|case))"


def _rule(pattern: str, wish: Privacy) -> tuple[re.Pattern[str], Privacy]:
    for part, value in reversed(_PARTS.items()):  # MINE holds NOUN, so it goes first
        pattern = pattern.replace(part, value)
    return re.compile(rf"(?<![\w'])(?:{pattern})(?![\w'])"), wish


_RULES = (
    # identity, in Indonesian
    _rule(r"rahasiakan (?:mohon )?MINE", ANONYMOUS),
    _rule(r"MINE(?: (?:mohon|ini|untuk)){0,4} HIDDEN", ANONYMOUS),
    _rule(r"MINE(?: mohon){0,4} jangan(?: (?:sampai|mohon)){0,4} (?:di )?(?:sebut|publikasikan)", ANONYMOUS),
    _rule(
        r"(?:jangan|tanpa|mohon tidak|tidak usah|tidak mohon)(?: (?:sampai|mohon|di)){0,4} (?:sebut|publikasikan) MINE",
        ANONYMOUS,
    ),
    _rule(
        r"(?:jangan|tidak mohon)(?: (?:sampai|mohon)){0,4} MINE(?: (?:mohon|di)){0,4} (?:sebut|publikasikan)", ANONYMOUS
    ),
    _rule(r"(?:mohon|saya|melapor|tetap|secara)(?: (?:secara|sebagai|tetap|jadi)){0,4} anonim", ANONYMOUS),
    # identity, in English
    _rule(r"(?:keep|hide|conceal|protect) my (?:\w+ )?name(?: \w+){0,2}", ANONYMOUS),
    _rule(
        r"(?:do not|never|without) (?:\w+ )?(?:reveal|disclose|share|mention|publish|show|use|give|tell)(?:ing)?"
        r" (?:\w+ )?my (?:\w+ )?name",
        ANONYMOUS,
    ),
    _rule(r"my (?:\w+ )?name (?:\w+ ){0,3}SECRET", ANONYMOUS),
    _rule(
        r"do not (?:\w+ )?my (?:\w+ )?name (?:\w+ ){0,3}(?:published|known|shared|revealed|mentioned|disclosed)",
        ANONYMOUS,
    ),
    _rule(r"(?:keep (?:me|this|it)|remain|stay|be) anonymous|anonymously", ANONYMOUS),
    # the report
    _rule(r"(?:jangan|mohon tidak)(?: (?:sampai|mohon|di)){0,4} publikasikan", CONFIDENTIAL),
    _rule(r"(?:jangan|tidak mohon)(?: (?:sampai|mohon)){0,4} REPORT(?: (?:mohon|di)){0,4} publikasikan", CONFIDENTIAL),
    _rule(r"(?:(?:tidak|bukan) (?:usah|perlu|untuk)|saya tidak mohon) (?:di )?publikasikan", CONFIDENTIAL),
    _rule(r"REPORT(?: (?:mohon|bersifat|sifatnya)){0,4} (?:HIDDEN|rahasia(?! (?:umum|lagi|publik)))", CONFIDENTIAL),
    _rule(r"rahasiakan REPORT", CONFIDENTIAL),
    _rule(r"(?:do not|never) (?:publish|post|publici[sz]e)|(?:do not|never) make THIS public", CONFIDENTIAL),
    _rule(r"not for publication|keep THIS SECRET", CONFIDENTIAL),
    # What is to be kept secret is left open: both.
    _rule(r"mohon HIDDEN(?= [.,;!?)]| mohon|$)", BOTH),
)
_REFUSED = re.compile(
    r"(?<![\w'])(?:tidak|bukan|jangan|not|no need to)"
    r"(?: (?:mohon|perlu|usah|saya|secara|laporan|need|have|want|to)){0,3} $"
)
