"""Region keywords that a citizen may put in front of a text to 1708: ``TANGKAB jalan rusak``.

Short names of regencies and cities as people text them. An agency sets its own list.
"""

from __future__ import annotations

REGIONS = (
    "BALIKPAPAN",
    "BANDUNG",
    "BANDUNGKAB",
    "BANJARBARU",
    "BANJARMASIN",
    "BANTUL",
    "BATAM",
    "BEKASI",
    "BENGKULU",
    "BOGOR",
    "BOJONEGORO",
    "CILEGON",
    "CIMAHI",
    "DENPASAR",
    "DEPOK",
    "INDRAMAYU",
    "JOGJA",
    "KENDARI",
    "KUPANG",
    "LOMBOK",
    "MAKASSAR",
    "MALANG",
    "MEDAN",
    "PALEMBANG",
    "PEKANBARU",
    "PONTIANAK",
    "SAMARINDA",
    "SEMARANG",
    "SERANG",
    "SLEMAN",
    "SURABAYA",
    "SURAKARTA",
    "TANGKAB",
    "TANGKOT",
    "TANGSEL",
)
