"""Asks the API server who may approve, by discovery and SubjectAccessReview.

Source: reference cert-manager.md 4.4.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import quote

from certwright import clock
from certwright.admission.approval import (
    SignerResource,
    access_review,
    not_permitted,
    signer_names,
    unknown_signer,
)
from certwright.admission.fields import FieldError
from certwright.admission.identity import UserInfo
from certwright.errors import NotFoundError
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.kinds import Manifest

__all__ = ["ClusterApprover", "Questions"]

ACCESS_SECONDS: Final = 1.0
"""How long an answer about a permission is remembered."""
ACCESS_ANSWERS_MAX: Final = 1000
"""Remembered answers; all are forgotten when there are more."""
MANAGER: Final = "cert-manager-webhook"


class Questions(Protocol):
    """What is asked of the API server; `KubeStore` has it."""

    async def ask(self, path: str, /) -> Manifest:
        """Return the JSON at a path."""

    async def create(self, obj: Manifest, /, *, manager: str, dry_run: bool = False) -> Manifest:
        """Create a SubjectAccessReview and return it with its status."""


class ClusterApprover:
    """The approver of a cluster."""

    def __init__(
        self, questions: Questions, *, seconds: Callable[[], float] = clock.monotonic_seconds
    ) -> None:
        self._questions = questions
        self._seconds = seconds
        self._resources: dict[tuple[str, str], SignerResource] = {}
        self._answers: dict[str, tuple[float, bool]] = {}

    async def refusal(self, request: CertificateRequest, user: UserInfo, /) -> FieldError | None:
        """Return why the user may not approve or deny the request, or None.

        Raises:
            StoreError: The API server does not answer.
        """
        ref = request.issuer_ref
        signer = await self._signer(ref.group_or_default, ref.kind_or_default)
        if signer is None:
            return unknown_signer(ref)
        for name in signer_names(request, signer):
            if await self._is_allowed(access_review(user, name)):
                return None
        return not_permitted(user, ref)

    async def _signer(self, group: str, kind: str) -> SignerResource | None:
        """Find the resource of a kind in all versions of its group; found ones are remembered."""
        found = self._resources.get((group, kind))
        if found is not None:
            return found
        try:
            versions = (await self._questions.ask(f"/apis/{quote(group, safe='')}")).get(
                "versions"
            ) or ()
        except NotFoundError:
            return None
        for version in versions:
            listed = await self._questions.ask(f"/apis/{version['groupVersion']}")
            for resource in listed.get("resources") or ():
                # A subresource has the kind of its object: `issuers/status` is no issuer.
                if resource.get("kind") == kind and "/" not in str(resource.get("name")):
                    signer = SignerResource(
                        group, str(resource["name"]), namespaced=bool(resource.get("namespaced"))
                    )
                    self._resources[group, kind] = signer
                    return signer
        return None

    async def _is_allowed(self, question: Manifest) -> bool:
        text = json.dumps(question["spec"], sort_keys=True)
        now = self._seconds()
        answer = self._answers.get(text)
        if answer is not None and now < answer[0]:
            return answer[1]
        reviewed = await self._questions.create(question, manager=MANAGER)
        allowed = bool((reviewed.get("status") or {}).get("allowed"))
        if len(self._answers) >= ACCESS_ANSWERS_MAX:
            self._answers.clear()
        self._answers[text] = (now + ACCESS_SECONDS, allowed)
        return allowed
