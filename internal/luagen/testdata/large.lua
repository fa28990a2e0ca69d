-- helpers: find, format, null, Map, Large, large, kind, parse_int, number_text, text_for, word, wrong_reply, reply_counter
-- program large
local n = KEYS[1]
return reply_counter("GET", "INCRBY", n, word(large("1152921504606846976"))) == large("1152921504606846976") and 1 or 0
