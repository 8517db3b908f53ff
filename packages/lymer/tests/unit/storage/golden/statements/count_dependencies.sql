INSERT INTO {db}.dependencies
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
SELECT parents.service, children.service, calls.minute, toUInt64(sum(calls.changes)), {upto}
FROM
(
    SELECT callers.service AS parent, called.service AS child, called.minute AS minute,
        toInt64(count()) AS changes
    FROM
    (
        SELECT cityHash64(trace_id, span_id) AS id, bitShiftRight(cityHash64(service), 1) AS service
        FROM {db}.spans
        WHERE seg > {after} AND seg <= {upto}
    ) AS callers
    INNER JOIN
    (
        SELECT cityHash64(trace_id, parent_span_id) AS id, bitShiftRight(cityHash64(service), 1) AS service,
            toUInt32(least(intDiv(start, 60000000000), 4294967295)) AS minute
        FROM {db}.spans
        WHERE seg > {after} AND seg <= {upto} AND parent_span_id != toFixedString('', 8)
            AND cityHash64(trace_id) NOT IN (SELECT arrayJoin(special))
    ) AS called ON callers.id = called.id
    GROUP BY parent, child, minute

    UNION ALL

    SELECT tupleElement(call, 1) AS parent, child, minute, sum(tupleElement(call, 2)) AS changes
    FROM
    (
        SELECT called.service AS child, called.minute AS minute,
            if(called.caller_now != 0, called.caller_now, callers.now) AS parent_now,
            multiIf(NOT called.was_there, 0, called.caller_before != 0, called.caller_before,
                callers.before) AS parent_before,
            arrayJoin([(parent_now, 1), (parent_before, -1)]) AS call
        FROM
        (
            SELECT
                tupleElement(span, 1) AS service,
                tupleElement(span, 2) AS parent_id,
                tupleElement(span, 3) AS minute,
                tupleElement(span, 4) AS was_there,
                if(tupleElement(span, 5), shared_caller_now, 0) AS caller_now,
                if(tupleElement(span, 5), shared_caller_before, 0) AS caller_before
            FROM
            (
                SELECT
                    groupArray((service, parent_id, minute, was_there, is_callee)) AS spans,
                    minIf(service, is_caller) AS shared_caller_now,
                    minIf(service, is_caller AND was_there) AS shared_caller_before
                FROM
                (
                    SELECT
                        cityHash64(trace_id, span_id) AS id,
                        if(parent_span_id = toFixedString('', 8), 0, cityHash64(trace_id, parent_span_id)) AS parent_id,
                        bitShiftRight(cityHash64(service), 1) AS service,
                        kind IN (2, 5) AS is_callee,
                        kind IN (3, 4) AS is_caller,
                        min(toUInt32(least(intDiv(start, 60000000000), 4294967295))) AS minute,
                        max(seg <= {after}) AS was_there
                    FROM {db}.spans
                    WHERE seg > {lookback} AND seg <= {upto}
                        AND cityHash64(trace_id) IN (SELECT arrayJoin(special))
                    GROUP BY id, parent_id, service, kind
                )
                GROUP BY id
            )
            ARRAY JOIN spans AS span
        ) AS called
        LEFT ANY JOIN
        (
            SELECT id,
                min(if(is_callee, service, bitOr(service, bitShiftLeft(1::UInt64, 63)))) AS first,
                minIf(if(is_callee, service, bitOr(service, bitShiftLeft(1::UInt64, 63))),
                    was_there) AS first_before,
                bitAnd(first, 0x7FFFFFFFFFFFFFFF) AS now,
                bitAnd(first_before, 0x7FFFFFFFFFFFFFFF) AS before
            FROM
            (
                SELECT
                    cityHash64(trace_id, span_id) AS id,
                    if(parent_span_id = toFixedString('', 8), 0, cityHash64(trace_id, parent_span_id)) AS parent_id,
                    bitShiftRight(cityHash64(service), 1) AS service,
                    kind IN (2, 5) AS is_callee,
                    kind IN (3, 4) AS is_caller,
                    min(toUInt32(least(intDiv(start, 60000000000), 4294967295))) AS minute,
                    max(seg <= {after}) AS was_there
                FROM {db}.spans
                WHERE seg > {lookback} AND seg <= {upto}
                    AND cityHash64(trace_id) IN (SELECT arrayJoin(special))
                GROUP BY id, parent_id, service, kind
            )
            GROUP BY id
        ) AS callers ON called.parent_id = callers.id
        WHERE parent_now != parent_before
    )
    WHERE parent != 0
    GROUP BY parent, child, minute
) AS calls
INNER JOIN (
    SELECT toString(service) AS service, bitShiftRight(cityHash64(service), 1) AS number
    FROM
    (
        SELECT DISTINCT service
        FROM {db}.spans
        WHERE seg > {lookback} AND seg <= {upto}
    )
) AS parents ON calls.parent = parents.number
INNER JOIN (
    SELECT toString(service) AS service, bitShiftRight(cityHash64(service), 1) AS number
    FROM
    (
        SELECT DISTINCT service
        FROM {db}.spans
        WHERE seg > {lookback} AND seg <= {upto}
    )
) AS children ON calls.child = children.number
GROUP BY parents.service, children.service, calls.minute
UNION ALL
SELECT '', '', 0, 0, {upto}
