"""What citizens write, and what they have to hear: one draw after another, the same for the same seed.

Every letter says in advance what has to come of it: whether it opens a case or joins one, and how many answers its
citizen is to hear. So a book of any length balances by counting, and no list of letters is kept.

A citizen who has heard a tracking number may write once more: by then the number, and the message that it stands in,
are known to them as they are to a person with a phone in hand.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Mapping
from typing import Literal

import msgspec

Way = Literal["sms", "telegram", "twitter", "email"]
Kind = Literal["complaint", "another", "follow_up", "repeat", "status", "latest", "help", "thanks", "robot"]

WAYS: Mapping[Way, float] = {"sms": 0.72, "telegram": 0.12, "twitter": 0.08, "email": 0.08}
"""Each channel's share of the letters."""
KINDS: Mapping[Kind, float] = {
    "complaint": 0.66,
    "another": 0.06,
    "follow_up": 0.10,
    "status": 0.07,
    "latest": 0.02,
    "repeat": 0.03,
    "help": 0.02,
    "thanks": 0.02,
    "robot": 0.02,
}
"""Each kind's share. ``another`` is LAPOR BARU, ``repeat`` the same words again, ``latest`` STATUS without a number."""

OPENS: frozenset[Kind] = frozenset({"complaint", "another"})
JOINS: frozenset[Kind] = frozenset({"follow_up", "repeat"})
KNOWN: frozenset[Kind] = frozenset({"another", "follow_up", "repeat", "status", "latest", "thanks"})
"""What only a citizen writes who has heard a number."""
SILENT: frozenset[Kind] = frozenset({"thanks", "robot"})
"""What is never answered: a thank you within a conversation, and what a machine wrote."""
NOT_BY: Mapping[Way, frozenset[Kind]] = {
    "sms": frozenset(),
    "telegram": frozenset({"robot"}),
    # Where there is no conversation, a thank you alone would be answered with how to complain.
    "twitter": frozenset({"robot", "thanks"}),
    "email": frozenset({"thanks"}),
}
REMEMBERED = 2_000
"""Citizens of each way who may write again; the oldest is forgotten for a new one."""

