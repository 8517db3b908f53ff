-- What the segments of a step change in the calls between services. Who calls whom:
--   a span counts once, however often it was delivered;
--   a callee (server, consumer) that shares its id with a caller (client, producer) is called by that;
--   any other span is called by its parent; if several spans have the parent's id, by the callee.
-- Source: reference jaeger.md 6.4, rules a and b. It does not matter in which order spans arrive, if
-- they arrive within the lookback.
--
-- A call counts as many as the span below stands for: a whole number, on average its weight, and the
-- same whenever it is counted.
-- The row without a parent says how far the rollup has come; that of a minute of arrival, where its last
-- step in it ended (deletion.py asks).
INSERT INTO {db}.dependencies
SELECT parents.name, children.name, calls.minute, toUInt64({minus}calls.changes), toUInt64({minus}calls.sampled), {batch}
FROM
(
    SELECT parent, child, figures.minute AS minute, sum(change * if(figures.weight = 1, 1,
            toInt64(floor(figures.weight + cityHash64(figures.duration, figures.minute, parent, child)
            / 18446744073709551616)))) AS changes,
        sumIf(change, figures.weight > 1) AS sampled
    FROM
    (
        {calls}
    )
    GROUP BY parent, child, minute
) AS calls
INNER JOIN (
    {services}
) AS parents ON calls.parent = parents.number
INNER JOIN (
    {services}
) AS children ON calls.child = children.number
UNION ALL
SELECT '', '{note}', {minute_of_arrival}, 0, 0, {batch}
