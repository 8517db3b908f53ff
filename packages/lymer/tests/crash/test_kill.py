"""Kill -9 in a loop, under load: what was acknowledged is stored, once."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from crash.numbered_load import Ledger, NumberedLoad
from crash.stored_spans import StoredSpans, open_stored_spans
from e2e.lymer_process import Lymer

_ROUNDS: Final = int(os.environ.get("LYMER_CRASH_ROUNDS", "16"))
"""Each run has a seed of its own: what one does not meet, another does."""
_KILLED_AT_START_EVERY_ROUNDS: Final = 3
"""Such a round is killed before it is ready: in the middle of a recovery."""
_CHECKED_TRACES_PER_ROUND: Final = 4
_LOOK_INSIDE_EVERY_ROUNDS: Final = 10

_OFTEN: Final = {
    "LYMER__JOURNAL__SEGMENT_AGE_SECONDS_MAX": "0.03",
    "LYMER__JOURNAL__SEGMENT_BYTES_MAX": "1MiB",
}
"""Segments end often, so that a kill meets a seal, a load or an unlink more often."""
_SELDOM: Final = {"LYMER__JOURNAL__SEGMENT_AGE_SECONDS_MAX": "5"}
"""Segments stay open, so that a kill leaves much in the journal."""


@dataclass(slots=True)
class _Run:
    """One run of the test: a folder, what was sent to the Lymers on it, what was acknowledged."""

    folder: Path
    chance: random.Random
    ledger: Ledger = field(default_factory=Ledger)
    kills_under_load: int = 0
    kills_at_start: int = 0

    @property
    def data_dir(self) -> Path:
        """Where all Lymers of this run keep their data."""
        return self.folder / "data"

    def load_and_kill(self) -> None:
        """Start, check what earlier rounds left, load, kill."""
        with self._new_lymer() as lymer:
            lymer.start()
            self._check_some_traces(lymer)
            ports = lymer.ports
            load = NumberedLoad(self.ledger, ports["otlp_http"], ports["otlp_grpc"], self.chance)
            time.sleep(self.chance.uniform(0.05, 0.6))
            lymer.kill()
            load.stop()
        self.kills_under_load += 1

    def kill_at_start(self) -> None:
        """Start and kill while the last round's segments are being recovered, or near that."""
        with self._new_lymer() as lymer, lymer.log.open("ab") as log:
            process = subprocess.Popen(
                lymer.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=lymer.environment,
                cwd=self.folder,
            )
            time.sleep(self.chance.uniform(0.3, 1.1))
            process.kill()
            process.wait()
        self.kills_at_start += 1

    def recover_and_stop(self) -> None:
        """Start once more, and stop as an operator does."""
        with self._new_lymer() as lymer:
            lymer.start()
            self._check_some_traces(lymer)
            assert lymer.stop() == 0, lymer.log_tail()

    @contextmanager
    def _new_lymer(self) -> Iterator[Lymer]:
        lymer = Lymer(self.folder, self.chance.choice([_OFTEN, _SELDOM]))
        try:
            yield lymer
        finally:
            lymer.close()

    def _check_some_traces(self, lymer: Lymer) -> None:
        """Ready means that all acknowledged spans of former runs can be found."""
        newest = sorted(self.ledger.acknowledged)[-60:]
        for number in self.chance.sample(newest, min(_CHECKED_TRACES_PER_ROUND, len(newest))):
            one = self.ledger.sent[number]
            answer = lymer.http.get(
                f"{lymer.query_url}/api/traces/{one.trace_id.hex()}", params={"raw": "true"}
            )
            assert answer.status_code == 200, f"{one} is not found: {answer.text[:300]}"
            found = Counter(span["spanID"] for span in answer.json()["data"][0]["spans"])
            mine = [one.span_id(index).hex() for index in range(1, one.span_count + 1)]
            assert {found[span_id] for span_id in mine} == {1}, f"{one} is not there once"


@contextmanager
def _new_run() -> Iterator[_Run]:
    """Make a run in a folder of its own; if the test fails, seed and folder are told and kept."""
    seed = int(os.environ.get("LYMER_CRASH_SEED") or random.SystemRandom().randrange(2**32))
    made = _Run(Path(tempfile.mkdtemp(prefix="lymer-crash-")), random.Random(seed))
    try:
        yield made
    except BaseException:
        sys.stderr.write(f"\nagain with LYMER_CRASH_SEED={seed}; its folder: {made.folder}\n")
        raise
    shutil.rmtree(made.folder)


def _whole(count: int) -> tuple[int, int, int]:
    """Return rows, different spans and sum of places of a request stored exactly once."""
    return count, count, count * (count + 1) // 2


def assert_exactly_once(
    stored: StoredSpans, ledger: Ledger, *, besides: Collection[int] = ()
) -> None:
    """Fail if an acknowledged request is not there, or any is there twice or in part.

    `besides` are numbers of spans that others sent.
    """
    found = {
        number: counts for number, counts in stored.requests().items() if number not in besides
    }
    lost = [one for one in ledger.acknowledged if one not in found]
    assert lost == [], f"acknowledged and not stored: {[ledger.sent[one] for one in lost[:5]]}"
    unknown = [number for number in found if number not in ledger.sent]
    assert unknown == [], "stored and never sent"
    wrong = [
        (ledger.sent[number], counts)
        for number, counts in found.items()
        if counts != _whole(ledger.sent[number].span_count)
    ]
    assert wrong == [], f"{len(wrong)} requests are not stored once and whole: {wrong[:5]}"


def _assert_rollups_match(stored: StoredSpans) -> None:
    assert stored.red_rolled_up() == stored.red_recounted()
    assert stored.dependencies_rolled_up() == stored.dependencies_recounted()
    assert stored.operations_missing() == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kills_lose_nothing_and_double_nothing() -> None:
    """Every acknowledged span is stored once, every other at most once, and the sums are right."""
    with _new_run() as run:
        for number in range(1, _ROUNDS + 1):
            if number % _KILLED_AT_START_EVERY_ROUNDS == 0:
                run.kill_at_start()
            else:
                run.load_and_kill()
            if number % _LOOK_INSIDE_EVERY_ROUNDS == 0 and number < _ROUNDS:
                run.recover_and_stop()
                with open_stored_spans(run.data_dir) as stored:
                    assert_exactly_once(stored, run.ledger)
        run.recover_and_stop()

        assert list((run.data_dir / "journal").iterdir()) == []
        assert not (run.data_dir / "quarantine").exists()
        with open_stored_spans(run.data_dir) as stored:
            assert_exactly_once(stored, run.ledger)
            _assert_rollups_match(stored)
        # The run was worth its time only if there was load and some of it was cut off.
        assert run.kills_under_load > run.kills_at_start
        assert len(run.ledger.acknowledged) > 10 * _ROUNDS
        assert len(run.ledger.acknowledged) < len(run.ledger.sent)
