#!lua
-- Commits one step of the desk. See DESIGN.md, "The desk".
-- KEYS 1 token, 2 shared, 3 mqas, 4 past, 5 left, 6 positions, 7 outbox, 8 answer, 9 mark
-- ARGV 1 token that the step builds on, 2 token of the step, 3 whether the mark must be 4, then writes: (command, number of the key, count, arguments)…
local stored = redis.call('GET', KEYS[1]) or ''
if stored == ARGV[2] then return 'done' end
if stored ~= ARGV[1] then return 'conflict' end
if ARGV[3] == '1' and (redis.call('GET', KEYS[9]) or '') ~= ARGV[4] then return 'conflict' end

-- A script that fails is not rolled back: keys of a wrong type must fail here.
redis.call('STRLEN', KEYS[2])
redis.call('HLEN', KEYS[3])
redis.call('HLEN', KEYS[4])
redis.call('ZCARD', KEYS[5])
redis.call('HLEN', KEYS[6])
redis.call('XLEN', KEYS[7])
redis.call('STRLEN', KEYS[8])
redis.call('STRLEN', KEYS[9])

local at = 5
while at <= #ARGV do
  local last = at + 2 + tonumber(ARGV[at + 2])
  redis.call(ARGV[at], KEYS[tonumber(ARGV[at + 1])], unpack(ARGV, at + 3, last))
  at = last + 1
end
redis.call('SET', KEYS[1], ARGV[2])
return 'ok'
