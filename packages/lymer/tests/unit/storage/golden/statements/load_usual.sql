INSERT INTO {db}.spans
WITH length(sp.name) > 1024 AND lengthUTF8(sp.name) > 1024 OR sp.end_time_unix_nano <= sp.start_time_unix_nano OR length(sp.trace_id) != 16 OR trace = toFixedString('', 16) OR length(sp.span_id) != 8 OR span = toFixedString('', 8) OR length(sp.parent_span_id) NOT IN (0, 8) AS bad
SELECT
    {seg} AS seg,
    toFixedString(if(0, '', sp.trace_id), 16) AS trace,
    toFixedString(if(0, '', sp.span_id), 8) AS span,
    toFixedString(if(0, '', sp.parent_span_id), 8) AS parent,
    sp.start_time_unix_nano AS start,
    if(0, 1, toInt64(least(toUInt64(sp.end_time_unix_nano - start), 9223372036854775807)))
        AS duration,
    service,
    multiIf(sp.name = '', 'empty-span-name', sp.name) AS name,
    sp.kind, sp.status.code, sp.status.message, sp.attributes, sp.events, sp.links, resource, scope,
    sp.trace_state, sp.flags,
    (sp.dropped_attributes_count, sp.dropped_events_count, sp.dropped_links_count),
    CAST([], 'Array(String)') AS warnings,
    toUInt8(notEmpty(sp.links) + 2 * (sp.trace_state != '') + 4 * throwIf(bad) + 8 * (sp.status.message != ''))
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
