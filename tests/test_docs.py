"""The documents that are made from the code are what the code makes, and the public names are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels import registry
from config.fields import leaves, variable
from config.settings import Settings
from gateway import reference
from gateway.metrics import Metrics
from gateway.reference import ROOT, settings_page

PAGE = settings_page()

# The names that stay fixed: others' settings files depend on them.
CONTRACT = {
    "server": ["host", "port", "public_url"],
    "log": ["backend", "path", "bootstrap_servers"],
    "store": ["url"],
    "api": ["tokens"],
}
CHANNELS = {
    "telegram": ["type", "token", "mode", "api_url", "webhook_secret", "max_per_second"],
    "twitter": [
        *("type", "mode", "api_url", "handle", "user_id", "bearer_token", "client_id", "client_secret"),
        *("refresh_token", "consumer_secret", "poll_seconds", "backfill"),
    ],
    "email": ["type", "address", "imap_url", "listen", "smtp_url"],
    "sms": ["type", "dialect", "sender", "webhook_token", "send_url", "username", "password", "max_per_second"],
}


def test_the_settings_page_is_what_the_code_makes() -> None:
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == PAGE, "run `make docs`"


@pytest.mark.parametrize("key", [(section, key) for section, keys in CONTRACT.items() for key in keys], ids=".".join)
def test_a_key_of_the_contract_exists(key: tuple[str, str]) -> None:
    assert key in dict(leaves(Settings))


@pytest.mark.parametrize(("channel", "key"), [(channel, key) for channel, keys in CHANNELS.items() for key in keys])
def test_a_channels_key_of_the_contract_exists(channel: str, key: str) -> None:
    assert key in registry.spec(channel).settings.model_fields


@pytest.mark.parametrize("key", [key for key in dict(leaves(Settings)) if key != ("channels",)], ids=".".join)
def test_every_key_is_described_with_its_variable(key: tuple[str, ...]) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("|") and f"`{variable(key)}`" in line)
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert len(cells) == 4
    assert all(cells)


@pytest.mark.parametrize("name", registry.types())
def test_every_key_of_a_channel_type_is_described(name: str) -> None:
    undescribed = [key for key, field in registry.spec(name).settings.model_fields.items() if not field.description]
    assert undescribed == []
    section = PAGE.partition(f'### type = "{name}"')[2].partition("\n### ")[0]
    common = PAGE.partition("## [channels.NAME]")[2].partition("\n### ")[0]
    missing = [key for key in registry.spec(name).settings.model_fields if f"| `{key}`<br>" not in section + common]
    assert missing == []


@pytest.mark.parametrize("path", sorted(reference.documents()))
def test_every_generated_document_is_what_the_code_makes(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == reference.documents()[path], "run `make docs`"


METRICS = {
    "messages_received_total": ("channel",),
    "events_total": ("channel", "intent"),
    "cases_opened_total": ("channel",),
    "replies_sent_total": ("channel",),
    "replies_failed_total": ("channel", "reason"),
    "dead_letters_total": ("stage",),
    "reply_latency_seconds": ("channel",),
    "outbox_pending": ("channel",),
    "log_lag": (),
    "spool_depth": (),
    "channel_state": ("channel", "state"),
}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_of_the_contract_exists_and_is_described(name: str) -> None:
    described = {metric: labels for metric, _, labels, _ in Metrics().described()}
    assert described[f"lapor_gateway_{name}"] == METRICS[name]
    assert f"`lapor_gateway_{name}`" in reference.metrics_page()


def test_writing_the_documents_touches_only_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    reference.main()
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == set(reference.documents())
    (tmp_path / "docs/settings.md").write_text("old")
    capsys.readouterr()

    reference.main()

    assert capsys.readouterr().out == "wrote docs/settings.md\n"
    assert (tmp_path / "docs/settings.md").read_text(encoding="utf-8") == PAGE
