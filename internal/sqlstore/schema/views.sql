-- What people read, on all databases. Braces stand for what each says in its own way: see views.go.
{view redbud_keys} AS
SELECT k.db AS db, {text k.name} AS name,
	CASE k.type WHEN 1 THEN {word string} WHEN 2 THEN {word list} WHEN 3 THEN {word set} WHEN 4 THEN {word zset} WHEN 5 THEN {word hash} WHEN 6 THEN {word stream} END AS type,
	{time k.expire_at} AS expires_at, CASE WHEN k.type <> 1 THEN k.len END AS elements, {text k.value} AS value
FROM redbud_key k
WHERE k.expire_at IS NULL OR k.expire_at > {now};
{view redbud_hashes} AS
SELECT k.db AS db, {text k.name} AS name, {text h.field} AS field, {text h.value} AS value, {time h.expire_at} AS expires_at
FROM redbud_key k JOIN redbud_hash h ON h.collection = k.collection
WHERE k.type = 5 AND (k.expire_at IS NULL OR k.expire_at > {now}) AND (h.expire_at IS NULL OR h.expire_at > {now});
{view redbud_lists} AS
SELECT k.db AS db, {text k.name} AS name, l.place - (SELECT min(h.place) FROM redbud_list h WHERE h.collection = k.collection) AS position, {text l.value} AS value
FROM redbud_key k JOIN redbud_list l ON l.collection = k.collection
WHERE k.type = 2 AND (k.expire_at IS NULL OR k.expire_at > {now});
{view redbud_sets} AS
SELECT k.db AS db, {text k.name} AS name, {text m.member} AS member
FROM redbud_key k JOIN redbud_set m ON m.collection = k.collection
WHERE k.type = 3 AND (k.expire_at IS NULL OR k.expire_at > {now});
{view redbud_zsets} AS
SELECT k.db AS db, {text k.name} AS name, {text m.member} AS member, m.score AS score
FROM redbud_key k JOIN redbud_zset m ON m.collection = k.collection
WHERE k.type = 4 AND (k.expire_at IS NULL OR k.expire_at > {now});
-- Names and values of an entry are walked one by one: a row is one that is size bytes from a place on, and knows the one before it.
{view redbud_streams} AS
WITH RECURSIVE part (db, name, id, fields, number, before_at, before_size, at, size) AS (
	SELECT k.db, k.name, e.id, e.fields, 1, 0, 0, 1 + {head 1 of e.fields}, {size 1 of e.fields}
	FROM redbud_key k JOIN redbud_entry e ON e.collection = k.collection
	WHERE k.type = 6 AND (k.expire_at IS NULL OR k.expire_at > {now})
	UNION ALL
	SELECT p.db, p.name, p.id, p.fields, p.number + 1, p.at, p.size, p.at + p.size + {head p.at + p.size of p.fields}, {size p.at + p.size of p.fields}
	FROM part p WHERE p.at + p.size <= length(p.fields)
)
SELECT s.db AS db, {text s.name} AS name, {entry s.id} AS id, (s.number >> 1) - 1 AS position, {text s.field} AS field, {text s.value} AS value
FROM (
	SELECT db, name, id, number, {bytes before_at before_size of fields} AS field, {bytes at size of fields} AS value FROM part WHERE number % 2 = 0
) s
