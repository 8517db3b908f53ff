"""Controller and webhook read the same fields: what one lets in, the other must not refuse."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certwright.errors import InvalidError, RefusedError
from certwright.pki.csr import decode_csr, generate_csr
from certwright.pki.extensions import EXTENDED_KEY_USAGE, decode_extended_key_usage
from certwright.pki.keys import encode_private_key_pkcs8, generate_private_key
from certwright.pki.usages import EXTENDED_KEY_USAGES, KEY_USAGES
from certwright.reconcile.contract import Create, Sources
from certwright.reconcile.gather import CertificateState
from certwright.reconcile.options import Options
from certwright.reconcile.request_manager import plan_request
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import Manifest
from certwright.resources.secret import Secret
from certwright_testing.objects import certificate, secret
from certwright_testing.stories import ecdsa_only
from certwright_testing.webhook import admit
from certwright_testing.world import START, run

_USAGES = (*KEY_USAGES, *EXTENDED_KEY_USAGES)
_KEY = generate_private_key("ECDSA", 256)
_GATES = "LiteralCertificateSubject=true,UseCertificateRequestBasicConstraints=true"
_FIXED: Manifest = {
    "secretName": "tls",
    "issuerRef": {"name": "ca"},
    "privateKey": {"algorithm": "ECDSA"},
}


def requested(gates: str = "", **spec: Any) -> Manifest:
    """Return the request that is stored for a Certificate that the webhook let in.

    Raises:
        RefusedError: The webhook refuses the Certificate, or, which must not be, the request.
        InvalidError: No request can be made of it; the loop says so in an event.
    """
    parsed = FeatureGates.parse(gates)
    obj = certificate(spec={**_FIXED, **spec}, uid="u", resourceVersion="1")
    obj["status"] = {
        "conditions": [{"type": "Issuing", "status": "True"}],
        "nextPrivateKeySecretName": "k",
    }
    let_in = run(admit(obj, None, gates=parsed))
    generate_csr(Certificate(let_in), _KEY, parsed)
    key = secret("k", data={"tls.key": encode_private_key_pkcs8(_KEY)}, uid="uid-k")
    state = CertificateState(Certificate(let_in), next_key_secret=Secret(key))
    plan = plan_request(state, Sources(START, ecdsa_only, lambda: 1), options=Options(gates=parsed))
    request = next(action.object for action in plan.actions if isinstance(action, Create))
    try:
        return run(admit(request, None, gates=parsed))
    except RefusedError as error:
        raise AssertionError(f"our webhook refuses our own request: {error}") from None


@pytest.mark.parametrize("is_ca", [False, True])
@pytest.mark.parametrize("usage", _USAGES)
def test_every_usage_passes(usage: str, is_ca: bool) -> None:  # noqa: FBT001 - a parameter
    """Alone, and with the bit that a CA adds."""
    stored = requested(dnsNames=["a.example"], usages=[usage], isCA=is_ca)

    assert stored["spec"]["usages"] == [usage]


@pytest.mark.parametrize("first", _USAGES)
def test_every_pair_of_usages_passes(first: str) -> None:
    """In both orders, and twice the same."""
    for second in _USAGES:
        stored = requested(dnsNames=["a.example"], usages=[first, second])
        asked = CertificateRequest(stored)
        assert asked.usages == (first, second)
        found = decode_csr(asked.request).extensions.get(EXTENDED_KEY_USAGE)
        words = [usage for usage in (first, second) if usage in EXTENDED_KEY_USAGES]
        assert len(words) == (0 if found is None else len(decode_extended_key_usage(found.value)))


def test_another_usage_than_the_requests_is_refused() -> None:
    """The rule still holds: one word is not any word."""
    stored = requested(dnsNames=["a.example"], usages=["s/mime", "client auth"])
    for usages in combinations(EXTENDED_KEY_USAGES, 2):
        same = {"email protection" if u == "s/mime" else u for u in usages}
        changed = {**stored, "spec": {**stored["spec"], "usages": list(usages)}}
        if same == {"email protection", "client auth"}:
            run(admit(changed, None))
            continue
        with pytest.raises(RefusedError, match="csr key usages do not match"):
            run(admit(changed, None))


_NAMES = st.text(
    st.sampled_from("aZ0-_.*@:/%[]\\\"'+,=# \t\n\x00äß日"), max_size=12
) | st.sampled_from(
    ["a.example", "*.a.example", "a@b.example", "::1", "2001:db8:0::1", "192.0.2.1", "urn:x:y"]
)
_LISTS = st.lists(_NAMES, max_size=3)
_DURATIONS = st.sampled_from(["1h", "90h", "1.5h", "2160h0m0s", "61m", "0s", "5m", "300000ms"])
_SPECS = st.fixed_dictionaries(
    {},
    optional={
        "commonName": _NAMES,
        "dnsNames": _LISTS,
        "ipAddresses": _LISTS,
        "uris": _LISTS,
        "emailAddresses": _LISTS,
        "duration": _DURATIONS,
        "renewBefore": _DURATIONS,
        "isCA": st.booleans(),
        "encodeUsagesInRequest": st.booleans(),
        "usages": st.lists(st.sampled_from(_USAGES), max_size=5),
        "literalSubject": st.sampled_from(["", "CN=a", "O=b,CN=c+OU=d", "CN=\\2c"]),
        "subject": st.fixed_dictionaries(
            {}, optional={"organizations": _LISTS, "countries": _LISTS, "serialNumber": _NAMES}
        ),
        "issuerRef": st.sampled_from(
            [
                {"name": "a"},
                {"name": "a", "kind": ""},
                {"name": "a", "kind": "ClusterIssuer", "group": "cert-manager.io"},
                {"name": "a", "kind": "Other", "group": "x.example"},
            ]
        ),
    },
)


@settings(max_examples=400, deadline=None)
@given(_SPECS, st.sampled_from(["", _GATES]))
def test_what_is_let_in_can_be_requested_or_says_why_not(spec: Manifest, gates: str) -> None:
    """A Certificate is refused at once, or its request cannot be made, or the request passes."""
    try:
        stored = requested(gates, **spec)
    except (RefusedError, InvalidError):
        return
    assert CertificateRequest(stored).username
