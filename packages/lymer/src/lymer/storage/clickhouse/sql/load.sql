-- A segment becomes one part: every request of it, or none. `{trace}` and the like are filled from
-- the table of sanitizers (storage/sanitizers.py; docs/adr/008-sanitizers-in-the-load-statement.md).
-- Planning them costs more than a small segment, so there are two forms: one that refuses the segment if
-- a span of it is `bad`, and one that repairs (docs/adr/030-what-a-trickle-costs.md).
INSERT INTO {db}.spans
WITH {bad} AS bad
SELECT
    {seg} AS seg,
    toFixedString(if({trace}, sp.trace_id), 16) AS trace,
    toFixedString(if({span}, sp.span_id), 8) AS span,
    toFixedString(if({parent}, sp.parent_span_id), 8) AS parent,
    sp.start_time_unix_nano AS start,
    -- A difference is Int64 here, whatever its terms are.
    if({duration}, toInt64(least(toUInt64(sp.end_time_unix_nano - start), 9223372036854775807)))
        AS duration,
    service,
    multiIf({name}, sp.name) AS name,
    sp.kind, sp.status.code, sp.status.message, sp.attributes, sp.events, sp.links, resource, scope,
    sp.trace_state, sp.flags,
    (sp.dropped_attributes_count, sp.dropped_events_count, sp.dropped_links_count),
    {warnings} AS warnings,
    toUInt8(notEmpty(sp.links) + 2 * (sp.trace_state != '') + 4 * {is_bad} + 8 * (sp.status.message != ''))
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
                toLowCardinality(multiIf({service}, service_text)) AS service
            FROM {source} ARRAY JOIN resource_spans AS rs
        )
        ARRAY JOIN scope_spans AS ss
    )
    ARRAY JOIN spans AS sp
)
