"""The webhook's two listeners: reviews over HTTPS, health over HTTP.

Source: reference cert-manager.md 4.1.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from aiohttp import web

from certwright.admission.review import (
    AdmissionRequest,
    Approver,
    decode_review,
    mutate,
    validate,
)
from certwright.errors import InvalidError
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import Manifest
from certwright.telemetry.logs import EventLog

__all__ = ["REVIEW_BYTES_MAX", "health_application", "review_application"]

REVIEW_BYTES_MAX: Final = 3 * 1024 * 1024
"""Longest body of a review: what an API server takes from anybody. Source: reference 4.1."""
_CONVERSION_VERSION: Final = "apiextensions.k8s.io/v1"
_CONVERTIBLE: Final = frozenset({"cert-manager.io/v1", "acme.cert-manager.io/v1"})

_Answer: TypeAlias = Callable[[Any], Awaitable[Manifest]]
_log = EventLog("certwright.webhook")


def review_application(gates: FeatureGates, approver: Approver) -> web.Application:
    """Return /validate, /mutate and /convert, for any method."""

    async def validated(body: Any) -> Manifest:
        request = decode_review(body)
        return _logged(request, await validate(request, gates, approver))

    async def mutated(body: Any) -> Manifest:
        request = decode_review(body)
        return _logged(request, mutate(request))

    async def converted(body: Any) -> Manifest:
        return _convert(body)

    application = web.Application(client_max_size=REVIEW_BYTES_MAX)
    for path, answer in (("/validate", validated), ("/mutate", mutated), ("/convert", converted)):
        application.router.add_route("*", path, _route(answer))
    return application


def health_application(is_healthy: Callable[[], bool]) -> web.Application:
    """Return /livez, which always answers, and /healthz, which is 500 without a certificate."""

    async def live(_request: web.Request) -> web.Response:
        return web.Response()

    async def healthy(_request: web.Request) -> web.Response:
        return web.Response(status=200 if is_healthy() else 500)

    application = web.Application()
    application.router.add_route("*", "/livez", live)
    application.router.add_route("*", "/healthz", healthy)
    return application


def _route(answer: _Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def respond(request: web.Request) -> web.Response:
        text = await request.read()
        try:
            answered = await answer(json.loads(text))
        except ValueError as error:
            return _bad_request(f"the body is no JSON: {error}")
        except InvalidError as error:
            return _bad_request(str(error))
        except RecursionError:
            return _bad_request("the body is nested too deeply")
        return web.json_response(answered)

    return respond


def _bad_request(reason: str) -> web.Response:
    _log.warning("refused a body", reason=reason)
    return web.Response(status=400, text=reason)


def _logged(request: AdmissionRequest, answered: Manifest) -> Manifest:
    response = answered["response"]
    _log.debug(
        "reviewed",
        uid=request.uid,
        operation=request.operation,
        resource=request.resource,
        subresource=request.subresource,
        allowed=response["allowed"],
        message=(response.get("status") or {}).get("message", ""),
    )
    return answered


def _convert(body: Any) -> Manifest:
    """Answer a ConversionReview. Only v1 is served, so that objects come back as they are.

    Source: reference cert-manager.md 4.7.
    """
    if not isinstance(body, dict) or body.get("kind") != "ConversionReview":
        raise InvalidError("the body is no ConversionReview")
    if body.get("apiVersion") != _CONVERSION_VERSION:
        raise InvalidError(
            f'ConversionReview has apiVersion "{body.get("apiVersion")}", only'
            f" {_CONVERSION_VERSION} is known"
        )
    request = body.get("request")
    if not isinstance(request, dict):
        raise InvalidError("ConversionReview has no request")
    wanted = str(request.get("desiredAPIVersion") or "")
    objects = request.get("objects") or []
    response: Manifest = {"uid": str(request.get("uid") or "")}
    strange = {
        str(version)
        for version in (wanted, *(obj.get("apiVersion") for obj in objects))
        if version not in _CONVERTIBLE
    }
    if strange:
        message = f"cannot convert from or to {', '.join(sorted(strange))}: only v1 is known"
        response["result"] = {"status": "Failure", "message": message}
    else:
        response["convertedObjects"] = [obj | {"apiVersion": wanted} for obj in objects]
        response["result"] = {"status": "Success"}
    return {
        "apiVersion": _CONVERSION_VERSION,
        "kind": "ConversionReview",
        "response": response,
    }
