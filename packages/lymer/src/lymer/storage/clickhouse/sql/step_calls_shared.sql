-- What a step changes in the calls of traces that hold an id twice: those known now, less those known
-- before it; behind step_calls.sql.
SELECT tupleElement(call, 1) AS parent, child, is_callee, figures, tupleElement(call, 2) AS change
FROM
(
    SELECT called.number AS child, called.is_callee AS is_callee, called.figures AS figures,
        if(called.caller_now != 0, called.caller_now, callers.now) AS parent_now,
        multiIf(NOT called.was_there, 0, called.caller_before != 0, called.caller_before,
            callers.before) AS parent_before,
        arrayJoin([(parent_now, toInt8(1)), (parent_before, toInt8(-1))]) AS call
    FROM
    (
        SELECT
            tupleElement(span, 1) AS number,
            tupleElement(span, 2) AS parent_id,
            tupleElement(span, 3) AS figures,
            tupleElement(span, 4) AS was_there,
            tupleElement(span, 5) AS is_callee,
            if(is_callee, shared_caller_now, 0) AS caller_now,
            if(is_callee, shared_caller_before, 0) AS caller_before
        FROM
        (
            SELECT
                groupArray((number, parent_id, figures, was_there, is_callee)) AS spans,
                minIf(number, is_caller) AS shared_caller_now,
                minIf(number, is_caller AND was_there) AS shared_caller_before
            FROM {db}.step_shared
            GROUP BY id
        )
        ARRAY JOIN spans AS span
    ) AS called
    LEFT ANY JOIN
    (
        SELECT id,
            -- The least, callees before all others.
            min(if(is_callee, number, bitOr(number, bitShiftLeft(1::UInt64, 63)))) AS first,
            minIf(if(is_callee, number, bitOr(number, bitShiftLeft(1::UInt64, 63))),
                was_there) AS first_before,
            bitAnd(first, 0x7FFFFFFFFFFFFFFF) AS now,
            bitAnd(first_before, 0x7FFFFFFFFFFFFFFF) AS before
        FROM {db}.step_shared
        GROUP BY id
    ) AS callers ON called.parent_id = callers.id
    WHERE parent_now != parent_before
)
WHERE parent != 0
