"""Where the API server is and who we are, from files, folders and programs."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from certwright.adapters.kube import Connection, KubeStore, load_connection
from certwright.adapters.kube.config import ExecPlugin, from_kubeconfig
from certwright.adapters.kube.credentials import Credentials
from certwright.engine.store import Selection
from certwright.errors import RefusedError, StartupError, UnavailableError
from certwright.resources.kinds import SECRET


def write(path: Path, **changes: Any) -> Path:
    """Write a kubeconfig with one context."""
    document: dict[str, Any] = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "one"}}],
        "clusters": [{"name": "a", "cluster": {"server": "https://one:6443/"}}],
        "users": [{"name": "a", "user": {"token": "t"}}],
        **changes,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document))
    return path


def load(home: Path, **arguments: Any) -> Connection:
    """Load without a pod's folder, unless one is given."""
    settings = {"environment": {}, "service_account_folder": home / "none", **arguments}
    return load_connection(home=home, **settings)


def test_the_flag_wins_then_the_variable_then_the_pod_then_home(tmp_path: Path) -> None:
    """What is more deliberate counts more."""
    flag = write(tmp_path / "flag", clusters=[{"name": "a", "cluster": {"server": "https://flag"}}])
    named = write(
        tmp_path / "named", clusters=[{"name": "a", "cluster": {"server": "https://named"}}]
    )
    write(tmp_path / ".kube" / "config")
    pod = tmp_path / "pod"
    pod.mkdir()
    for name, text in (("token", "secret"), ("ca.crt", "x"), ("namespace", "mine")):
        (pod / name).write_text(text)
    service = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    everything = {**service, "KUBECONFIG": f"{tmp_path}/absent:{named}"}
    inside = {"service_account_folder": pod}

    assert load(tmp_path, kubeconfig=str(flag), environment=everything).server == "https://flag"
    assert load(tmp_path, environment=everything, **inside).server == "https://named"
    found = load(tmp_path, environment=service, **inside)
    assert (found.server, found.namespace) == ("https://[fd00::1]:443", "mine")
    assert load(tmp_path).server == "https://one:6443"
    assert load(tmp_path, master="https://other/").server == "https://other"


def test_without_anything_it_says_what_was_looked_at(tmp_path: Path) -> None:
    """And what to do."""
    with pytest.raises(StartupError, match="give --kubeconfig FILE"):
        load(tmp_path)
    with pytest.raises(StartupError, match="none of these files exists"):
        load(tmp_path, environment={"KUBECONFIG": "/absent"})


def test_files_are_merged_and_the_first_mention_counts(tmp_path: Path) -> None:
    """Relative paths belong to the file they stand in."""
    first = write(
        tmp_path / "first",
        clusters=[{"name": "a", "cluster": {"server": "https://first"}}],
        users=[],
    )
    second = write(
        tmp_path / "deep" / "second",
        users=[{"name": "a", "user": {"tokenFile": "token", "client-certificate": "/c"}}],
    )

    found = from_kubeconfig([first, second])

    assert found.server == "https://first"
    assert found.token_file == tmp_path / "deep" / "token"
    assert found.client_certificate_file == Path("/c")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"current-context": ""}, "it names no current-context"),
        ({"current-context": "b"}, "contexts has no 'b'"),
        ({"clusters": []}, "clusters has no 'a'"),
        ({"users": []}, "users has no 'a'"),
        ({"clusters": [{"name": "a", "cluster": {"server": "one"}}]}, "is no http"),
        ({"users": [{"name": "a", "user": {"auth-provider": {}}}]}, "use an exec plugin"),
        (
            {"users": [{"name": "a", "user": {"client-key-data": "!"}}]},
            "client-key-data is no base64",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """With the file's path."""
    path = write(tmp_path / "config", **changes)

    with pytest.raises(StartupError, match=message) as caught:
        from_kubeconfig([path])
    assert str(path) in str(caught.value)


def test_a_connection_never_shows_its_secrets() -> None:
    """Not in a log, not in a traceback."""
    assert "t0ken" not in repr(Connection("https://x", token="t0ken", password="t0ken"))


# ------------------------------------------------------------------------------ credentials


async def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    """At once after a 401, otherwise every minute."""
    token = tmp_path / "token"
    token.write_text("first\n")
    credentials = Credentials(Connection("http://x", token_file=token))

    assert await credentials.headers() == {"Authorization": "Bearer first"}
    token.write_text("second\n")
    assert await credentials.headers() == {"Authorization": "Bearer first"}
    credentials.forget()
    assert await credentials.headers() == {"Authorization": "Bearer second"}
    token.unlink()
    credentials.forget()
    assert await credentials.headers() == {"Authorization": "Bearer second"}


def plugin(tmp_path: Path, script: str, **settings: Any) -> Connection:
    """Return a connection whose credentials a shell script gives."""
    program = tmp_path / "plugin"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return Connection("http://x", exec_plugin=ExecPlugin(str(program), **settings))


async def test_a_plugin_is_asked_once_until_it_expires(tmp_path: Path) -> None:
    """It gets its variables and the question."""
    late = (datetime.now(UTC) + timedelta(hours=1)).isoformat()  # noqa: TID251 - of the plugin
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "$WHO", "expirationTimestamp": late},
    }
    script = f"""echo x >> {tmp_path}/calls
echo "$KUBERNETES_EXEC_INFO" > {tmp_path}/question
cat <<END
{json.dumps(answer)}
END"""
    credentials = Credentials(plugin(tmp_path, script, environment=(("WHO", "me"),)))

    headers = [await credentials.headers() for _ in range(3)]

    assert headers == [{"Authorization": "Bearer me"}] * 3
    assert (tmp_path / "calls").read_text() == "x\n"
    assert json.loads((tmp_path / "question").read_text())["kind"] == "ExecCredential"
    credentials.forget()
    await credentials.headers()
    assert (tmp_path / "calls").read_text() == "x\nx\n"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no such user >&2; exit 3", "exit code 3: no such user"),
        ("echo '{}'", "it is no ExecCredential"),
        ("echo hello", "cannot use what the credential plugin"),
    ],
)
async def test_a_plugin_that_fails_is_named(tmp_path: Path, script: str, message: str) -> None:
    """With what it said."""
    with pytest.raises(UnavailableError, match=message):
        await Credentials(plugin(tmp_path, script)).headers()


