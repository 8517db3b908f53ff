"""Names of cipher suites."""

from __future__ import annotations

import pytest

from lymer.errors import StartupError
from lymer.transport.ciphers import openssl_ciphers


@pytest.mark.parametrize(
    ("name", "openssl"),
    [
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
        ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"),
        ("TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
    ],
)
def test_names_of_go_become_those_of_openssl(name: str, openssl: str) -> None:
    """Which it takes as they are, too."""
    assert openssl_ciphers((name,), "tls.cipher_suites") == openssl


def test_suites_of_1_3_are_left_out() -> None:
    """They are always on; alone they are a mistake."""
    new, old = "TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"

    assert openssl_ciphers((new, old), "tls.cipher_suites") == old
    with pytest.raises(StartupError, match=r"suites of TLS 1\.3 only: for that, set min_version"):
        openssl_ciphers((new,), "tls.cipher_suites")


@pytest.mark.parametrize("name", ["TLS_RSA_WITH_RC4_128_SHA", "AES1", "ALL:!aNULL", "@STRENGTH"])
def test_unknown_names_are_refused(name: str) -> None:
    """OpenSSL would skip them in silence, or read them as an expression."""
    with pytest.raises(StartupError, match="is no cipher suite; names are like"):
        openssl_ciphers((name,), "tls.cipher_suites")
