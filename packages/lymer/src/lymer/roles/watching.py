"""The part that says how a role is: health and metrics."""

from __future__ import annotations

from lymer.api.deletion import beside_deletion
from lymer.api.health import create_admin_app, create_health_app
from lymer.config import Config
from lymer.roles.lifetime import Lifetime
from lymer.roles.listening import Ports
from lymer.telemetry.metrics import Metrics
from lymer.transport.http_gate import App, behind_gate

__all__ = ["ADMIN", "HEALTH", "listen_for_admin", "serve_admin"]

ADMIN = "admin"
HEALTH = "health"


def listen_for_admin(ports: Ports, config: Config) -> None:
    """Take the ports.

    Raises:
        StartupError: One cannot be had.
    """
    # Metrics and deleting have a gate each: `serve_admin`.
    ports.security.gate(config.admin.auth, "admin.auth")
    ports.security.gate(config.admin.deletion.auth, "admin.deletion.auth")
    ports.take(ADMIN, config.admin, "admin.port")
    if config.health.enabled:
        gate = ports.security.gate(config.health.auth, "health.auth")
        ports.take(HEALTH, config.health, "health.port", gate=gate)


def serve_admin(
    ports: Ports,
    life: Lifetime,
    metrics: Metrics,
    config: Config,
    *,
    deletion: App | None = None,
) -> None:
    """Answer about `life` and `metrics` on the ports that were taken.

    Args:
        ports: Where.
        life: Tells whether all is well.
        metrics: What is shown.
        config: The whole.
        deletion: Who deletes traces, with a gate of its own; None where nobody does.
    """
    life.measure_lag(metrics.loop_lag_seconds.observe)
    if ports.has(HEALTH):
        ports.serve(create_health_app(life.readiness), HEALTH)
    gate = ports.security.gate(config.admin.auth, "admin.auth")
    app = behind_gate(create_admin_app(life.readiness, metrics.registry), gate)
    ports.serve(app if deletion is None else beside_deletion(app, deletion), ADMIN)
