-- p0 = 10
-- p1 = 20
-- p2 = 500
-- p3 = 9000
-- p4 = '^/a'
-- p5 = '^/b'
-- p6 = 'path'
-- p7 = b"\n\x04x'--"
-- p8 = 'user'
-- p9 = 10
-- p10 = 20
-- p11 = 'bytes'
-- p12 = b'\x10\x01'
-- p13 = 'debug'
-- p14 = 'vendor=a'
-- p15 = 'vendor=b'
-- p16 = 10
-- p17 = 100
-- p18 = 'salt'
-- p19 = 1844674407370955264
-- p20 = 100
-- p21 = 'all'
-- p22 = 'slow'
-- p23 = 'failed'
-- p24 = 'paths'
-- p25 = 'not this user'
-- p26 = 'size'
-- p27 = 'debug'
-- p28 = 'vendor'
-- p29 = 'long'
-- p30 = 'a tenth'
-- p31 = 'budget'
-- p32 = 20
-- p33 = 10
-- p34 = 30
-- p35 = 20
-- p36 = 20
SELECT
    trace_id,
    toUInt8(NOT (p5_has_attribute) AND (p1_voted OR p2_voted OR p3_voted OR p4_voted OR p5_voted OR p6_voted OR p7_voted OR p8_voted OR p9_voted OR p10_voted OR p11_voted)) AS kept,
    toFloat32(if(kept, 1 - (1 - (p1_could) * 1) * (1 - (p2_could) * 1) * (1 - (p3_could) * 1) * (1 - (p4_could) * 1) * (1 - (p5_could) * 1) * (1 - (p6_could) * 1) * (1 - (p7_could) * 1) * (1 - (p8_could) * 1) * (1 - (p9_could) * 1) * (1 - (p11_could) * p11_fitting) * (0.9 + 0.1 * (1 - (p10_could))), 0)) AS rate,
    if(kept, multiIf(p1_voted, {p21:String}, p2_voted, {p22:String}, p3_voted, {p23:String}, p4_voted, {p24:String}, p5_voted, {p25:String}, p6_voted, {p26:String}, p7_voted, {p27:String}, p8_voted, {p28:String}, p9_voted, {p29:String}, p10_voted, {p30:String}, p11_voted, {p31:String}, ''), '') AS policy,
    {p36:UInt64} AS batch
