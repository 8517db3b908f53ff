"""The part that says how a role is: health and metrics."""

from __future__ import annotations

from lymer.api.health import create_admin_app, create_health_app
from lymer.config import Config
from lymer.roles.lifetime import Lifetime
from lymer.roles.listening import Ports
from lymer.telemetry.metrics import Metrics

__all__ = ["ADMIN", "HEALTH", "listen_for_admin", "serve_admin"]

ADMIN = "admin"
HEALTH = "health"


def listen_for_admin(ports: Ports, config: Config) -> None:
    """Take the ports.

    Raises:
        StartupError: One cannot be had.
    """
    gate = ports.security.gate(config.admin.auth, "admin.auth")
    ports.take(ADMIN, config.admin, "admin.port", gate=gate)
    if config.health.enabled:
        gate = ports.security.gate(config.health.auth, "health.auth")
        ports.take(HEALTH, config.health, "health.port", gate=gate)


def serve_admin(ports: Ports, life: Lifetime, metrics: Metrics) -> None:
    """Answer about `life` and `metrics` on the ports that were taken."""
    life.measure_lag(metrics.loop_lag_seconds.observe)
    if ports.has(HEALTH):
        ports.serve(create_health_app(life.readiness), HEALTH)
    ports.serve(create_admin_app(life.readiness, metrics.registry), ADMIN)
