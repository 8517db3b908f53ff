"""Requests and certificates, byte for byte as cert-manager v1.12.2 makes them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from certwright.errors import InvalidError
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.pki.chain import order_chain
from certwright.pki.csr import generate_csr
from certwright.pki.keys import decode_private_key
from certwright.pki.match import request_violations
from certwright.pki.names import decode_rdns, name_text
from certwright.pki.pem import decode_pem
from certwright.pki.template import sign_template, template_of_request
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.features import FeatureGates

_FILE: Final = json.loads((Path(__file__).parent / "golden" / "cases.json").read_text())
_CASES: Final = {case["name"]: case for case in _FILE["cases"]}
_NOW: Final = datetime(2023, 6, 2, 10, tzinfo=UTC)

_SAME_IN_OTHER_WORDS: Final = {"all name kinds", "literal subject, multi-valued"}
"""Where the original compares texts and would issue again for ever."""


@pytest.fixture(params=_CASES.values(), ids=_CASES.keys())
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    """One of the original's cases."""
    found: dict[str, Any] = request.param
    return found


def _key(case: dict[str, Any], field: str = "key") -> Any:
    return decode_private_key(_FILE["keys"][case[field]].encode())


def _csr(case: dict[str, Any]) -> bytes:
    gates = FeatureGates.parse(case["gates"])
    return generate_csr(Certificate({"spec": case["spec"]}), _key(case), gates)


def _request(case: dict[str, Any]) -> CertificateRequest:
    copied = ("isCA", "usages", "duration", "issuerRef")
    spec = {field: case["spec"][field] for field in copied if field in case["spec"]}
    encoded = base64.b64encode(_csr(case)).decode()
    return CertificateRequest({"spec": {**spec, "request": encoded}})


def _certificate(case: dict[str, Any]) -> tuple[list[DecodedCertificate], DecodedCertificate]:
    template = template_of_request(_request(case), now=_NOW, serial=2**127)
    template = replace(
        template,
        crl_distribution_points=tuple(case.get("crl", ())),
        ocsp_servers=tuple(case.get("ocsp", ())),
    )
    assert case["wanted"].get("subject", "") == name_text(decode_rdns(template.subject_der))
    chain = decode_certificates(case["ca"].encode()) if "ca" in case else []
    signer = _key(case, "ca_key") if chain else _key(case)
    return chain, sign_template(template, signer, chain[0] if chain else None)


def test_a_request_is_the_original_s(case: dict[str, Any]) -> None:
    """The same bytes, or the same words why there is no request."""
    wanted = case["wanted"]
    if "csr_error" in wanted:
        with pytest.raises(InvalidError) as raised:
            _csr(case)

        assert wanted["csr_error"] == str(raised.value)
    else:
        block = next(decode_pem(_csr(case)))

        assert block.type == "CERTIFICATE REQUEST"
        assert wanted["csr"] == base64.b64encode(block.der).decode()


def test_a_certificate_and_its_chain_are_the_original_s(case: dict[str, Any]) -> None:
    """The same bytes, or the same words why there is no certificate; and as long a chain."""
    wanted = case["wanted"]
    if "csr_error" in wanted:
        return
    if "certificate_error" in wanted:
        with pytest.raises(InvalidError) as raised:
            _certificate(case)

        assert wanted["certificate_error"] == str(raised.value)
        return
    chain, leaf = _certificate(case)

    assert wanted["certificate"] == base64.b64encode(leaf.der).decode()
    if "chain_error" in wanted:
        with pytest.raises(InvalidError, match=wanted["chain_error"]):
            order_chain([*chain, leaf])
    else:
        result = order_chain([*chain, leaf])

        assert wanted["chain_blocks"] == result.chain_pem.count(b"BEGIN")
        assert wanted["ca_blocks"] == result.ca_pem.count(b"BEGIN")


def test_a_request_matches_its_own_certificate(case: dict[str, Any]) -> None:
    """Ours always fit; the original's does not where it compares other ways to write the same."""
    wanted = case["wanted"]
    if "csr_error" in wanted:
        return
    certificate = Certificate({"spec": case["spec"]})
    if not wanted["match"].endswith(" <nil>"):
        with pytest.raises(InvalidError) as raised:
            request_violations(_request(case), certificate)

        assert wanted["match"] == f"[] {raised.value}"
        return
    violations = request_violations(_request(case), certificate)

    if case["name"] in _SAME_IN_OTHER_WORDS or wanted["match"] == "[spec.uris] <nil>":
        assert violations == []
    else:
        assert wanted["match"] == f"[{' '.join(violations)}] <nil>"
