-- helpers: find, Large, large, parse_int, wrong_reply, reply_counter
-- program large
local n = KEYS[1]
return reply_counter("GET", "INCRBY", n, "1152921504606846976") == large("1152921504606846976") and 1 or 0
