-- Which values of an attribute, each with a service that has it, fulfil a condition.
{with}SELECT {mark}, number
FROM
(
    SELECT tupleElement(one, 1) AS number,
        substring(tupleElement(one, 2), 2) AS service,
        map({key}, substring(tupleElement(one, 3), 2)) AS attrs
    FROM (SELECT arrayJoin(arrayZip(range({count}), {services}, {values})) AS one)
)
WHERE {where}
