-- What there is among the spans of a step: an id twice, clients and producers or new consumers, new
-- consumers with links.
SELECT {mark}, toUInt64(0) AS shared, countIf(is_caller) AS callers, toUInt64(0) AS links
FROM {db}.step_spans
UNION ALL
SELECT {mark}, count(), 0, 0
FROM {db}.step_shared
UNION ALL
SELECT {mark}, 0, count(), countIf(notEmpty(links))
FROM {db}.spans
WHERE seg > {after} AND seg <= {upto} AND kind = 5
