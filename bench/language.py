"""What questions in the search language cost: `python -m bench.language --spans 10000000`.

Spans of the demo shop, spread over one hour, are loaded once into a folder (`--folder` keeps it,
and asks what lies there already). Each question is asked of the store three times, with another
value where it has one, for the engine remembers which granules a condition met nothing in.
CPU is the process', all threads; wall time means something on a quiet machine only. What the
machine itself is worth is `SELECT 1`, beside the 0.4 ms that the goals were set at.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

from bench.direct import open_store
from bench.measure import segments_of
from bench.process import require_linux
from bench.workload import make_workload
from lymer import clock
from lymer.language.parsing import parse
from lymer.query.language import parse_field
from lymer.storage.contract import SpanReader
from lymer.storage.search_contract import FieldQuestion, SeriesQuestion, SpansetQuestion
from lymer.tenancy import DEFAULT_TENANT

__all__ = ["main"]

_HOUR_NANO: Final = 3_600 * 10**9
_ROUNDS: Final = 3
_SELECT_1_MS: Final = 0.4
QUESTIONS: Final = [
    ("tag", 300, "{ span.app.product.id = `%s` }", ["OLJCESPC7Z", "66VCHSJNUP", "1YMWWN1N4O"]),
    ("tag that nothing has", 300, "{ span.nobody = `%s` }", ["a", "b", "c"]),
    ("service and tag", 300, "{ resource.service.name = `cart` && span.rpc.method = `%s` }",
     ["GetCart", "AddItem", "EmptyCart"]),
    ("regex", 300, "{ span.http.target =~ `/api/%s.*` }", ["cart", "products", "checkout"]),
    ("regex that nothing matches", 300, "{ span.http.target =~ `/%s.*` }", ["x1", "x2", "x3"]),
    ("regex of a name", 300, "{ name =~ `.*%s.*` }", ["GetCart", "Product", "checkout"]),
    ("negation", 300, "{ span.rpc.method != `%s` }", ["GetCart", "GetProduct", "Charge"]),
    ("negation that nothing matches", 300,
     "{ resource.service.name != `%s` && span.nobody !~ `x` }", ["a", "b", "c"]),
    ("range", 300, "{ span.http.status_code >= %s }", ["400", "401", "402"]),
    ("range that nothing matches", 300, "{ span.http.status_code > %s }", ["600", "601", "602"]),
    ("range of a service", 300,
     "{ resource.service.name = `frontend` && span.http.status_code > %s }",
     ["600", "601", "602"]),
    ("duration", 300, "{ duration > %ss }", ["1", "2", "3"]),
    ("duration that nothing has", 300, "{ duration > %sh }", ["20", "21", "22"]),
    ("slowest", 300, "slowest { resource.service.name = `%s` }", ["cart", "frontend", "checkout"]),
    ("structure >", 1000, "{ resource.service.name = `frontend` } > { span.rpc.method = `%s` }",
     ["GetCart", "GetProduct", "Convert"]),
    ("structure >>", 1000, "{ resource.service.name = `%s` } >> { status = error }",
     ["frontend", "checkout", "loadgenerator"]),
    ("structure that nothing has", 1000,
     "{ resource.service.name = `%s` } >> { resource.service.name = `loadgenerator` }",
     ["cart", "currency", "payment"]),
    ("count of a set", 1000, "{ resource.service.name = `%s` } | count() > 3",
     ["cart", "currency", "shipping"]),
    ("rate by an attribute", 1000, "{ } | rate() by (span.%s)",
     ["rpc.method", "http.status_code", "rpc.service"]),
    ("rate of a service by an attribute", 1000,
     "{ resource.service.name = `%s` } | rate() by (span.rpc.method)",
     ["frontend", "cart", "checkout"]),
    ("quantile_over_time by an attribute", 1000,
     "{ } | quantile_over_time(duration, .9, .99) by (span.%s)",
     ["rpc.method", "http.status_code", "rpc.service"]),
    ("quantile_over_time by a service", 1000,
     "{ kind = %s } | quantile_over_time(duration, .9) by (resource.service.name)",
     ["server", "client", "internal"]),
    ("completion of keys", 50, "keys %s", ["", "", ""]),
    ("completion of values", 50, "values span.%s", ["rpc.method", "http.target", "http.method"]),
    ("completion of values of a service", 50, "values resource.service.name%s", ["", "", ""]),
]  # fmt: skip
"""(what, goal in milliseconds, question, values)."""


def _load(folder: Path, spans: int) -> tuple[int, int, int]:
    """Load spans; return how many, and the hour they start in."""
    workload = make_workload(folder / "workload.bin", spans, 512, 3_600.0)
    segments = list(segments_of(workload, folder / "segments"))
    workload.path.unlink()
    done = subprocess.run(
        [sys.executable, "-m", "bench.ceiling"],
        input=json.dumps({"folder": str(folder / "store"), "segments": segments}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures = json.loads(done.stdout)
    print(f"loaded in {figures['cpu_settled']:.0f} s of CPU, {figures['span_parts']} parts")
    shutil.rmtree(folder / "segments")
    return workload.spans, workload.first_unix_nano, workload.last_unix_nano


def _asked(reader: SpanReader, text: str, low: int, high: int) -> Callable[[], str]:
    """Return who asks, and returns how much was found; `cut` if its time was over before."""
    if text.startswith("keys"):
        return lambda: str(len(reader.get_field_names(FieldQuestion(low, high))))
    if text.startswith("values"):
        field = parse_field(text.removeprefix("values "))
        return lambda: str(len(reader.get_field_values(FieldQuestion(low, high, field))))
    if "_over_time" in text or "rate()" in text:
        series = SeriesQuestion(parse(text), low, high, step_nano=60 * 10**9, text=text)

        def count() -> str:
            counted = reader.get_series(series)
            return f"{len(counted.series)}{'' if counted.is_complete else ' cut'}"

        return count
    plain = text.removeprefix("slowest ")
    question = SpansetQuestion(
        parse(plain), low, high, traces_max=20, spans_per_set_max=3, text=plain,
        order="newest" if plain == text else "slowest",
    )  # fmt: skip

    def find() -> str:
        found = reader.find_spansets(question)
        return f"{len(found.traces)}{'' if found.is_complete else ' cut'}"

    return find


def _timed(ask: Callable[[], str]) -> tuple[float, float, str]:
    """Return milliseconds of CPU and of wall time, and what was found."""
    cpu, begun = time.process_time(), clock.monotonic_seconds()
    found = ask()
    return (time.process_time() - cpu) * 1e3, (clock.monotonic_seconds() - begun) * 1e3, found


def main() -> int:
    """Measure and print; return the exit code."""
    require_linux()
    parser = argparse.ArgumentParser(prog="python -m bench.language", description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000, help="to load (1000000)")
    parser.add_argument("--folder", type=Path, help="load here, or ask what lies here")
    parser.add_argument("--only", default="", help="questions with this word")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="lymer-language-"))
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "store").exists():
        _load(folder, arguments.spans)
    engine, store = open_store(folder / "store")
    ((spans,), (newest,)) = engine.select(
        "lymer", "SELECT {mark}, count(), max(start) FROM {db}.spans", 2
    )
    low, high = newest - _HOUR_NANO, newest
    reader = store.for_tenant(DEFAULT_TENANT)
    one = sorted(
        _timed(lambda: str(engine.select("", "SELECT {mark}, 1", 1)))[1] for _ in range(60)
    )[30]
    scale = one / _SELECT_1_MS
    print(f"{spans:,} spans; SELECT 1 takes {one:.2f} ms here, goals are times {scale:.1f}")
    print(f"{'':36}{'found':>8}{'CPU ms':>9}{'wall ms':>9}{'goal':>7}")
    for what, goal, text, values in QUESTIONS:
        if arguments.only not in what:
            continue
        rounds = [_timed(_asked(reader, text % value, low, high)) for value in values[:_ROUNDS]]
        cpu, wall = median(one[0] for one in rounds), median(one[1] for one in rounds)
        missed = "" if cpu <= goal * scale else "  missed"
        found = rounds[0][2]
        print(f"{what:36}{found:>8}{cpu:9.0f}{wall:9.0f}{goal * scale:7.0f}{missed}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")
    store.close()
    if arguments.folder is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
