#!lua
-- Appends the names that are missing and returns all, in order. KEYS 1 names. ARGV name…
local all = redis.call('LRANGE', KEYS[1], 0, -1)
local known = {}
for i = 1, #all do known[all[i]] = true end
for i = 1, #ARGV do
  if not known[ARGV[i]] then
    known[ARGV[i]] = true
    all[#all + 1] = ARGV[i]
    redis.call('RPUSH', KEYS[1], ARGV[i])
  end
end
return all
