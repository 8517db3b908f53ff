"""The webhook's configuration file and its flags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from certwright.errors import StartupError
from certwright.roles.webhook_options import WebhookOptions, read_options

HEAD = {"apiVersion": "webhook.config.cert-manager.io/v1alpha1", "kind": "WebhookConfiguration"}


def written(folder: Path, document: Any) -> Path:
    """Write a configuration."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_without_anything_there_are_defaults() -> None:
    """The original's ports; the chart sets 10250."""
    assert read_options(None, {}) == WebhookOptions(secure_port=6443, healthz_port=6080)


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    """Every field of the file has a setting."""
    path = written(
        tmp_path,
        HEAD
        | {
            "securePort": 1,
            "healthzPort": 2,
            "kubeConfig": "k",
            "apiServerHost": "h",
            "enablePprof": True,
            "pprofAddress": "p",
            "featureGates": {"ServerSideApply": True},
            "tlsConfig": {
                "cipherSuites": ["TLS_AES_128_GCM_SHA256"],
                "minTLSVersion": "VersionTLS13",
                "filesystem": None,
                "dynamic": {"secretNamespace": "n", "secretName": "s", "dnsNames": ["a", "b"]},
            },
        },
    )

    assert read_options(path, {"secure_port": 9, "kubeconfig": "flag"}) == WebhookOptions(
        secure_port=9,
        healthz_port=2,
        kubeconfig="flag",
        api_server_host="h",
        enable_profiling=True,
        profiler_address="p",
        feature_gates={"ServerSideApply": True},
        tls_cipher_suites=("TLS_AES_128_GCM_SHA256",),
        tls_min_version="VersionTLS13",
        dynamic_serving_ca_secret_namespace="n",
        dynamic_serving_ca_secret_name="s",
        dynamic_serving_dns_names=("a", "b"),
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param([], "it is no YAML object", id="a list"),
        pytest.param({"kind": "Pod"}, "it is a Pod of None, and must be a", id="another kind"),
        pytest.param(HEAD | {"port": 1}, 'unknown field "port"', id="unknown"),
        pytest.param(
            HEAD | {"tlsConfig": {"dynamic": {"name": 1}}},
            'unknown field "tlsConfig.dynamic.name"',
            id="unknown below",
        ),
        pytest.param(HEAD | {"tlsConfig": 1}, "tlsConfig is no object", id="no object"),
        pytest.param(HEAD | {"securePort": "1"}, "securePort has a str", id="text for a number"),
        pytest.param(HEAD | {"securePort": True}, "securePort has a bool", id="bool for a number"),
        pytest.param(
            HEAD | {"tlsConfig": {"cipherSuites": "x"}},
            "tlsConfig.cipherSuites has a str",
            id="text for a list",
        ),
        pytest.param(
            HEAD | {"featureGates": {"X": True}}, "unrecognized feature gate: X", id="gate"
        ),
    ],
)
def test_a_wrong_file_stops_the_start(tmp_path: Path, document: Any, expected: str) -> None:
    """With the field that is wrong."""
    with pytest.raises(StartupError) as caught:
        read_options(written(tmp_path, document), {})

    assert expected in str(caught.value)


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(StartupError, match=r"cannot read the webhook.s configuration .*nothing"):
        read_options(tmp_path / "nothing", {})


PREFIX = "error validating the webhook's configuration: "


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param(
            {"tls_cert_file": "c", "dynamic_serving_ca_secret_name": "s"},
            "invalid configuration: cannot specify both filesystem based and dynamic TLS"
            " configuration",
            id="both",
        ),
        pytest.param(
            {"tls_cert_file": "c"},
            "invalid configuration: tlsConfig.filesystem.keyFile (--tls-private-key-file) must be"
            " specified when using filesystem based TLS config",
            id="half a pair",
        ),
        pytest.param(
            {"dynamic_serving_ca_secret_name": "s"},
            "[invalid configuration: tlsConfig.dynamic.secretNamespace"
            " (--dynamic-serving-ca-secret-namespace) must be specified when using dynamic TLS"
            " config, invalid configuration: tlsConfig.dynamic.dnsNames"
            " (--dynamic-serving-dns-names) must be specified when using dynamic TLS config]",
            id="half an authority",
        ),
        pytest.param(
            {"secure_port": 65536},
            "invalid configuration: --secure-port must be 0 to 65535, it is 65536",
            id="no port",
        ),
    ],
)
def test_settings_that_contradict_stop_the_start(flags: dict[str, Any], expected: str) -> None:
    """In the original's words."""
    with pytest.raises(StartupError) as caught:
        read_options(None, flags)

    assert str(caught.value) == PREFIX + expected
