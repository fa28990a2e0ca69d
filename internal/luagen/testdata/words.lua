-- helpers: format, null, Map, Large, kind, number_text, text_for, word, words
-- program words
local set = KEYS[1]
local members = ARGV
redis.log(redis.LOG_NOTICE, "adding", #members)
redis.call("SADD", words({set}, members))
return redis.call("SMEMBERS", set)
