"""The configuration: every setting, its sources, and what is wrong with them."""

from __future__ import annotations

from lymer.config.problem import ConfigError
from lymer.config.settings import (
    AdminSettings,
    AdmissionSettings,
    Config,
    HealthSettings,
    JournalSettings,
    LogSettings,
    OtlpGrpcSettings,
    OtlpHttpSettings,
    QuerySettings,
    ReceiverSettings,
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
