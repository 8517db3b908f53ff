"""Which loops run, and what is refused at start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from certwright.errors import StartupError
from certwright.reconcile.controllers import all_controllers
from certwright.reconcile.options import AcmeOptions, Options, ShimOptions
from certwright.resources.features import FeatureGates
from certwright.roles.controller_options import (
    DEFAULT_ON,
    KNOWN,
    ControllerOptions,
    address_of,
    check_options,
    enabled_names,
)

PLAIN = ControllerOptions()


def test_the_defaults_are_the_originals_and_are_valid() -> None:
    """Flags without a value."""
    check_options(PLAIN)

    assert (PLAIN.kube_api_qps, PLAIN.kube_api_burst, PLAIN.concurrent_workers) == (20.0, 50, 5)
    assert (PLAIN.metrics_listen_address, PLAIN.healthz_listen_address) == (
        "0.0.0.0:9402",
        "0.0.0.0:9403",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"decisions": Options(shim=ShimOptions(default_issuer_kind=""))},
            "the --default-issuer-kind flag must not be empty",
            id="no issuer kind",
        ),
        pytest.param(
            {"kube_api_burst": 0},
            "invalid value for kube-api-burst: 0 must be higher than 0",
            id="no burst",
        ),
        pytest.param(
            {"kube_api_qps": 0.0},
            "invalid value for kube-api-qps: 0 must be higher than 0",
            id="no requests",
        ),
        pytest.param(
            {"kube_api_qps": 51.0},
            "invalid value for kube-api-burst: 50 must be higher or equal to kube-api-qps: 51",
            id="burst below rate",
        ),
        pytest.param(
            {"controllers": ("*", "-foo", "bar")},
            "validation failed for '--controllers': "
            '["foo" is not in the list of known controllers '
            '"bar" is not in the list of known controllers]',
            id="unknown controllers",
        ),
        pytest.param(
            {"decisions": Options(acme=AcmeOptions(dns01_nameservers=("8.8.8.8",)))},
            "invalid DNS server (address 8.8.8.8: missing port in address): 8.8.8.8",
            id="nameserver without a port",
        ),
        pytest.param(
            {"decisions": Options(acme=AcmeOptions(http01_nameservers=("::1:53",)))},
            "invalid DNS server (address ::1:53: too many colons in address): ::1:53",
            id="IPv6 nameserver without brackets",
        ),
        pytest.param(
            {"leader_election_lease_seconds": 40.0},
            "leaseDuration must be greater than renewDeadline",
            id="lease not longer than its renewal",
        ),
        pytest.param(
            {"leader_election_retry_seconds": 39.0},
            "renewDeadline must be greater than retryPeriod*JitterFactor",
            id="too few attempts",
        ),
        pytest.param(
            {"metrics_listen_address": "9402"},
            'invalid value for metrics-listen-address: "9402" is no HOST:PORT',
            id="address without a colon",
        ),
        pytest.param(
            {"concurrent_workers": 0},
            "invalid value for concurrent-workers: 0 must be higher than 0",
            id="nobody works",
        ),
        pytest.param(
            {"decisions": Options(acme=AcmeOptions(challenges_max=0))},
            "invalid value for max-concurrent-challenges: 0 must be higher than 0",
            id="no challenge at all",
        ),
    ],
)
def test_what_cannot_work_is_refused(change: dict[str, object], message: str) -> None:
    """In the original's words, where it has some."""
    with pytest.raises(StartupError) as caught:
        check_options(replace(PLAIN, **change))  # type: ignore[arg-type]

    assert str(caught.value) == message


def test_without_an_election_its_times_do_not_matter() -> None:
    """One replica may have any."""
    check_options(replace(PLAIN, leader_elect=False, leader_election_lease_seconds=1.0))


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        pytest.param(("*",), set(DEFAULT_ON), id="all"),
        pytest.param(("*", "-issuers"), set(DEFAULT_ON) - {"issuers"}, id="one less"),
        pytest.param(("-issuers", "*"), set(DEFAULT_ON) - {"issuers"}, id="in any order"),
        pytest.param(("issuers",), {"issuers"}, id="one only"),
        pytest.param(("-issuers",), set(), id="only less is nothing"),
        pytest.param(("*", "gateway-shim"), {*DEFAULT_ON, "gateway-shim"}, id="one more"),
    ],
)
def test_names_choose_loops(chosen: tuple[str, ...], expected: set[str]) -> None:
    """`*`, names, and names with a minus."""
    assert enabled_names(replace(PLAIN, controllers=chosen)) == expected


def test_one_namespace_has_no_cluster_issuers() -> None:
    """They are not in it."""
    options = replace(PLAIN, decisions=Options(namespace="one"))

    assert enabled_names(options) == set(DEFAULT_ON) - {"clusterissuers"}


def test_gates_turn_loops_on() -> None:
    """Also without naming them."""
    gates = FeatureGates.parse("ExperimentalCertificateSigningRequestControllers=true")
    names = enabled_names(replace(PLAIN, decisions=Options(gates=gates)))

    assert len(names - set(DEFAULT_ON)) == 5


def test_every_known_name_is_a_loop() -> None:
    """Nothing is missing in silence."""
    gates = FeatureGates.parse("AllAlpha=true")
    built = {controller.component for controller in all_controllers(Options(gates=gates))}

    assert built == set(KNOWN)


def test_addresses_may_be_ipv6_or_have_no_host() -> None:
    """As Go's listeners take them."""
    assert address_of("[::1]:9402", "f") == ("::1", 9402)
    assert address_of(":9402", "f") == ("", 9402)
