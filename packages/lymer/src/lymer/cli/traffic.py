"""Commands that send traces to a running Lymer, or to any other OTLP receiver."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click

from lymer import ports
from lymer.cli.endpoint import check_endpoint
from lymer.config import rules

__all__ = ["demo", "generate"]

KINDS: Final = (
    "slow-callee", "bad-version", "bad-host", "n-plus-one", "retry-storm", "lock", "queue",
    "cold-cache", "error-burst",
)  # fmt: skip
"""As `lymer.incidents.kinds` has them, which would import numpy for `--help`; a test compares."""

_PROTOCOLS = click.Choice(["grpc", "http/protobuf"])
_OF_THE_DEMO = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.grpc")
"""What only the demo needs; a package's extra."""


def duration(text: str) -> float:
    """Decode a duration such as `500ms` or `30s`; click shows this function's name in help."""
    rule = rules.duration(0.001, 366 * 86400)
    try:
        return rule.decode(text)
    except ValueError:
        raise click.BadParameter(f'must be {rule.expected}, but it is "{text}"') from None


@click.command("demo")
@click.option(
    "--endpoint",
    default=f"http://localhost:{ports.OTLP_GRPC}",
    show_default=True,
    help="OTLP receiver to send to.",
)
@click.option(
    "--protocol",
    type=_PROTOCOLS,
    help="How to send. Default: grpc, or http/protobuf to port 4318.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 200),
    default=3.0,
    show_default=True,
    help="Visits to the shop per second.",
)
@click.option("--duration", type=duration, help="Stop after this time, such as 30s.")
@click.option(
    "--ui",
    default=f"http://localhost:{ports.QUERY_HTTP}",
    show_default=True,
    help="Address of the UI, for the link that is printed.",
)
def demo(
    *, endpoint: str, protocol: str | None, rate: float, duration: float | None, ui: str
) -> int:
    """Run a small shop of five real services that send their traces.

    Processes of this machine talk HTTP, gRPC and a queue with each other, wait for a database
    that is slow now and then, and fail now and then. Ctrl-C stops them all.
    """
    _check_installed()
    from lymer.demo.shop import DemoSettings, run

    if protocol is None:
        protocol = "http/protobuf" if endpoint.rstrip("/").endswith(":4318") else "grpc"
    check_endpoint(endpoint, protocol)
    return run(
        DemoSettings(
            endpoint=endpoint,
            protocol=protocol,
            visits_per_second=rate,
            duration_seconds=duration,
            ui_url=ui.rstrip("/"),
        )
    )


def _check_installed() -> None:
    try:
        missing = [name for name in _OF_THE_DEMO if find_spec(name) is None]
    except ModuleNotFoundError as error:  # a package above it
        missing = [str(error.name)]
    if missing:
        raise click.ClickException(
            f"cannot run the demo: {missing[0]} is not installed, with which it sends traces; "
            f"install it with: {sys.executable} -m pip install 'lymer[demo]'"
        )


@click.command("generate")
@click.option("--endpoint", help="OTLP receiver. Default: localhost, 4318 or (grpc) 4317.")
@click.option("--protocol", type=_PROTOCOLS, default="http/protobuf", show_default=True)
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="With each request.")
@click.option("--traces", type=click.IntRange(1), help="Stop after so many. Default: 1000.")
@click.option("--duration", type=duration, help="Stop after this time, such as 30s.")
@click.option(
    "--rate",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Spans per second; 0 sends as fast as they are taken.",
)
@click.option("--connections", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option("--services", type=click.IntRange(1), default=10, show_default=True)
@click.option(
    "--operations",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Server operations of each service.",
)
@click.option(
    "--depth",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Spans on the longest path of a trace.",
)
@click.option("--spans-per-trace", type=click.IntRange(1), default=8, show_default=True)
@click.option(
    "--attributes",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Attributes of each span.",
)
@click.option("--attribute-keys", type=click.IntRange(0), default=50, show_default=True)
@click.option("--attribute-values", type=click.IntRange(1), default=100, show_default=True)
@click.option(
    "--errors",
    type=click.FloatRange(0, 1),
    default=0.02,
    show_default=True,
    help="Part of the traces with an error.",
)
@click.option(
    "--latency",
    "latency_seconds",
    type=duration,
    default="100ms",
    show_default=True,
    help="Median duration of a trace.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same traces.")
@click.option("--spans-per-request", type=click.IntRange(1), default=512, show_default=True)
@click.option(
    "--incident",
    type=click.Choice(KINDS),
    help="Send five minutes of an application in whose last two one thing goes wrong; of the "
    "options of shape only --seed counts.",
)
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --incident: write what went wrong to this file, as JSON.",
)
def generate(
    *,
    endpoint: str | None,
    protocol: str,
    headers: tuple[str, ...],
    traces: int | None,
    duration: float | None,
    rate: float,
    connections: int,
    **shape: Any,
) -> int:
    """Send made-up traces as load; the same seed makes the same traces.

    Ends after --traces or --duration, whichever comes first, and prints what was sent and
    refused. The exit code is 1 if spans were refused.
    """
    from lymer.roles.generate import Delivery, run
    from lymer.roles.load_shape import LoadShape

    if endpoint is None:
        port = ports.OTLP_GRPC if protocol == "grpc" else ports.OTLP_HTTP
        endpoint = f"http://localhost:{port}"
    incident: str | None = shape.pop("incident")
    truth: Path | None = shape.pop("truth")
    if truth is not None and incident is None:
        raise click.UsageError("--truth needs --incident")
    if traces is None and duration is None and incident is None:
        traces = 1000
    for header in headers:
        if "=" not in header:
            raise click.UsageError(f'--header needs NAME=VALUE, not "{header}"')
    delivery = Delivery(
        endpoint=endpoint,
        protocol=protocol,
        traces_max=traces,
        duration_seconds=duration,
        rate=rate,
        connections=connections,
        headers=dict(header.split("=", 1) for header in headers),
    )
    check_endpoint(endpoint, protocol)
    if incident is not None:
        from lymer.roles.incident_load import Incident, run_incident

        return run_incident(Incident(kind=incident, seed=shape["seed"], truth=truth), delivery)
    load = LoadShape(**shape)
    return run(load, delivery)
