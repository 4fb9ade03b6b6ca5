"""The Prometheus rules and the Grafana dashboard: valid, about metrics that exist, and raised when they should be."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.alerts.rules import AT_ONCE, PATIENT, Notice
from gateway.alerts.sinks import alert_name
from gateway.cli import RoleName
from gateway.health.parts import CONDITIONS
from gateway.metrics import PREFIX, STAGES, Metrics
from tests.services import require

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
DASHBOARD: dict[str, Any] = json.loads((PROMETHEUS.parent / "grafana" / "lapor-gateway.json").read_text("utf-8"))
CONFIG: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
}
TESTS: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text("utf-8"))["tests"]
HEADINGS = {
    "channel-down",
    "channel-silent",
    "log-away",
    "spool-filling",
    "dead-letters",
    "replies-slow",
    "process-missing",
}
KINDS = {name: (kind, set(labels)) for name, kind, labels, _ in Metrics().described()}
ADDED_BY_PROMETHEUS = {"instance", "job", "role", "le"}


def panels() -> Iterator[dict[str, Any]]:
    for panel in DASHBOARD["panels"]:
        yield panel
        yield from panel.get("panels", ())


QUERIES = {f"rule {name}": str(rule["expr"]) for name, rule in RULES.items()} | {
    f"panel {panel['id']} {target['refId']}": str(target["expr"])
    for panel in panels()
    for target in panel.get("targets", ())
}


def series(query: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric of ours in a query, with the labels that it is selected by."""
    for name, selected in re.findall(rf"({PREFIX}\w+)(?:\{{([^}}]*)\}})?", query):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selected))


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "rules.yml"), ("check", "config", "prometheus.yml"), ("test", "rules", "rules_test.yml")],
    ids=" ".join,
)
def test_promtool_is_content(arguments: tuple[str, ...]) -> None:
    require("promtool")
    done = subprocess.run(["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_is_not_content_with_everything(tmp_path: Path) -> None:
    """The tests of the rules can fail: with another patience of the rules they do."""
    require("promtool")
    rules = (PROMETHEUS / "rules.yml").read_text("utf-8").replace("for: 1m", "for: 1h")
    (tmp_path / "rules.yml").write_text(rules, "utf-8")
    first = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": TESTS[:1]}
    (tmp_path / "rules_test.yml").write_text(yaml.safe_dump(first), "utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", "rules_test.yml"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "ChannelDown" in done.stdout + done.stderr


def test_prometheus_reads_every_query_of_the_dashboard(tmp_path: Path) -> None:
    require("promtool")
    queries = [query.replace("$channel", ".*") for where, query in QUERIES.items() if where.startswith("panel")]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
    done = subprocess.run(
        ["promtool", "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


@pytest.mark.parametrize("name", RULES)
def test_every_rule_says_how_bad_it_is_and_what_to_do(name: str) -> None:
    rule = RULES[name]
    assert re.fullmatch(r"\d+[smh]", rule["for"])
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    page, _, heading = rule["annotations"]["runbook_url"].partition("#")
    assert page == "docs/operations.md"
    assert heading in HEADINGS


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_tried_with_an_alarm_and_without(name: str) -> None:
    tried = [case for test in TESTS for case in test["alert_rule_test"] if case["alertname"] == name]
    assert {bool(case["exp_alerts"]) for case in tried} == {True, False}


@pytest.mark.parametrize("where", QUERIES)
def test_every_metric_that_is_asked_for_exists(where: str) -> None:
    for name, selected in series(QUERIES[where]):
        metric = re.sub(r"(_seconds)_(bucket|count|sum)$", r"\1", name)
        assert metric in KINDS, name
        kind, labels = KINDS[metric]
        assert (name != metric) == (kind == "histogram"), f"{name} is a {kind}"
        assert selected <= labels | ADDED_BY_PROMETHEUS, name


def test_the_rules_and_the_dashboard_ask_for_every_metric_of_the_contract() -> None:
    asked = {name for query in QUERIES.values() for name, _ in series(query)}
    for metric in ("messages_received_total", "events_total", "cases_opened_total", "replies_sent_total"):
        assert PREFIX + metric in asked
    for metric in ("outbox_pending", "log_lag", "spool_bytes", "dead_letters_total", "channel_state"):
        assert PREFIX + metric in asked
    assert f"{PREFIX}reply_latency_seconds_bucket" in asked


def test_every_state_that_is_asked_for_is_one() -> None:
    asked = {state for query in QUERIES.values() for state in re.findall(r'state="(\w+)"', query)}
    assert {*AT_ONCE, PATIENT} <= asked <= set(CONDITIONS)


def test_an_alert_has_the_same_name_from_prometheus_and_from_the_gateway() -> None:
    told = {alert_name(Notice(channel="sms", state=state, since=0.0)) for state in (*AT_ONCE, PATIENT)}
    told.add(alert_name(Notice(channel="", part="intake", state="down", since=0.0)))
    assert told <= set(RULES)


def test_dead_letters_are_counted_from_nothing_on() -> None:
    """An increase is seen only of a series that is there before it."""
    text = Metrics().render().decode()
    assert all(f'{PREFIX}dead_letters_total{{stage="{stage}"}} 0.0' in text for stage in STAGES)


def test_prometheus_asks_every_role_and_names_the_job_of_the_rules() -> None:
    (scrape,) = CONFIG["scrape_configs"]
    assert scrape.get("metrics_path", "/metrics") == "/metrics"
    roles = {target["labels"]["role"] for target in scrape["static_configs"]}
    assert roles == {role.value for role in RoleName} - {"all"}
    jobs = {job for query in QUERIES.values() for job in re.findall(r'job="([^"]*)"', query)}
    assert jobs == {scrape["job_name"]}


def test_no_two_panels_share_an_id_or_a_place() -> None:
    drawn = list(panels())
    assert len({panel["id"] for panel in drawn}) == len(drawn)
    for one, other in combinations((panel["gridPos"] for panel in drawn), 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in drawn)


def test_every_panel_has_a_title_an_explanation_and_queries_of_their_own_name() -> None:
    for panel in panels():
        assert panel["title"]
        if panel["type"] != "row":
            refs = [target["refId"] for target in panel["targets"]]
            assert refs
            assert len(set(refs)) == len(refs)
            assert panel["description"]


def test_what_the_panels_are_filtered_by_is_a_variable() -> None:
    known = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(DASHBOARD["panels"])))
    assert used == known == {"datasource", "channel"}
