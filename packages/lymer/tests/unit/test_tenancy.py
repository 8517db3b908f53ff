"""Whose a request is, and what names may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.errors import TenantError
from lymer.tenancy import (
    DEFAULT_TENANT,
    TENANT_BYTES_MAX,
    Tenancy,
    is_tenant,
    tenant_code,
    tenant_of_code,
)

OPEN = Tenancy()
CLOSED = Tenancy(tenants=frozenset({"acme", "megacorp"}), default_tenant="acme")
PERMISSION_DENIED, UNAUTHENTICATED = 7, 16


@pytest.mark.parametrize(
    ("tenancy", "values", "tenant"),
    [
        (OPEN, ["acme"], "acme"),
        (OPEN, [" acme "], "acme"),
        (OPEN, ["a b"], "a b"),
        (OPEN, ["~" * TENANT_BYTES_MAX], "~" * TENANT_BYTES_MAX),
        (CLOSED, ["megacorp"], "megacorp"),
        (CLOSED, ["acme"], DEFAULT_TENANT),
    ],
)
def test_one_known_name_is_the_tenant(tenancy: Tenancy, values: list[str], tenant: str) -> None:
    """The name of the default tenant stands for it."""
    assert tenant == tenancy.tenant_of(values)


@pytest.mark.parametrize(
    ("tenancy", "values", "said", "code"),
    [
        (OPEN, [], "missing tenant header", UNAUTHENTICATED),
        (OPEN, [""], "missing tenant header", UNAUTHENTICATED),
        (OPEN, ["a", "b"], "extra tenant header", PERMISSION_DENIED),
        (OPEN, ["a", "a"], "extra tenant header", PERMISSION_DENIED),
        (OPEN, ["a, b"], "unknown tenant", PERMISSION_DENIED),
        (OPEN, ["~" * (TENANT_BYTES_MAX + 1)], "unknown tenant", PERMISSION_DENIED),
        (OPEN, ["a\0"], "unknown tenant", PERMISSION_DENIED),
        (OPEN, ["a\n"], "unknown tenant", PERMISSION_DENIED),
        (OPEN, ["caf\u00e9"], "unknown tenant", PERMISSION_DENIED),
        (CLOSED, ["ACME"], "unknown tenant", PERMISSION_DENIED),
        (CLOSED, ["evil"], "unknown tenant", PERMISSION_DENIED),
    ],
)
def test_everything_else_is_refused(
    tenancy: Tenancy, values: list[str], said: str, code: int
) -> None:
    """Source: Jaeger v2.20, `internal/tenancy`."""
    with pytest.raises(TenantError) as raised:
        tenancy.tenant_of(values)

    assert (said, code, 401) == (
        str(raised.value),
        raised.value.grpc_code,
        raised.value.http_status,
    )


def test_headers_and_metadata_are_looked_through_for_every_value() -> None:
    """A second header is not overlooked."""
    headers = [(b"x-tenant", b"a"), (b"accept", b"*/*")]
    assert OPEN.tenant_of_headers(headers) == "a"
    assert OPEN.tenant_of_metadata([("user-agent", "x"), ("x-tenant", "a")]) == "a"
    with pytest.raises(TenantError, match="extra"):
        OPEN.tenant_of_headers([*headers, (b"x-tenant", b"b")])
    with pytest.raises(TenantError, match="extra"):
        OPEN.tenant_of_metadata([("x-tenant", "a"), ("x-tenant", "b")])


def test_a_call_without_any_metadata_is_denied() -> None:
    """With some, but none of ours, it is not authenticated."""
    for metadata, code in (([], PERMISSION_DENIED), ([("a", "b")], UNAUTHENTICATED)):
        with pytest.raises(TenantError, match="missing tenant header") as raised:
            OPEN.tenant_of_metadata(metadata)
        assert code == raised.value.grpc_code


@given(st.text(st.characters(min_codepoint=0, max_codepoint=0x180), max_size=70))
def test_a_code_is_safe_and_belongs_to_one_tenant(name: str) -> None:
    """Lower-case hex digits, and back again; what is no name has none that is read."""
    code = tenant_code(name)
    assert set(code) <= set("0123456789abcdef")
    if is_tenant(name):
        assert "," not in name
        assert name.isprintable()
        assert name == tenant_of_code(code)
    elif name:
        with pytest.raises(ValueError, match=r"."):
            tenant_of_code(code)


@pytest.mark.parametrize("code", ["6", "zz", "4A", "00", "c3a9", " 61", "2c", "61" * 65, "../61"])
def test_what_is_no_code_is_not_read(code: str) -> None:
    """Also upper case, which a file system may take for lower."""
    with pytest.raises(ValueError, match=r"."):
        tenant_of_code(code)
