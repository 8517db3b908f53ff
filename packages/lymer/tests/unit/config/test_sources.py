"""Which source wins, and what each one may say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

import lymer
from lymer.config import Config, ConfigError, StorageSettings, load_config
from lymer.config.addresses import split_target
from lymer.config.catalog import SETTINGS, field_docstrings, json_schema
from lymer.config.roles import ROLES
from lymer.config.sources import load_effective

_HOME = {"HOME": "/home/ada"}
_DEFAULT_FILE = Path(lymer.__file__).with_name("all_in_one.yaml")


def _file(folder: Path, text: str) -> Path:
    file = folder / "lymer.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_defaults_are_those_of_the_classes() -> None:
    """Without any source, the configuration is the classes' defaults and the folder of XDG."""
    folder = Path("/home/ada/.local/share/lymer")

    assert Config(storage=StorageSettings(data_dir=folder)) == load_config(None, _HOME)


def test_the_file_of_defaults_is_the_defaults_written_out() -> None:
    """all_in_one.yaml changes nothing and leaves out only what each listener may have apart."""
    assert load_config(None, _HOME) == load_config(_DEFAULT_FILE, _HOME)

    def paths(node: object, prefix: str = "") -> set[str]:
        if not isinstance(node, dict):
            return {prefix.removesuffix(".")}
        return set().union(*(paths(value, f"{prefix}{key}.") for key, value in node.items()))

    apart = re.compile(r".+\.(tls|auth|cors)\.")
    assert {path for path in SETTINGS if not apart.match(path)} == paths(
        yaml.safe_load(_DEFAULT_FILE.read_text(encoding="utf-8"))
    )


def test_later_sources_win(tmp_path: Path) -> None:
    """Defaults give way to the file, the file to the environment, all to flags."""
    file = _file(tmp_path, "query: {port: 1}\nadmin: {port: 2}\nhealth: {port: 3}\n")
    environ = _HOME | {"LYMER__ADMIN__PORT": "20", "LYMER__HEALTH__PORT": "30"}

    effective = load_effective(file, environ, {"health.port": "300"})

    config = effective.config
    assert (config.query.port, config.admin.port, config.health.port) == (1, 20, 300)
    assert f"{file}:1:15" == effective.origins["query.port"]
    assert effective.origins["admin.port"] == "LYMER__ADMIN__PORT"
    assert effective.origins["health.port"] == "--set health.port"
    assert effective.origins["receivers.otlp_http.port"] == "default"


def test_listen_host_is_every_host_that_has_none_of_its_own() -> None:
    """One setting opens every listener but the one that was named."""
    config = load_config(None, _HOME, {"listen_host": "0.0.0.0", "admin.host": "localhost"})

    assert "0.0.0.0" == config.query.host == config.health.host
    assert "0.0.0.0" == config.receivers.otlp_grpc.host == config.receivers.otlp_http.host
    assert config.admin.host == "localhost"


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        pytest.param({"JAEGER_LISTEN_HOST": "a"}, "a", id="Jaeger's name"),
        pytest.param({"JAEGER_LISTEN_HOST": "a", "LYMER_LISTEN_HOST": "b"}, "b", id="ours wins"),
        pytest.param({"LYMER_LISTEN_HOST": "b", "LYMER__LISTEN_HOST": "c"}, "c", id="by path"),
        pytest.param({"JAEGER_LISTEN_HOST": ""}, "localhost", id="empty is not set"),
    ],
)
def test_the_listen_host_has_aliases(environ: dict[str, str], host: str) -> None:
    """Jaeger's variable works, ours wins over it."""
    assert host == load_config(None, _HOME | environ).query.host


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HOME": "/h"}, "/h/.local/share/lymer"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/x"}, "/x/lymer"),
        ({"HOME": "/h", "XDG_DATA_HOME": "relative"}, "/h/.local/share/lymer"),
        ({"HOME": "/h", "LYMER__STORAGE__DATA_DIR": "~/traces"}, "/h/traces"),
        ({"LYMER__STORAGE__DATA_DIR": "/traces"}, "/traces"),
    ],
)
def test_the_data_folder(environ: dict[str, str], folder: str) -> None:
    """It follows the XDG specification and knows the home."""
    assert Path(folder) == load_config(None, environ).storage.data_dir


