"""The settings of the operators' side: health, alerts, the console, and how long things are kept."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from config.durations import DAY, HOUR, MINUTE, Seconds, Window
from config.section import Section
from config.values import MailAddress, PublicUrl, SmtpUrl, WebAddress, Whole, Words


class Health(Section):
    """How the processes tell of themselves, and when a channel counts as gone wrong."""

    heartbeat: Seconds = Field(
        default=5.0, le=60.0, description="how often a process tells how it stands, and reads what is paused"
    )
    missing_after: Seconds = Field(
        default=20.0, description="a process that has not been heard of for so long is missing"
    )
    settle: Window = Field(
        default=15.0,
        description="how long a better state must hold before it counts; a degraded one half of it, a worse one not",
    )
    probe_every: Seconds = Field(
        default=MINUTE,
        description="how often each provider is asked whether it takes our credentials; X, which charges, less often",
    )
    interactions: Whole = Field(
        default=200, ge=1, le=10_000, description="calls with each channel's provider that are kept for operators"
    )
    keep_traffic: Seconds = Field(
        default=60 * DAY, ge=DAY, description="how long the counts of each minute are kept; 28 days teach what is usual"
    )

    @model_validator(mode="after")
    def _longer_than_a_beat(self) -> Self:
        if self.missing_after < 2 * self.heartbeat:
            raise ValueError("missing_after must be at least twice heartbeat, or processes that run are missing")
        return self


class Alerts(Section):
    """Whom the gateway tells when a channel, or a process of its own, goes wrong, and when it is over.

    Each sink is off until its address is set. `gateway alert test` tries all of them.
    """

    degraded_after: Window = Field(
        default=5 * MINUTE,
        description="how long a channel is degraded before that is told, 0: at once; down and silent are told at once",
    )
    gather: Window = Field(
        default=5.0,
        description="how long a change waits for others; more than 5 at a time are told in one message",
    )
    webhook_url: WebAddress = Field(
        default=SecretStr(""), description="where alerts are posted as Prometheus' Alertmanager posts them; empty: none"
    )
    webhook_token: SecretStr = Field(default=SecretStr(""), description="bearer token for webhook_url; empty: none")
    email_to: tuple[MailAddress, ...] = Field(default=(), description="who is told by mail; none: nobody")
    email_from: MailAddress = Field(default="", description="the address that these mails come from")
    smtp_url: SmtpUrl = Field(
        default=SecretStr(""),
        description="where these mails are handed over: smtps://user:password@host, or smtp:// with STARTTLS",
    )
    telegram_token: SecretStr = Field(
        default=SecretStr(""), description="token of a bot for alerts alone, not of a channel's; empty: none is told"
    )
    telegram_chat: str = Field(
        default="", pattern=r"^(-?[1-9][0-9]{0,18}|@[A-Za-z0-9_]{5,32})?$", description="the chat's id, or @channelname"
    )
    telegram_api_url: PublicUrl = Field(
        default="https://api.telegram.org", min_length=1, description="address of the Bot API"
    )
    heartbeat_url: WebAddress = Field(
        default=SecretStr(""),
        description="called (GET) once a minute while every role and the watch are at work, so that a service "
        "elsewhere can raise an alarm when the calls stop; empty: none",
    )

    @field_validator("webhook_token", "telegram_token")
    @classmethod
    def _printable(cls, token: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[!-~]*", token.get_secret_value()):
            raise ValueError("a token is printable ASCII characters without a blank")
        return token

    @model_validator(mode="after")
    def _complete(self) -> Self:
        mail = (self.email_to, self.email_from, self.smtp_url.get_secret_value())
        if any(mail) and not all(mail):
            raise ValueError("email_to, email_from and smtp_url belong together")
        if bool(self.telegram_token.get_secret_value()) != bool(self.telegram_chat):
            raise ValueError("telegram_token and telegram_chat belong together")
        return self


class Console(Section):
    """The operators' console at `/ops`: how long a sign-in holds, and signing in elsewhere by OpenID Connect.

    Accounts with a password are made by `gateway operator add`.
    """

    idle: Seconds = Field(
        default=HOUR, description="a sign-in ends so long after the last page; one that is left open does not count"
    )
    lifetime: Seconds = Field(default=12 * HOUR, description="a sign-in ends so long after it, whatever was done")
    oidc_issuer: PublicUrl = Field(
        default="", description="OpenID Connect issuer, such as https://sso.example.go.id/realms/lapor; empty: none"
    )
    oidc_client_id: str = Field(default="", description="how the gateway is registered there")
    oidc_client_secret: SecretStr = Field(
        default=SecretStr(""), description="secret of this registration; empty: it has none, PKCE alone protects it"
    )
    oidc_title: str = Field(default="SSO", min_length=1, max_length=40, description="what operators call it")
    oidc_scopes: Words = Field(default=("openid", "profile"), description="scopes to ask for, openid among them")
    oidc_name_claim: str = Field(
        default="preferred_username",
        min_length=1,
        description="claim that names the account; unique at the issuer, and not for its owner to choose",
    )
    oidc_role_claim: str = Field(
        default="", description="claim with an operator's groups, dots lead inwards, such as realm_access.roles"
    )
    oidc_operators: Words = Field(
        default=(), description="values of the role claim that make an operator; everybody else is a viewer"
    )
    oidc_viewers: Words = Field(
        default=(), description="values of the role claim that make a viewer; none: everybody who can sign in there"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.idle > self.lifetime:
            raise ValueError("idle must be at most lifetime")
        if bool(self.oidc_issuer) != bool(self.oidc_client_id):
            raise ValueError("oidc_issuer and oidc_client_id belong together")
        if "openid" not in self.oidc_scopes:
            raise ValueError("oidc_scopes must hold openid")
        if (self.oidc_operators or self.oidc_viewers) and not self.oidc_role_claim:
            raise ValueError("oidc_operators and oidc_viewers need oidc_role_claim")
        return self


class Retention(Section):
    """How long what citizens wrote is kept; off unless set."""

    after: Window = Field(
        default=0.0,
        description="cases that nobody has touched for so long, such as 1825d, are forgotten: who and what goes, "
        "number and times stay; at least as long as the log's retention; 0: cases are kept",
    )