FROM
(
    SELECT
        *,
        sum(if(p11_voted, spans, 0)) OVER (PARTITION BY second) / greatest(sum(if(p11_asked, spans, 0)) OVER (PARTITION BY second), 1) AS p11_fitting
    FROM
    (
        SELECT
            *,
            (1) AS p1_could,
            ((1)) AS p1_voted,
            ((p2_milliseconds >= {p2:UInt64} AND p2_milliseconds <= {p3:UInt64})) AS p2_could,
            (((p2_milliseconds >= {p2:UInt64} AND p2_milliseconds <= {p3:UInt64}))) AS p2_voted,
            (p3_has_status) AS p3_could,
            ((p3_has_status)) AS p3_voted,
            (p4_has_attribute) AS p4_could,
            ((p4_has_attribute)) AS p4_voted,
            (NOT p5_has_attribute) AS p5_could,
            ((NOT p5_has_attribute)) AS p5_voted,
            (p6_has_attribute) AS p6_could,
            ((p6_has_attribute)) AS p6_voted,
            (p7_has_attribute) AS p7_could,
            ((p7_has_attribute)) AS p7_voted,
            (p8_has_trace_state) AS p8_could,
            ((p8_has_trace_state)) AS p8_voted,
            ((spans >= {p16:UInt64} AND spans <= {p17:UInt64})) AS p9_could,
            (((spans >= {p16:UInt64} AND spans <= {p17:UInt64}))) AS p9_voted,
            (1) AS p10_could,
            ((if(is_consistent, rejected_less <= 0.1, sipHash64({p18:String}, trace_id) < {p19:UInt64}))) AS p10_voted,
            (1) AS p11_could,
            ((1) AND sum(if((1), spans, 0)) OVER (PARTITION BY second ORDER BY first, trace_id ROWS UNBOUNDED PRECEDING) <= {p20:UInt64}) AS p11_voted,
            (1) AS p11_asked
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
                    intDiv(toInt64(max(start + duration) - min(start)), 1000000) AS p2_milliseconds,
                    countIf(status IN (2)) > 0 AS p3_has_status,
                    countIf((startsWith(attrs[{p6:String}], '\n') AND (match(substring(attrs[{p6:String}], multiIf(length(attrs[{p6:String}]) <= 129, 3, length(attrs[{p6:String}]) <= 16386, 4, length(attrs[{p6:String}]) <= 2097155, 5, 6)), {p4:String}) OR match(substring(attrs[{p6:String}], multiIf(length(attrs[{p6:String}]) <= 129, 3, length(attrs[{p6:String}]) <= 16386, 4, length(attrs[{p6:String}]) <= 2097155, 5, 6)), {p5:String}))) OR resource IN (SELECT resource FROM {db}.origins WHERE startsWith(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p6:String}], '\n') AND (match(substring(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p6:String}], multiIf(length(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p6:String}]) <= 129, 3, length(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p6:String}]) <= 16386, 4, length(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p6:String}]) <= 2097155, 5, 6)), {p4:String}) OR match(substring(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p6:String}], multiIf(length(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p6:String}]) <= 129, 3, length(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p6:String}]) <= 16386, 4, length(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p6:String}]) <= 2097155, 5, 6)), {p5:String})))) > 0 AS p4_has_attribute,
                    countIf((has([unhex({p7:String})], attrs[{p8:String}])) OR resource IN (SELECT resource FROM {db}.origins WHERE has([unhex({p7:String})], tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p8:String}]))) > 0 AS p5_has_attribute,
                    countIf((((startsWith(attrs[{p11:String}], '\x18') AND reinterpretAsInt64(arraySum((b, i) -> bitShiftLeft(toUInt64(bitAnd(b, 127)), 7 * i), arrayMap(i -> reinterpretAsUInt8(substring(attrs[{p11:String}], i, 1)), range(2, length(attrs[{p11:String}]) + 1)), range(length(attrs[{p11:String}]) - 1))) >= {p9:UInt64} AND reinterpretAsInt64(arraySum((b, i) -> bitShiftLeft(toUInt64(bitAnd(b, 127)), 7 * i), arrayMap(i -> reinterpretAsUInt8(substring(attrs[{p11:String}], i, 1)), range(2, length(attrs[{p11:String}]) + 1)), range(length(attrs[{p11:String}]) - 1))) <= {p10:UInt64}) OR (startsWith(attrs[{p11:String}], '!') AND reinterpretAsFloat64(substring(attrs[{p11:String}], 2)) >= {p9:UInt64} AND reinterpretAsFloat64(substring(attrs[{p11:String}], 2)) <= {p10:UInt64}))) OR resource IN (SELECT resource FROM {db}.origins WHERE ((startsWith(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p11:String}], '\x18') AND reinterpretAsInt64(arraySum((b, i) -> bitShiftLeft(toUInt64(bitAnd(b, 127)), 7 * i), arrayMap(i -> reinterpretAsUInt8(substring(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p11:String}], i, 1)), range(2, length(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p11:String}]) + 1)), range(length(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p11:String}]) - 1))) >= {p9:UInt64} AND reinterpretAsInt64(arraySum((b, i) -> bitShiftLeft(toUInt64(bitAnd(b, 127)), 7 * i), arrayMap(i -> reinterpretAsUInt8(substring(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p11:String}], i, 1)), range(2, length(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p11:String}]) + 1)), range(length(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p11:String}]) - 1))) <= {p10:UInt64}) OR (startsWith(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p11:String}], '!') AND reinterpretAsFloat64(substring(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p11:String}], 2)) >= {p9:UInt64} AND reinterpretAsFloat64(substring(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p11:String}], 2)) <= {p10:UInt64})))) > 0 AS p6_has_attribute,
                    countIf((attrs[{p13:String}] = unhex({p12:String})) OR resource IN (SELECT resource FROM {db}.origins WHERE tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p13:String}] = unhex({p12:String}))) > 0 AS p7_has_attribute,
                    countIf(arrayExists(m -> trimBoth(m) IN ({p14:String}, {p15:String}), splitByChar(',', trace_state))) > 0 AS p8_has_trace_state,
                    max(extract(trace_state, '(?:^|,)[ \\t]*ot=(?:[^,]*;)?rv:([0-9a-fA-F]{14})(?:[;, \\t]|$)')) AS explicit,
                    reinterpretAsUInt64(reverse(unhex(concat('00', rightPad(max(rightPad(lower(extract(trace_state, '(?:^|,)[ \\t]*ot=(?:[^,]*;)?th:([0-9a-fA-F]{1,14})(?:[;, \\t]|$)')), 14, '0')), 14, '0'))))) AS threshold
                FROM {db}.spans
                WHERE seg > {p33:UInt64}
                    AND seg <= {p34:UInt64}
                    AND trace_id IN (SELECT trace_id FROM {db}.spans WHERE seg > {p0:UInt64} AND seg <= {p1:UInt64})
                    AND trace_id NOT IN
                    (
                        SELECT trace_id
                        FROM {db}.tail_decisions
                        WHERE batch = {p32:UInt64} AND kept >= 3
                    )
                GROUP BY trace_id
                HAVING first <= {p35:UInt64}
            )
        )
    )
)