@pytest.mark.parametrize(
    ("environ", "overrides", "problem"),
    [
        pytest.param(
            {"LYMER__QUERY__PROT": "1"},
            {},
            "LYMER__QUERY__PROT: unknown setting in the environment: did you mean "
            "LYMER__QUERY__PORT?",
            id="unknown variable",
        ),
        pytest.param(
            {},
            {"query.prot": "1"},
            '--set: unknown setting "query.prot": did you mean "query.port"?',
            id="unknown flag",
        ),
        pytest.param(
            {"LYMER__QUERY__PORT": "70000"},
            {},
            'LYMER__QUERY__PORT: "query.port" must be a whole number from 0 to 65535, '
            'but it is "70000"',
            id="variable out of range",
        ),
        pytest.param(
            {},
            {"storage.retention_seconds": "5m"},
            '--retention: "storage.retention_seconds" must be a duration such as 500ms, 30s or '
            '7d, from 1h to 18250d, but it is "5m"',
            id="flag out of range",
        ),
        pytest.param(
            {},
            {"query.port": "4317"},
            '"receivers.otlp_grpc.port" and "query.port" are both port 4317: change one',
            id="one port twice",
        ),
        pytest.param(
            {},
            {
                "receivers.admission.bytes_in_flight_max": "8MiB",
                "receivers.jaeger_http.body_bytes_max": "8MiB",
                "receivers.zipkin.enabled": "false",
            },
            '"receivers.otlp_http.body_bytes_max" is 20971520 bytes, more than the 8388608 bytes '
            'of "receivers.admission.bytes_in_flight_max": such a request could never be accepted',
            id="limits that contradict",
        ),
    ],
)
def test_a_problem_is_one_sentence(
    environ: dict[str, str], overrides: dict[str, str], problem: str
) -> None:
    """It names the source, the setting, what was expected and what was found."""
    with pytest.raises(ConfigError) as caught:
        load_config(None, _HOME | environ, overrides)

    assert (problem,) == caught.value.problems


def test_all_problems_of_all_sources_are_told_at_once(tmp_path: Path) -> None:
    """Nobody repairs a configuration one line a try."""
    file = _file(tmp_path, "query: {port: x, prot: 1}\nlogs: {level: loud}\n")

    with pytest.raises(ConfigError) as caught:
        load_config(file, _HOME | {"LYMER__X": "1"}, {"y": "1"})

    assert len(caught.value.problems) == 5


def test_two_listeners_may_share_a_port_on_two_addresses() -> None:
    """A port is taken once for each address, and 0 is never taken."""
    config = load_config(
        None,
        _HOME,
        {"query.port": "4317", "query.host": "127.0.0.2", "admin.port": "0", "health.port": "0"},
    )

    assert 4317 == config.query.port == config.receivers.otlp_grpc.port


