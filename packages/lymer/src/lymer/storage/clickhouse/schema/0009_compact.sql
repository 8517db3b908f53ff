-- The span table laid out for reading a trace (docs/adr/029-how-spans-lie-on-the-disk.md): parts of one
-- file instead of one for each column, and attributes compressed harder, which smaller granules need
-- (a table made before gets those by granules.py: no statement can). Parts that exist stay as they are.
-- `rare` says what a span has that hardly any has: 1 links, 2 a trace state, 4 warnings, 8 a status
-- message.
ALTER TABLE {db}.spans MODIFY SETTING min_bytes_for_wide_part = 1099511627776;

ALTER TABLE {db}.spans MODIFY COLUMN attrs CODEC(ZSTD(3)), MODIFY COLUMN seg CODEC(ZSTD(1));

ALTER TABLE {db}.spans ADD COLUMN IF NOT EXISTS rare UInt8 DEFAULT toUInt8(
    notEmpty(links) + 2 * (trace_state != '') + 4 * notEmpty(warnings) + 8 * (status_message != ''))
    CODEC(ZSTD(1))
