-- What the segments of a step change in the service graph. Who calls whom, and how traces that did not
-- come whole are corrected: count_dependencies.sql. Besides:
--   a call within a service is an edge only if the span below is a server or consumer;
--   a client or producer that nobody was seen to answer calls what its attributes name: a database,
--   a peer outside; producers and consumers always have the destination between them;
--   a consumer that is linked to spans of other traces was called by their services, as well;
--   a server, a consumer or a root is a call of its service's node.
-- Figures are those of the span below, or of the caller where there is none.
INSERT INTO {db}.graph
WITH
(
    SELECT groupArray(trace)
    FROM
    (
        SELECT cityHash64(trace_id) AS trace
        FROM {db}.spans
        WHERE seg > {lookback} AND seg <= {upto} AND trace IN
            (SELECT cityHash64(trace_id) FROM {db}.spans WHERE seg > {after} AND seg <= {upto})
        GROUP BY trace
        HAVING min(seg) <= {after} OR count() > uniqExact(span_id)
    )
) AS special
SELECT source_kind, source, target_kind, target, size, slot, sum(calls), sum(errors), sum(durations),
    mapFromArrays(groupArray(bucket), groupArray(calls)), toInt64(round(sum(spans))), {upto}
FROM
(
    SELECT source_kind, source, target_kind, target, size, bucket,
        toUInt32(intDiv(minute, size) * size) AS slot, sum(calls) AS calls, sum(errors) AS errors,
        sum(durations) AS durations, sum(spans) AS spans
    FROM
    (
        SELECT 0::UInt8 AS source_kind, parents.service AS source, 0::UInt8 AS target_kind,
            children.service AS target, minute, bucket, calls, errors, durations, spans
        FROM
        (
            SELECT callers.service AS parent, called.service AS child,
                called.figures.1 AS minute,
                called.figures.2 AS bucket, sum(called.figures.4) AS calls,
                sum(called.figures.4 * called.figures.3) AS errors,
                sum(called.figures.4 * called.figures.5) AS durations, toFloat64(count()) AS spans
            FROM
            (
                SELECT cityHash64(trace_id, span_id) AS id, {number} AS service
                FROM {db}.spans
                WHERE seg > {after} AND seg <= {upto}
            ) AS callers
            INNER JOIN
            (
                SELECT cityHash64(trace_id, parent_span_id) AS id, {number} AS service,
                    kind IN (2, 5) AS is_callee,
                    {figures} AS figures
                FROM {db}.spans
                WHERE seg > {after} AND seg <= {upto} AND parent_span_id != toFixedString('', 8)
                    AND cityHash64(trace_id) NOT IN (SELECT arrayJoin(special))
            ) AS called ON callers.id = called.id
            WHERE called.is_callee OR callers.service != called.service
            GROUP BY parent, child, minute, bucket

            UNION ALL

            SELECT tupleElement(call, 1) AS parent, child, figures.1 AS minute, figures.2 AS bucket,
                sum(tupleElement(call, 2) * figures.4) AS calls,
                sum(tupleElement(call, 2) * figures.4 * figures.3) AS errors,
                sum(tupleElement(call, 2) * figures.4 * figures.5) AS durations,
                toFloat64(sum(tupleElement(call, 2))) AS spans
            FROM
            (
                SELECT called.service AS child, called.figures AS figures,
                    called.is_callee AS is_callee,
                    if(called.caller_now != 0, called.caller_now, callers.now) AS parent_now,
                    multiIf(NOT called.was_there, 0, called.caller_before != 0, called.caller_before,
                        callers.before) AS parent_before,
                    arrayJoin([(parent_now, 1), (parent_before, -1)]) AS call
                FROM
                (
                    SELECT
                        tupleElement(span, 1) AS service,
                        tupleElement(span, 2) AS parent_id,
                        tupleElement(span, 3) AS figures,
                        tupleElement(span, 4) AS was_there,
                        tupleElement(span, 5) AS is_callee,
                        if(is_callee, shared_caller_now, 0) AS caller_now,
                        if(is_callee, shared_caller_before, 0) AS caller_before
                    FROM
                    (
                        SELECT
                            groupArray((service, parent_id, figures, was_there, is_callee)) AS spans,
                            minIf(service, is_caller) AS shared_caller_now,
                            minIf(service, is_caller AND was_there) AS shared_caller_before
                        FROM
                        (
                            {special_spans}
                        )
                        GROUP BY id
                    )
                    ARRAY JOIN spans AS span
                ) AS called
                LEFT ANY JOIN
                (
                    SELECT id,
                        -- The least, callees before all others.
                        min(if(is_callee, service, bitOr(service, bitShiftLeft(1::UInt64, 63)))) AS first,
                        minIf(if(is_callee, service, bitOr(service, bitShiftLeft(1::UInt64, 63))),
                            was_there) AS first_before,
                        bitAnd(first, 0x7FFFFFFFFFFFFFFF) AS now,
                        bitAnd(first_before, 0x7FFFFFFFFFFFFFFF) AS before
                    FROM
                    (
                        {special_spans}
                    )
                    GROUP BY id
                ) AS callers ON called.parent_id = callers.id
                WHERE parent_now != parent_before
                    AND (called.is_callee OR child != tupleElement(call, 1))
            )
            WHERE parent != 0
            GROUP BY parent, child, minute, bucket
        ) AS calls
        INNER JOIN (
            {services}
        ) AS parents ON calls.parent = parents.number
        INNER JOIN (
            {services}
        ) AS children ON calls.child = children.number

        UNION ALL

        -- Destinations of messages; and whom nobody was seen to answer, in traces that came whole. That is
        -- known before attributes are read.
        SELECT if(kind = 5, leaf.1, 0), if(kind = 5, leaf.2, service), if(kind = 5, 0, leaf.1),
            if(kind = 5, service, leaf.2), figures.1, figures.2, sum(figures.4),
            sum(figures.4 * figures.3), sum(figures.4 * figures.5), toFloat64(count())
        FROM
        (
            SELECT toString(service) AS service, {texts} AS texts, {leaf} AS leaf, kind, figures,
                is_answered
            FROM
            (
                SELECT kind, service, {leaf_attributes} AS named, {figures} AS figures,
                    (cityHash64(trace_id) IN (SELECT arrayJoin(special))
                        OR cityHash64(trace_id, span_id) IN
                        (
                            SELECT cityHash64(trace_id, parent_span_id)
                            FROM {db}.spans
                            WHERE seg > {after} AND seg <= {upto} AND kind IN (2, 5)
                        )) AS is_answered
                FROM {db}.spans
                PREWHERE seg > {after} AND seg <= {upto}
                    AND (kind IN (4, 5) OR kind = 3 AND NOT is_answered)
            )
            WHERE notEmpty(named)
        )
        WHERE leaf.1 = 2 OR (leaf.1 IN (1, 3) AND NOT is_answered)
        GROUP BY ALL

        UNION ALL

        -- The same in other traces: what is so now, less what was so before.
        SELECT 0, names.service, leaf.1, leaf.2, figures.1, figures.2, sum(change * figures.4),
            sum(change * figures.4 * figures.3), sum(change * figures.4 * figures.5),
            toFloat64(sum(change))
        FROM
        (
            SELECT service, kind, {texts} AS texts, {leaf} AS leaf, figures, change
            FROM
            (
                SELECT of_kind AS kind, service, named, figures,
                    if(was_there, -1, 1) AS change
                FROM
                (
                    SELECT {number} AS service, any(kind) AS of_kind, any({leaf_attributes}) AS named,
                        max(seg <= {after}) AS was_there, min({figures}) AS figures
                    FROM {db}.spans
                    PREWHERE seg > {lookback} AND seg <= {upto} AND kind IN (3, 4)
                        AND cityHash64(trace_id, span_id) IN
                        (
                            SELECT part.1 AS id
                            FROM
                            (
                                SELECT was_there, arrayJoin(
                                    if(is_caller, [(id, 1)], [(id, 0), (parent_id, 0)])) AS part
                                FROM
                                (
                                    {special_spans}
                                )
                                WHERE is_caller OR is_callee
                            )
                            GROUP BY id
                            HAVING max(part.2) = 1 AND min(part.2) !=
                                toUInt8(max(part.2 = 1 AND was_there) AND NOT max(part.2 = 0 AND was_there))
                        )
                    GROUP BY trace_id, span_id, service
                )
                WHERE notEmpty(named)
            )
        ) AS calls
        INNER JOIN (
            {services}
        ) AS names ON calls.service = names.number
        WHERE leaf.1 IN (1, 3)
        GROUP BY ALL

        UNION ALL

        SELECT 0, toString(linked.service), 4, consumers.service, minute, bucket, sum(weight),
            sum(weight * failed), sum(weight * length), toFloat64(count())
        FROM
        (
            SELECT DISTINCT toString(service) AS service, cityHash64(trace_id, span_id) AS span,
                arrayJoin(arrayMap(l -> cityHash64(toFixedString(l.1, 16), toFixedString(l.2, 8)),
                    arrayFilter(l -> length(l.1) = 16 AND length(l.2) = 8, links))) AS id,
                {minute} AS minute, {bucket} AS bucket, status = 2 AS failed, {weight} AS weight,
                toFloat64(duration) AS length
            FROM {db}.spans
            WHERE seg > {after} AND seg <= {upto} AND kind = 5 AND notEmpty(links)
        ) AS consumers
        LEFT ANY JOIN
        (
            SELECT cityHash64(trace_id, span_id) AS id, service
            FROM {db}.spans
            WHERE seg > {lookback} AND seg <= {upto} AND trace_id IN
            (
                SELECT toFixedString(arrayJoin(arrayFilter(t -> length(t) = 16, links.trace_id)), 16)
                FROM {db}.spans
                WHERE seg > {after} AND seg <= {upto} AND kind = 5 AND notEmpty(links)
            )
        ) AS linked ON consumers.id = linked.id
        WHERE linked.service != ''
        GROUP BY ALL

        UNION ALL

        SELECT 255, '', 0, toString(service), {minute} AS minute, {bucket} AS bucket,
            sum({weight}), sum({weight} * (status = 2)), sum({weight} * duration), toFloat64(count())
        FROM {db}.spans
        WHERE seg > {after} AND seg <= {upto}
            AND (kind IN (2, 5) OR parent_span_id = toFixedString('', 8))
        GROUP BY ALL
    )
    ARRAY JOIN [1::UInt8, 60::UInt8] AS size
    GROUP BY source_kind, source, target_kind, target, size, slot, bucket
)
GROUP BY source_kind, source, target_kind, target, size, slot
UNION ALL
SELECT 255, '', 0, '', 0, 0, 0, 0, 0, CAST(map(), 'Map(Int16, Float64)'), 0, {upto}
