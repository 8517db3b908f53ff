-- Traces of each operation that arrived after one second, up to and with another.
SELECT {mark}, service, name,
    sumIf(roots, origin != 2) AS traces,
    groupUniqArrayIf({probabilities_max})(probability, origin IN (1, 2)) AS probabilities,
    groupUniqArrayIf({probabilities_max})(probability, origin = 3) AS thresholds,
    max(origin = 0) AS is_unmarked
FROM {db}.throughput
WHERE second > {after} AND second <= {upto}
GROUP BY service, name
ORDER BY service, traces DESC, name
LIMIT {operations_max} BY service
