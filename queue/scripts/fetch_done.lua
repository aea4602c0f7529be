#!lua flags=allow-oom
-- fetch_done: ends a fetch lease: what became of each of its items. What is not named goes back to
-- where it stood.
-- ARGV: 1 store  2 token  3 hold ms (the shop is away, or refuses us; 0 lets it go)  4 why
--   5-8 what the shop said of its limits, as in fetch_permit  9 reconciled to or ''  10 1 if the hold is
--   since the store's token was refused, else 0  11 n
--   then n groups: item, done|failed|again, ms until again, state or '', and of a task (JSON or ''):
--   progress, result
-- Returns {'ok'} or {'lost'}: then nothing was done.
-- State is what a worker wants to be told with the item the next time. Of an item that a task tells of,
-- progress and result go to the task, and its end is the task's; one that was paused meanwhile keeps its
-- state, one that was cancelled goes.
-- What was refused to a token that was replaced meanwhile says nothing of the new one: then the store is
-- not held, and a task that ended by it is tried again.
-- Sent twice: the second is lost, the first has done it.
local S, token, hold, why = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local batch, states = P .. 'fetchbatch:' .. S .. ':' .. token, P .. 'fetchstate:' .. S
if not redis.call('ZSCORE', P .. 'fetchlease:' .. S, token) then return { 'lost' } end
local seller = P .. 'seller:' .. S
local mended = ARGV[10] == '1' and redis.call('HGET', seller, 'mended') == token
if mended then hold = 0 end

-- Tells the item's task, if it has one. Returns whether it is open still.
local function tell(item, outcome, progress, result)
  local id, status = fetch_task_of(item)
  if not id then return true end
  local open = status == 'waiting' or status == 'paused'
  if redis.call('EXISTS', P .. 'task:' .. id) == 0 then return false end
  if progress ~= '' then redis.call('HSET', P .. 'task:' .. id, 'progress', progress) end
  if outcome ~= 'again' then
    fetch_task_end(S, item, open and outcome or status, status ~= 'failed' and result or '')
  end
  return open
end

local function finish(item, queue, outcome, at, state, progress, result)
  if mended and fetch_task_of(item) then outcome = 'again' end
  local open = tell(item, outcome, progress, result)
  redis.call('HDEL', P .. 'fetchdied:' .. S, item)
  if outcome == 'again' and open then
    if state ~= '' then redis.call('HSET', states, fetch_field(queue, item), state) end
    fetch_put(S, queue, item, at)
  else
    fetch_forget(S, item)
    redis.call('SREM', P .. 'fetchtasks:' .. S, item)
  end
end

local i = 12
for _ = 1, tonumber(ARGV[11]) do
  local item = ARGV[i]
  local queue = (redis.call('HGET', batch, item) or ''):match('^%a+:')
  if queue then
    redis.call('HDEL', batch, item)
    finish(item, queue, ARGV[i + 1], now + tonumber(ARGV[i + 2]), ARGV[i + 3], ARGV[i + 4], ARGV[i + 5])
  end
  i = i + 6
end
for _, h in ipairs(fetch_held(S, token)) do finish(h[1], h[2], 'again', h[3], '', '', '') end
redis.call('DEL', batch)
redis.call('ZREM', P .. 'fetchlease:' .. S, token)

local store = redis.call('HMGET', P .. 'store:' .. S, 'deleted', 'connection')
if ARGV[9] ~= '' and not store[1] and store[2] then
  redis.call('HSET', P .. 'store:' .. S, 'reconciled_to', ARGV[9])
end
bucket_said(S, 5)
redis.call('HDEL', seller, 'mended')
if hold > 0 then
  -- A check that was asked for meanwhile does not wait for that, unless it is the shop's own limit.
  if why ~= '' and first(P .. 'fetchfirst:' .. S) then
    hold = math.min(hold, bucket_due(S, fetch_kind(S, 'fetchfirst:')))
  end
  redis.call('HSET', seller, 'nb', string.format('%d', now + hold))
  redis.call('HINCRBY', seller, 'down', 1)
  if why == '' then redis.call('HDEL', seller, 'why') end -- it is of the present hold
  if store[2] and why ~= '' and redis.call('HGET', seller, 'why') ~= why then
    redis.call('HSET', seller, 'why', why)
    log_add(store[2], 'error', S, '', 'shop_held', why)
  end
else
  redis.call('HDEL', seller, 'nb', 'why')
  if ARGV[11] ~= '0' then redis.call('HDEL', seller, 'down') end -- the shop gave something
end
fetch_relane(S, true)
return { 'ok' }
