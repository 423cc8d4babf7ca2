#!lua
-- Removes published events of the desk. See DESIGN.md, "The desk".
-- KEYS 1 mark, 2 outbox
-- ARGV 1 mark that the events were read beside, 2 mark that takes its place, then their ids
local stored = redis.call('GET', KEYS[1]) or ''
if stored == ARGV[2] then return 'done' end
if stored ~= ARGV[1] then return 'conflict' end
for n = 3, #ARGV do
  if #redis.call('XRANGE', KEYS[2], ARGV[n], ARGV[n]) == 0 then return 'conflict' end
end
for n = 3, #ARGV do
  redis.call('XDEL', KEYS[2], ARGV[n])
end
redis.call('SET', KEYS[1], ARGV[2])
return 'ok'
