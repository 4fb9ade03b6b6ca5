"""``/ops/audit``: everything that operators did, the newest first."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from gateway.console.forms import number
from gateway.console.records import audit_page
from gateway.console.shell import Console, needs, page

ACTIONS = (
    *("search", "reveal", "write", "replay", "discard", "pause", "resume", "test"),
    *("block", "unblock", "sign_in", "sign_out", "password"),
)
"""What is proposed for the filter; any other may be typed."""


def routes(console: Console) -> list[web.RouteDef]:
    """The one page."""

    @needs("viewer")
    async def show(request: web.Request) -> web.Response:
        """``GET /ops/audit``, by ``operator`` and ``action`` where they are given, from before the id ``before``."""
        operator = request.query.get("operator", "").strip()[:64]
        action = request.query.get("action", "").strip()[:32]
        rows, older = await audit_page(
            console.store, operator=operator, action=action, before=number(request.query.get("before"))
        )
        query = urlencode({name: value for name, value in (("operator", operator), ("action", action)) if value})
        return page(
            request,
            "pages/audit",
            rows=rows,
            older=older,
            wanted=operator,
            action=action,
            actions=ACTIONS,
            query=query,
        )

    return [web.get("/ops/audit", show)]
