"""Every outcome of the CA and SelfSigned issuers, in cert-manager's words."""

from __future__ import annotations

import pytest

from certwright.issuers.ca import CaSigner
from certwright.issuers.contract import Notice, Refused, Signed, Waiting
from certwright.issuers.self_signed import SelfSignedSigner
from certwright.issuers.signers import SIGNERS
from certwright.pki.certificates import decode_certificates
from certwright.pki.keys import encode_private_key
from certwright.resources import known
from certwright.resources.features import LITERAL_CERTIFICATE_SUBJECT, FeatureGates
from certwright.resources.kinds import SECRET, Manifest
from certwright.resources.meta import key_of
from certwright_testing.pki import (
    NOW,
    make_ca,
    make_certificate,
    make_issuer,
    make_key,
    make_key_secret,
    make_request,
    make_secret,
    make_signing_request,
)

ROOT, ROOT_KEY = make_ca("root")
MIDDLE, MIDDLE_KEY = make_ca("middle", (ROOT, ROOT_KEY))
SELF_SIGNED = make_issuer(selfSigned={"crlDistributionPoints": ["http://crl.example"]})
NO_PEM = "error decoding private key PEM block"


def ca_secret(**entries: bytes | None) -> Manifest:
    """A CA Secret; None takes an entry away."""
    data: dict[str, bytes | None] = {
        "tls.key": encode_private_key(ROOT_KEY, ""),
        "tls.crt": ROOT.pem,
        "ca.crt": ROOT.pem,
    }
    data |= {name.replace("_", "."): value for name, value in entries.items()}
    return make_secret("ca", {name: value for name, value in data.items() if value is not None})


def ask_ca(*secrets: Manifest, **spec: object) -> Signed | Waiting | Refused:
    """Let the CA sign a request."""
    request = make_request(**spec)
    return CaSigner().sign(make_signing_request(request, make_issuer(), *secrets))


# ------------------------------------------------------------------------------ CA


def test_a_ca_signs_and_gives_itself_as_the_ca() -> None:
    """The root is not part of the chain; it is `ca.crt`."""
    outcome = ask_ca(ca_secret())

    assert isinstance(outcome, Signed)
    (leaf,) = decode_certificates(outcome.certificate_pem)
    assert outcome.ca_pem == ROOT.pem
    assert leaf.is_signed_by(ROOT)
    assert (leaf.serial, leaf.not_before) == (42, NOW)
    assert leaf.authority_key_id == ROOT.subject_key_id
    assert not leaf.is_ca


def test_an_intermediate_goes_with_the_leaf_and_the_root_is_known_from_ca_crt() -> None:
    """The chain is leaf and intermediate; the CA is the root."""
    secret = ca_secret(tls_crt=MIDDLE.pem, tls_key=encode_private_key(MIDDLE_KEY, "PKCS8"))
    outcome = ask_ca(secret)

    assert isinstance(outcome, Signed)
    leaf, middle = decode_certificates(outcome.certificate_pem)
    assert middle == MIDDLE
    assert leaf.is_signed_by(MIDDLE)
    assert outcome.ca_pem == ROOT.pem


def test_without_a_root_the_highest_known_is_the_ca() -> None:
    """An intermediate alone is chain and CA."""
    secret = ca_secret(tls_crt=MIDDLE.pem, tls_key=encode_private_key(MIDDLE_KEY, ""), ca_crt=b"")
    outcome = ask_ca(secret)

    assert isinstance(outcome, Signed)
    assert decode_certificates(outcome.certificate_pem)[1:] == [MIDDLE]
    assert outcome.ca_pem == MIDDLE.pem


def test_places_to_ask_for_revocation_come_from_the_issuer() -> None:
    """CRL and OCSP URLs stand in the certificate in the order given."""
    issuer = make_issuer(
        ca={
            "secretName": "ca",
            "crlDistributionPoints": ["http://crl/a", "http://crl/b"],
            "ocspServers": ["http://ocsp"],
        }
    )
    outcome = CaSigner().sign(make_signing_request(make_request(), issuer, ca_secret()))

    assert isinstance(outcome, Signed)
    (leaf,) = decode_certificates(outcome.certificate_pem)
    assert leaf.crl_distribution_points == ("http://crl/a", "http://crl/b")
    assert leaf.ocsp_servers == ("http://ocsp",)