def test_no_home_is_a_sentence_when_it_is_needed() -> None:
    """A service account without HOME must name its folder."""
    with pytest.raises(ConfigError, match="HOME is not set, give --data-dir"):
        load_config(None, {})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"\xff\xfe", "not UTF-8 text at byte 0", id="not UTF-8"),
        pytest.param(b"#" * (1 << 20) + b"\n", "over the limit of 1048576 bytes", id="too large"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, problem: str) -> None:
    """It is refused before it is parsed."""
    file = tmp_path / "lymer.yaml"
    file.write_bytes(content)

    with pytest.raises(ConfigError, match=problem):
        load_config(file, _HOME)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The sentence holds the path and the reason."""
    with pytest.raises(ConfigError, match=r"cannot read .*none\.yaml: No such file"):
        load_config(tmp_path / "none.yaml", _HOME)


def test_what_is_shown_is_a_file_with_the_same_values(tmp_path: Path) -> None:
    """`config show` can be saved and used."""
    overrides = {
        "query.base_path": "/a",
        "query.max_clock_skew_adjust_seconds": "1.5s",
        "storage.data_dir": "/d/${x}$$",
    }
    effective = load_effective(None, _HOME, overrides)

    assert effective.config == load_config(_file(tmp_path, effective.to_yaml()), {})


def test_the_schema_describes_every_setting() -> None:
    """Each one has a description, a default, and no key beyond them is allowed."""
    schema = json_schema()
    seen: dict[str, dict[str, object]] = {}

    def walk(node: dict[str, object], prefix: str) -> None:
        properties = node.get("properties")
        if not isinstance(properties, dict):
            seen[prefix.removesuffix(".")] = node
            return
        assert node["additionalProperties"] is False
        for name, child in properties.items():
            walk(child, f"{prefix}{name}.")

    walk(schema, "")

    assert set(SETTINGS) == set(seen)
    assert all(isinstance(node["description"], str) for node in seen.values())
    assert {path for path in SETTINGS if path != "storage.data_dir"} == {
        path for path, node in seen.items() if "default" in node
    }
    json.dumps(schema)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_changes_defaults_and_nothing_else(role: str) -> None:
    """File, environment and flags win over what a role sets; all of it is known and valid."""
    effective = load_effective(None, _HOME, role=role)

    changed = {path for path, origin in effective.origins.items() if origin == f"lymer {role}"}
    assert set(ROLES[role]) == changed
    for path in changed:
        default = SETTINGS[path].rule.encode(SETTINGS[path].default)
        assert SETTINGS[path].default == load_config_value(role, path, str(default))


def load_config_value(role: str, path: str, text: str) -> object:
    """Return a setting of a role when a flag sets it."""
    return load_effective(None, _HOME, {path: text}, role=role).values[path]


def test_the_roles_of_one_machine_share_no_port_of_their_own() -> None:
    """Agent, collector and query start side by side, but for the agent's OTLP."""
    agent, collector, query = (
        load_config(None, _HOME, role=role) for role in ("agent", "collector", "query")
    )

    assert len({one.admin.port for one in (agent, collector, query)}) == 3
    assert [one.health.enabled for one in (agent, collector, query)] == [False, True, False]
    assert agent.storage.data_dir != collector.storage.data_dir
    assert query.remote_storage.target == f"localhost:{collector.storage_api.port}"


def test_tags_are_filled_in_from_the_environment() -> None:
    """A variable with a default is always there, one without only if it is set."""
    text = "a=1,pod=${POD:none},node=${NODE},zone=${ZONE:},host=${HOST_IP}"

    config = load_config(None, {**_HOME, "HOST_IP": "10.0.0.7"}, {"agent.tags": text}, role="agent")

    assert config.agent.tags == (
        ("a", "1"), ("pod", "none"), ("zone", ""), ("host", "10.0.0.7"),
    )  # fmt: skip


@pytest.mark.parametrize("text", ["a", "=b", "a=1,b"])
def test_a_tag_without_key_or_value_is_refused(text: str) -> None:
    """The message shows the form."""
    with pytest.raises(ConfigError, match="each KEY=VALUE"):
        load_config(None, _HOME, {"collector.tags": text})


@pytest.mark.parametrize("text", ["collector", "a:0", "a:65536", "http://a:1", "a:b", ":1"])
def test_a_target_is_a_host_and_a_port(text: str) -> None:
    """Schemes, missing ports and ports that cannot be are refused."""
    with pytest.raises(ConfigError, match=r"agent\.targets"):
        load_config(None, _HOME, {"agent.targets": f"good:1,{text}"})


def test_targets_are_addresses_names_and_dns_names() -> None:
    """All forms gRPC users write."""
    text = "10.0.0.1:4317, dns:///collectors.tracing.svc:14250,[::1]:1"

    targets = load_config(None, _HOME, {"agent.targets": text}).agent.targets.split(",")

    assert [split_target(target) for target in targets] == [
        ("10.0.0.1", 4317), ("collectors.tracing.svc", 14250), ("::1", 1),
    ]  # fmt: skip


def test_every_setting_says_its_default_in_its_docstring() -> None:
    """Meaning, unit, default and reason stand under the field."""
    leaves = {path.rpartition(".")[2] for path in SETTINGS}

    texts = {name: text for (_, name), text in field_docstrings().items() if name in leaves}

    assert leaves == set(texts)
    assert [name for name, text in texts.items() if "Default" not in text] == []
