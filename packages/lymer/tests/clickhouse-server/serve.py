"""Be a ClickHouse server until SIGTERM: `serve.py LIBRARY FOLDER HTTP_PORT TCP_PORT [CONFIG]`.

No package carries a `clickhouse` binary, but this library's `query_stable_v2` is the main function
of clickhouse-local, which knows SYSTEM START LISTEN. Prints "ready" when HTTP answers.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

FOREVER = (
    "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; "
    "SELECT sleepEachRow(1) FROM system.numbers "
    "SETTINGS max_block_size = 1, max_threads = 1, max_execution_time = 0 FORMAT Null"
)


def main(library: str, folder: str, http: str, tcp: str, *config: str) -> None:
    """Load the library and wait."""
    loaded: Any = ctypes.CDLL(library)
    loaded.query_stable_v2.restype = ctypes.c_void_p
    arguments = [
        "clickhouse", f"--path={folder}", "--listen_host=127.0.0.1",
        f"--http_port={http}", f"--tcp_port={tcp}",
        *(f"--config-file={one}" for one in config), f"--query={FOREVER}",
    ]  # fmt: skip
    words = (ctypes.c_char_p * len(arguments))(*(one.encode() for one in arguments))

    def serve() -> None:
        loaded.query_stable_v2(len(arguments), words)
        os._exit(1)

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    threading.Thread(target=serve, daemon=True).start()
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(http)), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        signal.pause()


main(*sys.argv[1:])
