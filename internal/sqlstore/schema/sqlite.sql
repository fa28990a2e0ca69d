CREATE TABLE redbud_meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
CREATE TABLE redbud_key (
	id         INTEGER PRIMARY KEY,
	db         SMALLINT NOT NULL,
	name       BLOB     NOT NULL,
	type       SMALLINT NOT NULL,
	collection BIGINT   NOT NULL,
	len        BIGINT   NOT NULL,
	version    BIGINT   NOT NULL,
	expire_at  BIGINT,
	next_at    BIGINT,
	value      BLOB,
	UNIQUE (db, name)
);
CREATE INDEX redbud_key_scan ON redbud_key (db, id);
CREATE INDEX redbud_key_expire ON redbud_key (expire_at) WHERE expire_at IS NOT NULL;
CREATE INDEX redbud_key_next ON redbud_key (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE redbud_orphan (collection BIGINT PRIMARY KEY, type SMALLINT NOT NULL) WITHOUT ROWID;
CREATE TABLE redbud_hash (
	collection BIGINT NOT NULL,
	hash       BIGINT NOT NULL,
	field      BLOB   NOT NULL,
	value      BLOB   NOT NULL,
	expire_at  BIGINT,
	PRIMARY KEY (collection, hash, field)
) WITHOUT ROWID;
CREATE INDEX redbud_hash_expire ON redbud_hash (collection, expire_at) WHERE expire_at IS NOT NULL;
CREATE TABLE redbud_list (
	collection BIGINT NOT NULL,
	place      BIGINT NOT NULL,
	value      BLOB   NOT NULL,
	PRIMARY KEY (collection, place)
) WITHOUT ROWID;
CREATE TABLE redbud_set (
	collection BIGINT NOT NULL,
	hash       BIGINT NOT NULL,
	member     BLOB   NOT NULL,
	PRIMARY KEY (collection, hash, member)
) WITHOUT ROWID;
CREATE TABLE redbud_zset (
	collection BIGINT NOT NULL,
	hash       BIGINT NOT NULL,
	member     BLOB   NOT NULL,
	score      DOUBLE PRECISION NOT NULL,
	PRIMARY KEY (collection, hash, member)
) WITHOUT ROWID;
CREATE INDEX redbud_zset_score ON redbud_zset (collection, score, member);
CREATE TABLE redbud_stream (
	collection  BIGINT PRIMARY KEY,
	last_id     BLOB   NOT NULL,
	deleted_id  BLOB   NOT NULL,
	added       BIGINT NOT NULL,
	run         BIGINT NOT NULL,
	run_entries BIGINT NOT NULL,
	run_bytes   BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE redbud_entry (
	collection BIGINT NOT NULL,
	id         BLOB   NOT NULL,
	run        BIGINT NOT NULL,
	fields     BLOB   NOT NULL,
	PRIMARY KEY (collection, id)
) WITHOUT ROWID;
CREATE TABLE redbud_group (
	collection   BIGINT NOT NULL,
	name         BLOB   NOT NULL,
	last_id      BLOB   NOT NULL,
	entries_read BIGINT,
	pending      BIGINT NOT NULL,
	PRIMARY KEY (collection, name)
) WITHOUT ROWID;
CREATE TABLE redbud_consumer (
	collection BIGINT NOT NULL,
	group_name BLOB   NOT NULL,
	name       BLOB   NOT NULL,
	seen_at    BIGINT NOT NULL,
	active_at  BIGINT,
	PRIMARY KEY (collection, group_name, name)
) WITHOUT ROWID;
CREATE TABLE redbud_pending (
	collection   BIGINT NOT NULL,
	group_name   BLOB   NOT NULL,
	id           BLOB   NOT NULL,
	consumer     BLOB   NOT NULL,
	delivered_at BIGINT NOT NULL,
	deliveries   BIGINT NOT NULL,
	PRIMARY KEY (collection, group_name, id)
) WITHOUT ROWID;
CREATE INDEX redbud_pending_consumer ON redbud_pending (collection, group_name, consumer, id, delivered_at, deliveries);
CREATE TABLE redbud_listener (
	process  BIGINT PRIMARY KEY,
	until    BIGINT NOT NULL,
	interest BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE redbud_news (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	process BIGINT NOT NULL,
	at      BIGINT NOT NULL,
	body    BLOB   NOT NULL
);
