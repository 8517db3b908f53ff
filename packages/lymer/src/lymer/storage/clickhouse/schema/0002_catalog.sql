-- What exists: operations; and the distinct resources and scopes, with the keys under which their
-- spans' events and links have attributes. A tag is looked for here first: most can be neither in a
-- resource nor in an event. The writer tells both tables of each segment (catalog.py); they may be told
-- twice (max, set union), for they commit apart from the spans.
CREATE TABLE IF NOT EXISTS {db}.operations
(
    service LowCardinality(String),
    name LowCardinality(String),
    kind Int32,
    seen SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (service, name, kind)
{ttl_operations}
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS {db}.origins
(
    resource String CODEC(ZSTD(3)),
    scope String CODEC(ZSTD(3)),
    nested_keys SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    seen SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (cityHash64(resource), cityHash64(scope))
{ttl_origins}
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
