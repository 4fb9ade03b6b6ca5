"""The buttons under an acknowledgement, and what a press of one says."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Button(msgspec.Struct, frozen=True):
    """``data`` comes back with a press (1 to 64 bytes; a button in an old message stays, so it must not change).

    ``says`` is the message that a press stands for, as if the citizen had typed it. ``hint`` is shown in a window
    over the chat where it is not empty.
    """

    data: str
    label: str
    says: str
    hint: str = ""


BUTTONS = (
    Button("anonymous", "Rahasiakan identitas", "Rahasiakan identitas saya."),
    Button(
        "add",
        "Tambah foto/lokasi",
        "/bantuan",
        "Kirim foto, video, dokumen, atau lokasi sebagai balasan atas pesan ini. Semuanya masuk ke laporan Anda.",
    ),
)
BY_DATA: Mapping[str, Button] = {button.data: button for button in BUTTONS}


def keyboard() -> list[list[dict[str, str]]]:
    """The rows of an InlineKeyboardMarkup, a button each: side by side, phones cut the labels."""
    return [[{"text": button.label, "callback_data": button.data}] for button in BUTTONS]
