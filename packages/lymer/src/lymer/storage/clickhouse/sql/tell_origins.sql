INSERT INTO {db}.origins
SELECT toString(any(resource)), toString(any(scope)), groupUniqArrayArray({nested_keys}),
    max(toDateTime(intDiv(seg, 1000000), 'UTC'))
FROM {db}.spans
WHERE seg = {seg}
GROUP BY cityHash64(resource), cityHash64(scope)
