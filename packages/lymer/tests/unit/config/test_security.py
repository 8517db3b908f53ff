"""Settings of encryption and access: what does not fit together, and what is never shown."""

from __future__ import annotations

import json

import pytest

from lymer.config import ConfigError, load_config
from lymer.config.document import read_document
from lymer.config.rules import REDACTED
from lymer.config.sources import load_effective
from lymer.roles.securing import server_options

_HOME = {"HOME": "/home/ada"}
_PAIR = {"tls.cert_file": "c.pem", "tls.key_file": "k.pem"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param(
            {"tls.cert_file": "c"},
            '"tls.cert_file" is set and "tls.key_file" is not: they belong together',
            id="certificate without key",
        ),
        pytest.param(
            {"tls.client_ca_file": "c"},
            '"tls.client_ca_file" is set and no certificate of our own',
            id="client CA without certificate",
        ),
        pytest.param(
            {"query.tls.client_ca_file": "c"},
            '"query.tls.client_ca_file" is set and no certificate of our own',
            id="client CA of one listener",
        ),
        pytest.param(
            {"receivers.zipkin.tls.key_file": "k", **_PAIR},
            '"receivers.zipkin.tls.key_file" is set and "receivers.zipkin.tls.cert_file" is not',
            id="key of one listener",
        ),
        pytest.param(
            {"tls.min_version": "1.3", "tls.max_version": "1.2"},
            '"tls.max_version" is 1.2, below "tls.min_version", which is 1.3',
            id="no version left",
        ),
        pytest.param(
            {"tls.max_version": "1.2", "admin.tls.min_version": "1.3"},
            '"admin.tls.max_version" is 1.2, below "admin.tls.min_version", which is 1.3',
            id="no version left with the shared one",
        ),
        pytest.param(
            {"agent.tls.ca_file": "c"},
            '"agent.tls.ca_file" is set and does nothing: set "agent.tls.enabled" to true',
            id="link that is not encrypted",
        ),
        pytest.param(
            {"remote_storage.auth.username": "ada"},
            '"remote_storage.auth.username" is set and "remote_storage.auth.password_file" is not',
            id="user without password",
        ),
        pytest.param(
            {
                "agent.auth.username": "ada",
                "agent.auth.password_file": "p",
                "agent.auth.bearer_token_file": "t",
            },
            '"agent.auth.bearer_token_file" and "agent.auth.username" are both set: choose one',
            id="token and user",
        ),
        pytest.param(
            {"tls.min_version": "1.1"},
            '"tls.min_version" must be one of 1.2, 1.3',
            id="old version",
        ),
        pytest.param(
            {"query.auth.bearer_tokens": REDACTED},
            '"query.auth.bearer_tokens" must be tokens, separated by commas',
            id="what stands for a secret",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(given: dict[str, str], problem: str) -> None:
    """Before anything is opened; one sentence for each."""
    with pytest.raises(ConfigError) as caught:
        load_config(None, _HOME, given)

    assert len(caught.value.problems) == 1
    assert problem in caught.value.problems[0]


def test_a_listener_has_what_it_sets_and_the_rest_of_the_shared_group() -> None:
    """Certificate and key go together, the others one by one; `enabled` is the last word."""
    given = {
        **_PAIR,
        "tls.client_ca_file": "ca.pem",
        "tls.min_version": "1.3",
        "query.tls.verify_clients": "false",
        "admin.tls.cert_file": "a.pem",
        "admin.tls.key_file": "a.key",
        "admin.tls.min_version": "1.2",
        "health.tls.enabled": "false",
    }
    config = load_config(None, _HOME, given)

    query = server_options(config.tls, config.query.tls, "query.tls")
    admin = server_options(config.tls, config.admin.tls, "admin.tls")
    assert query is not None
    assert admin is not None
    assert (str(query.cert_file), query.client_ca_file, query.min_version, query.setting) == (
        "c.pem", None, "1.3", "tls",
    )  # fmt: skip
    assert (str(admin.key_file), str(admin.client_ca_file), admin.min_version, admin.setting) == (
        "a.key", "ca.pem", "1.2", "admin.tls",
    )  # fmt: skip
    assert server_options(config.tls, config.health.tls, "health.tls") is None
    assert not config.health.tls.is_on(config.tls)
    assert config.query.tls.is_on(config.tls)


def test_a_secret_is_read_from_the_environment_and_never_shown() -> None:
    """Neither as YAML, nor as JSON, nor where a value is printed for debugging."""
    environ = {**_HOME, "LYMER__QUERY__AUTH__BEARER_TOKENS": "first-token, second-token"}
    effective = load_effective(None, environ)

    assert effective.config.query.auth.bearer_tokens == ("first-token", "second-token")
    shown = effective.to_yaml() + json.dumps(effective.to_json()) + repr(effective.config)
    assert "first-token" not in shown
    assert REDACTED in effective.to_yaml()


def test_lists_can_be_lists_in_a_file() -> None:
    """Or one text with commas; a comma inside a word of a list is no list."""
    path = "receivers.otlp_http.cors.allowed_origins"
    group = "receivers: {otlp_http: {cors: {allowed_origins: %s}}}"
    environ = {"A": "https://a.example"}

    one = read_document(group % '["${A}", https://b.example]', "f", environ)
    other = read_document(group % '"${A},https://b.example"', "f", environ)
    bad = read_document(group % '["a,b"]', "f", environ)

    expected = "https://a.example,https://b.example"
    assert [(entry.path, entry.text) for entry in one.entries] == [(path, expected)]
    assert [(entry.path, entry.text) for entry in other.entries] == [(path, expected)]
    assert len(bad.problems) == 1
    assert "separated by commas" in bad.problems[0]
