"""What is sent for each question and write, and what the answers mean."""

from __future__ import annotations

import json

import pytest

from certwright.adapters.kube.requests import (
    apply_request,
    create_request,
    delete_request,
    error_of,
    get_request,
    list_request,
    update_request,
    user_agent,
    watch_request,
)
from certwright.adapters.kube.watch import LINE_BYTES_MAX, WatchDecoder
from certwright.engine.store import Selection
from certwright.errors import (
    AlreadyExistsError,
    ConflictError,
    ExpiredError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from certwright.resources.kinds import CERTIFICATE, CLUSTER_ISSUER, SECRET
from certwright_testing.objects import certificate, secret


def test_paths_are_those_of_the_api() -> None:
    """Core group, other groups, cluster-wide kinds, subresources; odd names are escaped."""
    assert get_request(SECRET.key("one", "a")).path == "/api/v1/namespaces/one/secrets/a"
    assert (
        get_request(CLUSTER_ISSUER.key("ignored", "ca")).path
        == "/apis/cert-manager.io/v1/clusterissuers/ca"
    )
    assert (
        update_request(CERTIFICATE, certificate(), "m", "status").path
        == "/apis/cert-manager.io/v1/namespaces/one/certificates/web/status"
    )
    assert get_request(SECRET.key("one", "../x?y")).path.endswith("/secrets/..%2Fx%3Fy")


def test_the_field_manager_is_the_user_agents_first_part() -> None:
    """An API server derives it so; both ways must agree."""
    agent = user_agent("cert-manager-certificates-issuing", "1.2", "Linux", "x86_64")

    assert agent == "cert-manager-certificates-issuing/v1.2 (linux/amd64) certwright/1.2"
    assert create_request(SECRET, secret(), "m", dry_run=True).query == (
        ("fieldManager", "m"),
        ("dryRun", "All"),
    )


def test_an_apply_is_a_patch_of_its_own_type() -> None:
    """With the manager and force in the query."""
    request = apply_request(SECRET, secret(), "m", force=True, subresource="")

    assert (request.method, request.content_type) == ("PATCH", "application/apply-patch+yaml")
    assert request.query == (("fieldManager", "m"), ("force", "true"))


def test_metadata_is_asked_for_by_the_accept_header() -> None:
    """Of lists and of watches."""
    selection = Selection(SECRET, "", "a=b", metadata_only=True)

    assert (
        "as=PartialObjectMetadataList"
        in list_request(selection, limit=5, continue_token="t").accept
    )
    watch = watch_request(selection, "7", 60)
    assert "as=PartialObjectMetadata;" in watch.accept
    assert dict(watch.query) == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "7",
        "timeoutSeconds": "60",
        "labelSelector": "a=b",
    }


def test_a_deletion_names_the_uid_it_means() -> None:
    """As a precondition."""
    body = json.loads(delete_request(SECRET.key("one", "a"), "u").body or b"")

    assert body["preconditions"] == {"uid": "u"}
    assert body["propagationPolicy"] == "Background"


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (404, "NotFound", NotFoundError),
        (409, "AlreadyExists", AlreadyExistsError),
        (409, "Conflict", ConflictError),
        (410, "Expired", ExpiredError),
        (400, "BadRequest", RefusedError),
        (403, "Forbidden", RefusedError),
        (406, "NotAcceptable", RefusedError),
        (422, "Invalid", RefusedError),
        (429, "TooManyRequests", UnavailableError),
        (500, "InternalError", UnavailableError),
        (504, "Timeout", UnavailableError),
    ],
)
def test_an_answer_means_an_error(status: int, reason: str, expected: type[Exception]) -> None:
    """Sorted by what the caller can do about it; the server's words are kept."""
    body = json.dumps({"kind": "Status", "code": status, "reason": reason, "message": "why"})

    error = error_of(status, body.encode())

    assert type(error) is expected
    assert str(error) == "why"


def test_an_answer_that_is_no_status_is_quoted() -> None:
    """A proxy's page, or nothing at all."""
    assert str(error_of(502, b"<html>bad gateway")) == "<html>bad gateway"
    assert str(error_of(502, b"")) == "the API server answered 502"


# ------------------------------------------------------------------------------ the watch


def line(kind: str, **metadata: str) -> bytes:
    """Return a line of a watch."""
    return json.dumps({"type": kind, "object": {"metadata": metadata}}).encode() + b"\n"


def test_a_watch_may_be_cut_anywhere() -> None:
    """The same changes for every cut, one byte at a time included."""
    text = line("ADDED", name="ä") + b"\n" + line("BOOKMARK", resourceVersion="9")
    whole = WatchDecoder(SECRET).feed(text)

    for cut in range(len(text)):
        decoder = WatchDecoder(SECRET)
        assert decoder.feed(text[:cut]) + decoder.feed(text[cut:]) == whole
    decoder = WatchDecoder(SECRET)
    single = [change for byte in text for change in decoder.feed(bytes([byte]))]
    assert single == whole
    assert [change.type for change in whole] == ["ADDED", "BOOKMARK"]
    assert whole[0].object == {
        "metadata": {"name": "ä"},
        "apiVersion": "v1",
        "kind": "Secret",
    }


def test_an_error_of_a_watch_is_raised() -> None:
    """410 means that everything must be listed again."""
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
    broken = {"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "oops"}}

    with pytest.raises(ExpiredError, match="too old"):
        WatchDecoder(SECRET).feed(json.dumps(gone).encode() + b"\n")
    with pytest.raises(UnavailableError, match="oops"):
        WatchDecoder(SECRET).feed(json.dumps(broken).encode() + b"\n")


@pytest.mark.parametrize("text", [b"<html>\n", b"[]\n", b'{"type":"NEW","object":{}}\n'])
def test_what_is_no_watch_is_said(text: bytes) -> None:
    """A proxy in between, or a version that nobody knows."""
    with pytest.raises(UnavailableError, match="a watch sent"):
        WatchDecoder(SECRET).feed(text)


def test_a_line_has_a_limit() -> None:
    """A server that never ends one does not fill the memory."""
    decoder = WatchDecoder(SECRET)
    decoder.feed(b"x" * LINE_BYTES_MAX)

    with pytest.raises(UnavailableError, match="the limit is"):
        decoder.feed(b"x")
