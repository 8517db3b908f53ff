"""How a DNS-01 solver of an issuer becomes a question to its provider: its Secrets are read here.

Source: reference cert-manager.md 3.5 (providers); cert-manager v1.12.2 pkg/issuer/acme/dns/dns.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from certwright.acme.questions import SolverConfig
from certwright.errors import InvalidError
from certwright.reconcile.options import AcmeOptions, Options
from certwright.resources.acme import Challenge, SecretRef
from certwright.resources.gotext import quote
from certwright.resources.kinds import CLUSTER_ISSUER, SECRET, Key, Manifest
from certwright.resources.meta import mapping_at
from certwright.resources.secret import Secret

__all__ = ["follows_cnames", "is_ambient", "secret_keys", "secrets_namespace", "solver_config"]

_PROVIDERS: Final = (
    "webhook",
    "rfc2136",
    "akamai",
    "cloudDNS",
    "cloudflare",
    "digitalocean",
    "route53",
    "azureDNS",
    "acmeDNS",
)
_REF: Final = "SecretRef"


def follows_cnames(challenge: Challenge) -> bool:
    """Return whether the record is written where a CNAME points."""
    return mapping_at(challenge.solver, "dns01").get("cnameStrategy") == "Follow"


def is_ambient(challenge: Challenge, options: AcmeOptions) -> bool:
    """Return whether credentials of the process itself may be used."""
    is_cluster = challenge.issuer_ref.kind_or_default == CLUSTER_ISSUER.name
    return options.cluster_issuer_ambient if is_cluster else options.issuer_ambient


def secrets_namespace(challenge: Challenge, options: Options) -> str:
    """Return where the Secrets of the Challenge's issuer are."""
    is_cluster = challenge.issuer_ref.kind_or_default == CLUSTER_ISSUER.name
    return options.cluster_resource_namespace if is_cluster else challenge.namespace


def secret_keys(challenge: Challenge, options: Options) -> Iterator[Key]:
    """Yield the keys of the Secrets that the solver refers to."""
    try:
        _, config = _provider(challenge)
    except InvalidError:
        return
    namespace = secrets_namespace(challenge, options)
    for _, ref in _references(config):
        if ref.name:
            yield SECRET.key(namespace, ref.name)


def solver_config(
    challenge: Challenge, found: Mapping[Key, Manifest], options: Options
) -> SolverConfig:
    """Return the provider, its settings and its credentials.

    Raises:
        InvalidError: There is no provider, or a Secret that it refers to is not there.
    """
    provider, config = _provider(challenge)
    namespace = secrets_namespace(challenge, options)
    secrets: dict[str, bytes] = {}
    for field, ref in _references(config):
        if not ref.name:
            continue
        what = f"error getting {provider} secret for {field}"
        obj = found.get(SECRET.key(namespace, ref.name))
        if obj is None:
            raise InvalidError(f"{what}: secret {quote(ref.name)} not found")
        data = Secret(obj).data
        if ref.key not in data:
            raise InvalidError(f"{what}: key {quote(ref.key)} not found in secret {ref.name}")
        secrets[field] = data[ref.key]
    return SolverConfig(provider, config, secrets, is_ambient(challenge, options.acme), namespace)


def _provider(challenge: Challenge) -> tuple[str, Mapping[str, Any]]:
    config = challenge.solver.get("dns01")
    if not isinstance(config, Mapping):
        raise InvalidError("no dns01 challenge solver configuration found")
    for name in _PROVIDERS:
        if isinstance(config.get(name), Mapping):
            return name, mapping_at(config, name)
    raise InvalidError("no dns provider config specified for challenge")


def _references(config: Mapping[str, Any]) -> Iterator[tuple[str, SecretRef]]:
    """Yield what refers to Secrets; not what a webhook's own configuration holds."""
    for field, value in config.items():
        if field.endswith(_REF) and field != "config":
            yield field, SecretRef.from_object(value)
