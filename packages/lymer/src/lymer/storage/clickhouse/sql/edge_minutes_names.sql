-- What the numbers of `edge_minutes` mean: kind and name of both ends.
SELECT {mark}, cityHash64(source_kind, source, if(target_kind = 4, 0, target_kind), target) AS series,
    any((source_kind, toString(source))), any((target_kind, toString(target)))
FROM {db}.graph
WHERE {where}
GROUP BY series
