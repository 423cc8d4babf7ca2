#!lua
-- Commits one step of one shard. See DESIGN.md, "The commit protocol".
-- KEYS 1 token, 2 marks, 3 positions, 4 accounts, 5 profiles, 6 next, 7 outbox, 8 tiers, 9… places that change
-- ARGV 1 attempt number, 2 number of the step before it in this call or '', 3 token of our last commit,
--      4 token of this one (process:number:Unix ms), 5 '1' to check the versions in any case; then
--      moves: count, fields, froms, tos
--      accounts: count to set, count to remove, (account, value)…, account…, old versions (8 bytes each)
--      writes: (command, number of the key, count, arguments)…, the positions last
-- The answer 'ok' is followed by the ids of the entries that were appended to the outbox.
-- A '!' at the end of the answer's first word, and of the token: someone else wrote since our last commit.
-- No number is computed from data or turned into text: real Redis and miniredis print them differently.
local number, after, ours, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local stored = redis.call('GET', KEYS[1])
local shared = stored ~= ours
local bang = shared and '!' or ''
-- Where the token is that of our last commit, this attempt has not taken effect.
local last, latest
if shared then
  if stored then last, latest = string.match(stored, '^([^:]*):(%d+)') end
  local process, mark = string.match(token, '^[^:]*'), latest
  if last ~= process then mark = string.match(redis.call('HGET', KEYS[2], process) or '', '^%d+') end
  if mark and tonumber(mark) >= tonumber(number) then
    return stored == token and 'done' or 'done!'
  end
  if after ~= '' and mark ~= after then return 'skip' end
  if last == process then last = nil end
end

local MARK_LIFE = 86400000 -- ms: longer than bytes are under way
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

-- A script that fails is not rolled back: keys of a wrong type must fail here. Those that
-- were right at our last commit still are.
if shared then
  redis.call('HLEN', KEYS[4])
  redis.call('HLEN', KEYS[5])
  redis.call('ZCARD', KEYS[6])
  redis.call('XLEN', KEYS[7])
  redis.call('SCARD', KEYS[8])
end
for i = 9, #KEYS do redis.call('ZCARD', KEYS[i]) end

-- From here on everything is written.
local answer = 'ok' .. bang
local function write(command, key, first, last)
  for i = first, last, CHUNK do
    local reply = redis.call(command, key, unpack(ARGV, i, math.min(i + CHUNK - 1, last)))
    if command == 'XADD' then answer = answer .. ' ' .. reply end
  end
end
write('HSET', KEYS[4], sets_at, removals_at - 1)
write('HDEL', KEYS[4], removals_at, removals_at + removals - 1)
while at <= #ARGV do
  local last = at + 2 + tonumber(ARGV[at + 2])
  write(ARGV[at], KEYS[tonumber(ARGV[at + 1])], at + 3, last)
  at = last + 1
end
if last then
  -- We take the place of another process: its number and instant are written down for it.
  local made = string.match(token, '%d+$')
  redis.call('HSET', KEYS[2], last, latest .. ':' .. (string.match(stored, '^[^:]*:%d+:(%d+)') or made))
  if ours == '' then
    local marks = redis.call('HGETALL', KEYS[2])
    for i = 1, #marks, 2 do
      if tonumber(made) - tonumber(string.match(marks[i + 1], '%d+$')) > MARK_LIFE then redis.call('HDEL', KEYS[2], marks[i]) end
    end
  end
end
redis.call('SET', KEYS[1], token .. bang)
return answer
