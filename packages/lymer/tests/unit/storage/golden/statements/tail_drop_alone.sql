-- p0 = 10
-- p1 = 20
-- p2 = b'\n\x03yes'
-- p3 = 'health'
-- p4 = 20
-- p5 = 10
-- p6 = 30
-- p7 = 20
-- p8 = 20
SELECT
    trace_id,
    toUInt8(0),
    toFloat32(0),
    '',
    {p8:UInt64} AS batch
FROM
(
    SELECT
        *,
        (p1_has_attribute) AS p1_could,
        ((p1_has_attribute)) AS p1_voted
    FROM
    (
        SELECT
            trace_id,
            min(seg) AS first,
            intDiv(min(seg), 1000000) AS second,
            count() AS spans,
            countIf((has([unhex({p2:String})], attrs[{p3:String}])) OR resource IN (SELECT resource FROM {db}.origins WHERE has([unhex({p2:String})], tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')[{p3:String}]))) > 0 AS p1_has_attribute
        FROM {db}.spans
        WHERE seg > {p5:UInt64}
            AND seg <= {p6:UInt64}
            AND trace_id IN (SELECT trace_id FROM {db}.spans WHERE seg > {p0:UInt64} AND seg <= {p1:UInt64})
            AND trace_id NOT IN
            (
                SELECT trace_id
                FROM {db}.tail_decisions
                WHERE batch = {p4:UInt64} AND kept >= 3
            )
        GROUP BY trace_id
        HAVING first <= {p7:UInt64}
    )
)
