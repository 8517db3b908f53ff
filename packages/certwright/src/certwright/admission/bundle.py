"""What is wrong with a Bundle, beyond its shape.

Source: trust-manager's API (pkg/apis/trust/v1alpha1): what its fields say must not be together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from certwright.admission.fields import FieldError, child, forbidden, index, invalid, required
from certwright.errors import InvalidError
from certwright.pki.certificates import decode_certificates
from certwright.resources.kinds import Manifest
from certwright.resources.meta import mapping_at

__all__ = ["bundle_errors"]

_SOURCES: Final = ("configMap", "secret", "inLine", "useDefaultCAs")


def bundle_errors(obj: Manifest) -> Iterator[FieldError]:
    """Yield what is wrong."""
    sources = mapping_at(obj, "spec").get("sources") or ()
    if not sources:
        yield required("spec.sources")
    for position, source in enumerate(sources):
        yield from _source_errors(source, index("spec.sources", position))
    yield from _target_errors(mapping_at(obj, "spec", "target"))


def _source_errors(source: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    given = [name for name in _SOURCES if name in source and source[name] is not False]
    if len(given) != 1:
        text = "must define exactly one source type for each item"
        yield invalid(path, ", ".join(given) or "nothing", text)
    for name in ("configMap", "secret"):
        if isinstance(source.get(name), Mapping):
            yield from _reference_errors(source[name], child(path, name))
    inline = source.get("inLine")
    if isinstance(inline, str):
        try:
            decode_certificates(inline.encode())
        except InvalidError as error:
            yield invalid(child(path, "inLine"), "", str(error))


def _reference_errors(reference: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if bool(reference.get("name")) == bool(reference.get("selector")):
        yield invalid(path, "name, selector", "must define exactly one of name and selector")
    if bool(reference.get("key")) == bool(reference.get("includeAllKeys")):
        yield invalid(
            path, "key, includeAllKeys", "must define exactly one of key and includeAllKeys"
        )


def _target_errors(target: Mapping[str, Any]) -> Iterator[FieldError]:
    kinds = [name for name in ("configMap", "secret") if target.get(name) is not None]
    formats = mapping_at(target, "additionalFormats")
    if formats and not kinds:
        yield forbidden("spec.target.additionalFormats", "needs a target configMap or secret")
    for kind in kinds:
        taken = {str(target[kind].get("key"))}
        for name in ("jks", "pkcs12"):
            key = mapping_at(formats, name).get("key")
            if key is not None and key in taken:
                path = f"spec.target.additionalFormats.{name}.key"
                yield invalid(path, key, "key must be unique in target")
            taken.add(str(key))
