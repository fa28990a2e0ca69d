-- helpers: find, byte, format, concat, sort, null, Map, Large, or_null, kind, compare_bytes, keys, number_text, text_for, text, escapes, json_string, json, to_json, trace, traced, run_traced
-- program traced
return run_traced(function()
	local n
	n = traced(0, 1)
	return traced(1, true and n > 0.5) and 1 or 0
end)
