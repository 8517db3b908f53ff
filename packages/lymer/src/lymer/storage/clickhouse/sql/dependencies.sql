SELECT {mark}, parent, child, sum(dependencies.calls) AS calls, sum(dependencies.sampled) != 0
FROM {db}.dependencies AS dependencies
WHERE minute BETWEEN {first} AND {last} AND parent != ''
GROUP BY parent, child
HAVING toInt64(calls) > 0
