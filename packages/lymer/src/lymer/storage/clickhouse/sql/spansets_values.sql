-- Values of a field of the newest matching spans, most frequent first.
SELECT {mark}, said, count() AS spans
FROM
(
    {with}SELECT {said} AS said
    FROM {db}.spans
    WHERE {where}
    ORDER BY start DESC
    LIMIT {spans_max}
)
WHERE said != ''
GROUP BY said
ORDER BY spans DESC, said
LIMIT {values_max}
