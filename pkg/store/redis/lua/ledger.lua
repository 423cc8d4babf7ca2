#!lua
-- Takes a step of a subscriber, whole or not at all. KEYS 1 state, 2… what is written.
-- ARGV token of the step before, token of this one, (command, number of the key, count, arguments)…
local held = redis.call('HGET', KEYS[1], 'token') or ''
if held == ARGV[2] then return 'done' end
if held ~= ARGV[1] then return 'stale' end
local at = 3
while at <= #ARGV do
  local count = tonumber(ARGV[at + 2])
  redis.call(ARGV[at], KEYS[tonumber(ARGV[at + 1])], unpack(ARGV, at + 3, at + 2 + count))
  at = at + 3 + count
end
redis.call('HSET', KEYS[1], 'token', ARGV[2])
return 'ok'
