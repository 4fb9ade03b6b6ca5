"""The settings of the gateway: one TOML file, environment variables over it, secrets from files.

Every section is a frozen model; a field's description is its documentation, in ``docs/settings.md``.
Durations are float seconds, sizes are bytes. Secrets are :class:`pydantic.SecretStr` and never shown.
The settings of channels stay plain tables here: a channel's type knows its own keys, and
:mod:`gateway.channelset` checks them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from config import files
from config.conversation import Notices, Replies, Rules
from config.durations import DAY, GIB, MIB, MINUTE, Bytes, Seconds
from config.operations import Alerts, Console, Health, Retention
from config.places import Origins
from config.section import Section
from config.values import (
    CHANNEL_NAME,
    Count,
    Network,
    PublicUrl,
    Servers,
    StoreUrl,
    TopicName,
    Whole,
    Words,
)


class Server(Section):
    """The HTTP listener of the roles `all` and `intake`."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 for every interface"
    )
    port: Whole = Field(default=8080, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    public_url: PublicUrl = Field(
        default="", description="the address under which providers reach the gateway; empty: http://host:port"
    )
    request_timeout: Seconds = Field(
        default=10.0, description="a request, its headers and its body, that has not come whole by then is dropped"
    )
    max_connections: Count = Field(default=4096, description="connections held open at once; further ones are dropped")
    refusals_per_minute: Whole = Field(
        default=120,
        ge=0,
        description="calls without a proof that one address may make in a minute; more are answered 429 unread, unless "
        "the address has proven itself; 0: no bound",
    )
    max_body: Bytes = Field(
        default=MIB, description="largest body of any request; a channel's own limit may be smaller"
    )
    shutdown_grace: Seconds = Field(default=30.0, description="at SIGTERM, the time to finish what was taken")
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        description="networks of our own proxies, such as 10.0.0.0/8: past them X-Forwarded-For tells who calls, for "
        "a channel's allow_from and for slowing down who guesses",
    )

    @property
    def base_url(self) -> str:
        """The address under which the gateway is reached, without a slash at the end."""
        if self.public_url:
            return self.public_url
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


class Log(Section):
    """The event log: SQLite when embedded, Kafka in production."""

    backend: Literal["sqlite", "kafka"] = Field(default="sqlite", description="where events are durable and in order")
    path: Path = Field(default=Path("var/log.db"), description="the embedded log's file; with Kafka, the spool")
    bootstrap_servers: Servers = Field(
        default="127.0.0.1:9092", description="Kafka brokers as host:port, with commas between"
    )
    partitions: Count = Field(default=12, description="partitions of a topic that the gateway creates")
    replication_factor: Whole = Field(
        default=0, ge=0, description="copies of a topic that the gateway creates; 0: the broker's own"
    )
    retention: Seconds = Field(default=30 * DAY, description="how long the log keeps what was consumed")
    append_timeout: Seconds = Field(default=1.0, description="an append that takes longer goes to the spool")
    spool_max_bytes: Bytes = Field(default=GIB, description="bound of the spool; when it is full, intake answers 503")
    group: str = Field(
        default="lapor-dispatcher",
        min_length=1,
        description="the dispatchers' consumer group; case updates are read by the group of this name with -updates",
    )
    client_id: str = Field(
        default="lapor-gateway", min_length=1, description="how the gateway names itself to the brokers"
    )
    instance_id: str = Field(
        default="",
        description="static member id of this process in its group, different in every process; empty: none",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how to speak to the brokers"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="how to sign in, with SASL_PLAINTEXT or SASL_SSL"
    )
    sasl_username: str = Field(default="", description="user for SASL")
    sasl_password: SecretStr = Field(default=SecretStr(""), description="password for SASL")
    ssl_cafile: str = Field(
        default="", description="certificate authority file for SSL and SASL_SSL; empty: the system's"
    )

    @model_validator(mode="after")
    def _signed_in(self) -> Self:
        if self.security_protocol.startswith("SASL") and not (
            self.sasl_username and self.sasl_password.get_secret_value()
        ):
            raise ValueError(f"security_protocol {self.security_protocol} needs sasl_username and sasl_password")
        return self


