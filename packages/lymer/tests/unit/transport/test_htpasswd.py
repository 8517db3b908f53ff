"""Files of users and passwords."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.transport.htpasswd import has_plain_passwords, parse_htpasswd, password_fits

_BCRYPT = "$2y$05$k3vLzGFQHjmUo5c5KzR5XuDNz9pMyyYh3mSRGm2MCzN2d9m.kfxRK"


@pytest.mark.parametrize(
    ("kept", "password"),
    [
        # `openssl passwd -apr1 -salt abcdefgh PASSWORD`
        pytest.param("$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/", "secret", id="apr1"),
        pytest.param("$apr1$abcdefgh$82JubPF2dQkt1tVfvLnXS.", "x", id="apr1 of one letter"),
        pytest.param("$apr1$abcdefgh$c4QKx3ASrNNxhmocuj.xU.", "a" * 16, id="apr1 of 16 letters"),
        pytest.param("$apr1$abcdefgh$ibzI/l0QXVIpWhPKNWXeR.", "päß" * 9, id="apr1, not ASCII"),
        # `printf secret | openssl sha1 -binary | base64`
        pytest.param("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret", id="SHA-1"),
        pytest.param("a plain: one", "a plain: one", id="plain"),
    ],
)
def test_the_password_a_line_was_made_of_fits(kept: str, password: str) -> None:
    """And no other does."""
    assert password_fits(kept, password)
    assert not password_fits(kept, password + "x")
    assert not password_fits(kept, "")


def test_bcrypt_of_each_name_fits() -> None:
    """Apache writes 2y, others 2b and 2a; a password beyond 72 bytes is cut, as there."""
    import bcrypt

    long = "p" * 100
    made = bcrypt.hashpw(long[:72].encode(), bcrypt.gensalt(4)).decode()
    for name in ("$2y$", "$2b$", "$2a$"):
        kept = made.replace("$2b$", name, 1)
        assert password_fits(kept, long)
        assert not password_fits(kept, "q" + long)
    assert not password_fits("$2y$99" + made[6:], long)


@given(st.text(), st.text(alphabet="./0123456789ABCabc", min_size=1, max_size=8))
def test_any_text_can_be_tried(password: str, salt: str) -> None:
    """What a stranger sends raises nothing."""
    assert not password_fits(f"$apr1${salt}$nothing", password)
    assert not password_fits("{SHA}nothing", password)


def test_comments_and_empty_lines_are_no_users() -> None:
    """The rest is user and what stands behind the first colon."""
    users = parse_htpasswd(f"# ours\n\n  ada:{_BCRYPT}  \nbob:a:b\n")

    assert users == {"ada": _BCRYPT, "bob": "a:b"}
    assert has_plain_passwords(users)
    assert not has_plain_passwords({"ada": _BCRYPT})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("ada\n", "line 1 is not user:password", id="no colon"),
        pytest.param("ada:\n", "line 1 is not user:password", id="no password"),
        pytest.param(":x\n", "line 1 is not user:password", id="no user"),
        pytest.param("a:x\na:y\n", "line 2 has a user who stands above already", id="twice"),
        pytest.param("a:$6$salt$hash\n", "line 1 has a kind of hash that is not known", id="crypt"),
        pytest.param("a:{SSHA}x\n", "line 1 has a kind of hash that is not known", id="LDAP"),
        pytest.param("a:$2y$05$short\n", "line 1 has a kind of hash", id="torn bcrypt"),
        pytest.param("# nobody\n", "no user is in it", id="nobody"),
    ],
)
def test_a_bad_line_is_named_and_not_shown(text: str, problem: str) -> None:
    """A hash that is not known is never taken for the password itself."""
    with pytest.raises(ValueError, match=problem) as caught:
        parse_htpasswd(text)
    assert "hash" not in str(caught.value).replace("kind of hash", "")
