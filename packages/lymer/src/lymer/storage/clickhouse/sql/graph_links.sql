-- Consumers and the services that their span links lead to.
SELECT 0::UInt8 AS source_kind, toString(linked.service) AS source, 4::UInt8 AS target_kind,
    consumers.service AS target, minute, bucket, sum(weight) AS calls,
    sum(weight * failed) AS errors, sum(weight * length) AS durations, toFloat64(count()) AS spans
FROM
(
    SELECT DISTINCT toString(service) AS service, cityHash64(trace_id, span_id) AS span,
        arrayJoin(arrayMap(l -> cityHash64(toFixedString(l.1, 16), toFixedString(l.2, 8)),
            arrayFilter(l -> length(l.1) = 16 AND length(l.2) = 8, links))) AS id,
        {minute} AS minute, {bucket} AS bucket, status = 2 AS failed, {weight} AS weight,
        toFloat64(duration) AS length
    FROM {db}.spans
    WHERE seg > {after} AND seg <= {upto} AND kind = 5 AND notEmpty(links){chosen}
) AS consumers
LEFT ANY JOIN
(
    SELECT cityHash64(trace_id, span_id) AS id, service
    FROM {linked}
    WHERE seg > {lookback} AND seg <= {upto} AND trace_id IN
    (
        SELECT toFixedString(arrayJoin(arrayFilter(t -> length(t) = 16, links.trace_id)), 16)
        FROM {db}.spans
        WHERE seg > {after} AND seg <= {upto} AND kind = 5 AND notEmpty(links)
    )
) AS linked ON consumers.id = linked.id
WHERE linked.service != ''
GROUP BY ALL
