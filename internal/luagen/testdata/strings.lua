-- helpers: find, sub, format, concat, null, Map, Large, kind, number_text, text_for, text, clamp, slice, find_from, split, join
-- program strings
local s = ARGV[1]
return {s .. ":" .. 1, slice(s, 1), text(find_from(s, "x", 0)), string.upper(s), join(split(s, ","), ";")}
