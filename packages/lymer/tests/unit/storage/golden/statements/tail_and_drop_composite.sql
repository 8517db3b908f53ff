-- p0 = 10
-- p1 = 20
-- p2 = b'\n\x03yes'
-- p3 = 'health'
-- p4 = ''
-- p5 = 9223372036854775808
-- p6 = 100
-- p7 = 50
-- p8 = 500
-- p9 = 300
-- p10 = 'both'
-- p11 = 'shared'
-- p12 = 20
-- p13 = 10
-- p14 = 30
-- p15 = 20
-- p16 = 20
SELECT
    trace_id,
    toUInt8(NOT (p1_voted) AND (p2_voted OR p3_fits)) AS kept,
    toFloat32(if(kept, 1 - (1 - ((p3_part1_could OR p3_part2_could)) * (p3_fitting * multiIf(p3_taken_by = 1, 1, p3_taken_by = 2, p3_part2_fitting, 0))) * (0.5 + 0.5 * (1 - (p2_could))), 0)) AS rate,
    if(kept, multiIf(p2_voted, {p10:String}, p3_fits, {p11:String}, ''), '') AS policy,
    {p16:UInt64} AS batch
FROM
(
    SELECT
        *,
        sum(if(p3_part2_voted, spans, 0)) OVER (PARTITION BY second) / greatest(sum(if(p3_part2_asked, spans, 0)) OVER (PARTITION BY second), 1) AS p3_part2_fitting,
        sum(if(p3_fits, spans, 0)) OVER (PARTITION BY second, p3_taken_by) / greatest(sum(if(p3_taken_by > 0, spans, 0)) OVER (PARTITION BY second, p3_taken_by), 1) AS p3_fitting
    FROM
    (
        SELECT
            *,
            (p3_taken_by > 0 AND sum(spans) OVER (PARTITION BY second, p3_taken_by ORDER BY first, trace_id ROWS UNBOUNDED PRECEDING) <= arrayElement([{p8:UInt64}, {p9:UInt64}], p3_taken_by)) AS p3_fits
        FROM
        (
            SELECT
                *,
                multiIf(p3_part1_voted, 1, p3_part2_voted, 2, 0) AS p3_taken_by
            FROM
            (
                SELECT
                    *,
                    (p1_has_attribute) AS p1_could,
                    ((p1_has_attribute)) AS p1_voted,
                    (p2_has_status) AS p2_could,
                    ((p2_has_status AND if(is_consistent, rejected_less <= 0.5, sipHash64({p4:String}, trace_id) < {p5:UInt64}))) AS p2_voted,
                    (p3_part1_has_status) AS p3_part1_could,
                    ((p3_part1_has_status)) AS p3_part1_voted,
                    ((p3_part2_milliseconds >= {p6:UInt64})) AS p3_part2_could,
                    (((p3_part2_milliseconds >= {p6:UInt64})) AND sum(if(((p3_part2_milliseconds >= {p6:UInt64})), spans, 0)) OVER (PARTITION BY second ORDER BY first, trace_id ROWS UNBOUNDED PRECEDING) <= {p7:UInt64}) AS p3_part2_voted,
                    ((p3_part2_milliseconds >= {p6:UInt64})) AS p3_part2_asked
                FROM
                (
                    SELECT
                        *,
                        if(explicit != '', reinterpretAsUInt64(reverse(unhex(concat('00', rightPad(explicit, 14, '0'))))), reinterpretAsUInt64(reverse(concat('\0', substring(trace_id, 10, 7))))) AS randomness,
                        (explicit != '' OR threshold > 0) AND randomness >= threshold AS is_consistent,
                        (72057594037927936 - randomness) / (72057594037927936 - threshold) AS rejected_less
                    FROM
                    (
                        SELECT
                            trace_id,
                            min(seg) AS first,
                            intDiv(min(seg), 1000000) AS second,
                            count() AS spans,
                            countIf((has([unhex({p2:String})], attrs[{p3:String}])) OR resource IN (SELECT resource FROM {db}.origins WHERE has([unhex({p2:String})], tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p3:String}]))) > 0 AS p1_has_attribute,
                            countIf(status IN (2)) > 0 AS p2_has_status,
                            countIf(status IN (2)) > 0 AS p3_part1_has_status,
                            intDiv(toInt64(max(start + duration) - min(start)), 1000000) AS p3_part2_milliseconds,
                            max(extract(trace_state, '(?:^|,)[ \\t]*ot=(?:[^,]*;)?rv:([0-9a-fA-F]{14})(?:[;, \\t]|$)')) AS explicit,
                            reinterpretAsUInt64(reverse(unhex(concat('00', rightPad(max(rightPad(lower(extract(trace_state, '(?:^|,)[ \\t]*ot=(?:[^,]*;)?th:([0-9a-fA-F]{1,14})(?:[;, \\t]|$)')), 14, '0')), 14, '0'))))) AS threshold
                        FROM {db}.spans
                        WHERE seg > {p13:UInt64}
                            AND seg <= {p14:UInt64}
                            AND trace_id IN (SELECT trace_id FROM {db}.spans WHERE seg > {p0:UInt64} AND seg <= {p1:UInt64})
                            AND trace_id NOT IN
                            (
                                SELECT trace_id
                                FROM {db}.tail_decisions
                                WHERE batch = {p12:UInt64} AND kept >= 3
                            )
                        GROUP BY trace_id
                        HAVING first <= {p15:UInt64}
                    )
                )
            )
        )
    )
)
