-- The names behind the numbers. What is distinct is found among the few texts of a dictionary.
SELECT toString(service) AS name, {number} AS number
FROM
(
    SELECT DISTINCT service
    FROM {db}.step_spans
)
