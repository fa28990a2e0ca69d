-- Beside each column of names stands one whose name ends in _short, with what indexes have of it: the name itself, or the
-- beginning and a hash of one that is longer than they take. All are in the order of bytes.
CREATE TABLE IF NOT EXISTS redbud_key (
	db         SMALLINT       NOT NULL,
	name_short VARBINARY(768) NOT NULL,
	id         BIGINT         NOT NULL,
	type       SMALLINT       NOT NULL,
	collection BIGINT         NOT NULL,
	len        BIGINT         NOT NULL,
	version    BIGINT         NOT NULL,
	expire_at  BIGINT,
	next_at    BIGINT,
	name       LONGBLOB       NOT NULL,
	value      LONGBLOB,
	PRIMARY KEY (db, name_short),
	UNIQUE KEY redbud_key_id (id),
	KEY redbud_key_scan (db, id),
	KEY redbud_key_expire (expire_at),
	KEY redbud_key_next (next_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS redbud_orphan (collection BIGINT PRIMARY KEY, type SMALLINT NOT NULL) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS redbud_hash (
	collection  BIGINT         NOT NULL,
	hash        BIGINT         NOT NULL,
	field_short VARBINARY(768) NOT NULL,
	expire_at   BIGINT,
	field       LONGBLOB       NOT NULL,
	value       LONGBLOB       NOT NULL,
	PRIMARY KEY (collection, hash, field_short),
	KEY redbud_hash_expire (collection, expire_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS redbud_list (
	collection BIGINT   NOT NULL,
	place      BIGINT   NOT NULL,
	value      LONGBLOB NOT NULL,
	PRIMARY KEY (collection, place)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS redbud_set (
	collection   BIGINT         NOT NULL,
	hash         BIGINT         NOT NULL,
	member_short VARBINARY(768) NOT NULL,
	member       LONGBLOB       NOT NULL,
	PRIMARY KEY (collection, hash, member_short)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS redbud_zset (
	collection   BIGINT         NOT NULL,
	hash         BIGINT         NOT NULL,
	member_short VARBINARY(768) NOT NULL,
	score        DOUBLE         NOT NULL,
	member       LONGBLOB       NOT NULL,
	PRIMARY KEY (collection, hash, member_short),
	KEY redbud_zset_score (collection, score, member_short)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS redbud_stream (
	collection  BIGINT PRIMARY KEY,
	last_id     VARBINARY(16) NOT NULL,
	deleted_id  VARBINARY(16) NOT NULL,
	added       BIGINT        NOT NULL,
	run         BIGINT        NOT NULL,
	run_entries BIGINT        NOT NULL,
	run_bytes   BIGINT        NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS redbud_entry (
	collection BIGINT        NOT NULL,
	id         VARBINARY(16) NOT NULL,
	run        BIGINT        NOT NULL,
	fields     LONGBLOB      NOT NULL,
	PRIMARY KEY (collection, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS redbud_group (
	collection   BIGINT         NOT NULL,
	name_short   VARBINARY(768) NOT NULL,
	last_id      VARBINARY(16)  NOT NULL,
	entries_read BIGINT,
	pending      BIGINT         NOT NULL,
	name         LONGBLOB       NOT NULL,
	PRIMARY KEY (collection, name_short)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS redbud_consumer (
	collection       BIGINT         NOT NULL,
	group_name_short VARBINARY(768) NOT NULL,
	name_short       VARBINARY(768) NOT NULL,
	seen_at          BIGINT         NOT NULL,
	active_at        BIGINT,
	group_name       LONGBLOB       NOT NULL,
	name             LONGBLOB       NOT NULL,
	PRIMARY KEY (collection, group_name_short, name_short)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS redbud_pending (
	collection       BIGINT         NOT NULL,
	group_name_short VARBINARY(768) NOT NULL,
	id               VARBINARY(16)  NOT NULL,
	consumer_short   VARBINARY(768) NOT NULL,
	delivered_at     BIGINT         NOT NULL,
	deliveries       BIGINT         NOT NULL,
	group_name       LONGBLOB       NOT NULL,
	consumer         LONGBLOB       NOT NULL,
	PRIMARY KEY (collection, group_name_short, id),
	KEY redbud_pending_consumer (collection, group_name_short, consumer_short, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS redbud_listener (
	process  BIGINT PRIMARY KEY,
	until    BIGINT NOT NULL,
	interest BIGINT NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS redbud_news (
	id      BIGINT   NOT NULL AUTO_INCREMENT PRIMARY KEY,
	process BIGINT   NOT NULL,
	at      BIGINT   NOT NULL,
	body    LONGBLOB NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
{views};
CREATE TABLE IF NOT EXISTS redbud_meta (name VARBINARY(32) PRIMARY KEY, value BIGINT NOT NULL) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
