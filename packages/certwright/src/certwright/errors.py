"""The tree of errors, sorted by whose fault they are.

::

    CertwrightError
    ├── InvalidError            the object, file or flag is wrong; repeating does not help
    ├── StoreError              the store did not do what it was asked
    │   ├── NotFoundError       there is no such object
    │   ├── AlreadyExistsError  create of a name that is taken
    │   ├── ConflictError       the object changed since it was read; read again and repeat
    │   ├── RefusedError        validation, admission or permission said no; the message says why
    │   ├── ExpiredError        a watch or list asks for history that is gone: list again (HTTP 410)
    │   └── UnavailableError    no answer, or a server error; it is not known whether it was done
    └── StartupError            the program cannot start as it is configured
"""

from __future__ import annotations

__all__ = [
    "AlreadyExistsError",
    "CertwrightError",
    "ConflictError",
    "ExpiredError",
    "InvalidError",
    "NotFoundError",
    "RefusedError",
    "StartupError",
    "StoreError",
    "UnavailableError",
]


class CertwrightError(Exception):
    """Root of all errors Certwright raises on purpose."""


class InvalidError(CertwrightError):
    """An object, a file or a value is not what it must be."""


class StoreError(CertwrightError):
    """The store did not do what it was asked."""


class NotFoundError(StoreError):
    """There is no such object."""


class AlreadyExistsError(StoreError):
    """An object of that name exists; the text names its resource and itself."""


class ConflictError(StoreError):
    """The object changed since it was read, or a precondition does not hold."""


class RefusedError(StoreError):
    """Validation, admission or permission refused the request; nothing was written."""


class ExpiredError(StoreError):
    """The history asked for is gone; list again."""


class UnavailableError(StoreError):
    """No answer, or a server's own failure: whether the request was carried out is not known."""


class StartupError(CertwrightError):
    """The program cannot start: one sentence that says what, where and what to do."""
