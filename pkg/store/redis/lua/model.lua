#!lua
-- Appends a model unless it is the last one, or was appended by an earlier attempt.
-- KEYS 1 models. ARGV hash, hash and instant, entry (hash, space, instant, newline, the rest).
local function begins(entry, with) return string.sub(entry, 1, string.len(with)) == with end
local last = redis.call('LINDEX', KEYS[1], -1)
if last and begins(last, ARGV[1] .. ' ') then return 0 end
for _, entry in ipairs(redis.call('LRANGE', KEYS[1], -16, -1)) do
  if begins(entry, ARGV[2] .. '\n') then return 0 end
end
redis.call('RPUSH', KEYS[1], ARGV[3])
return 1
