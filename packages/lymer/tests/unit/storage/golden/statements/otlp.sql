-- p0 = b'\x00\x00\x00\x00\x00\x00\xab\xcd\x00\x00\x00\x00\x00\x00\x00\x01'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, formatRow('Protobuf', resource_spans) AS message
FROM
(
    SELECT groupArray(CAST(
        (
            (tupleElement(origin, 1), tupleElement(origin, 2), tupleElement(origin, 3)),
            scopes,
            tupleElement(origin, 4)
        ), 'Tuple(resource Tuple(attributes Map(String, String), dropped_attributes_count UInt32, entity_refs Array(String)), scope_spans Array(Tuple(scope Tuple(name String, version String, attributes Map(String, String), dropped_attributes_count UInt32), spans Array(Tuple(trace_id String, span_id String, trace_state String, parent_span_id String, name String, kind Int32, start_time_unix_nano UInt64, end_time_unix_nano UInt64, attributes Map(String, String), dropped_attributes_count UInt32, events Array(Tuple(time_unix_nano UInt64, name String, attributes Map(String, String), dropped_attributes_count UInt32)), dropped_events_count UInt32, links Array(Tuple(trace_id String, span_id String, trace_state String, attributes Map(String, String), dropped_attributes_count UInt32, flags UInt32)), dropped_links_count UInt32, status Tuple(message String, code Int32), flags UInt32)), schema_url String)), schema_url String)')) AS resource_spans
    FROM
    (
        SELECT
            CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)') AS origin,
            groupArray((
                (
                    tupleElement(library, 1), tupleElement(library, 2), tupleElement(library, 3),
                    tupleElement(library, 4)
                ),
                spans,
                tupleElement(library, 5))) AS scopes
        FROM
        (
            SELECT
                resource,
                CAST(scope, 'Tuple(name String, version String, attributes Map(String, String), dropped UInt32, schema_url String)') AS library,
                groupArray((
                    substring(trace_id, 1, 16),
                    substring(span_id, 1, 8),
                    toString(trace_state),
                    if(parent_span_id = toFixedString('', 8), '', substring(parent_span_id, 1, 8)),
                    toString(name),
                    kind,
                    start,
                    start + toUInt64(duration),
                    attrs,
                    dropped.attrs,
                    events,
                    dropped.events,
                    links,
                    dropped.links,
                    (toString(status_message), status),
                    flags)) AS spans
            FROM
            (
                SELECT *
                FROM {db}.spans
                WHERE trace_id = unhex({p0:String})
                ORDER BY start, span_id
            )
            GROUP BY resource, scope
        )
        GROUP BY resource
    )
);

-- p0 = b'\x00\x00\x00\x00\x00\x00\xab\xcd\x00\x00\x00\x00\x00\x00\x00\x01'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, formatRow('Protobuf', resource_spans) AS message
FROM
(
    SELECT groupArray(CAST(
        (
            (tupleElement(origin, 1), tupleElement(origin, 2), tupleElement(origin, 3)),
            scopes,
            tupleElement(origin, 4)
        ), 'Tuple(resource Tuple(attributes Map(String, String), dropped_attributes_count UInt32, entity_refs Array(String)), scope_spans Array(Tuple(scope Tuple(name String, version String, attributes Map(String, String), dropped_attributes_count UInt32), spans Array(Tuple(trace_id String, span_id String, trace_state String, parent_span_id String, name String, kind Int32, start_time_unix_nano UInt64, end_time_unix_nano UInt64, attributes Map(String, String), dropped_attributes_count UInt32, events Array(Tuple(time_unix_nano UInt64, name String, attributes Map(String, String), dropped_attributes_count UInt32)), dropped_events_count UInt32, links Array(Tuple(trace_id String, span_id String, trace_state String, attributes Map(String, String), dropped_attributes_count UInt32, flags UInt32)), dropped_links_count UInt32, status Tuple(message String, code Int32), flags UInt32)), schema_url String)), schema_url String)')) AS resource_spans
    FROM
    (
        SELECT
            CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)') AS origin,
            groupArray((
                (
                    tupleElement(library, 1), tupleElement(library, 2), tupleElement(library, 3),
                    tupleElement(library, 4)
                ),
                spans,
                tupleElement(library, 5))) AS scopes
        FROM
        (
            SELECT
                resource,
                CAST(scope, 'Tuple(name String, version String, attributes Map(String, String), dropped UInt32, schema_url String)') AS library,
                groupArray((
                    substring(trace_id, 1, 16),
                    substring(span_id, 1, 8),
                    toString(trace_state),
                    if(parent_span_id = toFixedString('', 8), '', substring(parent_span_id, 1, 8)),
                    toString(name),
                    kind,
                    start,
                    start + toUInt64(duration),
                    attrs,
                    dropped.attrs,
                    events,
                    dropped.events,
                    links,
                    dropped.links,
                    (toString(status_message), status),
                    flags)) AS spans
            FROM
            (
                SELECT *
                FROM {db}.archive
                WHERE trace_id = unhex({p0:String})
                ORDER BY start, span_id
            )
            GROUP BY resource, scope
        )
        GROUP BY resource
    )
)
