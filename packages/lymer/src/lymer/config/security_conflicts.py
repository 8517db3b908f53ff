"""What does not fit together in the groups of encryption and access, wherever they are nested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = ["security_conflicts"]

_Values = Mapping[str, object]


def security_conflicts(values: _Values) -> Iterator[str]:
    """Yield a sentence for each conflict.

    Args:
        values: Setting path → value. Groups are known by the settings in them.
    """
    yield from _pair(values, "tls", "cert_file", "key_file")
    yield from _client_ca(values, "tls", values["tls.cert_file"])
    yield from _versions("tls", str(values["tls.min_version"]), str(values["tls.max_version"]))
    for path in values:
        group, _, name = path.rpartition(".")
        match name:
            case "verify_clients":
                yield from _listener(values, group)
            case "insecure_skip_verify":
                yield from _client(values, group)
            case "password_file":
                yield from _client_auth(values, group)
            case _:
                pass


def _pair(values: _Values, group: str, one: str, other: str) -> Iterator[str]:
    given = [name for name in (one, other) if values[f"{group}.{name}"]]
    if len(given) == 1:
        missing = other if given == [one] else one
        yield f'"{group}.{given[0]}" is set and "{group}.{missing}" is not: they belong together'


def _client_ca(values: _Values, group: str, certificate: object) -> Iterator[str]:
    if values[f"{group}.client_ca_file"] and not certificate:
        yield (
            f'"{group}.client_ca_file" is set and no certificate of our own: clients can be '
            f'verified over TLS only, so set "{group}.cert_file" and "{group}.key_file"'
        )


def _versions(group: str, least: str, most: str) -> Iterator[str]:
    if most != "any" and most < least:
        yield f'"{group}.max_version" is {most}, below "{group}.min_version", which is {least}'


def _listener(values: _Values, group: str) -> Iterator[str]:
    yield from _pair(values, group, "cert_file", "key_file")
    certificate = values[f"{group}.cert_file"] or values["tls.cert_file"]
    yield from _client_ca(values, group, certificate)
    least, most = (
        str(values[f"tls.{name}"] if (own := values[f"{group}.{name}"]) == "inherit" else own)
        for name in ("min_version", "max_version")
    )
    if (least, most) != (values["tls.min_version"], values["tls.max_version"]):
        yield from _versions(group, least, most)


def _client(values: _Values, group: str) -> Iterator[str]:
    yield from _pair(values, group, "cert_file", "key_file")
    names = ("ca_file", "cert_file", "server_name", "insecure_skip_verify")
    idle = [name for name in names if values[f"{group}.{name}"]]
    if idle and not values[f"{group}.enabled"]:
        yield f'"{group}.{idle[0]}" is set and does nothing: set "{group}.enabled" to true'


def _client_auth(values: _Values, group: str) -> Iterator[str]:
    yield from _pair(values, group, "username", "password_file")
    if values.get(f"{group}.bearer_token_file") and values[f"{group}.username"]:
        yield f'"{group}.bearer_token_file" and "{group}.username" are both set: choose one'
