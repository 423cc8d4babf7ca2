#!lua
-- Makes the namespace's record where there is none. KEYS 1 meta. ARGV layout, shards, instant.
-- Returns '1' if it was made now, layout, shards, instant.
local made = '0'
if redis.call('HSETNX', KEYS[1], 'layout', ARGV[1]) == 1 then
  made = '1'
  redis.call('HSET', KEYS[1], 'shards', ARGV[2], 'made', ARGV[3])
end
local held = redis.call('HMGET', KEYS[1], 'layout', 'shards', 'made')
return {made, held[1] or '', held[2] or '', held[3] or ''}
