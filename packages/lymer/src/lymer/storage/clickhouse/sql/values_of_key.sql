-- Values of some types, told by their tag byte, under a key, wherever it stands.
SELECT DISTINCT {mark}, tupleElement(pair, 2) AS value
FROM
(
    SELECT arrayJoin(arrayConcat(
        arrayZip(mapKeys(own), mapValues(own)),
        arrayFlatten(arrayMap(event -> arrayZip(
            mapKeys(CAST(tupleElement(event, 'attributes'), 'Map(String, String)') AS map_of_event),
            mapValues(map_of_event)), events)),
        arrayFlatten(arrayMap(link -> arrayZip(
            mapKeys(CAST(tupleElement(link, 'attributes'), 'Map(String, String)') AS map_of_link),
            mapValues(map_of_link)), links)))) AS pair
    FROM
    (
        SELECT CAST(attrs, 'Map(String, String)') AS own, events, links
        FROM {db}.spans
        WHERE {time}
    )
    UNION ALL
    SELECT arrayJoin(arrayConcat(
        arrayZip(mapKeys(of_resource), mapValues(of_resource)),
        arrayZip(mapKeys(of_scope), mapValues(of_scope)))) AS pair
    FROM
    (
        SELECT tupleElement({resource}, 'attributes') AS of_resource,
            tupleElement({scope}, 'attributes') AS of_scope
        FROM {db}.origins
    )
)
WHERE tupleElement(pair, 1) IN ({keys})
    AND substring(tupleElement(pair, 2), 1, 1) IN ({types})
