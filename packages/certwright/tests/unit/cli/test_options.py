"""Flags in the forms that Go's programs take."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from certwright.cli import root
from certwright.cli.options import (
    Gates,
    GoBool,
    GoCommand,
    GoDuration,
    GoList,
    leader_election_options,
    logging_options,
)


@click.command(cls=GoCommand)
@click.option("--on", type=GoBool(), default=False)
@click.option("--for", "seconds", type=GoDuration(), default="1m")
@click.option("--names", type=GoList(), multiple=True)
@click.option("--gates", type=Gates(), default="")
@leader_election_options
@logging_options
@click.pass_obj
def command(seen: dict[str, Any], **values: Any) -> None:
    """Remember what came in."""
    seen |= values


def given(*arguments: str) -> dict[str, Any]:
    """Return what a command line means."""
    seen: dict[str, Any] = {}
    result = CliRunner().invoke(command, arguments, obj=seen)
    assert result.exit_code == 0, result.output
    return seen


def refused(*arguments: str) -> str:
    """Return why a command line is refused."""
    result = CliRunner().invoke(command, arguments, obj={})
    assert result.exit_code == 2
    return result.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), False),
        (("--on",), True),
        (("--on=true",), True),
        (("--on=F",), False),
        (("--on=0",), False),
    ],
)
def test_a_bool_needs_no_value(arguments: tuple[str, ...], expected: bool) -> None:  # noqa: FBT001
    """Nor does it take the next argument for one."""
    assert given(*arguments)["on"] is expected
    assert given(*arguments, "--names", "a")["names"] == (("a",),)


def test_lists_are_comma_separated_or_repeated() -> None:
    """Spaces around do not count."""
    assert given("--names=a, b", "--names", "c")["names"] == (("a", "b"), ("c",))


def test_durations_are_go_s() -> None:
    """The value is in seconds."""
    assert given()["seconds"] == 60.0
    assert given("--for=1m30.5s")["seconds"] == 90.5
    assert 'time: missing unit in duration "90"' in refused("--for=90")


def test_leader_election_has_the_original_s_defaults() -> None:
    """60, 40 and 15 seconds, in kube-system."""
    values = given()

    assert values["leader_elect"] is True
    assert values["leader_election_namespace"] == "kube-system"
    assert values["leader_election_lease_duration"] == 60.0
    assert values["leader_election_renew_deadline"] == 40.0
    assert values["leader_election_retry_period"] == 15.0


def test_what_only_klog_knows_is_taken_in_silence() -> None:
    """Charts and manifests set it."""
    values = given("--logtostderr", "--vmodule=a=1", "--v=4", "--logging-format=json")

    assert values["verbosity"] == 4
    assert values["logging_format"] == "json"
    assert "vmodule" not in values
    assert given("-v", "5")["verbosity"] == 5


def test_wrong_values_are_refused_in_go_s_words() -> None:
    """With the flag's name."""
    assert 'strconv.ParseBool: parsing "maybe": invalid syntax' in refused("--on=maybe")
    assert "unrecognized feature gate: X" in refused("--gates=X=true")
    assert "'--gates'" in refused("--gates=X=true")


def test_an_unknown_command_names_the_nearest() -> None:
    """As people mistype."""
    result = CliRunner().invoke(root, ["webhok"])

    assert result.exit_code == 2
    assert 'unknown command "webhok": did you mean "webhook"?' in result.output


@pytest.mark.parametrize("name", ["webhook", "cainjector", "manifests", "version"])
def test_every_command_has_help(name: str) -> None:
    """The table of commands names modules that exist."""
    result = CliRunner().invoke(root, [name, "--help"])

    assert result.exit_code == 0
    assert f"Usage: root {name}" in result.output
