"""A Bundle in a folder: a file with the CAs that everybody may read, kept up to date."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from certwright_testing.standalone import CA_YAML, Standalone, leaf_yaml, run_certwright, wait_until

BUNDLE_YAML = """\
apiVersion: trust.cert-manager.io/v1alpha1
kind: Bundle
metadata: {name: company}
spec:
  sources:
    - secret: {name: web, key: ca.crt}
    - configMap: {name: partners, key: all.pem}
  target:
    configMap: {key: ca.pem}
    additionalFormats: {pkcs12: {key: trust.p12}}
"""


def _partners(pem: str) -> str:
    indented = "".join(f"    {line}\n" for line in pem.splitlines())
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: partners}\ndata:\n  all.pem: |\n"
    return head + indented


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_bundle_is_a_file_that_follows_its_sources(tmp_path: Path) -> None:
    """From a leaf's `ca.crt` and a partner's root, with a mistake on the way."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "ca.yaml").write_text(CA_YAML)
    assert run_certwright("standalone", str(other), "--once").returncode == 0
    partner = (other / "secrets" / "default" / "ca" / "tls.crt").read_text()

    service = Standalone(tmp_path / "certs")
    service.folder.mkdir()
    service.write("ca.yaml", CA_YAML)
    service.write("web.yaml", leaf_yaml("web"))
    service.write("bundle.yaml", BUNDLE_YAML)
    shown = service.folder / "bundles" / "company"
    with service:
        service.wait_for("web")
        told = run_certwright("status", str(service.folder))
        assert told.returncode == 1
        assert 'configmaps "partners" not found' in told.stdout
        service.write("partners.yaml", _partners(partner))
        wait_until((shown / "ca.pem").exists, "the bundle")
        assert (shown / "ca.pem").stat().st_mode & 0o777 == 0o644
        assert (shown / "trust.p12").stat().st_mode & 0o777 == 0o644
        context = ssl.create_default_context(cafile=shown / "ca.pem")
        assert len(context.get_ca_certs()) == 2
        assert run_certwright("status", str(service.folder)).returncode == 0

        (service.folder / "bundle.yaml").unlink()
        wait_until(lambda: not (shown / "ca.pem").exists(), "the bundle is gone")