class Topics(Section):
    """The names of the topics."""

    complaints: TopicName = Field(
        default="lapor.complaints.v1", description="complaint events, from intake to the dispatcher"
    )
    cases: TopicName = Field(default="lapor.cases.v1", description="cases opened or changed, for downstream")
    case_updates: TopicName = Field(
        default="lapor.case-updates.v1", description="what agencies say to citizens; consumed"
    )
    deliveries: TopicName = Field(default="lapor.deliveries.v1", description="outcomes of replies, for downstream")
    dead_letters: TopicName = Field(default="lapor.dead-letters.v1", description="what could not be read or delivered")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [getattr(self, field) for field in Topics.model_fields]
        if len(set(names)) < len(names):
            raise ValueError("each topic needs a name of its own")
        return self


class Store(Section):
    """The database of cases, messages and replies."""

    url: StoreUrl = Field(
        default=SecretStr("sqlite+aiosqlite:///var/gateway.db"),
        description="sqlite+aiosqlite:///path or postgresql+asyncpg://user:password@host/database",
    )
    pool_size: Whole = Field(default=10, ge=1, le=500, description="connections to PostgreSQL held by one process")

    @property
    def backend(self) -> Literal["sqlite", "postgresql"]:
        """The database system that the URL names."""
        return "sqlite" if self.url.get_secret_value().startswith("sqlite") else "postgresql"

    @property
    def shown_url(self) -> str:
        """The URL for people: without user, password and query."""
        url = self.url.get_secret_value()
        if self.backend == "sqlite":
            return url
        scheme, _, rest = url.partition("?")[0].partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"


