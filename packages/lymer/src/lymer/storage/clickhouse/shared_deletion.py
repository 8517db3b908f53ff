"""A deletion in a store that several collectors write to: whoever deletes counts for all.

The lease on counting is taken over, so nobody else counts or decides meanwhile, and what was
counted is known: how far each collector's segments were is in the rollups' own rows. A process that
loses the lease in the middle changes nothing more, and the next holder carries on before it counts.

Only what is settled is deleted: a collector that has not settled a segment would store it again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from lymer import clock
from lymer.errors import OverloadedError
from lymer.model.deletion import Deleted
from lymer.storage.clickhouse.lease import LEASE_SECONDS, Lease
from lymer.storage.clickhouse.open_tenant import OpenTenant
from lymer.storage.clickhouse.reach import is_counted
from lymer.storage.clickhouse.shared_rollup import SharedRollups

__all__ = ["ANY_SEGMENT", "delete_shared", "finish_begun", "take_counting"]

ANY_SEGMENT: Final = 2**63 - 1
"""No segment is too new."""
_SETTLING_SECONDS_MAX: Final = 30.0
"""Collectors say every few seconds what they have settled; a deletion waits so long for them."""
_LOOK_SECONDS: Final = 0.5


def take_counting(tenant: OpenTenant, lease: Lease) -> None:
    """Be the one who counts for all, in a turn that has just begun.

    So nothing that was sent before can begin any more, by us either: what was given up may lie
    unread somewhere.

    Raises:
        OverloadedError: Another collector deletes.
        StorageError: An engine failed.
    """
    rollups = tenant.rollups
    if lease.look() and isinstance(rollups, SharedRollups):
        with rollups.paused():  # a step of ours would be cut off
            lease.next_turn()
    if lease.look():
        return
    if tenant.deletions.is_begun():
        raise OverloadedError(
            "cannot delete now: another collector's deletion is at work",
            retry_after_seconds=round(LEASE_SECONDS),
        )
    lease.take_over()


def finish_begun(tenants: Sequence[OpenTenant], lease: Lease) -> bool:
    """Carry out what others have begun; return whether it is ours to do so.

    Raises:
        StorageError: An engine failed; calling again is right.
    """
    for tenant in tenants:
        with tenant.changing:
            if tenant.deletions.is_begun():
                try:
                    take_counting(tenant, lease)
                except OverloadedError:
                    return False
            tenant.deletions.finish()
    return True


def delete_shared(
    tenant: OpenTenant,
    lease: Lease,
    trace_ids: Sequence[str],
    who: str,
    question: str,
    *,
    upto: int = ANY_SEGMENT,
    number: int = 0,
) -> Deleted:
    """Delete traces; whoever calls it keeps others of this process from changing spans.

    Args:
        tenant: Whose.
        lease: On counting.
        trace_ids: 32 hex digits each.
        who: Of the audit log.
        question: Of the audit log.
        upto: What came later stays, whatever is settled.
        number: See `Deletions.delete`.

    Raises:
        OverloadedError: Another collector deletes, or has not settled what it stored.
        StorageError: An engine failed, or the lease was lost; what was begun is carried on.
    """
    rollups, deletions = tenant.rollups, tenant.deletions
    if not isinstance(rollups, SharedRollups):
        raise TypeError("nobody shares this store")
    take_counting(tenant, lease)
    deletions.finish()
    ends = clock.monotonic_seconds() + _SETTLING_SECONDS_MAX
    while True:
        rollups.publish()
        rollups.catch_up_all(ANY_SEGMENT)
        with rollups.paused():
            counted = is_counted(rollups.counted())
            left = deletions.left_by(trace_ids, f"{counted} OR seg > {upto}")
            if not left:
                within = f"{counted} AND seg <= {upto}"
                return deletions.delete(trace_ids, who, question, upto, within, number)
        if clock.monotonic_seconds() > ends:
            raise OverloadedError(
                f"cannot delete: {left} spans of these traces came by a collector that has not "
                "said that it is done with them; nothing was deleted; repeat it while all "
                "collectors run",
                retry_after_seconds=round(_SETTLING_SECONDS_MAX),
            )
        time.sleep(_LOOK_SECONDS)
