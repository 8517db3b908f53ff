-- One row per span, in the order of their starts: spans of a trace lie together, and "newest first"
-- is reading backwards. Why each column and index is as it is: docs/adr/003-indexes.md.
CREATE TABLE IF NOT EXISTS {db}.spans
(
    seg UInt64 CODEC(Delta(8), ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(NONE),
    parent_span_id FixedString(8) CODEC(ZSTD(1)),
    start UInt64 CODEC(Delta(8), ZSTD(1)),
    duration Int64 CODEC(T64, ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    name LowCardinality(String) CODEC(ZSTD(1)),
    kind Int32 CODEC(T64, ZSTD(1)),
    status Int32 CODEC(T64, ZSTD(1)),
    status_message LowCardinality(String) CODEC(ZSTD(1)),
    attrs Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    events Array(Tuple(
        time_unix_nano UInt64,
        name LowCardinality(String),
        attributes Map(LowCardinality(String), String),
        dropped_attributes_count UInt32)) CODEC(ZSTD(1)),
    links Array(Tuple(
        trace_id String,
        span_id String,
        trace_state String,
        attributes Map(LowCardinality(String), String),
        dropped_attributes_count UInt32,
        flags UInt32)) CODEC(ZSTD(1)),
    resource LowCardinality(String) CODEC(ZSTD(1)),
    scope LowCardinality(String) CODEC(ZSTD(1)),
    trace_state LowCardinality(String) CODEC(ZSTD(1)),
    flags UInt32 CODEC(T64, ZSTD(1)),
    dropped Tuple(attrs UInt32, events UInt32, links UInt32) CODEC(ZSTD(1)),
    warnings Array(String) CODEC(ZSTD(1)),
    INDEX ix_trace trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX ix_values mapValues(attrs) TYPE bloom_filter(0.005) GRANULARITY 1,
    INDEX ix_nested {nested_values} TYPE bloom_filter(0.005) GRANULARITY 1,
    INDEX ix_duration duration TYPE minmax GRANULARITY 1,
    INDEX ix_service service TYPE set(64) GRANULARITY 1,
    INDEX ix_resource cityHash64(resource) TYPE set(256) GRANULARITY 1,
    INDEX ix_seg seg TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(toDateTime(intDiv(seg, 1000000), 'UTC'))
ORDER BY start
{ttl_spans}
SETTINGS index_granularity = 2048, min_bytes_for_wide_part = 67108864, fsync_after_insert = 1, fsync_part_directory = 1,
    ttl_only_drop_parts = 1, merge_selector_base = 16,
    max_bytes_to_merge_at_max_space_in_pool = 8589934592,
    -- A merged part is synced, so the parts it came from need not lie beside it for eight minutes.
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 20,
    cleanup_delay_period = 10, max_cleanup_delay_period = 20;
