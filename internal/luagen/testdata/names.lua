-- helpers: find, sub, byte, format, floor, concat, sort, null, Map, Large, large, kind, compare_bytes, keys, parse_int, number_text, text_for, text, escapes, json_string, json, to_json, utf8, escaped, from_json
-- program end?redis.call('FLUSHALL')
local end_2 = 1
local text_2 = 2
local a_b = "\000\255\"\\"
local a_b_2 = "ü\n"
local gr__e = text(from_json(a_b_2))
return to_json({end_2, text_2, a_b})
