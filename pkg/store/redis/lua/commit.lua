#!lua
-- Commits one step of one shard. See DESIGN.md, "The commit protocol".
-- KEYS 1 token, 2 mark, 3 positions, 4 accounts, 5 profiles, 6 next, 7 outbox, 8 tiers, 9… places that change
-- ARGV 1 attempt number, 2 number of the step before it in this call or '', 3 token of our last commit,
--      4 token of this one, 5 '1' to check the versions in any case; then
--      moves: count, fields, froms, tos
--      accounts: count to set, count to remove, (account, value)…, account…, old versions (8 bytes each)
--      writes: (command, number of the key, count, arguments)…, the positions last
-- A '!' at the end of the answer, and of the token: someone else wrote since our last commit.
-- No number is computed from data or turned into text: real Redis and miniredis print them differently.
local number, after, ours, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local stored = redis.call('GET', KEYS[1])
local mark = redis.call('GET', KEYS[2])
if mark and tonumber(mark) >= tonumber(number) then
  return stored == token and 'done' or 'done!'
end
if after ~= '' and mark ~= after then return 'skip' end
local shared = stored ~= ours
local bang = shared and '!' or ''

local CHUNK = 2000 -- unpack fails near 8,000 items
local at = 6
local function count()
  at = at + 1
  return tonumber(ARGV[at - 1])
end

-- held calls f(i, value or false) for each field of a hash.
local function held(key, fields, f)
  for first = 1, #fields, CHUNK do
    local last = math.min(first + CHUNK - 1, #fields)
    local values = redis.call('HMGET', key, unpack(fields, first, last))
    for i = first, last do f(i, values[i - first + 1]) end
  end
end

local moves = count()
if moves > 0 then
  local fields, before, done, moving = {}, true, true, false
  for i = 1, moves do fields[i] = ARGV[at + i - 1] end
  held(KEYS[3], fields, function(i, position)
    local from, to = ARGV[at + moves + i - 1], ARGV[at + 2 * moves + i - 1]
    position = position or '0'
    before = before and position == from
    done = done and position == to
    moving = moving or from ~= to
  end)
  if done and moving then return 'moved' end
  if not before then return 'stale' .. bang end
  at = at + 3 * moves
end

local sets, removals = count(), count()
local sets_at, removals_at = at, at + 2 * sets
local versions = ARGV[removals_at + removals]
at = removals_at + removals + 1
if shared or ARGV[5] == '1' then
  local accounts, same, none = {}, true, string.rep('\0', 8)
  for i = 1, sets do accounts[i] = ARGV[sets_at + 2 * i - 2] end
  for i = 1, removals do accounts[sets + i] = ARGV[removals_at + i - 1] end
  held(KEYS[4], accounts, function(i, value)
    local version = value and string.sub(value, 1, 8) or none
    same = same and version == string.sub(versions, 8 * i - 7, 8 * i)
  end)
  if not same then return 'conflict' end
end

-- A script that fails is not rolled back: keys of a wrong type must fail here.
redis.call('HLEN', KEYS[4])
redis.call('HLEN', KEYS[5])
redis.call('ZCARD', KEYS[6])
redis.call('XLEN', KEYS[7])
redis.call('SCARD', KEYS[8])
for i = 9, #KEYS do redis.call('ZCARD', KEYS[i]) end

-- From here on everything is written.
local function write(command, key, first, last)
  for i = first, last, CHUNK do
    redis.call(command, key, unpack(ARGV, i, math.min(i + CHUNK - 1, last)))
  end
end
write('HSET', KEYS[4], sets_at, removals_at - 1)
write('HDEL', KEYS[4], removals_at, removals_at + removals - 1)
while at <= #ARGV do
  local last = at + 2 + tonumber(ARGV[at + 2])
  write(ARGV[at], KEYS[tonumber(ARGV[at + 1])], at + 3, last)
  at = last + 1
end
redis.call('SET', KEYS[1], token .. bang)
redis.call('SET', KEYS[2], number, 'EX', '86400')
return 'ok' .. bang
