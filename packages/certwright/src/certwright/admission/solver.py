"""Rules for the solvers of an ACME issuer.

Source: reference cert-manager.md 1.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from certwright.admission.fields import (
    FieldError,
    child,
    forbidden,
    invalid,
    not_supported,
    required,
)
from certwright.admission.names import dns1123_subdomain_problems
from certwright.resources.meta import mapping_at

__all__ = ["secret_key_errors", "solver_errors"]

Config: TypeAlias = Mapping[str, Any]

_SERVICE_TYPES: Final = frozenset({"", "ClusterIP", "NodePort"})
_TSIG_ALGORITHMS: Final = ("HMACMD5", "HMACSHA1", "HMACSHA256", "HMACSHA512")
_AZURE: Final = (
    "AzurePublicCloud",
    "AzureChinaCloud",
    "AzureGermanCloud",
    "AzureUSGovernmentCloud",
)
_NAMESERVER: Final = (
    "nameserver must be set in the form host:port where host is an IPv4 address, an enclosed IPv6"
    " address or a hostname and port is an optional port number."
)


def secret_key_errors(reference: Config, path: str) -> list[FieldError]:
    """Return what is missing in a reference to an entry of a Secret."""
    errors = []
    if not reference.get("name"):
        errors.append(required(child(path, "name"), "secret name is required"))
    if not reference.get("key"):
        errors.append(required(child(path, "key"), "secret key is required"))
    return errors


def solver_errors(solver: Config, path: str) -> list[FieldError]:
    """Return what is wrong with one solver."""
    errors = []
    has_http01, has_dns01 = solver.get("http01") is not None, solver.get("dns01") is not None
    if has_http01:
        errors += _http01_errors(mapping_at(solver, "http01"), child(path, "http01"))
    if has_http01 and has_dns01:
        text = "may not specify more than one solver type in a single solver"
        errors.append(forbidden(path, text))
    elif has_dns01:
        errors += _dns01_errors(mapping_at(solver, "dns01"), child(path, "dns01"))
    if not has_http01 and not has_dns01:
        errors.append(required(path, "no solver type configured"))
    return errors


# ------------------------------------------------------------------------------ HTTP-01


def _http01_errors(config: Config, path: str) -> list[FieldError]:
    errors = []
    has_ingress = config.get("ingress") is not None
    has_gateway = config.get("gatewayHTTPRoute") is not None
    if has_ingress:
        errors += _ingress_errors(mapping_at(config, "ingress"), child(path, "ingress"))
    if has_gateway:
        # The original's path lacks "HTTPRoute".
        gateway = mapping_at(config, "gatewayHTTPRoute")
        errors += _gateway_errors(gateway, child(path, "gateway"))
    if not has_ingress and not has_gateway:
        errors.append(required(path, "no HTTP01 solver type configured"))
    if has_ingress and has_gateway:
        errors.append(required(path, "only 1 HTTP01 solver type may be configured"))
    return errors


def _ingress_errors(config: Config, path: str) -> list[FieldError]:
    errors = []
    class_name = config.get("ingressClassName")
    if config.get("class") is not None and class_name is not None and config.get("name"):
        text = "only one of 'ingressClassName', 'name' or 'class' should be specified"
        errors.append(forbidden(path, text))
    if class_name is not None:
        problems = dns1123_subdomain_problems(str(class_name))
        if problems:
            text = f"must be a valid IngressClass name: {', '.join(problems)}"
            errors.append(invalid(child(path, "ingressClassName"), str(class_name), text))
    return errors + _service_type_errors(config, path)


def _gateway_errors(config: Config, path: str) -> list[FieldError]:
    errors = _service_type_errors(config, path)
    if not config.get("parentRefs"):
        errors.append(required(child(path, "parentRefs"), "at least 1 parentRef is required"))
    return errors


def _service_type_errors(config: Config, path: str) -> list[FieldError]:
    value = str(config.get("serviceType") or "")
    if value in _SERVICE_TYPES:
        return []
    text = 'must be empty, "ClusterIP" or "NodePort"'
    return [invalid(child(path, "serviceType"), value, text)]


# ------------------------------------------------------------------------------ DNS-01


def _dns01_errors(config: Config, path: str) -> list[FieldError]:
    errors = []
    strategy = str(config.get("cnameStrategy") or "")
    if strategy not in {"", "None", "Follow"}:
        text = 'must be one of "None" or "Follow"'
        errors.append(invalid(child(path, "cnameStrategy"), strategy, text))
    found = 0
    for name, rules in _PROVIDERS.items():
        if config.get(name) is None:
            continue
        below = child(path, name)
        # acmeDNS is let in as a second provider, as the original does.
        if found and name != "acmeDNS":
            errors.append(forbidden(below, "may not specify more than one provider type"))
            continue
        found += 1
        errors += rules(mapping_at(config, name), below)
    if not found:
        errors.append(required(path, "no DNS01 provider configured"))
    return errors


def _missing(config: Config, path: str, *fields: str) -> list[FieldError]:
    return [required(child(path, field)) for field in fields if not config.get(field)]


def _reference_errors(config: Config, path: str, field: str) -> list[FieldError]:
    """Check a reference that may be left out."""
    if config.get(field) is None:
        return []
    return secret_key_errors(mapping_at(config, field), child(path, field))


def _akamai_errors(config: Config, path: str) -> list[FieldError]:
    errors = []
    for name in ("accessToken", "clientSecret", "clientToken"):
        # The original's paths lack "SecretRef".
        reference = mapping_at(config, f"{name}SecretRef")
        errors += secret_key_errors(reference, child(path, name))
    return errors + _missing(config, path, "serviceConsumerDomain")


def _azure_errors(config: Config, path: str) -> list[FieldError]:
    errors = []
    identity = config.get("managedIdentity")
    secret = config.get("clientSecretSecretRef")
    where = child(path, "managedIdentity")
    if config.get("clientID") or config.get("tenantID") or secret is not None:
        errors += _missing(config, path, "clientID")
        if secret is None:
            errors.append(required(child(path, "clientSecretSecretRef")))
        errors += _reference_errors(config, path, "clientSecretSecretRef")
        errors += _missing(config, path, "tenantID")
        if identity is not None:
            text = (
                "managed identity can not be used at the same time as clientID,"
                " clientSecretSecretRef or tenantID"
            )
            errors.append(forbidden(where, text))
    elif identity is not None and identity.get("clientID") and identity.get("resourceID"):
        text = "managedIdentityClientID and managedIdentityResourceID cannot both be specified"
        errors.append(forbidden(where, text))
    errors += _missing(config, path, "subscriptionID", "resourceGroupName")
    environment = str(config.get("environment") or "")
    if environment not in {"", *_AZURE}:
        text = f"must be either empty or one of {', '.join(_AZURE[:-1])} or {_AZURE[-1]}"
        errors.append(invalid(child(path, "environment"), environment, text))
    return errors


def _cloud_dns_errors(config: Config, path: str) -> list[FieldError]:
    return [
        *_reference_errors(config, path, "serviceAccountSecretRef"),
        *_missing(config, path, "project"),
    ]


def _cloudflare_errors(config: Config, path: str) -> list[FieldError]:
    errors = [
        *_reference_errors(config, path, "apiKeySecretRef"),
        *_reference_errors(config, path, "apiTokenSecretRef"),
    ]
    has_key = config.get("apiKeySecretRef") is not None
    has_token = config.get("apiTokenSecretRef") is not None
    if has_key and has_token:
        text = "apiKeySecretRef and apiTokenSecretRef cannot both be specified"
        errors.append(forbidden(path, text))
    if not has_key and not has_token:
        errors.append(required(path, "apiKeySecretRef or apiTokenSecretRef is required"))
    if has_key:
        errors += _missing(config, path, "email")
    return errors


def _route53_errors(config: Config, path: str) -> list[FieldError]:
    errors = _missing(config, path, "region")
    if config.get("accessKeyID") and config.get("accessKeyIDSecretRef") is not None:
        text = "accessKeyID and accessKeyIDSecretRef cannot both be specified"
        errors.append(required(path, text))
    return errors + _reference_errors(config, path, "accessKeyIDSecretRef")


def _acme_dns_errors(config: Config, path: str) -> list[FieldError]:
    reference = mapping_at(config, "accountSecretRef")
    return [
        *secret_key_errors(reference, child(path, "accountSecretRef")),
        *_missing(config, path, "host"),
    ]


def _digital_ocean_errors(config: Config, path: str) -> list[FieldError]:
    return secret_key_errors(mapping_at(config, "tokenSecretRef"), child(path, "tokenSecretRef"))


def _rfc2136_errors(config: Config, path: str) -> list[FieldError]:
    nameserver = str(config.get("nameserver") or "")
    errors = _missing(config, path, "nameserver")
    if nameserver and not _is_nameserver(nameserver):
        errors.append(invalid(child(path, "nameserver"), nameserver, _NAMESERVER))
    algorithm = str(config.get("tsigAlgorithm") or "")
    if algorithm and algorithm.upper() not in _TSIG_ALGORITHMS:
        # The original shows no value.
        errors.append(not_supported(child(path, "tsigAlgorithm"), "", _TSIG_ALGORITHMS))
    reference = mapping_at(config, "tsigSecretSecretRef")
    missing = secret_key_errors(reference, child(path, "tsigSecretSecretRef"))
    if config.get("tsigKeyName"):
        errors += missing
    elif not missing:
        errors.append(required(child(path, "tsigKeyName")))
    return errors


def _is_nameserver(text: str) -> bool:
    """Whether Go's SplitHostPort, or the lack of a port, gives a host.

    Source: cert-manager v1.12.2 internal/apis/certmanager/validation/util/nameserver.go; Go
    net.SplitHostPort.
    """
    text = text.strip()
    last_colon = text.rfind(":")
    if last_colon < 0:
        return bool(text.strip("[]"))
    if not text.startswith("["):
        host = text[:last_colon]
        return bool(host) and ":" not in host and not set("[]") & set(text)
    end = text.find("]")
    if end < 0:
        return False
    if end + 1 != last_colon:
        lacks_port = end + 1 == len(text) or text[end + 1] != ":"
        return lacks_port and bool(text.strip("[]"))
    return end > 1 and "[" not in text[1:] and "]" not in text[end + 1 :]


def _webhook_errors(config: Config, path: str) -> list[FieldError]:
    if config.get("solverName"):
        return []
    return [required(child(path, "solverName"), "solver name must be specified")]


_PROVIDERS: Final[Mapping[str, Callable[[Config, str], list[FieldError]]]] = {
    "akamai": _akamai_errors,
    "azureDNS": _azure_errors,
    "cloudDNS": _cloud_dns_errors,
    "cloudflare": _cloudflare_errors,
    "route53": _route53_errors,
    "acmeDNS": _acme_dns_errors,
    "digitalocean": _digital_ocean_errors,
    "rfc2136": _rfc2136_errors,
    "webhook": _webhook_errors,
}
"""In the order in which a second one is refused."""
