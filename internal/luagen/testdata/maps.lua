-- helpers: Map, count, result_int
-- program maps
local ages = setmetatable({["ann"] = 30}, Map)
ages["bob"] = 31
ages["ann"] = nil
if ages["bob"] ~= nil then
	return result_int(ages["bob"])
end
return count(ages)
