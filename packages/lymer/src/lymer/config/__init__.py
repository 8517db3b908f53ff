"""The configuration: every setting, its sources, and what is wrong with them."""

from __future__ import annotations

from lymer.config.problem import ConfigError
from lymer.config.receiver_settings import (
    AdmissionSettings,
    OtlpGrpcSettings,
    OtlpHttpSettings,
    ReceiverSettings,
)
from lymer.config.settings import (
    AdminSettings,
    Config,
    HealthSettings,
    JournalSettings,
    LogSettings,
    QuerySettings,
    StorageSettings,
)
from lymer.config.sources import load_config

__all__ = [
    "AdminSettings",
    "AdmissionSettings",
    "Config",
    "ConfigError",
    "HealthSettings",
    "JournalSettings",
    "LogSettings",
    "OtlpGrpcSettings",
    "OtlpHttpSettings",
    "QuerySettings",
    "ReceiverSettings",
    "StorageSettings",
    "load_config",
]
