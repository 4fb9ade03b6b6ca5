"""Zenziva's regular route: it takes messages and says no more of them."""

from __future__ import annotations

import json
import re
from datetime import datetime

from channels.base import ReceiptOutcome
from channels.sms.outbound import Call
from channels.sms.settings import SmsSettings
from channels.sms.standins.base import CitizenText, Provider, Received, Reply, StandInMessage

NUMBER = re.compile(r"(?:62|0)8[0-9]{7,12}")


def _answer(status: str, text: str, **more: str) -> Reply:
    return Reply(200, json.dumps({"status": status, "text": text, **more}).encode())


class ZenzivaProvider(Provider):
    """``/reguler/api/sendsms/``."""

    dialect = "zenziva"
    path = "/reguler/api/sendsms/"

    def take(self, received: Received, identifier: str, at: datetime) -> StandInMessage | Reply:
        """Refusals are told in words, with status 0."""
        form = received.form
        if not self.knows(form.get("userkey", ""), form.get("passkey", "")):
            return _answer("0", "Userkey / Passkey salah")
        to = form.get("to", "")
        if not NUMBER.fullmatch(to):
            return _answer("0", "Nomor tujuan tidak valid")
        if not form.get("message"):
            return _answer("0", "Pesan kosong")
        return StandInMessage(
            dialect=self.dialect,
            id=identifier,
            to="+62" + to.removeprefix("62").removeprefix("0"),
            sender="",
            text=form["message"],
            delivery="",
            status_url="",
            at=at,
        )

    def yes(self, message: StandInMessage) -> Reply:
        """Status 1 with an id."""
        return _answer("1", "Success", messageId=message.id, to=message.to.removeprefix("+"), cost="350")

    def passed_on(self, settings: SmsSettings, url: str, text: CitizenText) -> list[Call]:  # noqa: ARG002
        """Nothing comes in from Zenziva."""
        return []

    def reported(self, settings: SmsSettings, message: StandInMessage, outcome: ReceiptOutcome) -> Call:
        """Zenziva reports nothing. Raises :class:`NotImplementedError`."""
        raise NotImplementedError("Zenziva sends no receipts")
