INSERT INTO {db}.spans
WITH length(sp.name) > 1024 AND lengthUTF8(sp.name) > 1024 OR sp.end_time_unix_nano <= sp.start_time_unix_nano OR length(sp.trace_id) != 16 OR trace = toFixedString('', 16) OR length(sp.span_id) != 8 OR span = toFixedString('', 8) OR length(sp.parent_span_id) NOT IN (0, 8) AS bad
SELECT
    {seg} AS seg,
    toFixedString(if(length(sp.trace_id) != 16, right(concat('\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0', sp.trace_id), 16), sp.trace_id), 16) AS trace,
    toFixedString(if(length(sp.span_id) != 8, right(concat('\0\0\0\0\0\0\0\0', sp.span_id), 8), sp.span_id), 8) AS span,
    toFixedString(if(length(sp.parent_span_id) NOT IN (0, 8), right(concat('\0\0\0\0\0\0\0\0', sp.parent_span_id), 8), sp.parent_span_id), 8) AS parent,
    sp.start_time_unix_nano AS start,
    if(sp.end_time_unix_nano <= sp.start_time_unix_nano, 1, toInt64(least(toUInt64(sp.end_time_unix_nano - start), 9223372036854775807)))
        AS duration,
    service,
    multiIf(sp.name = '', 'empty-span-name', length(sp.name) > 1024 AND lengthUTF8(sp.name) > 1024, concat(substringUTF8(sp.name, 1, 1023), '…'), sp.name) AS name,
    sp.kind, sp.status.code, sp.status.message, sp.attributes, sp.events, sp.links, resource, scope,
    sp.trace_state, sp.flags,
    (sp.dropped_attributes_count, sp.dropped_events_count, sp.dropped_links_count),
    if(bad, arrayFilter(w -> w != '', [if(length(sp.name) > 1024 AND lengthUTF8(sp.name) > 1024, concat('span name has more than 1024 characters, whole it is: ', sp.name), ''), if(sp.end_time_unix_nano <= sp.start_time_unix_nano, concat('Negative duration detected, sanitizing end timestamp. Original end timestamp: ', concat(replaceRegexpOne(toString(fromUnixTimestamp64Nano(reinterpretAsInt64(sp.end_time_unix_nano), 'UTC')), '\\.?0+$', ''), ' +0000 UTC'), ', adjusted to: ', concat(replaceRegexpOne(toString(fromUnixTimestamp64Nano(reinterpretAsInt64(sp.start_time_unix_nano + 1), 'UTC')), '\\.?0+$', ''), ' +0000 UTC')), ''), if(length(sp.trace_id) != 16 OR trace = toFixedString('', 16), if(trace = toFixedString('', 16), 'trace ID is empty', concat('trace ID has ', toString(length(sp.trace_id)), ' bytes, stored as ', lower(hex(trace)))), ''), if(length(sp.span_id) != 8 OR span = toFixedString('', 8), if(span = toFixedString('', 8), 'span ID is empty', concat('span ID has ', toString(length(sp.span_id)), ' bytes, stored as ', lower(hex(span)))), ''), if(length(sp.parent_span_id) NOT IN (0, 8), concat('parent span ID has ', toString(length(sp.parent_span_id)), ' bytes, stored as ', lower(hex(parent))), '')]), []) AS warnings,
    toUInt8(notEmpty(sp.links) + 2 * (sp.trace_state != '') + 4 * bad + 8 * (sp.status.message != ''))
        AS rare
FROM
(
    SELECT service, resource, scope, sp
    FROM
    (
        SELECT service, resource,
            toLowCardinality(toString((ss.scope.name, ss.scope.version, ss.scope.attributes,
                ss.scope.dropped_attributes_count, ss.schema_url))) AS scope,
            ss.spans AS spans
        FROM
        (
            SELECT
                toLowCardinality(toString((rs.resource.attributes,
                    rs.resource.dropped_attributes_count, rs.resource.entity_refs,
                    rs.schema_url))) AS resource,
                rs.scope_spans AS scope_spans,
                rs.resource.attributes['service.name'] AS service_value,
                substring(service_value, multiIf(length(service_value) <= 129, 3,
                    length(service_value) <= 16386, 4, length(service_value) <= 2097155, 5, 6))
                    AS service_text,
                toLowCardinality(multiIf(NOT mapContains(rs.resource.attributes, 'service.name'), 'missing-service-name', substring(service_value, 1, 1) != '\n', 'service-name-wrong-type', length(service_value) <= 2, 'empty-service-name', lengthUTF8(service_text) > 1024, concat(substringUTF8(service_text, 1, 1023), '…'), service_text)) AS service
            FROM {source} ARRAY JOIN resource_spans AS rs
        )
        ARRAY JOIN scope_spans AS ss
    )
    ARRAY JOIN spans AS sp
)
