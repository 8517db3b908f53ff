-- trace = '000000000000abcd0000000000000001'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, span_id, parent_span_id, start, duration, kind, status, cityHash64(service),
    cityHash64(name), cityHash64(resource), toUInt32(length(events)), toUInt32(length(links)),
    toUInt32(arrayCount(link -> replaceAll(substring(concat(repeat('\0', 16), link), -16), '\0', '') = '', links.trace_id)), toUInt8((notEmpty(warnings) OR hasAny(mapKeys(attrs), ['telemetry.sdk.language', 'telemetry.sdk.name', 'telemetry.sdk.version', 'telemetry.distro.name', 'telemetry.distro.version', '@jaeger@warnings']))),
    toUInt8(0)
FROM {db}.spans
WHERE trace_id = unhex({trace:String});

-- trace = '000000000000abcd0000000000000001'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, span_id, parent_span_id, start, duration, kind, status, cityHash64(service),
    cityHash64(name), cityHash64(resource), toUInt32(length(events)), toUInt32(length(links)),
    toUInt32(arrayCount(link -> replaceAll(substring(concat(repeat('\0', 16), link), -16), '\0', '') = '', links.trace_id)), toUInt8((notEmpty(warnings) OR hasAny(mapKeys(attrs), ['telemetry.sdk.language', 'telemetry.sdk.name', 'telemetry.sdk.version', 'telemetry.distro.name', 'telemetry.distro.version', '@jaeger@warnings']))),
    toUInt8(0), sipHash64(service, resource, scope, trace_id, span_id, parent_span_id, name, kind, status, status_message, start, duration, trace_state, warnings, links, events, flags, dropped, attrs)
FROM {db}.spans
WHERE trace_id = unhex({trace:String});

-- trace = '000000000000abcd0000000000000001'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, groupUniqArray((cityHash64(service), service)),
    groupUniqArray((cityHash64(name), name))
FROM {db}.spans
WHERE trace_id = unhex({trace:String});

-- trace = '000000000000abcd0000000000000001'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, origin_hash, tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 1)
FROM
(
    SELECT resource, cityHash64(resource) AS origin_hash
    FROM {db}.spans
    WHERE (trace_id = unhex({trace:String})) AND cityHash64(resource) IN (0)
    LIMIT 1 BY origin_hash
);

-- trace = '000000000000abcd0000000000000001'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, origin_hash, tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 1)
FROM
(
    SELECT resource, cityHash64(resource) AS origin_hash
    FROM {db}.archive
    WHERE (trace_id = unhex({trace:String})) AND cityHash64(resource) IN (0)
    LIMIT 1 BY origin_hash
);

-- trace = '000000000000abcd0000000000000001'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, service, cityHash64(resource), cityHash64(scope), trace_id, span_id, parent_span_id, name, kind, status, status_message, start, duration, trace_state, warnings, mapFilter((k, v) -> k IN ('telemetry.sdk.language', 'telemetry.sdk.name', 'telemetry.sdk.version', 'telemetry.distro.name', 'telemetry.distro.version', '@jaeger@warnings'), attrs), sipHash64(service, resource, scope, trace_id, span_id, parent_span_id, name, kind, status, status_message, start, duration, trace_state, warnings, links, events, flags, dropped, attrs) FROM {db}.spans PREWHERE trace_id = unhex({trace:String}) WHERE (notEmpty(warnings) OR hasAny(mapKeys(attrs), ['telemetry.sdk.language', 'telemetry.sdk.name', 'telemetry.sdk.version', 'telemetry.distro.name', 'telemetry.distro.version', '@jaeger@warnings']))
