"""What stands before every write to a folder's store: the words of a cluster's webhook."""

from __future__ import annotations

from dataclasses import dataclass

from certwright.admission.validation import validate_create, validate_update
from certwright.errors import InvalidError, RefusedError
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import Manifest

__all__ = ["WebhookRules"]


@dataclass(frozen=True, slots=True)
class WebhookRules:
    """Refuses what the webhook would refuse."""

    gates: FeatureGates

    def __call__(
        self, operation: str, before: Manifest | None, after: Manifest, manager: str
    ) -> Manifest:
        """Return the object unchanged.

        Raises:
            RefusedError: It is not valid.
        """
        if operation == "DELETE":
            return after
        try:
            verdict = (
                validate_create(after, self.gates)
                if before is None
                else validate_update(before, after, self.gates)
            )
        except InvalidError as error:
            raise RefusedError(str(error)) from error
        if verdict.errors:
            raise RefusedError(verdict.text)
        return after
