-- helpers: find, sub, byte, format, floor, concat, sort, null, Map, Large, large, kind, compare_bytes, keys, kinds, as, parse_int, number_text, text_for, text, escapes, json_string, json, to_json, utf8, escaped, from_json
-- program json
local doc = as(from_json(ARGV[1]), "Map(List(Int))")
return to_json(doc["list"])
