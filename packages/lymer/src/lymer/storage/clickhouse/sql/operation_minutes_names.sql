-- What the numbers of `operation_minutes` mean.
SELECT {mark}, cityHash64(service, name) AS series, toString(any(service)), toString(any(name))
FROM {db}.red
WHERE {where}
GROUP BY series
