#!lua
-- Takes domains from an account that still has them. KEYS 1 aliases. ARGV account, domain…
for i = 2, #ARGV do
  local held = redis.call('HGET', KEYS[1], ARGV[i])
  if held and string.match(held, '^%S+ (.*)$') == ARGV[1] then redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return 1
