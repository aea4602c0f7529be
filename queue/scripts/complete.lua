#!lua flags=allow-oom
-- complete: ends a lease and says of each of its orders what became of it. One of which nothing is said
-- is ready again.
-- ARGV: 1 connection  2 token  3 hold ms  4 why it is held  5 day left or -1  6 n  then n groups order,
--   field, S|D, value; then m  and m groups order, outcome (done|retry|again|failed), delay ms, failed
--   row or '', its group, sentence, synced 0|1, lines settled 0|1, hash of what was wanted
-- Returns the number of orders that were no longer this lease's and were left alone.
-- Sent twice: the second finds no order with its token.
local C, token = ARGV[1], ARGV[2]
local batch = P .. 'batch:' .. C .. ':' .. token
local i = record(C, token, 7, tonumber(ARGV[6]))
local fenced = 0
local status = redis.call('HGET', P .. 'conn:' .. C, 'status')

-- Xero was uninstalled meanwhile: what was made is recorded, nothing more is wanted.
local function to_queue(O, at)
  if status == 'uninstalled' then put_aside(O) else make_ready(C, O, at) end
end

local function done(O, key, taken, synced, settled_lines)
  redis.call('HSET', key, 'st', 'done', 'drev', taken)
  redis.call('HDEL', key, 'tok', 'att', 'dth', 'sus', 'byhand', 'ff', 'wh', 'dis', 'doubt', 'again')
  if settled_lines then redis.call('HDEL', key, 'lines') end
  if synced then redis.call('ZADD', P .. 'synced:' .. C, now, O) end
  at_rest(O)
end

local function failed(O, key, row, group, hash)
  redis.call('HDEL', key, 'tok', 'dth', 'sus', 'byhand')
  redis.call('HSET', key, 'wh', hash)
  redis.call('HINCRBY', key, 'att', 1)
  if hash ~= '' and redis.call('HGET', key, 'dis') == hash then
    redis.call('HSET', key, 'st', 'dismissed')
    at_rest(O)
    return false
  end
  fail(C, O, row, group)
  return true
end

local function report(O, outcome, delay, row, group, sentence, synced, settled_lines, hash)
  local key = P .. 'order:' .. O
  local o = redis.call('HMGET', key, 'tok', 'rev', 'name')
  if o[1] ~= token then
    fenced = fenced + 1
    return
  end
  local taken = redis.call('HGET', batch, O) or o[2]
  local moved = taken ~= o[2]
  local store = O:match('^(.*)/')
  if outcome == 'done' then
    done(O, key, taken, synced == '1', settled_lines == '1' and not moved)
  elseif outcome == 'failed' and not moved and status ~= 'uninstalled' then
    if failed(O, key, row, group, hash) then log_add(C, 'error', store, o[3] or '', 'export_failed', sentence) end
  else
    if outcome == 'retry' then redis.call('HINCRBY', key, 'att', 1) end
    to_queue(O, tonumber(delay) > 0 and not moved and now + tonumber(delay) or nil)
  end
  if outcome == 'done' and moved then to_queue(O) end
  if sentence ~= '' then
    trail_add(O, '"kind":"attempt","result":"' .. outcome .. '","message":' .. cjson.encode(sentence))
    if outcome == 'done' and synced == '1' then
      log_add(C, 'info', store, o[3] or '', 'exported', sentence)
    end
  end
end

local m = tonumber(ARGV[i])
i = i + 1
for _ = 1, m do
  report(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6], ARGV[i + 7],
    ARGV[i + 8])
  i = i + 9
end
day_said(C, ARGV[5])
local calls = tonumber(redis.call('HGET', batch, 'calls') or 0)
if calls > 0 then -- calls a batch, in hundredths, as a moving average
  local cpb = tonumber(redis.call('HGET', P .. 'conn:' .. C, 'cpb') or 200)
  redis.call('HSET', P .. 'conn:' .. C, 'cpb', math.floor(cpb * 0.8 + calls * 20))
end
local hold = tonumber(ARGV[3])
local conn = redis.call('HMGET', P .. 'conn:' .. C, 'nb', 'why')
if hold > 0 and status == 'active' then
  redis.call('HSET', P .. 'conn:' .. C, 'nb',
    string.format('%d', math.max(now + hold, tonumber(conn[1] or 0))), 'why', ARGV[4])
  if conn[2] ~= ARGV[4] then log_add(C, 'error', '', '', 'connection_held', ARGV[4]) end
elseif m > 0 and conn[1] and tonumber(conn[1]) <= now then
  redis.call('HDEL', P .. 'conn:' .. C, 'nb', 'why')
end
if hold == 0 and calls > 0 then redis.call('DEL', P .. 'down:' .. C) end -- an outage ends with a good batch
for _, x in ipairs(held(batch, token)) do to_queue(x[1]) end
redis.call('ZREM', P .. 'leases:' .. C, token)
redis.call('DEL', batch)
if status == 'uninstalled' then erase(C) end
relane_and_ring(C)
return fenced
