"""Tenants in the journal: a segment for each, none holds up another, all come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration.journal.conftest import Bench, bodies, drain
from lymer.errors import OverloadedError
from lymer.journal.journal import Journal
from lymer.journal.record import encode_record
from lymer.journal.recovery import recover_segments, segment_path
from lymer.journal.segments import OPEN_SEGMENTS_MAX
from lymer.model.segment import SealedSegment
from lymer.tenancy import DEFAULT_TENANT

CRAFTED = ["a", "A", "../a", "a/b", "'", "~" * 64, "61", DEFAULT_TENANT]


def put(journal: Journal[str], bench: Bench, tenant: str, name: str) -> OverloadedError | None:
    """Append one request, and return how it went once that is known."""
    journal.append(name.encode(), 1, name, tenant)
    ((ticket, error),) = bench.answers(1)
    assert ticket == name
    assert error is None or isinstance(error, OverloadedError)
    return error


def by_tenant(segments: list[SealedSegment]) -> dict[str, list[bytes]]:
    """Return the requests of each tenant, in the order they are stored."""
    found: dict[str, list[bytes]] = {}
    for segment in segments:
        found.setdefault(segment.tenant, []).extend(bodies(segment))
    return found


def test_a_segment_holds_requests_of_one_tenant(bench: Bench) -> None:
    """However they are mixed, also in one group; ids are unique over all."""
    journal = bench.open()
    bench.disk.open_gate.clear()
    sent = [(tenant, f"{place} {n}") for n in range(3) for place, tenant in enumerate(CRAFTED)]
    for tenant, name in sent:
        journal.append(name.encode(), 1, name, tenant)
    bench.disk.open_gate.set()
    assert {error for _, error in bench.answers(len(sent))} == {None}

    segments = drain(journal)

    assert len({segment.segment_id for segment in segments}) == len(CRAFTED)
    assert by_tenant(segments) == {
        tenant: [name.encode() for one, name in sent if one == tenant] for tenant in CRAFTED
    }
    assert {path.parent for path in bench.folder.rglob("*")} == {bench.folder}


def test_a_former_runs_segments_are_their_tenants_again(bench: Bench) -> None:
    """The name of the file says whose it is, also after a kill."""
    journal = bench.open()
    for place, tenant in enumerate(CRAFTED):
        put(journal, bench, tenant, str(place))

    found = recover_segments(bench.folder)  # as they lie there, still open

    assert by_tenant(found) == {tenant: [str(n).encode()] for n, tenant in enumerate(CRAFTED)}
    assert bench.open().tenants() == {*CRAFTED}


@pytest.mark.parametrize("code", ["6", "zz", "4A", "c3a9", "", "61.61"])
def test_a_file_of_no_tenant_is_left_alone(tmp_path: Path, code: str) -> None:
    """It is not ours, so it is neither loaded nor removed."""
    path = segment_path(tmp_path, 7).with_name(f"{7:020d}.{code}.otlp")
    path.write_bytes(b"".join(encode_record(b"x", 1)))

    assert recover_segments(tmp_path) == []
    assert path.exists()


def test_a_failed_write_fails_one_tenant(bench: Bench) -> None:
    """Others in the same group are acknowledged; what it had before stays."""
    journal = bench.open()
    put(journal, bench, "a", "first a")
    put(journal, bench, "b", "first b")
    bench.disk.open_gate.clear()
    bench.disk.syncing.clear()
    journal.append(b"gate", 1, "gate", "c")
    assert bench.disk.syncing.wait(10)
    for tenant in ("a", "b", "c"):
        journal.append(f"second {tenant}".encode(), 1, f"second {tenant}", tenant)
    bench.disk.fail("append")
    bench.disk.open_gate.set()

    answers = dict(bench.answers(4))
    found = by_tenant(drain(journal))

    assert [name for name, error in answers.items() if error] == ["second a"]
    assert found == {
        "a": [b"first a"],
        "b": [b"first b", b"second b"],
        "c": [b"gate", b"second c"],
    }


def test_tenants_are_served_in_turn(bench: Bench) -> None:
    """One with many segments does not keep another waiting; each tenant's rise."""
    journal = bench.open(segment_bytes_max=1)
    for number in range(4):
        put(journal, bench, "busy", f"busy {number}")
    put(journal, bench, "quiet", "quiet")

    taken = drain(journal)

    assert [segment.tenant for segment in taken[:2]] == ["busy", "quiet"]
    busy = [segment.segment_id for segment in taken if segment.tenant == "busy"]
    assert busy == sorted(busy)
    assert len(busy) == 4


def test_a_tenant_may_hold_what_nobody_holds(bench: Bench) -> None:
    """One that sends without end gets half of the room; another still gets in."""
    journal = bench.open(backlog_bytes_max=10_000, is_shared=True)
    body = "x" * 500

    def fill(tenant: str) -> int:
        for number in range(100):
            name = f"{number:03d}{body}"
            try:
                put(journal, bench, tenant, name)
            except OverloadedError:
                with pytest.raises(OverloadedError, match=f"bytes of tenant {tenant!r} wait"):
                    journal.append(name.encode(), 1, name, tenant)
                return number
        raise AssertionError("there was no limit")

    assert [fill(tenant) for tenant in ("a", "b", "c")] == [10, 5, 2]

    for segment in drain(journal):
        journal.remove(segment)
    assert journal.tenants() == set()


def test_open_files_have_a_limit(bench: Bench) -> None:
    """The segment that is open for longest ends for a new one."""
    limit = OPEN_SEGMENTS_MAX
    journal = bench.open()
    for number in range(limit + 1):
        put(journal, bench, f"t{number}", str(number))

    assert journal.state().sealed_segments == 1
    first = journal.take_sealed(0)
    assert first is not None
    assert first.tenant == "t0"


def test_many_tenants_make_segments_older(bench: Bench) -> None:
    """0.1 s for each that sends, so that loading many small ones leaves time for the rest."""
    journal = bench.open(segment_age_seconds_max=0.5)
    for number in range(20):
        put(journal, bench, f"t{number}", str(number))

    bench.age_seconds = 1
    assert journal.take_sealed(0) is None
    bench.age_seconds = 2.5
    assert journal.take_sealed(0) is not None
