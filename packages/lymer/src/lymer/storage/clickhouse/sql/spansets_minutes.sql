-- Which values an attribute has in which minutes, for each service. A long value stands for any.
SELECT {mark}, intDiv(start, 60000000000) AS minute, service,
    if(length(attrs[{key}]) > {length_max}, '\xff', attrs[{key}]) AS said
FROM {db}.spans
WHERE {where}
GROUP BY minute, service, said
LIMIT {rows_max}