class Api(Section):
    """The API under `/api/v1`."""

    tokens: tuple[SecretStr, ...] = Field(
        default=(), description="bearer tokens; none: every call is refused. `tokens_file` holds one a line"
    )

    @field_validator("tokens")
    @classmethod
    def _printable(cls, tokens: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(re.fullmatch(r"[!-~]+", token.get_secret_value()) for token in tokens):
            raise ValueError("a token is one or more printable ASCII characters without a blank")
        return tokens


class Privacy(Section):
    """What keeps citizens unnamed."""

    key: SecretStr = Field(
        default=SecretStr(""),
        description="secret with which senders are hashed, 16 characters or more, the same in every process; "
        "empty: a file made beside the log at the first start",
    )

    @field_validator("key")
    @classmethod
    def _long_enough(cls, key: SecretStr) -> SecretStr:
        if 0 < len(key.get_secret_value()) < 16:
            raise ValueError("must be 16 characters or more, or empty")
        return key


class Delivery(Section):
    """How replies are sent, and sent again."""

    lease: Seconds = Field(default=30.0, description="how long one process holds a reply before another may take it")
    timeout: Seconds = Field(default=10.0, description="a provider that has not answered by then counts as unknown")
    first_retry: Seconds = Field(
        default=2.0, description="wait before the second attempt; doubled after each, with jitter"
    )
    longest_retry: Seconds = Field(default=15 * MINUTE, description="the longest wait between two attempts")
    give_up_after: Seconds = Field(default=DAY, description="after that a reply goes to the dead letters")
    breaker_failures: Count = Field(default=5, description="failures in a row after which a channel's sending is down")
    breaker_probe: Seconds = Field(default=15.0, description="how often a channel that is down is tried with one reply")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lease <= self.timeout:
            raise ValueError("lease must be longer than timeout, or two processes send one reply")
        if self.first_retry > self.longest_retry:
            raise ValueError("first_retry must be at most longest_retry")
        return self


class Intake(Section):
    """How channels that have to be read (a mailbox, a timeline, a bot) are read."""

    lease: Seconds = Field(
        default=30.0,
        description="one process reads a channel at a time; after so long without a sign of life another takes over",
    )


class Dispatcher(Section):
    """How events are consumed."""

    batch: Whole = Field(default=500, ge=1, le=10_000, description="events in one transaction, at most")


class Blobs(Section):
    """Where files and large raw payloads are kept: a folder, or a bucket. All processes need to reach the same one."""

    path: Path = Field(default=Path("var/blobs"), description="the folder, where no bucket is set")
    url: str = Field(default="", description="s3://bucket or s3://bucket/prefix; empty: the folder")
    endpoint: PublicUrl = Field(default="", description="address of the S3 service; empty: that of AWS in the region")
    region: str = Field(default="us-east-1", min_length=1, description="region of the bucket")
    access_key_id: str = Field(default="", description="access key for the bucket; empty: that of the machine's role")
    secret_access_key: SecretStr = Field(default=SecretStr(""), description="secret of the access key")
    timeout: Seconds = Field(default=30.0, description="a call to the bucket that takes longer has failed")

    @field_validator("url")
    @classmethod
    def _a_bucket(cls, url: str) -> str:
        if url and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?", url):
            raise ValueError("must be s3://bucket or s3://bucket/prefix, or empty")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _both_keys(self) -> Self:
        if bool(self.access_key_id) != bool(self.secret_access_key.get_secret_value()):
            raise ValueError("access_key_id and secret_access_key belong together")
        return self


class Attachments(Section):
    """Which files that come with messages are fetched, and how; failed ones are tried again by the times of [delivery].

    What is not fetched is recorded with the reason.
    """

    max_size: Bytes = Field(default=25 * MIB, description="largest file that is kept")
    max_per_message: Count = Field(default=100, description="files of one message that are kept")
    allowed_types: Words = Field(
        default=(), description="media types that are kept, such as image/* or application/pdf; none: all"
    )
    blocked_types: Words = Field(default=files.BLOCKED_TYPES, description="media types that are not kept")
    blocked_endings: Words = Field(
        default=files.BLOCKED_ENDINGS, description="endings of names that are not kept, whatever their media type"
    )
    concurrency: Whole = Field(default=4, ge=1, le=100, description="files of one channel fetched at once")
    timeout: Seconds = Field(default=2 * MINUTE, description="the time that fetching one file may take")


class Logging(Section):
    """What the program says about itself, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="the least that is written")
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: console in a terminal, else JSON"
    )


class Settings(BaseSettings):
    """All settings. :func:`config.load.load` reads them; made directly: the defaults and what is given."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, case_sensitive=True)

    timezone: str = Field(default="Asia/Jakarta", description="IANA time zone of logs, replies and pages")
    server: Server = Server()
    log: Log = Log()
    topics: Topics = Topics()
    store: Store = Store()
    api: Api = Api()
    privacy: Privacy = Privacy()
    rules: Rules = Rules()
    replies: Replies = Replies()
    notices: Notices = Notices()
    delivery: Delivery = Delivery()
    intake: Intake = Intake()
    dispatcher: Dispatcher = Dispatcher()
    blobs: Blobs = Blobs()
    attachments: Attachments = Attachments()
    health: Health = Health()
    alerts: Alerts = Alerts()
    console: Console = Console()
    retention: Retention = Retention()
    logging: Logging = Logging()
    channels: dict[str, dict[str, Any]] = Field(
        default={}, repr=False, description="one table for each channel, by name"
    )

    _origins: Origins = PrivateAttr(default_factory=Origins)

    @property
    def source(self) -> str:
        """The file that the settings came from, for people; ``""`` where there was none."""
        return self._origins.name

    @property
    def origins(self) -> Origins:
        """Where each value stands, for error messages."""
        return self._origins

    def located(self, origins: Origins) -> Self:
        """The same settings, knowing where they came from."""
        copy = self.model_copy()
        copy._origins = origins
        return copy

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of ``timezone``."""
        return ZoneInfo(self.timezone)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ValueError, OSError, LookupError) as error:
            raise ValueError("must be an IANA time zone such as Asia/Jakarta") from error
        return name

    @field_validator("retention")
    @classmethod
    def _outlasts_the_log(cls, retention: Retention, info: ValidationInfo) -> Retention:
        log = info.data.get("log")
        if log is not None and 0 < retention.after < log.retention:
            raise ValueError("after must not be shorter than [log] retention: what is forgotten would stand there")
        return retention

    @field_validator("channels", mode="before")
    @classmethod
    def _channel_names(cls, channels: Any) -> Any:
        for name in channels if isinstance(channels, dict) else ():
            if not CHANNEL_NAME.fullmatch(name):
                raise ValueError(
                    f'"{name}" is no channel name: a lower-case letter, then letters, digits, single hyphens'
                )
        return channels

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing but what is given: only :func:`config.load.load` looks at files and the environment."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)
