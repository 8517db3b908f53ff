-- How many spans and traces there are, so that a part can be chosen.
SELECT {mark}, count(), uniq(trace_id)
FROM {db}.spans
WHERE {where}
