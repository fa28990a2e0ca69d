-- What stands in indexes of a name: the name itself, unless it is longer than they take.
CREATE FUNCTION redbud_short(name BYTEA) RETURNS BYTEA LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
	'SELECT CASE WHEN octet_length(name) < 768 THEN name ELSE substring(name FROM 1 FOR 736) || sha256(name) END';
CREATE FUNCTION redbud_start(name BYTEA) RETURNS BYTEA LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
	'SELECT substring(name FROM 1 FOR 736)';
-- Bytes as text where they are text, else in hexadecimal digits.
CREATE FUNCTION redbud_text(bytes BYTEA) RETURNS TEXT LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
	RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
	RETURN E'\\x' || encode(bytes, 'hex');
END $$;
CREATE TABLE redbud_meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
CREATE TABLE redbud_key (
	id         BIGINT PRIMARY KEY,
	db         BIGINT NOT NULL,
	name       BYTEA NOT NULL,
	type       BIGINT NOT NULL,
	collection BIGINT NOT NULL,
	len        BIGINT NOT NULL,
	version    BIGINT NOT NULL,
	expire_at  BIGINT,
	next_at    BIGINT,
	value      BYTEA
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX redbud_key_name ON redbud_key (db, redbud_short(name));
CREATE INDEX redbud_key_scan ON redbud_key (db, id);
CREATE INDEX redbud_key_expire ON redbud_key (expire_at) WHERE expire_at IS NOT NULL;
CREATE INDEX redbud_key_next ON redbud_key (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE redbud_orphan (collection BIGINT PRIMARY KEY, type BIGINT NOT NULL);
CREATE TABLE redbud_hash (
	collection BIGINT NOT NULL,
	hash       BIGINT NOT NULL,
	field      BYTEA NOT NULL,
	value      BYTEA NOT NULL,
	expire_at  BIGINT
);
CREATE UNIQUE INDEX redbud_hash_field ON redbud_hash (collection, hash, redbud_short(field));
CREATE INDEX redbud_hash_expire ON redbud_hash (collection, expire_at) WHERE expire_at IS NOT NULL;
CREATE TABLE redbud_list (
	collection BIGINT NOT NULL,
	place      BIGINT NOT NULL,
	value      BYTEA NOT NULL,
	PRIMARY KEY (collection, place)
);
CREATE TABLE redbud_set (
	collection BIGINT NOT NULL,
	hash       BIGINT NOT NULL,
	member     BYTEA NOT NULL
);
CREATE UNIQUE INDEX redbud_set_member ON redbud_set (collection, hash, redbud_short(member));
CREATE TABLE redbud_zset (
	collection BIGINT NOT NULL,
	hash       BIGINT NOT NULL,
	member     BYTEA NOT NULL,
	score      DOUBLE PRECISION NOT NULL
);
CREATE UNIQUE INDEX redbud_zset_member ON redbud_zset (collection, hash, redbud_short(member));
CREATE INDEX redbud_zset_score ON redbud_zset (collection, score, redbud_start(member));
CREATE TABLE redbud_stream (
	collection  BIGINT PRIMARY KEY,
	last_id     BYTEA NOT NULL,
	deleted_id  BYTEA NOT NULL,
	added       BIGINT NOT NULL,
	run         BIGINT NOT NULL,
	run_entries BIGINT NOT NULL,
	run_bytes   BIGINT NOT NULL
);
CREATE TABLE redbud_entry (
	collection BIGINT NOT NULL,
	id         BYTEA NOT NULL,
	run        BIGINT NOT NULL,
	fields     BYTEA NOT NULL,
	PRIMARY KEY (collection, id)
);
CREATE TABLE redbud_group (
	collection   BIGINT NOT NULL,
	name         BYTEA NOT NULL,
	last_id      BYTEA NOT NULL,
	entries_read BIGINT,
	pending      BIGINT NOT NULL
);
CREATE UNIQUE INDEX redbud_group_name ON redbud_group (collection, redbud_short(name));
CREATE TABLE redbud_consumer (
	collection BIGINT NOT NULL,
	group_name BYTEA NOT NULL,
	name       BYTEA NOT NULL,
	seen_at    BIGINT NOT NULL,
	active_at  BIGINT
);
CREATE UNIQUE INDEX redbud_consumer_name ON redbud_consumer (collection, redbud_short(group_name), redbud_short(name));
CREATE TABLE redbud_pending (
	collection   BIGINT NOT NULL,
	group_name   BYTEA NOT NULL,
	id           BYTEA NOT NULL,
	consumer     BYTEA NOT NULL,
	delivered_at BIGINT NOT NULL,
	deliveries   BIGINT NOT NULL
);
CREATE UNIQUE INDEX redbud_pending_id ON redbud_pending (collection, redbud_short(group_name), id);
CREATE INDEX redbud_pending_consumer ON redbud_pending (collection, redbud_short(group_name), redbud_short(consumer), id);
CREATE TABLE redbud_listener (
	process  BIGINT PRIMARY KEY,
	until    BIGINT NOT NULL,
	interest BIGINT NOT NULL
);
CREATE TABLE redbud_news (
	id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	process BIGINT NOT NULL,
	at      BIGINT NOT NULL,
	body    BYTEA  NOT NULL
);
