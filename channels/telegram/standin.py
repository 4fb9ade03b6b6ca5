"""A local server that speaks the Bot API, for tests, the sandbox and the demo.

It keeps updates until they are acknowledged or hands them to the webhook, checks what the gateway asks of it as
Telegram would, keeps what it took in ``sent``, and writes as citizens do: :meth:`StandIn.text` and its fellows.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from channels.standin import Button as ShownButton
from channels.standin import Draft, Fault, Shown, Trouble, Written
from channels.telegram.standins import shapes
from channels.telegram.standins.server import USERNAME, Call, Server, StandInMessage
from channels.telegram.standins.shapes import Json

__all__ = ["USERNAME", "Call", "Fault", "Posted", "StandIn", "StandInMessage"]


class Posted(msgspec.Struct, frozen=True):
    """What became of a citizen's message: ``status`` is the webhook's answer, 200 where Telegram keeps the update."""

    status: int
    update: Json

    @property
    def message(self) -> Json:
        """The ``Message`` of the update."""
        found: Json = self.update.get("message") or self.update["edited_message"]
        return found


class StandIn(Server):
    """The server, and the citizens who write to the first account's bot.

    They write the way its settings receive messages: to ``webhook_url``, or, where the gateway polls, into the queue;
    then ``webhook_url`` is not used.
    """

    async def text(self, webhook_url: str, from_: str, text: str, **more: Any) -> Posted:
        """Write to the bot as a citizen; ``more`` as :meth:`say` takes it."""
        return await self.say(webhook_url, from_, **shapes.worded("text", text), **more)

    async def write(self, webhook_url: str, draft: Draft) -> Written:
        """Send a text or a photo, in answer to a message where one is named, or press a button below it."""
        answered = int(draft.reply_to) if draft.reply_to.isdecimal() else 0
        if draft.press:
            below = next((one for one in self.sent if (one.to, one.id) == (draft.sender, answered)), None)
            if below is None:
                raise ValueError("there is no such message with buttons")
            posted = await self.press(webhook_url, below, draft.press)
            query = posted.update["callback_query"]
            return Written(f"{query['message']['chat']['id']}:press:{query['id']}", posted.status)
        if draft.photo:
            posted = await self.photo(webhook_url, draft.sender, draft.text, data=draft.photo, reply_to=answered)
        else:
            posted = await self.text(webhook_url, draft.sender, draft.text, reply_to=answered)
        return Written(f"{posted.message['chat']['id']}:{posted.message['message_id']}", posted.status)

    def shown(self, message: StandInMessage) -> Shown:
        """A message of the bot's with its buttons. Ids are those of messages in the citizen's chat."""
        return Shown(
            id=str(message.id),
            to=message.to,
            text=message.text,
            reply_to=str(message.reply_to or ""),
            buttons=tuple(ShownButton(one["text"], one["callback_data"]) for row in message.keyboard for one in row),
        )

    async def order(self, trouble: Trouble | None) -> None:
        """It concerns the bot's calls and its asking for updates; a call that waits for news ends."""
        await super().order(trouble)
        self.poll_fault = self.fault
        self.world.queue.nudge()

    async def photo(
        self, webhook_url: str, from_: str, caption: str = "", *, data: bytes = b"photo", **more: Any
    ) -> Posted:
        """Send one photo."""
        file_id = f"photo{len(self.world.files) + 1}"
        self.world.files[file_id] = data
        fields = shapes.worded("caption", caption) if caption else {}
        return await self.say(webhook_url, from_, photo=shapes.photo(file_id, len(data)), **fields, **more)

    async def album(self, webhook_url: str, from_: str, caption: str, count: int, **more: Any) -> list[Posted]:
        """Send several photos at once, the caption under the first, as phones do."""
        ref = f"1{time.time_ns()}"
        return [
            await self.photo(webhook_url, from_, "" if at else caption, media_group_id=ref, **more)
            for at in range(count)
        ]

    async def edit(self, webhook_url: str, message: Json, text: str) -> Posted:
        """Change the text of a citizen's message."""
        edited = message | shapes.worded("text", text) | {"edit_date": int(time.time())}
        self.world.messages[edited["chat"]["id"], edited["message_id"]] = edited
        return await self._pass_on(webhook_url, "edited_message", edited)

    async def press(self, webhook_url: str, message: StandInMessage, data: str) -> Posted:
        """Press a button under one of the gateway's messages."""
        query = {
            "id": str(time.time_ns()),
            "from": self._person(message.to),
            "message": self.world.messages[message.chat, message.id],
            "chat_instance": str(message.chat),
            "data": data,
        }
        return await self._pass_on(webhook_url, "callback_query", query)

    async def block(self, webhook_url: str, from_: str) -> Posted:
        """Block the bot as a citizen."""
        person = self._person(from_)
        self.world.blocked.add(person["id"])
        change = {
            "chat": shapes.private(person),
            "from": person,
            "date": int(time.time()),
            "old_chat_member": {"status": "member", "user": self.world.me},
            "new_chat_member": {"status": "kicked", "user": self.world.me, "until_date": 0},
        }
        return await self._pass_on(webhook_url, "my_chat_member", change)

    async def migrate(self, webhook_url: str, from_: str, old: int, new: int) -> Posted:
        """Make a supergroup of a group: what is sent to the old id is refused, with the new one."""
        world, person = self.world, self._person(from_)
        world.moved[old] = new
        supergroup = shapes.group(new)
        await self._pass_on(webhook_url, "message", world.message(world.chat(old), person, migrate_to_chat_id=new))
        return await self._pass_on(webhook_url, "message", world.message(supergroup, person, migrate_from_chat_id=old))

    async def say(
        self,
        webhook_url: str,
        from_: str,
        /,
        *,
        chat: Json | None = None,
        reply_to: int = 0,
        topic: int = 0,
        **fields: Any,
    ) -> Posted:
        """Send a message with any ``fields`` of a ``Message``, in ``chat`` or, without one, in private."""
        person = self._person(from_)
        self.world.blocked.discard(person["id"])
        where = chat or shapes.private(person)
        message = self.world.message(where, person, reply_to=reply_to, topic=topic, **fields)
        return await self._pass_on(webhook_url, "message", message)

    async def _pass_on(self, webhook_url: str, kind: str, content: Json) -> Posted:
        """Hand an update to the webhook, or keep it until the bot asks; as the first account's settings say."""
        world, account = self.world, self.accounts[0]
        update = world.queue.number(kind, content)
        self.updates.append(update)
        if account.mode == "polling":
            world.queue.put(update)
            return Posted(200, update)
        own = account.webhook_secret.get_secret_value() if account.webhook_secret else ""
        secret = world.webhook.get("secret_token", own)
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
        answer = await self._insist(lambda: self.http.request("POST", webhook_url, json=update, headers=headers))
        return Posted(answer.status, update)

    def _person(self, from_: str) -> Json:
        person = shapes.user(shapes.user_id(from_))
        self.spelled[person["id"]] = from_
        return person