async def test_a_plugin_that_is_not_there_says_how_to_get_it() -> None:
    """In its author's words."""
    missing = ExecPlugin("/absent/plugin", install_hint="install it")

    with pytest.raises(UnavailableError, match="install it"):
        await Credentials(Connection("http://x", exec_plugin=missing)).headers()


def test_a_wrong_certificate_is_named() -> None:
    """Not an exception of a library."""
    with pytest.raises(StartupError, match="cannot use the certificates for https://x"):
        Credentials(Connection("https://x", ca_pem=b"no PEM")).context()


def test_plain_http_has_no_tls() -> None:
    """For `kubectl proxy`."""
    assert not isinstance(Credentials(Connection("http://x")).context(), ssl.SSLContext)


# ------------------------------------------------------------------------------ a server


class Server:
    """An HTTP server that answers by a list."""

    def __init__(self, *answers: web.Response) -> None:
        self.answers = list(answers)
        self.requests: list[web.Request] = []

    async def __aenter__(self) -> KubeStore:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.store = KubeStore(Connection(f"http://127.0.0.1:{port}/prefix", token="t"))
        return await self.store.__aenter__()

    async def __aexit__(self, *_: object) -> None:
        await self.store.__aexit__(None, None, None)
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        return self.answers.pop(0)


def page(*names: str, token: str = "") -> web.Response:
    """Return a page of a list."""
    items = [{"metadata": {"name": name}} for name in names]
    return web.json_response(
        {"metadata": {"resourceVersion": "9", "continue": token}, "items": items}
    )


async def test_a_list_is_read_page_by_page() -> None:
    """Until there is no further one."""
    server = Server(page("a", token="more"), page("b"))
    async with server as store:
        listing = await store.list(Selection(SECRET))

    assert [obj["metadata"]["name"] for obj in listing.objects] == ["a", "b"]
    assert listing.objects[0]["kind"] == "Secret"
    assert [r.query.get("continue") for r in server.requests] == [None, "more"]
    assert server.requests[0].path == "/prefix/api/v1/secrets"
    assert server.requests[0].headers["Authorization"] == "Bearer t"


async def test_a_list_whose_pages_are_compacted_is_read_at_once() -> None:
    """410 in the middle."""
    gone = web.json_response({"code": 410, "reason": "Expired", "message": "gone"}, status=410)
    server = Server(page("a", token="more"), gone, page("a", "b"))
    async with server as store:
        listing = await store.list(Selection(SECRET))

    assert len(listing.objects) == 2
    assert "limit" not in server.requests[2].query


async def test_a_busy_server_is_asked_again_when_it_says() -> None:
    """429 and 503 with Retry-After were not carried out."""
    busy = [web.Response(status=status, headers={"Retry-After": "0"}) for status in (429, 503)]
    server = Server(*busy, web.json_response({"metadata": {"name": "a"}}))
    async with server as store:
        found = await store.get(SECRET.key("one", "a"))

    assert found is not None
    assert len(server.requests) == 3


async def test_a_refused_token_is_renewed_once() -> None:
    """Then it is an error, with the server's words."""
    refused = [web.json_response({"code": 401, "message": "Unauthorized"}, status=401)] * 1
    server = Server(*refused, web.json_response({"code": 401, "message": "no"}, status=401))
    async with server as store:
        with pytest.raises(RefusedError, match="no"):
            await store.get(SECRET.key("one", "a"))

    assert len(server.requests) == 2


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    """With its address and the reason."""
    store = KubeStore(Connection("http://127.0.0.1:9"))
    async with store:
        with pytest.raises(UnavailableError, match=r"no answer to GET .*127\.0\.0\.1:9"):
            await store.get(SECRET.key("one", "a"))


async def test_a_redirect_is_not_followed() -> None:
    """It would carry the token to somebody else."""
    server = Server(web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}))
    async with server as store:
        with pytest.raises(RefusedError):
            await store.get(SECRET.key("one", "a"))


async def test_a_watch_that_breaks_is_unavailable() -> None:
    """After what it gave."""
    body = json.dumps({"type": "ADDED", "object": {"metadata": {"name": "a"}}}) + "\n"
    server = Server(web.Response(text=body))
    async with server as store:
        seen = [change async for change in store.watch(Selection(SECRET), "1")]

    assert [change.object["metadata"]["name"] for change in seen] == ["a"]
    async with asyncio.timeout(5):
        async with Server(web.Response(status=503)) as store:
            with pytest.raises(UnavailableError):
                async for _ in store.watch(Selection(SECRET), "1"):
                    pass


def test_basic_authentication_is_encoded() -> None:
    """Old, and still in kubeconfig files."""
    connection = Connection("http://x", username="u", password="p")

    headers = asyncio.run(Credentials(connection).headers())

    assert headers == {"Authorization": "Basic " + base64.b64encode(b"u:p").decode()}
