"""A local server that plays X: mentions, posts, direct messages, tokens and rate limits, for tests, sandbox and demo.

It checks what it is asked as X would, answers in X's shapes, and speaks as the citizens: :meth:`StandIn.text`,
:meth:`StandIn.reply` and the like. In the mode "webhook" it posts signed events of the X Activity API instead of
waiting to be read.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any

import msgspec
from aiohttp import web

from channels.http import HttpClient
from channels.signing import hmac_base64
from channels.standin import Draft, Fault, Shown, StandInServer, Written
from channels.twitter.settings import TwitterSettings, secret
from channels.twitter.standins.door import Door
from channels.twitter.standins.platform import Platform, Post, User

__all__ = ["Fault", "Posted", "StandIn", "StandInMessage"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StandInMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One post or direct message of the gateway. ``to`` is the citizen, by the name they wrote under."""

    id: str
    sender: str
    to: str
    text: str
    in_reply_to: str = ""
    private: bool = False


class Posted(msgspec.Struct, frozen=True):
    """What became of a citizen's message: its ``id`` at X, and the gateway's answer where X hands it over."""

    id: str
    status: int = 200


class StandIn(StandInServer[StandInMessage]):
    """One X; the first of ``accounts`` is the account that citizens write to, and whose mode tells how.

    ``platform`` is what is there, ``door`` who may ask for it and how often. Use it as ``async with``.
    """

    citizen = "warga_melapor"
    face = "timeline"
    crowd_seconds = 15.0

    def __init__(self, *accounts: TwitterSettings, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__()
        self.accounts = accounts
        self.url = ""
        self.account = accounts[0]
        self.address = f"@{self.account.handle}"
        self.platform = Platform(self.account.handle, self.account.user_id)
        self.door = Door(accounts)
        self._bind = (host, port)
        self._http = HttpClient(timeout=30.0)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> StandIn:
        application = web.Application()
        routes: Sequence[tuple[str, str, Handler]] = (
            ("GET", "/2/users/{id}/mentions", self._mentions),
            ("GET", "/2/users/me", self._me),
            ("GET", "/2/dm_events", self._dm_events),
            ("POST", "/2/tweets", self._create_post),
            ("POST", "/2/dm_conversations/with/{participant_id}/messages", self._create_message),
            ("GET", "/2/dm_conversations/media/{dm_id}/{media_id}/{name}", self._file),
        )
        for method, path, handler in routes:
            application.router.add_route(method, path, self._checked(f"{method} {path}", handler))
        application.router.add_post("/2/oauth2/token", self._token)
        application.router.add_get("/media/{name}", self._file)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._bind).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self.platform.media_url = f"{self.url}/media"
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self._http.__aexit__(kind, error, trace)
        if self._runner is not None:
            await self._runner.cleanup()

    def overrides(self, settings: TwitterSettings) -> dict[str, Any]:
        """The settings that point a channel here."""
        del settings
        return {"api_url": self.url}

    async def text(
        self,
        webhook_url: str,
        from_: str,
        text: str,
        *,
        private: bool = False,
        at: datetime | None = None,
        media: Mapping[str, bytes] | None = None,
    ) -> Posted:
        """Write as a citizen: a post that mentions the account, or with ``private`` a direct message.

        ``at`` may lie in the past: such a post shows up late, below newer ones. ``media`` are photos by name.
        """
        citizen = self.platform.user(from_)
        if private:
            direct = self.platform.direct(citizen, self.platform.us, text, at)
            return Posted(
                direct.id, await self._hand_over(webhook_url, "dm.received", self.platform.older_direct(direct))
            )
        mention = f"@{self.account.handle}"
        text = text if mention.casefold() in text.casefold() else f"{mention} {text}"
        self.platform.media.update(media or {})
        post = self.platform.post(citizen, text, at=at, media=tuple(media or ()))
        return await self._posted(webhook_url, "post.mention.create", post)

    async def write(self, webhook_url: str, draft: Draft) -> Written:
        """Post, answer a post or write a direct message."""
        if draft.reply_to and not draft.private:
            if draft.reply_to not in self.platform.posts:
                raise ValueError("there is no such post")
            posted = await self.reply(webhook_url, draft.sender, draft.reply_to, draft.text)
        else:
            posted = await self.text(webhook_url, draft.sender, draft.text, private=draft.private)
        return Written(posted.id, posted.status)

    def shown(self, message: StandInMessage) -> Shown:
        """A post or a direct message."""
        return Shown(
            id=message.id,
            to=message.to,
            text=message.text,
            private=message.private,
            reply_to=message.in_reply_to,
        )

    def person(self, number: int) -> str:
        """A handle has 15 characters at most."""
        return f"warga_{number}" if number else self.citizen

    async def reply(self, webhook_url: str, from_: str, to: str, text: str, *, at: datetime | None = None) -> Posted:
        """Answer a post, by its id; X puts the handles of those who are answered in front."""
        author = self.platform.users[self.platform.posts[to].author]
        post = self.platform.post(self.platform.user(from_), f"@{author.handle} {text}", at=at, replied_to=to)
        return await self._posted(webhook_url, "post.reply.create", post)

    async def quote(self, webhook_url: str, from_: str, quoted: str, text: str) -> Posted:
        """Quote a post, by its id, mentioning the account."""
        post = self.platform.post(self.platform.user(from_), f"@{self.account.handle} {text}", quoted=quoted)
        return await self._posted(webhook_url, "post.quote.create", post)

    async def retweet(self, webhook_url: str, from_: str, retweeted: str) -> Posted:
        """Pass a post on, by its id."""
        old = self.platform.posts[retweeted]
        text = f"RT @{self.platform.users[old.author].handle}: {old.text}"
        post = self.platform.post(self.platform.user(from_), text, retweeted=retweeted)
        return await self._posted(webhook_url, "post.repost.create", post)

    async def edit(self, webhook_url: str, id_: str, text: str) -> Posted:
        """Put a new version in the place of a post."""
        return await self._posted(webhook_url, "post.mention.create", self.platform.edit(id_, text))

    async def delete(self, webhook_url: str, id_: str) -> Posted:
        """Take a post back; X tells of it only in the webhook mode."""
        post = self.platform.posts[id_]
        post.deleted = True
        payload = {"id": post.id, "author_id": post.author}
        users = {"users": [self.platform.shown_user(self.platform.users[post.author])]}
        return Posted(id_, await self._hand_over(webhook_url, "post.delete", payload, users))

    async def _posted(self, webhook_url: str, kind: str, post: Post) -> Posted:
        shown, includes = self.platform.shown(post), self.platform.includes([post])
        return Posted(post.id, await self._hand_over(webhook_url, kind, shown, includes))

    async def _hand_over(
        self, webhook_url: str, kind: str, payload: Mapping[str, Any], includes: Mapping[str, Any] | None = None
    ) -> int:
        """Post a signed event, in the webhook mode; else X keeps it until it is read."""
        if self.account.mode != "webhook":
            return 200
        event = {
            "event_uuid": self.platform.new_id(datetime.now().astimezone()),
            "filter": {"user_id": self.account.user_id},
            "event_type": kind,
            "payload": payload,
        }
        body = json.dumps({"data": event | ({"includes": includes} if includes else {})}).encode()
        signature = f"sha256={hmac_base64(secret(self.account.consumer_secret), body)}"
        headers = {"Content-Type": "application/json", "x-twitter-webhooks-signature": signature}
        return (await self._insist(lambda: self._http.request("POST", webhook_url, data=body, headers=headers))).status

    async def _fail(self, fault: Fault, request: web.Request) -> web.Response:
        """As X fails: a 429 tells when the window ends in a header of X's own."""
        answer = await super()._fail(fault, request)
        if fault.status == 429 and fault.retry_after is not None:
            ends = {"limit": 0, "remaining": 0, "reset": int(time.time() + fault.retry_after) + 1}
            answer.headers.update({f"x-rate-limit-{name}": str(value) for name, value in ends.items()})
        return answer

    # What the gateway asks.

    def _checked(self, endpoint: str, handler: Handler) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            fault = self._fault()
            if fault is not None and not fault.taken and fault.kind != "slow":
                return await self._fail(fault, request)
            answer = self.door.refuse(endpoint, request) or await handler(request)
            if fault is not None and fault.kind == "slow":
                await asyncio.sleep(fault.delay)
            elif fault is not None:
                return await self._fail(fault, request)
            answer.headers.update(self.door.headers(endpoint))
            return answer

        return checked

    async def _token(self, request: web.Request) -> web.StreamResponse:
        fault = self._fault()
        if fault is not None and not fault.taken:
            return await self._fail(fault, request)
        answer = await self.door.token(request)
        return await self._fail(fault, request) if fault is not None else answer

    async def _me(self, request: web.Request) -> web.StreamResponse:
        del request
        return web.json_response({"data": self.platform.shown_user(self.platform.us)})

    async def _mentions(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["id"] != self.account.user_id:
            return self.door.problem(404, "resource-not-found", "Could not find user.", resource_type="user")
        posts = self.platform.mentions()
        start = request.query.get("start_time")
        if start:
            posts = [post for post in posts if post.at >= datetime.fromisoformat(start)]
        page, meta = self.door.page(posts, request)
        expansions = request.query.get("expansions", "").split(",")
        document: dict[str, Any] = {"meta": meta}
        if page:
            named = {*request.query.get("post.fields", "").split(","), *expansions, "id", "text"}
            named |= {"attachments"} if "attachments.media_keys" in expansions else set()
            shown = [self.platform.shown(post) for post in page]
            document["data"] = [{key: value for key, value in one.items() if key in named} for one in shown]
            document["includes"] = self.platform.includes(page)
        return web.json_response(document)

    async def _dm_events(self, request: web.Request) -> web.StreamResponse:
        newest_first = sorted(self.platform.messages, key=lambda one: int(one.id), reverse=True)
        page, meta = self.door.page(newest_first, request)
        document: dict[str, Any] = {"meta": meta}
        if page:
            users = [self.platform.users[id_] for id_ in dict.fromkeys(one.sender for one in page)]
            document["data"] = [self.platform.shown_direct(one) for one in page]
            document["includes"] = {"users": [self.platform.shown_user(user) for user in users]}
        return web.json_response(document)

    async def _create_post(self, request: web.Request) -> web.StreamResponse:
        asked = await self.door.body(request, {"text": str, "reply": dict})
        if isinstance(asked, web.Response):
            return asked
        to = str((asked.get("reply") or {}).get("in_reply_to_tweet_id", ""))
        parent = self.platform.posts.get(to)
        if refusal := self.door.no_post(asked["text"], parent, self.platform):
            return refusal
        post = self.platform.post(self.platform.us, asked["text"], replied_to=to)
        citizen = self.platform.users[parent.author] if parent else self.platform.us
        await self._heard(post.id, citizen, post.text, in_reply_to=to)
        return web.json_response({"data": {"id": post.id, "text": post.text}}, status=201)

    async def _create_message(self, request: web.Request) -> web.StreamResponse:
        asked = await self.door.body(request, {"text": str})
        if isinstance(asked, web.Response):
            return asked
        citizen = self.platform.user(request.match_info["participant_id"])
        if refusal := self.door.no_message(citizen):
            return refusal
        direct = self.platform.direct(self.platform.us, citizen, asked["text"])
        await self._heard(direct.id, citizen, direct.text, private=True)
        conversation = self.platform.shown_direct(direct)["dm_conversation_id"]
        return web.json_response({"data": {"dm_conversation_id": conversation, "dm_event_id": direct.id}}, status=201)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        data = self.platform.media.get(request.match_info["name"])
        return web.Response(status=404) if data is None else web.Response(body=data)

    async def _heard(self, id_: str, citizen: User, text: str, *, in_reply_to: str = "", private: bool = False) -> None:
        heard = StandInMessage(
            id=id_, sender=self.account.handle, to=citizen.called, text=text, in_reply_to=in_reply_to, private=private
        )
        await self._keep(heard)
