-- How often each value of each attribute was met, in a selection of spans and in the rest: by weight.
{with}SELECT {mark}, {interval} AS interval, max(({weight} AS weight) > 1) AS is_estimated,
    {selected} AS is_selected, tupleElement(pair, 1) AS key, tupleElement(pair, 2) AS said,
    sum(weight) AS spans
FROM {db}.spans
ARRAY JOIN arrayConcat(
    arrayZip(arrayMap(k -> concat('span.', k), mapKeys(attrs)), mapValues(attrs)),
    [('resource.service.name', concat('s', toString(service))), ('name', concat('s', toString(name))),
        ('kind', concat('K', toString(if(kind BETWEEN 1 AND 5, kind, 0)))),
        ('status', concat('S', toString(if(status BETWEEN 1 AND 2, status, 0)))), ('', '')]) AS pair
WHERE {where}
GROUP BY interval, is_selected, key, said
LIMIT {rows_max}
