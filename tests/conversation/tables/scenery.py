"""What many rows share: the channels, and what citizens complain about."""

from __future__ import annotations

from tests.conversation.story import On

SMS, TELEGRAM, GROUP = On.SMS, On.TELEGRAM, On.GROUP
MENTION, DM, EMAIL = On.MENTION, On.DM, On.EMAIL

ROAD = "Jalan Merdeka rusak parah sejak sebulan"
WASTE = "Sampah menumpuk di pasar lama"
LAMPS = "Lampunya juga mati semua"
ENGLISH = "The road near the market is broken"
