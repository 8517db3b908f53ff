"""Adaptive sampling in a running Lymer: clients that send more than enough come to the target.

Jaeger's and W3C's clients say how a trace was sampled, most OpenTelemetry SDKs do not. Intervals
are seconds here, where people use minutes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from time import sleep

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from e2e.lymer_process import Lymer
from lymer.clock import monotonic_seconds
from make import make_request, make_span

TARGET = 20.0
TRAFFIC = 1000
"""Traces a second that begin."""
SETTINGS = {
    "LYMER__SAMPLING__ADAPTIVE__ENABLED": "true",
    "LYMER__SAMPLING__ADAPTIVE__TARGET_SAMPLES_PER_SECOND": str(TARGET),
    "LYMER__SAMPLING__ADAPTIVE__CALCULATION_INTERVAL_SECONDS": "1s",
    "LYMER__SAMPLING__ADAPTIVE__CALCULATION_DELAY_SECONDS": "2s",
    "LYMER__SAMPLING__ADAPTIVE__INITIAL_SAMPLING_PROBABILITY": "0.5",
    "LYMER__SAMPLING__ADAPTIVE__CLIENT_POLL_SECONDS": "1s",
}
CONVERGED_SECONDS_MAX = 90
"""Ten are enough on a machine of its own."""
TICK_SECONDS = 0.2


class Population:
    """Clients of one service: they ask, decide, and send what they sampled."""

    def __init__(self, lymer: Lymer, service: str, mark: str) -> None:
        """Know nothing yet."""
        self.service, self._mark = service, mark
        self._url = f"http://127.0.0.1:{lymer.ports['sampling_http']}/sampling"
        self._lymer = lymer
        self._chance = random.Random(service)
        self.probability = 0.0

    def ask(self) -> None:
        """Get the strategy; before the first trace, and now and then."""
        answer = self._lymer.http.get(self._url, params={"service": self.service}).json()
        operations = answer["operationSampling"]
        self.probability = operations["defaultSamplingProbability"]
        for each in operations["perOperationStrategies"]:
            if each["operation"] == "pay":
                self.probability = each["probabilisticSampling"]["samplingRate"]

    def send(self, count: int) -> None:
        """Begin so many traces."""
        spans = []
        for _ in range(sum(self._chance.random() < self.probability for _ in range(count))):
            attrs, trace_state = [], ""
            if self._mark == "tags":
                attrs = [
                    ("sampler.type", "probabilistic"), ("sampler.param", self.probability),
                ]  # fmt: skip
            elif self._mark == "threshold":
                threshold = f"{round((1 - self.probability) * 2**56):014x}"[:6].rstrip("0") or "0"
                trace_state = f"ot=th:{threshold}"
            trace = self._chance.getrandbits(127) | 1
            spans.append(
                make_span(
                    trace.to_bytes(16, "big"), trace % 2**62 + 1, name="pay",
                    attrs=attrs, trace_state=trace_state,
                )
            )  # fmt: skip
        if spans:
            self._post(make_request(*spans, service=self.service))

    def _post(self, request: ExportTraceServiceRequest) -> None:
        answer = self._lymer.http.post(
            self._lymer.otlp_http_url,
            content=request.SerializeToString(),
            headers={"Content-Type": "application/x-protobuf"},
        )
        assert answer.status_code == 200

    @property
    def sampled_per_second(self) -> float:
        """What it sends now."""
        return self.probability * TRAFFIC


def live(populations: list[Population], until: Callable[[], bool], seconds_max: float) -> None:
    """Let them live until something holds for two seconds."""
    deadline = monotonic_seconds() + seconds_max
    held_since = None
    last_asked = 0.0
    while held_since is None or monotonic_seconds() - held_since < 2:
        now = monotonic_seconds()
        assert now < deadline, {each.service: each.sampled_per_second for each in populations}
        if now - last_asked > 0.5:
            for each in populations:
                each.ask()
            last_asked = now
        for each in populations:
            each.send(round(TRAFFIC * TICK_SECONDS))
        held_since = (held_since or now) if until() else None
        sleep(max(0.0, TICK_SECONDS - (monotonic_seconds() - now)))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_populations_come_to_the_target(new_lymer: Callable[..., Lymer]) -> None:
    """With tags, with thresholds, and with nothing; a restart goes on where it was.

    A client that obeys its own head is left alone.
    """
    lymer = new_lymer(**SETTINGS)
    lymer.start()
    populations = [Population(lymer, mark, mark) for mark in ("tags", "threshold", "nothing")]

    def at_target() -> bool:
        return all(TARGET / 2 <= each.sampled_per_second <= TARGET * 2 for each in populations)

    live(populations, at_target, CONVERGED_SECONDS_MAX)
    before = {each.service: each.probability for each in populations}
    lymer.stop()
    lymer.start()
    for each in populations:
        each.ask()

    assert all(0.3 <= each.probability / before[each.service] <= 3 for each in populations), before

    live(populations, at_target, CONVERGED_SECONDS_MAX)
    metrics = lymer.http.get(f"http://127.0.0.1:{lymer.ports['admin']}/metrics").text
    name = "jaeger_remote_sampling_adaptive_sampling_processor_operations_calculated"
    assert f"{name} 3.0" in metrics


def test_the_first_answer_is_jaegers(new_lymer: Callable[..., Lymer]) -> None:
    """The initial probability, and the guarantee of one a minute."""
    lymer = new_lymer(LYMER__SAMPLING__ADAPTIVE__ENABLED="true")
    lymer.start()
    url = f"http://127.0.0.1:{lymer.ports['sampling_http']}/sampling?service=x"

    assert lymer.http.get(url).json() == {
        "strategyType": "PROBABILISTIC",
        "probabilisticSampling": {"samplingRate": 0.001},
        "operationSampling": {
            "defaultSamplingProbability": 0.001,
            "defaultLowerBoundTracesPerSecond": 1 / 60,
            "perOperationStrategies": [],
            "defaultUpperBoundTracesPerSecond": 0,
        },
    }
