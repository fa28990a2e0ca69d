-- helpers: 
-- program branch
local name = ARGV[1]
local on = ARGV[2] == "1"
if name == "a" then
	return 1
elseif on and not (name == "b") then
	return 2
else
	return 3
end
