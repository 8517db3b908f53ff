-- What the segments of a step change in the service graph. Who calls whom, and how traces that did not
-- come whole are corrected: step_calls.sql. Besides:
--   a call within a service is an edge only if the span below is a server or consumer;
--   a client or producer that nobody was seen to answer calls what its attributes name: a database,
--   a peer outside; producers and consumers always have the destination between them;
--   a consumer that is linked to spans of other traces was called by their services, as well;
--   a server, a consumer or a root is a call of its service's node.
-- Figures are those of the span below, or of the caller where there is none.
INSERT INTO {db}.graph
SELECT source_kind, source, target_kind, target, size, slot, {minus}sum(calls), {minus}sum(errors),
    {minus}sum(durations), mapFromArrays(groupArray(bucket), groupArray({minus}calls)),
    toInt64({minus}round(sum(spans))), {batch}
FROM
(
    SELECT source_kind, source, target_kind, target, size, bucket,
        toUInt32(intDiv(minute, size) * size) AS slot, sum(calls) AS calls, sum(errors) AS errors,
        sum(durations) AS durations, sum(spans) AS spans
    FROM
    (
        SELECT 0::UInt8 AS source_kind, parents.name AS source, 0::UInt8 AS target_kind,
            children.name AS target, minute, bucket, calls, errors, durations, spans
        FROM
        (
            SELECT parent, child, figures.minute AS minute, figures.bucket AS bucket,
                sum(change * figures.weight) AS calls,
                sum(change * figures.weight * figures.failed) AS errors,
                sum(change * figures.weight * figures.duration) AS durations,
                toFloat64(sum(change)) AS spans
            FROM
            (
                {calls}
            )
            WHERE is_callee OR parent != child
            GROUP BY parent, child, minute, bucket
        ) AS calls
        INNER JOIN (
            {services}
        ) AS parents ON calls.parent = parents.number
        INNER JOIN (
            {services}
        ) AS children ON calls.child = children.number

        {clients}

        {links}

        UNION ALL

        SELECT 255, '', 0, toString(service), figures.minute, figures.bucket, sum(figures.weight),
            sum(figures.weight * figures.failed), sum(figures.weight * figures.duration),
            toFloat64(count())
        FROM {db}.step_spans
        WHERE NOT was_there AND (is_callee OR parent_id = 0)
        GROUP BY ALL
    )
    ARRAY JOIN [1::UInt8, 60::UInt8] AS size
    GROUP BY source_kind, source, target_kind, target, size, slot, bucket
)
GROUP BY source_kind, source, target_kind, target, size, slot
UNION ALL
SELECT 255, '{note}', 0, '', 0, {minute_of_arrival}, 0, 0, 0, CAST(map(), 'Map(Int16, Float64)'), 0, {batch}
