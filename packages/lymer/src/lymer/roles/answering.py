"""The part that answers and shows: query API and UI on one port."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

from lymer import __version__
from lymer.api.app import create_app, create_tempo_app, create_zipkin_app
from lymer.api.practice import Practice
from lymer.api.query_grpc import QueryGrpc
from lymer.api.turn import Turn
from lymer.config import Config
from lymer.query.service import Queries
from lymer.receivers.grpc_services import add_health, add_reflection
from lymer.roles.listening import REQUEST_GRACE_SECONDS, Ports
from lymer.roles.tenancy import tenancy_of
from lymer.storage.contract import TenantReaders
from lymer.transport.http_gate import App, behind_gate
from lymer.ui.assets import UiConfig, ui_routes
from lymer.ui.mounted import mounted_ui_routes
from lymer.ui.site import read_site_file

__all__ = ["TEMPO", "UI", "listen_for_queries", "serve_queries"]

UI = "UI and query API"
TEMPO = "Tempo's API"


def listen_for_queries(ports: Ports, config: Config) -> None:
    """Take the port.

    Raises:
        StartupError: It cannot be had, or what says who may ask cannot be read.
    """
    gate = ports.security.gate(config.query.auth, "query.auth")
    ports.take(UI, config.query, "query.port", gate=gate)
    if config.api.tempo.enabled:
        ports.take(TEMPO, config.api.tempo, "api.tempo.port", gate=gate)


async def serve_queries(
    stack: AsyncExitStack,
    config: Config,
    ports: Ports,
    readers: TenantReaders,
    *,
    otlp_grpc: str,
    otlp_http: str,
    practice: Practice | None = None,
) -> App:
    """Answer from `readers` until the stack unwinds.

    Args:
        stack: Unwound in reverse.
        config: The whole; only roles see it so.
        ports: Where `listen_for_queries` took the port.
        readers: The store.
        otlp_grpc: Where spans can be sent, `host:port`, for the UI's first steps.
        otlp_http: The same, a URL.
        practice: Starts demo traffic where somebody presses a button; None: nobody can.

    Returns:
        Who answers Zipkin's questions where Zipkin's port is; may be asked by who may ask here.
    """
    executor = ThreadPoolExecutor(config.storage.query_threads, thread_name_prefix="query")
    stack.callback(executor.shutdown, wait=False, cancel_futures=True)
    queries = Queries(
        readers,
        max_clock_skew_adjust_seconds=config.query.max_clock_skew_adjust_seconds,
        max_trace_size_spans=config.query.max_trace_size_spans,
    )
    turn = Turn()
    base_path = config.query.base_path
    shown = UiConfig(
        base_path=base_path or "/",
        version=__version__,
        otlp_grpc=otlp_grpc,
        otlp_http=otlp_http,
        site=read_site_file(config.query.ui_config_file),
    )
    folder = config.query.ui_assets_path
    ui = ui_routes(shown) if folder is None else mounted_ui_routes(shown, folder)
    app = create_app(
        queries,
        executor=executor,
        extra_routes=ui,
        base_path=base_path,
        tenancy=tenancy_of(config),
        turn=turn,
        practice=practice,
    )
    ports.serve(app, UI)
    server = QueryGrpc(
        queries,
        executor,
        tenancy=tenancy_of(config),
        gate=ports.security.gate(config.query.auth, "query.auth"),
        turn=turn,
    )
    add_health(server)
    add_reflection(server)
    if ports.has(TEMPO):
        tempo = create_tempo_app(queries, executor=executor, tenancy=tenancy_of(config), turn=turn)
        # Grafana asks for streams where it asks for all else: host and port of one URL.
        stack.push_async_callback(server.stop, REQUEST_GRACE_SECONDS)
        ports.serve(tempo, TEMPO, calls=server)
    if config.query.grpc.enabled:
        await ports.serve_grpc(server, config.query.grpc, "query gRPC", "query.grpc.port")
    zipkin = create_zipkin_app(queries, executor=executor, tenancy=tenancy_of(config), turn=turn)
    return behind_gate(zipkin, ports.security.gate(config.query.auth, "query.auth"))