@pytest.mark.parametrize(
    ("secrets", "reason", "message"),
    [
        pytest.param(
            (),
            "SecretMissing",
            'Referenced secret sandbox/ca not found: secret "ca" not found',
            id="no Secret",
        ),
        pytest.param(
            (ca_secret(tls_key=None),),
            "SecretInvalidData",
            "Failed to parse signing CA keypair from secret sandbox/ca: no private key data for "
            "\"tls.key\" in secret 'sandbox/ca'",
            id="no key",
        ),
        pytest.param(
            (ca_secret(tls_crt=None),),
            "SecretInvalidData",
            "Failed to parse signing CA keypair from secret sandbox/ca: no certificate data for "
            "\"tls.crt\" in secret 'sandbox/ca'",
            id="no certificate",
        ),
        pytest.param(
            (ca_secret(tls_key=b"no key"),),
            "SecretInvalidData",
            f"Failed to parse signing CA keypair from secret sandbox/ca: {NO_PEM}",
            id="key is none",
        ),
        pytest.param(
            (ca_secret(ca_crt=b"no certificate"),),
            "SecretInvalidData",
            "Failed to parse signing CA keypair from secret sandbox/ca: "
            "error decoding certificate PEM block",
            id="ca.crt is none",
        ),
    ],
)
def test_a_ca_waits_for_a_secret_it_can_use(
    secrets: tuple[Manifest, ...], reason: str, message: str
) -> None:
    """What is wrong with a Secret may be put right: the request stays pending."""
    assert Waiting(reason, message) == ask_ca(*secrets)


@pytest.mark.parametrize(
    ("secret", "spec", "message"),
    [
        pytest.param(
            ca_secret(),
            {"request": "bm8gQ1NS"},
            "Error generating certificate template: failed to decode csr",
            id="no CSR",
        ),
        pytest.param(
            ca_secret(),
            {"usages": ["nonsense"]},
            "Error generating certificate template: unknown key usages: [nonsense]",
            id="unknown usage",
        ),
        pytest.param(
            ca_secret(tls_key=encode_private_key(MIDDLE_KEY, "")),
            {},
            "Error signing certificate: error creating x509 certificate: x509: provided PrivateKey "
            "doesn't match parent's PublicKey",
            id="key of another CA",
        ),
        pytest.param(
            ca_secret(ca_crt=make_ca("stranger")[0].pem),
            {},
            "Error signing certificate: certificate chain is malformed or broken",
            id="ca.crt of another CA",
        ),
    ],
)
def test_a_ca_refuses_what_can_never_be_signed(
    secret: Manifest, spec: dict[str, object], message: str
) -> None:
    """The request has failed; a new attempt makes a new request."""
    assert Refused("SigningError", message) == ask_ca(secret, **spec)


def test_the_end_of_a_ca_does_not_shorten_what_it_signs() -> None:
    """NotAfter is now and the duration, whatever the CA's own end."""
    outcome = ask_ca(ca_secret(), duration="87600h")

    assert isinstance(outcome, Signed)
    (leaf,) = decode_certificates(outcome.certificate_pem)
    assert (leaf.not_after - leaf.not_before).days == 3650
    assert leaf.not_after > ROOT.not_after


# ------------------------------------------------------------------------------ SelfSigned


def ask_self_signed(*secrets: Manifest, **kwargs: object) -> Signed | Waiting | Refused:
    """Let a SelfSigned issuer sign a request."""
    request = make_request(**kwargs)
    return SelfSignedSigner().sign(make_signing_request(request, SELF_SIGNED, *secrets))


def test_a_self_signed_certificate_is_its_own_ca() -> None:
    """Chain and CA are the certificate itself; there is no authority key identifier."""
    outcome = ask_self_signed(
        make_key_secret("next", make_key()), certificate=make_certificate(commonName="x", isCA=True)
    )

    assert isinstance(outcome, Signed)
    (certificate,) = decode_certificates(outcome.certificate_pem)
    assert outcome.ca_pem == outcome.certificate_pem
    assert certificate.is_self_signed
    assert certificate.authority_key_id == b""
    assert certificate.crl_distribution_points == ("http://crl.example",)


def test_an_empty_issuer_name_is_warned_of_and_issued() -> None:
    """RFC 5280 forbids it, users want it."""
    outcome = ask_self_signed(
        make_key_secret("next", make_key()), certificate=make_certificate(dnsNames=["a"])
    )

    assert isinstance(outcome, Signed)
    assert outcome.notices == (
        Notice(
            "Warning",
            "BadConfig",
            "Certificate will be issued with an empty Issuer DN, which contravenes RFC 5280 and "
            "could break some strict clients",
        ),
    )


