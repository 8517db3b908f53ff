"""Vault, with a service account's token from a real API server, as the controller's account."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from certwright.pki.certificates import decode_certificates
from certwright.resources.kinds import ISSUER, SECRET, Manifest
from certwright_testing.cluster import Cluster
from certwright_testing.in_cluster import Hands, certificate_for, condition, contents
from certwright_testing.openbao import OpenBao, missing_openbao
from certwright_testing.process import Program
from certwright_testing.vault_server import VaultServer

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
WHERE = "vaulted"
REAL = "openbao"
_RBAC = "rbac.authorization.k8s.io/v1"


def is_ours(jwt: str) -> bool:
    """Tell whether a token is the account's, for this issuer and no other."""
    part = jwt.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return bool(
        claims["sub"] == f"system:serviceaccount:{WHERE}:robot"
        and claims["aud"] == [f"vault://{WHERE}/vault"]
        and claims["exp"] - claims["iat"] <= 600
    )


@contextmanager
def served(server: VaultServer, folder: Path) -> Iterator[None]:
    """Run the server on a thread for the length of a block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    context = server.running(folder)
    asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(10)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def permission(where: str = WHERE) -> list[Manifest]:
    """Return the account, and that the controller may ask for its tokens."""
    account = {"kind": "ServiceAccount", "apiVersion": "v1"}
    rule = {
        "apiGroups": [""],
        "resources": ["serviceaccounts/token"],
        "resourceNames": ["robot"],
        "verbs": ["create"],
    }
    subject = {"kind": "ServiceAccount", "name": "cert-manager", "namespace": "cert-manager"}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tokens"}
    place = {"name": "tokens", "namespace": where}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": where}},
        {**account, "metadata": {"name": "robot", "namespace": where}},
        {"apiVersion": _RBAC, "kind": "Role", "metadata": place, "rules": [rule]},
        {
            "apiVersion": _RBAC,
            "kind": "RoleBinding",
            "metadata": place,
            "roleRef": ref,
            "subjects": [subject],
        },
    ]


def test_a_service_account_signs(cluster: Cluster, tmp_path: Path) -> None:
    """The API server refuses the token until a role allows it; then all goes by itself."""
    hands = Hands(cluster)
    kubeconfig = hands.install()
    server = VaultServer(is_jwt_good=is_ours)
    account = {"role": "web", "serviceAccountRef": {"name": "robot"}}
    issuer = {
        "apiVersion": ISSUER.api_version,
        "kind": "Issuer",
        "metadata": {"name": "vault", "namespace": WHERE},
        "spec": {
            "vault": {
                "server": server.url,
                "path": server.path,
                "auth": {"kubernetes": account},
                "caBundle": base64.b64encode(server.authority.root_pem).decode(),
            }
        },
    }
    namespace, *granted = permission()
    hands.make([namespace, issuer, certificate_for("web", WHERE, "vault")])
    key = ISSUER.key(WHERE, "vault")
    arguments = (
        "controller",
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--metrics-listen-address=",
        "--internal-healthz-listen-address=",
    )
    with (
        served(server, tmp_path),
        Program.running(tmp_path / "controller.log", *arguments) as program,
    ):
        program.until(lambda: bool(condition(hands.get(key), "Ready")))
        message = condition(hands.get(key), "Ready")["message"]
        assert "while requesting a token for the service account vaulted/robot" in message
        assert "serviceaccounts" in message

        hands.make(granted)
        hands.until(lambda: hands.ready(WHERE, "web"), 60.0)
        files = contents(hands.get(SECRET.key(WHERE, "web")))
        assert files["ca.crt"] == server.authority.root_pem
        assert decode_certificates(files["tls.crt"])[0].names.dns == ("web.example",)


def review_tokens(bao: OpenBao, cluster: Cluster) -> None:
    """Let the server ask the API server about tokens; only this account of this issuer signs."""
    token = cluster.connection().token
    config = {
        "kubernetes_host": cluster.server,
        "kubernetes_ca_cert": cluster.ca_pem.decode(),
        "token_reviewer_jwt": token,
        "disable_local_ca_jwt": True,
    }
    role = {
        "bound_service_account_names": "robot",
        "bound_service_account_namespaces": REAL,
        "audience": f"vault://{REAL}/vault",
        "token_policies": "signer",
    }
    bao.ask("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
    bao.ask("POST", "auth/kubernetes/config", config)
    bao.ask("POST", "auth/kubernetes/role/web", role)


@pytest.mark.skipif(bool(missing_openbao()), reason=missing_openbao())
def test_a_real_server_reviews_the_token(cluster: Cluster, tmp_path: Path) -> None:
    """OpenBao asks the API server whose token it is: account, audience and all."""
    hands = Hands(cluster)
    kubeconfig = hands.install()
    objects = permission(REAL)
    with OpenBao(tmp_path / "bao") as bao:
        bao.policy()
        hands.make(objects)
        review_tokens(bao, cluster)
        spec = {
            "server": bao.url,
            "path": "pki/sign/web",
            "auth": {"kubernetes": {"role": "web", "serviceAccountRef": {"name": "robot"}}},
            "caBundle": base64.b64encode(bao.ca_pem).decode(),
        }
        metadata = {"name": "vault", "namespace": REAL}
        issuer = {"apiVersion": ISSUER.api_version, "kind": "Issuer", "metadata": metadata}
        hands.make([{**issuer, "spec": {"vault": spec}}, certificate_for("web", REAL, "vault")])
        arguments = (
            "controller",
            f"--kubeconfig={kubeconfig}",
            "--leader-elect=false",
            "--metrics-listen-address=",
            "--internal-healthz-listen-address=",
        )
        with Program.running(tmp_path / "controller.log", *arguments):
            hands.until(lambda: hands.ready(REAL, "web"), 90.0)
        files = contents(hands.get(SECRET.key(REAL, "web")))
        assert decode_certificates(files["ca.crt"]) == decode_certificates(bao.root_pem)
