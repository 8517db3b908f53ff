"""What may be in flight: counted exactly, refused without a trace."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from lymer.errors import OverloadedError
from lymer.receivers.admission import Admission

_BYTES_MAX, _REQUESTS_MAX = 1_000, 3


def test_the_limit_itself_is_inside() -> None:
    """Exactly as much as the limit may be in flight, and not one byte more."""
    admission = Admission(bytes_in_flight_max=10, requests_in_flight_max=1)

    admission.enter()
    admission.take(10)

    with pytest.raises(OverloadedError, match="10 bytes are in flight, the limit is 10"):
        admission.take(1)
    with pytest.raises(OverloadedError, match="1 requests are in flight, the limit is 1"):
        admission.enter()


class AdmissionMachine(RuleBasedStateMachine):
    """Random takers and givers, against a plain sum."""

    taken = Bundle("taken")

    def __init__(self) -> None:
        """Begin with nothing in flight."""
        super().__init__()
        self.admission = Admission(
            bytes_in_flight_max=_BYTES_MAX, requests_in_flight_max=_REQUESTS_MAX
        )
        self.bytes = self.requests = 0

    @rule(target=taken, size=st.integers(0, 600))
    def take(self, size: int) -> int:
        """A request that is refused holds nothing."""
        if self.bytes + size > _BYTES_MAX:
            with pytest.raises(OverloadedError):
                self.admission.take(size)
            return 0
        self.admission.take(size)
        self.bytes += size
        return size

    @rule(size=consumes(taken))
    def give_back(self, size: int) -> None:
        """What was taken comes back."""
        self.admission.give_back(size)
        self.bytes -= size

    @rule()
    def enter(self) -> None:
        """One more request."""
        if self.requests == _REQUESTS_MAX:
            with pytest.raises(OverloadedError):
                self.admission.enter()
            return
        self.admission.enter()
        self.requests += 1

    @rule()
    def leave(self) -> None:
        """One request less."""
        if self.requests:
            self.admission.leave()
            self.requests -= 1

    @invariant()
    def counts_are_right(self) -> None:
        """At every moment."""
        assert self.admission.bytes_in_flight == self.bytes <= _BYTES_MAX
        assert self.admission.requests_in_flight == self.requests <= _REQUESTS_MAX


TestAdmission = AdmissionMachine.TestCase
