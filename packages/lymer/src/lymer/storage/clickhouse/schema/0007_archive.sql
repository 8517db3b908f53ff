-- Traces that somebody asked to keep: copies of their spans, apart from those that retention drops
-- (docs/adr/032-readers-of-jaeger-and-zipkin.md). Read by trace id only, hence the order.
CREATE TABLE IF NOT EXISTS {db}.archive
(
    seg UInt64 CODEC(ZSTD(1)),
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
    archived DateTime('UTC') DEFAULT now('UTC') CODEC(Delta(4), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(archived)
ORDER BY (trace_id, start)
{ttl_archive}
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
