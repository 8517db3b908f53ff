-- One row of each origin gives its texts: an aggregate function would write the text of every row
-- out in full, and a resource of 1 MB may stand on thousands of spans.
INSERT INTO {db}.origins
SELECT toString(resource), toString(scope), nested, seen
FROM
(
    SELECT
        cityHash64(resource) AS resource_hash,
        cityHash64(scope) AS scope_hash,
        groupUniqArrayArray({nested_keys}) AS nested,
        max(toDateTime(intDiv(seg, 1000000), 'UTC')) AS seen
    FROM {db}.spans
    WHERE seg = {seg}
    GROUP BY resource_hash, scope_hash
) AS told
INNER JOIN
(
    SELECT
        resource,
        scope,
        cityHash64(resource) AS resource_hash,
        cityHash64(scope) AS scope_hash
    FROM {db}.spans
    WHERE seg = {seg}
    LIMIT 1 BY resource_hash, scope_hash
) AS texts USING (resource_hash, scope_hash)
