INSERT INTO {db}.operations
SELECT service, name, kind, max(toDateTime(intDiv(seg, 1000000), 'UTC'))
FROM {db}.spans
WHERE seg = {seg}
GROUP BY service, name, kind
