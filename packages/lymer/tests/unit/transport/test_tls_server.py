"""What is said of files that no listener can be encrypted with; files are this test's business."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from fakes.certificates import Authority
from lymer.errors import StartupError
from lymer.transport.tls_client import ClientTls, ClientTlsOptions
from lymer.transport.tls_server import ServerTls, ServerTlsOptions

AUTHORITY = Authority()


def options(folder: Path, **given: object) -> ServerTlsOptions:
    """Return good options, changed."""
    cert_file, key_file = AUTHORITY.issue().write(folder, "server")
    return ServerTlsOptions(**{"cert_file": cert_file, "key_file": key_file, **given})  # type: ignore[arg-type]


def _encrypted_key(folder: Path) -> Path:
    key = serialization.load_pem_private_key(AUTHORITY.issue().key, None)
    file = folder / "encrypted.key"
    encryption = serialization.BestAvailableEncryption(b"pass")
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
    return file


def _file(folder: Path, content: bytes) -> Path:
    file = folder / "given"
    file.write_bytes(content)
    return file


@pytest.mark.parametrize(
    ("field", "make", "problem"),
    [
        pytest.param(
            "cert_file",
            lambda folder: folder / "absent",
            r'cannot read .*absent \("tls\.cert_file"\): No such file',
            id="no certificate file",
        ),
        pytest.param(
            "key_file",
            lambda folder: folder,
            r'cannot read .* \("tls\.key_file"\): Is a directory',
            id="a folder for the key",
        ),
        pytest.param(
            "key_file",
            lambda folder: _file(folder, AUTHORITY.issue().key),
            r'the key in .*given \("tls\.key_file"\) is not that of the certificate in .*server',
            id="another's key",
        ),
        pytest.param(
            "key_file",
            _encrypted_key,
            r"the key in .*encrypted\.key .* is encrypted: decrypt it",
            id="encrypted key",
        ),
        pytest.param(
            "key_file", lambda folder: _file(folder, b"x"), "cannot be read as PEM", id="no key"
        ),
        pytest.param(
            "cert_file",
            lambda folder: _file(folder, b"x"),
            r'"tls\.cert_file"\) is no certificate in PEM: there is no certificate in it',
            id="no certificate",
        ),
        pytest.param(
            "client_ca_file",
            lambda folder: _file(folder, b" \n"),
            r'given \("tls\.client_ca_file"\) is empty',
            id="empty CA",
        ),
        pytest.param(
            "client_ca_file",
            lambda folder: _file(folder, b"x"),
            r'given \("tls\.client_ca_file"\) holds no certificate',
            id="no CA",
        ),
        pytest.param(
            "min_version",
            lambda _: "1.1",
            r"asks for TLS 1\.1, which is unknown: 1\.2 and 1\.3 are",
            id="old version",
        ),
        pytest.param(
            "cipher_suites", lambda _: ("RC4",), "RC4 is no cipher suite", id="unknown suite"
        ),
    ],
)
def test_a_start_that_cannot_be_says_which_file_and_why(
    tmp_path: Path, field: str, make: object, problem: str
) -> None:
    """Path, setting and what to do."""
    given = {field: make(tmp_path)}  # type: ignore[operator]

    with pytest.raises(StartupError, match=problem):
        ServerTls(options(tmp_path, **given))


def test_a_certificate_that_has_ended_is_a_remark_and_no_error(tmp_path: Path) -> None:
    """So that a restart at night does not make it worse; one that ends soon is a remark too."""
    for days, remark in ((-1, "ended on"), (3, "ends on"), (29, "")):
        cert_file, key_file = AUTHORITY.issue(days=days).write(tmp_path, "server")
        tls = ServerTls(ServerTlsOptions(cert_file, key_file))
        assert remark in tls.remark()
        assert bool(remark) == bool(tls.remark())


def test_a_link_that_skips_verification_is_refused_over_grpc(tmp_path: Path) -> None:
    """The gRPC library cannot; over HTTP it can be had."""
    tls = ClientTls(ClientTlsOptions(insecure_skip_verify=True, setting="agent.tls"))

    with pytest.raises(StartupError, match=r'"agent\.tls\.insecure_skip_verify" is not possible'):
        tls.grpc_credentials()
    assert not tls.context().check_hostname


def test_half_a_certificate_of_a_client_is_refused(tmp_path: Path) -> None:
    """Certificate and key belong together."""
    cert_file, _ = AUTHORITY.issue().write(tmp_path, "client")

    with pytest.raises(StartupError, match="belong together"):
        ClientTls(ClientTlsOptions(cert_file=cert_file))
