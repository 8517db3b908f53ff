-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
SELECT {mark}, parent, child, sum(dependencies.calls) AS calls, sum(dependencies.sampled) != 0
FROM {db}.dependencies AS dependencies
WHERE minute BETWEEN 0 AND 1 AND parent != ''
GROUP BY parent, child
HAVING toInt64(calls) > 0
