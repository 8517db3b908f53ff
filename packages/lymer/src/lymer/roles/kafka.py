"""The settings of Kafka, as its client library wants them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from lymer.config import Config
from lymer.errors import StartupError
from lymer.transport.tls_client import ClientTls
from lymer.transport.watched_files import read_file

__all__ = ["kafka_client"]

_MISSING: Final = (
    "cannot use Kafka: confluent-kafka is missing, install it with pip install 'lymer[kafka]'"
)


def kafka_client(config: Config, tls: ClientTls | None) -> dict[str, Any]:
    """Return librdkafka's settings of whoever we are to the brokers.

    Args:
        config: The whole.
        tls: The checked files of `kafka.tls`; None for plain text.

    Raises:
        StartupError: The library is missing, or settings do not go together.
    """
    try:
        import confluent_kafka  # noqa: F401 - an extra
    except ImportError as error:
        raise StartupError(_MISSING) from error
    settings = config.kafka
    sasl = settings.sasl
    has_password = sasl.mechanism != "none"
    made: dict[str, Any] = {
        "bootstrap.servers": settings.brokers,
        "client.id": settings.client_id,
        # A broker that is away is looked for again at once, not after ten seconds.
        "reconnect.backoff.max.ms": 1_000,
        "log_level": 0,  # what it says, our log says once
        "security.protocol": ("sasl_" if has_password else "") + ("ssl" if tls else "plaintext"),
    }
    if tls is not None:
        options = tls.options
        files: tuple[tuple[str, Path | None], ...] = (
            ("ssl.ca.location", options.ca_file),
            ("ssl.certificate.location", options.cert_file),
            ("ssl.key.location", options.key_file),
        )
        made |= {name: str(file) for name, file in files if file is not None}
        if options.server_name:
            raise StartupError('"kafka.tls.server_name" is not possible: brokers name themselves')
        if options.insecure_skip_verify:
            made["enable.ssl.certificate.verification"] = False
    if has_password:
        if not sasl.username or sasl.password_file is None:
            raise StartupError(
                f'"kafka.sasl.mechanism" is {sasl.mechanism}: set "kafka.sasl.username" and '
                '"kafka.sasl.password_file" too'
            )
        password = read_file(sasl.password_file, "kafka.sasl.password_file")
        made |= {
            "sasl.mechanism": sasl.mechanism.upper(),
            "sasl.username": sasl.username,
            "sasl.password": password.decode("utf-8", "replace").strip(),
        }
    return made
