"""Write docs/configuration.md from the settings' own docstrings.

Usage: `.venv/bin/python tools/gen_settings_docs.py`. With `--check` nothing is written, and the
exit code is 1 if the file does not say what the code says.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from lymer.config import catalog
from lymer.config.sources import FLAGS

TARGET = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

REPEATED_GROUPS = {"tls", "auth", "cors"}
"""Groups that many others hold: they are written out where they stand first."""

HEAD = """\
# Configuration

Lymer needs none: `lymer` alone starts with the defaults below. This page is written by
`tools/gen_settings_docs.py` from the docstrings in `packages/lymer/src/lymer/config`; edit those.

## Where settings come from

Later ones win:

1. the defaults below;
2. a YAML file: `lymer --config lymer.yaml`. `${env:NAME:-default}` takes a value from the
   environment, `$$` is a dollar sign;
3. the environment: `LYMER__QUERY__PORT=16686`, two underscores between the names;
4. flags: `--set query.port=16686`, and those named below.

An unknown key is refused with its line and the nearest known key; so is a value out of range. All
problems are listed at once, and the exit code is 2.

| Command | Does |
| --- | --- |
| `lymer config show` | prints the settings in force, and where each came from |
| `lymer config check` | says whether they are valid, and starts nothing |
| `lymer config schema` | prints the JSON Schema, for editors |

The defaults, written out as a file to copy:
[all_in_one.yaml](../packages/lymer/src/lymer/all_in_one.yaml).

Sizes take `KiB`, `MiB`, `GiB` (1024) or `KB`, `MB`, `GB` (1000) or a bare number of bytes;
durations take `ns us ms s m h d w`, combined if you like (`1h30m`), or a bare number of seconds.

## Settings
"""


def setting_section(setting: catalog.Setting, text: str) -> str:
    """Return the section of one setting."""
    flag = FLAGS.get(setting.path)
    default = setting.rule.encode(setting.default) if setting.default is not None else None
    if isinstance(default, bool):
        default = str(default).lower()  # as YAML writes it
    facts = [
        f"environment `LYMER__{setting.path.upper().replace('.', '__')}`",
        *([f"flag `{flag}`"] if flag else []),
        *([f"default `{default}`"] if default not in (None, "") else []),
        setting.rule.expected,
    ]
    return f"#### `{setting.path}`\n\n{text}\n\n- " + "\n- ".join(facts) + "\n"


def page() -> str:
    """Return the whole page."""
    texts = catalog.field_docstrings()
    by_path = dict(_walk("", "Config", texts))
    sections = [HEAD]
    group = None
    first_of: dict[tuple[str, ...], str] = {}
    for path, setting in catalog.SETTINGS.items():
        parent = path.rpartition(".")[0]
        name = parent.rpartition(".")[2]
        first = first_of.setdefault((name, *catalog.GROUPS[parent]), parent)
        repeated = name in REPEATED_GROUPS and first != parent
        if parent != group:
            group = parent
            if parent:
                same = f" The settings are those of `{first}`, by their names." if repeated else ""
                sections.append(f"### {parent}\n\n{by_path[parent]}{same}\n")
        if not repeated:
            sections.append(setting_section(setting, by_path[path]))
    return "\n".join(sections)


def _walk(prefix: str, class_name: str, texts: dict[tuple[str, str], str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name in catalog.GROUPS[prefix.rstrip(".")]:
        path = prefix + name
        found.append((path, texts[class_name, name]))
        if path in catalog.GROUPS:
            found += _walk(path + ".", _class_of(path), texts)
    return found


def _class_of(path: str) -> str:
    """Return the class that holds a group's fields, by the fields it has."""
    wanted = set(catalog.GROUPS[path])
    names: dict[str, set[str]] = {}
    for class_name, field in catalog.field_docstrings():
        names.setdefault(class_name, set()).add(field)
    words = re.split(r"[._]", path)
    fitting = [name for name, fields in names.items() if fields == wanted]
    return max(fitting, key=lambda name: sum(word.title() in name for word in words))


def main() -> int:
    """Write the page, or compare it."""
    text = page()
    if "--check" in sys.argv[1:]:
        same = TARGET.exists() and TARGET.read_text(encoding="utf-8") == text
        if not same:
            print(f"{TARGET.name} is out of date: run tools/gen_settings_docs.py")
        return int(not same)
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
