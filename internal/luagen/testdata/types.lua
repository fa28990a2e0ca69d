-- helpers: find, sub, byte, format, floor, concat, sort, null, Map, Large, large, kind, compare_bytes, keys, kinds, as, parse_int, int_of, number_text, text_for, text, utf8, escaped, from_json, result_number
-- program types
local x = from_json(ARGV[1])
local s = as(x, "String")
local f = as(int_of(s), "Float")
return result_number(f)