@pytest.mark.parametrize(
    ("secrets", "annotations", "expected"),
    [
        pytest.param(
            (),
            {},
            Refused(
                "MissingAnnotation",
                'Annotation "cert-manager.io/private-key-secret-name" missing or reference empty: '
                "secret name missing",
            ),
            id="no annotation",
        ),
        pytest.param(
            (),
            {known.PRIVATE_KEY_SECRET_NAME: "next"},
            Waiting(
                "MissingSecret",
                'Referenced secret sandbox/next not found: secret "next" not found',
            ),
            id="no Secret",
        ),
        pytest.param(
            (make_secret("next", {}),),
            {known.PRIVATE_KEY_SECRET_NAME: "next"},
            Waiting(
                "ErrorParsingKey",
                'Failed to get key "next" referenced in annotation '
                '"cert-manager.io/private-key-secret-name": no data for "tls.key" in secret '
                "'sandbox/next'",
            ),
            id="no key in it",
        ),
        pytest.param(
            (make_key_secret("next", make_key("other")),),
            {known.PRIVATE_KEY_SECRET_NAME: "next"},
            Refused(
                "ErrorKeyMatch",
                "Error generating certificate template: CSR not signed by referenced private key",
            ),
            id="another key",
        ),
    ],
)
def test_a_self_signed_request_needs_its_own_key(
    secrets: tuple[Manifest, ...],
    annotations: dict[str, str],
    expected: Waiting | Refused,
) -> None:
    """The key is what the annotation names."""
    assert expected == ask_self_signed(*secrets, annotations=annotations)


def test_a_request_that_is_none_is_refused_by_self_signed() -> None:
    """The reason is the template's."""
    outcome = ask_self_signed(make_key_secret("next", make_key()), request="bm8=")

    assert outcome == Refused(
        "ErrorGenerating", "Error generating certificate template: failed to decode csr"
    )


def test_a_literal_subject_is_signed_as_it_stands() -> None:
    """Bytes of the request's subject are the certificate's, in an order of their own."""
    gates = FeatureGates(frozenset({LITERAL_CERTIFICATE_SUBJECT}))
    outcome = ask_self_signed(
        make_key_secret("next", make_key()),
        certificate=make_certificate(literalSubject="CN=x,DC=corp,C=KR"),
        gates=gates,
    )

    assert isinstance(outcome, Signed)
    (certificate,) = decode_certificates(outcome.certificate_pem)
    assert [oid for ((oid, _),) in certificate.subject_rdns] == [
        "2.5.4.6",
        "0.9.2342.19200300.100.1.25",
        "2.5.4.3",
    ]


# ------------------------------------------------------------------------------ readiness


def test_a_ca_issuer_is_ready_when_its_ca_can_be_read() -> None:
    """With an event each time it is looked at."""
    secret = ca_secret()
    state = CaSigner().state(make_issuer(), "sandbox", {key_of(secret): secret})

    assert state.ready
    assert (state.reason, state.message) == ("KeyPairVerified", "Signing CA verified")
    assert state.notices == (Notice("Normal", "KeyPairVerified", "Signing CA verified"),)


@pytest.mark.parametrize(
    ("secret", "reason", "message", "error"),
    [
        pytest.param(
            None,
            "ErrGetKeyPair",
            'Error getting keypair for CA issuer: secret "ca" not found',
            'secret "ca" not found',
            id="no Secret",
        ),
        pytest.param(
            ca_secret(tls_crt=None),
            "ErrGetKeyPair",
            "Error getting keypair for CA issuer: no data for \"tls.crt\" in secret 'sandbox/ca'",
            "no data for \"tls.crt\" in secret 'sandbox/ca'",
            id="no certificate",
        ),
        pytest.param(
            ca_secret(tls_key=b""),
            "ErrGetKeyPair",
            f"Error getting keypair for CA issuer: {NO_PEM}",
            NO_PEM,
            id="key is none",
        ),
    ],
)
def test_a_ca_issuer_says_what_it_lacks(
    secret: Manifest | None, reason: str, message: str, error: str
) -> None:
    """It is looked at again: somebody may be about to create the Secret."""
    objects = {SECRET.key("sandbox", "ca"): secret} if secret else {}
    state = CaSigner().state(make_issuer(), "sandbox", objects)

    assert not state.ready
    assert (reason, message, error) == (state.reason, state.message, state.error)
    assert state.notices == (Notice("Warning", reason, message),)


def test_a_certificate_that_is_no_ca_makes_no_issuer() -> None:
    """Only a change of the Secret can help."""
    outcome = ask_ca(ca_secret())
    assert isinstance(outcome, Signed)
    secret = ca_secret(tls_crt=outcome.certificate_pem)
    state = CaSigner().state(make_issuer(), "sandbox", {key_of(secret): secret})

    assert not state.ready
    assert state.reason == "ErrInvalidKeyPair"
    assert state.message == "Error getting keypair for CA issuer: certificate is not a CA"
    assert state.error == ""


def test_what_a_signer_depends_on_is_named_before_it_signs() -> None:
    """Loops gather these objects, and wake a request when one of them changes."""
    request, issuer = make_request(), make_issuer()

    assert SIGNERS["ca"].needs(request, issuer, "elsewhere") == (SECRET.key("elsewhere", "ca"),)
    assert SIGNERS["selfSigned"].needs(request, SELF_SIGNED, "x") == (
        SECRET.key("sandbox", "next"),
    )
    assert SIGNERS["selfSigned"].issuer_needs(SELF_SIGNED, "x") == ()
    assert SIGNERS["selfSigned"].state(SELF_SIGNED, "x", {}).reason == "IsReady"
