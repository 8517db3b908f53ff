"""Which mappings of the engine's file may be dropped, from what the kernel shows of them."""

from __future__ import annotations

from lymer.storage.clickhouse.image_pages import clean_mappings


def mapping(span: str, rights: str, path: str, resident: int, own: int) -> list[str]:
    """Return the lines of one mapping of `/proc/self/smaps`, those that matter and neighbours."""
    return [
        f"{span} {rights} 00000000 fd:00 4711 {path}".rstrip(),
        f"Size:            {resident + 8} kB",
        f"Rss:             {resident} kB",
        f"Anonymous:       {own} kB",
        "VmFlags: rd mr mw me sd",
    ]


def test_only_what_the_file_itself_has_is_dropped() -> None:
    """Relocated addresses, what may be written and other files stay."""
    image = "/opt/a folder/chdb/_chdb.abi3.so"
    lines = [
        *mapping("1000-3000", "r--p", image, 8, 0),
        *mapping("3000-9000", "r-xp", image, 20, 0),
        *mapping("9000-a000", "r--p", image, 4, 4),
        *mapping("a000-b000", "rw-p", image, 4, 0),
        *mapping("b000-c000", "rw-p", "", 4, 0),
        *mapping("c000-d000", "r-xp", "/usr/lib/libc.so.6", 4, 0),
        *mapping("d000-e000", "r-xs", image, 4, 0),
    ]

    assert list(clean_mappings(lines)) == [(0x1000, 0x3000, 8), (0x3000, 0x9000, 20)]