_WHAT = (
    "Jalan berlubang dan membahayakan pengendara motor",
    "Lampu jalan mati sehingga gelap dan rawan kejahatan",
    "Sampah menumpuk dan belum diangkut petugas",
    "Saluran air tersumbat, setiap hujan banjir sampai ke rumah",
    "Jembatan kayu lapuk dan hampir ambruk",
    "Pohon tumbang menutup separuh jalan",
    "Air PDAM keruh dan berbau",
    "Pungutan liar saat mengurus surat pindah",
    "Antrean di puskesmas sangat lama, hanya ada satu dokter",
    "Atap ruang kelas bocor dan siswa belajar di teras",
    "Bantuan sosial belum diterima padahal nama kami terdaftar",
    "Parkir liar menutup trotoar",
)
_STREETS = ("Merdeka", "Diponegoro", "Ahmad Yani", "Sudirman", "Gatot Subroto", "Pahlawan", "Kartini", "Veteran")
_VILLAGES = ("Sukamaju", "Mekarsari", "Cibaduyut", "Tanjung Rejo", "Karang Anyar", "Gunung Sari", "Pasar Baru")
_SINCE = ("sejak kemarin", "sudah seminggu", "sudah dua bulan", "sejak banjir terakhir", "hampir setahun")
_PLEAS = ("Mohon segera diperbaiki.", "Tolong ditindaklanjuti.", "Kami warga sangat terganggu.", "Terima kasih.")
_MORE = (
    "Sampai hari ini belum ada petugas yang datang ke lokasi",
    "Keadaannya makin parah setelah hujan tadi malam",
    "Ketua RT kami bisa dihubungi untuk menunjukkan tempatnya",
    "Tadi pagi ada anak sekolah yang jatuh di sana",
)
_ENGLISH = (
    "The street light in front of our house has been broken for two months, please repair it",
    "There is a big hole in the road near the school and children fall into it",
)
_REGIONS = ("TANGKAB", "BANJARBARU")


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One message. ``who`` is the address, ``number`` a tracking number that was heard, ``below`` our message's id.

    ``answers`` is how many messages the citizen has to hear of it.
    """

    n: int
    way: Way
    kind: Kind
    who: str
    text: str
    answers: int
    subject: str = ""
    below: str = ""


class Citizen(msgspec.Struct, frozen=True):
    """Someone who has been answered: the number they heard, what they wrote, and the id of our answer."""

    who: str
    number: str
    text: str
    subject: str
    below: str


class _Due(msgspec.Struct):
    letter: Letter
    left: int
    since: float


class Citizens:
    """Everybody who writes. ``written`` counts letters by way and kind, ``due`` and ``heard`` count answers."""

    def __init__(self, seed: int = 1708) -> None:
        self._chance = random.Random(seed)
        self._known: dict[Way, deque[Citizen]] = {way: deque(maxlen=REMEMBERED) for way in WAYS}
        self._waiting: dict[tuple[Way, str], _Due] = {}
        self._count = 0
        self.written: Counter[tuple[Way, Kind]] = Counter()
        self.due = 0
        self.heard = 0
        self.unasked = 0
        """Answers that nobody waited for: doubled ones."""

    @property
    def waiting(self) -> int:
        """Citizens who have not heard all that is due to them."""
        return len(self._waiting)

    def draw(self, now: float) -> Letter:
        """The next letter, written at ``now`` (seconds of any clock)."""
        chance = self._chance
        n = self._count
        way = chance.choices(tuple(WAYS), tuple(WAYS.values()))[0]
        kind = chance.choices(tuple(KINDS), tuple(KINDS.values()))[0]
        if kind in NOT_BY[way] or (kind in KNOWN and not self._known[way]):
            kind = "complaint"
        letter = self._letter(n, way, kind)
        self._count = n + 1
        self.written[way, kind] += 1
        if letter.answers:
            self.due += letter.answers
            self._waiting[way, letter.who] = _Due(letter, letter.answers, now)
        return letter

    def hear(self, way: Way, who: str, number: str, below: str, now: float) -> float | None:
        """Someone was told something.

        ``number`` is the tracking number in it, if any, ``below`` the id of the message. Returns the seconds since they
        wrote once they have heard all that they wait for.
        """
        due = self._waiting.get((way, who))
        if due is None:
            self.unasked += 1
            return None
        self.heard += 1
        due.left -= 1
        if due.left:
            return None
        del self._waiting[way, who]
        letter = due.letter
        # What began with LAPOR BARU would open a third case if it were said again.
        if letter.kind == "complaint" and number:
            self._known[way].append(Citizen(who, number, letter.text, letter.subject, below))
        return now - due.since

    def _letter(self, n: int, way: Way, kind: Kind) -> Letter:
        chance = self._chance
        known = self._known[way].popleft() if kind in KNOWN else None
        who = known.who if known else address(n, way, kind)
        subject, below = f"Laporan warga: {chance.choice(_VILLAGES)}" if way == "email" else "", ""
        text = ""
        match kind:
            case "complaint" | "robot":
                text = self._complaint(way)
            case "another":
                text = f"LAPOR BARU {self._complaint(way)}"
            case "help":
                text, subject = "BANTUAN", ""
            case _:
                assert known is not None
                if kind == "follow_up":
                    text, subject, below = (
                        f"{chance.choice(_MORE)}, {chance.choice(_SINCE)}.",
                        known.subject,
                        known.below,
                    )
                elif kind == "repeat":
                    text, subject = known.text, known.subject
                elif kind == "status":
                    text, subject = f"STATUS {known.number}", ""
                elif kind == "latest":
                    text, subject = "STATUS", ""
                else:
                    text = "Terima kasih"
        # Below a public post the state is told in one sentence for everyone, and to its own citizen in private.
        answers = 0 if kind in SILENT else 2 if way == "twitter" and kind in ("status", "latest") else 1
        return Letter(n=n, way=way, kind=kind, who=who, text=text, answers=answers, subject=subject, below=below)

    def _complaint(self, way: Way) -> str:
        chance = self._chance
        if chance.random() < 0.03:
            return f"{chance.choice(_ENGLISH)}, {chance.randint(1, 99)} {chance.choice(_STREETS)} Street."
        text = (
            f"{chance.choice(_WHAT)} di Jalan {chance.choice(_STREETS)} No {chance.randint(1, 250)}, "
            f"Kelurahan {chance.choice(_VILLAGES)}, {chance.choice(_SINCE)}. {chance.choice(_PLEAS)}"
        )
        if chance.random() < 0.03:
            return f"ANONIM {text}"
        if way == "sms" and chance.random() < 0.15:
            return f"{chance.choice(_REGIONS)} {text}"
        return text


def address(n: int, way: Way, kind: Kind) -> str:
    """The ``n``-th citizen's address; a robot's has no digits."""
    match way:
        case "sms":
            return "TELKOMSEL" if kind == "robot" else f"+62812{n:08d}"
        case "telegram":
            return str(500_000_000 + n)
        case "twitter":
            return str(1_500_000_000_000_000_000 + n)
        case "email":
            return f"warga{n}@mail.example.id"
