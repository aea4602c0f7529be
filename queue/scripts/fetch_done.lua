#!lua flags=allow-oom
-- fetch_done: ends a fetch lease: what became of each of its items. What is not named goes back to
-- where it stood.
-- ARGV: 1 store  2 token  3 hold ms (the shop is away, or refuses us; 0 lets it go)  4 why
--   5-8 what the shop said of its limits, as in fetch_permit  9 reconciled to or ''  10 n
--   then n groups: item, done|failed|again, ms until again, state or '', progress (JSON) or ''
-- Returns {'ok'} or {'lost'}: then nothing was done.
-- State is what a worker wants to be told with the item the next time. Of a backfill, progress goes to
-- its task, and its end is the task's; one that was paused meanwhile keeps its state, one that was
-- cancelled goes.
-- Sent twice: the second is lost, the first has done it.
local S, token, hold, why = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local batch, states = P .. 'fetchbatch:' .. S .. ':' .. token, P .. 'fetchstate:' .. S
if not redis.call('ZSCORE', P .. 'fetchlease:' .. S, token) then return { 'lost' } end

-- Tells a backfill's task. Returns its status after that.
local function tell(id, outcome, progress)
  local task = P .. 'task:' .. id
  local status = redis.call('HGET', task, 'status')
  if not status then return 'cancelled' end
  if progress ~= '' then
    if outcome ~= 'failed' then redis.call('HSET', task, 'progress', progress) end
    if outcome ~= 'again' then redis.call('HSET', task, 'result', progress) end
  end
  if outcome == 'again' or status == 'cancelled' then return status end
  redis.call('HSET', task, 'status', outcome)
  redis.call('HDEL', task, 'input')
  redis.call('EXPIRE', task, 86400)
  return outcome
end

local function finish(item, queue, outcome, at, state, progress)
  local id = item:match('^%*backfill:(.*)$')
  local status = id and tell(id, outcome, progress)
  redis.call('HDEL', P .. 'fetchdied:' .. S, item)
  if outcome == 'again' and status ~= 'cancelled' then
    if state ~= '' then redis.call('HSET', states, fetch_field(queue, item), state) end
    fetch_put(S, queue, item, at)
  else
    fetch_forget(S, item)
    if id then redis.call('SREM', P .. 'fetchtasks:' .. S, item) end
  end
end

local i = 11
for _ = 1, tonumber(ARGV[10]) do
  local item = ARGV[i]
  local queue = (redis.call('HGET', batch, item) or ''):match('^%a+:')
  if queue then
    redis.call('HDEL', batch, item)
    finish(item, queue, ARGV[i + 1], now + tonumber(ARGV[i + 2]), ARGV[i + 3], ARGV[i + 4])
  end
  i = i + 5
end
for _, h in ipairs(fetch_held(S, token)) do finish(h[1], h[2], 'again', h[3], '', '') end
redis.call('DEL', batch)
redis.call('ZREM', P .. 'fetchlease:' .. S, token)

local store = redis.call('HMGET', P .. 'store:' .. S, 'deleted', 'connection')
if ARGV[9] ~= '' and not store[1] and store[2] then
  redis.call('HSET', P .. 'store:' .. S, 'reconciled_to', ARGV[9])
end
bucket_said(S, 5)
local seller = P .. 'seller:' .. S
if hold > 0 then
  redis.call('HSET', seller, 'nb', string.format('%d', now + hold))
  redis.call('HINCRBY', seller, 'down', 1)
  if store[2] and why ~= '' and redis.call('HGET', seller, 'why') ~= why then
    redis.call('HSET', seller, 'why', why)
    log_add(store[2], 'error', S, '', 'shop_held', why)
  end
else
  redis.call('HDEL', seller, 'nb', 'why', 'down')
end
fetch_relane(S, true)
return { 'ok' }
