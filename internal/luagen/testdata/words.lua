-- helpers: find, sub, byte, format, floor, concat, sort, null, Map, Large, large, kind, compare_bytes, keys, kinds, as, parse_int, number_text, text_for, word, words, utf8, escaped, from_json
-- program words
local set = KEYS[1]
local members = as(from_json(ARGV[1]), "List(String)")
redis.log(redis.LOG_NOTICE, "adding", #members)
redis.call("SADD", words({set}, members))
return redis.call("SMEMBERS", set)
