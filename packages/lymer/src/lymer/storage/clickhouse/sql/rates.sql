-- What was computed last; the row without a service says when.
SELECT {mark}, service, operation, probability, traces_per_second
FROM {db}.sampling_rates
WHERE at = (SELECT max(at) FROM {db}.sampling_rates) AND service != ''
ORDER BY service, operation
