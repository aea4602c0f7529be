#!lua flags=allow-oom
-- fetch_lease: takes the store whose turn it is and what of it may be read now: one item of `fetchfirst`
-- (a check), else up to N orders, no more than its bucket has calls for, else one item of `fetchlater` (a
-- page of a reconciliation, a backfill).
-- ARGV: 1 token  2 lease ms  3 N  4 who asks
-- Returns {store, failures of the present outage, item, its state, ...} or {'', ms until this one should
-- ask again}: one alone is told the time of the next lane, and who has something to do hands that on.
-- A dead lease is taken over first: nothing was lost, since ingest makes repeats harmless. What was in
-- a batch that died is read alone from then on; what dies alone three times is dropped with an entry in
-- the log (its task then fails, its order is a failed row), or, if it may wait, put off for an hour.
-- Sent twice (the first answer was lost): the first lease dies unused. Its store is passed over, so that
-- the same token never stands for two batches.
local token, lease_ms, N, me = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local LOOK, DEATHS, LATER_MS = 20, 3, 3600000

-- True if ITEM has died alone too often; else its death is noted.
local function poison(S, item, alone)
  local died = P .. 'fetchdied:' .. S
  redis.call('HINCRBY', died, item, alone and 1 or 0)
  if tonumber(redis.call('HGET', died, item)) < DEATHS then return false end
  redis.call('HDEL', died, item)
  log_add(redis.call('HGET', P .. 'store:' .. S, 'connection') or '', 'error', S, '', 'fetch_poison',
    'Three workers died while reading ' .. item .. ' from the shop.')
  return true
end

-- ITEM is not read any more: an order that nothing else brings into Xero is a failed row, since nobody
-- would look for it in the log.
local function drop(S, item)
  local O, C = S .. '/' .. item, redis.call('HGET', P .. 'store:' .. S, 'connection')
  local o = redis.call('HMGET', P .. 'order:' .. O, 'st', 'on', 'inx', 'name', 'gone')
  local parts = redis.call('HGET', P .. 'fetchstate:' .. S, fetch_field('fetch:', item)) == 'parts'
  fetch_forget(S, item)
  if not C or parts or o[5] or not (o[2] == '1' or o[3]) or o[1] == 'waiting' or o[1] == 'leased' then return end
  fail(C, O, '"failed_export":"Sales invoice","exported_item":' .. cjson.encode(o[4] or item)
    .. ',"export_error":["Three workers died while reading this order from the shop."],"catalogue":["poison"]',
    'poison')
  redis.call('HINCRBY', P .. 'order:' .. O, 'rev', 1)
  trail_add(O, '"kind":"attempt","result":"failed","message":"Three workers died while reading it from the shop."')
end

local function take_over(S, dead)
  local batch, held = P .. 'fetchbatch:' .. S .. ':' .. dead, fetch_held(S, dead)
  for _, h in ipairs(held) do
    local item, queue, at = h[1], h[2], h[3]
    local task, status = fetch_task_of(item)
    if task and status ~= 'waiting' then
      redis.call('HDEL', P .. 'fetchdied:' .. S, item) -- paused or cancelled while it was read
    elseif not poison(S, item, #held == 1) then
      fetch_put(S, queue, item, at)
    elseif queue == 'fetchlater:' then
      fetch_put(S, queue, item, now + LATER_MS)
    elseif task then
      fetch_forget(S, item)
      fetch_task_end(S, item, 'failed', '{"error":"Three workers died while doing this."}')
    else
      drop(S, item)
    end
  end
  redis.call('DEL', batch)
  redis.call('ZREM', P .. 'fetchlease:' .. S, dead)
end

-- Up to LIMIT items of QUEUE that are due; one under suspicion is taken alone.
local function due(S, queue, limit)
  local items, kind = {}, fetch_kind(S, queue)
  if bucket_due(S, kind) > 0 then return items end
  limit = math.max(math.min(limit, math.floor(bucket(S, kind))), 1)
  for _, item in ipairs(redis.call('ZRANGE', P .. queue .. S, '-inf', now, 'BYSCORE', 'LIMIT', 0, limit)) do
    local suspect = redis.call('HEXISTS', P .. 'fetchdied:' .. S, item) == 1
    if suspect and #items > 0 then return items end
    items[#items + 1] = item
    if suspect then return items end
  end
  return items
end

local function take(S)
  local at = fetch_time(S)
  if not at or at > now then return nil end
  local queue, items
  for _, q in ipairs(FETCH_QUEUES) do
    queue, items = q, due(S, q, q == 'fetch:' and N or 1)
    if #items > 0 then break end
  end
  if #items == 0 then return nil end
  local out = { S, redis.call('HGET', P .. 'seller:' .. S, 'down') or '0' }
  for _, item in ipairs(items) do
    local at = string.format('%d', redis.call('ZSCORE', P .. queue .. S, item))
    redis.call('ZREM', P .. queue .. S, item)
    redis.call('HSET', P .. 'fetchbatch:' .. S .. ':' .. token, item, queue .. at)
    out[#out + 1] = item
    out[#out + 1] = redis.call('HGET', P .. 'fetchstate:' .. S, fetch_field(queue, item)) or ''
  end
  redis.call('ZADD', P .. 'fetchlease:' .. S, now + lease_ms, token)
  redis.call('HSET', P .. 'seller:' .. S, 'turn', now)
  return out
end

local function take_next()
  for _, S in ipairs(redis.call('ZRANGE', P .. 'fetchdue', '-inf', now, 'BYSCORE', 'LIMIT', 0, LOOK)) do
    local out
    if not redis.call('ZSCORE', P .. 'fetchlease:' .. S, token) then
      local dead = redis.call('ZRANGE', P .. 'fetchlease:' .. S, '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)[1]
      if dead then take_over(S, dead) end
      out = take(S)
    end
    fetch_relane(S, true)
    if out then return out end
  end
end

local out = take_next()
local at, watched, who = first(P .. 'fetchdue'), fetch_watch()
local soon = at and at < now + LOOK_MS
if out then
  if who == me then redis.call('DEL', P .. 'fetchwatch') end
  if soon and (not watched or watched > at or who == me) then fetch_ring() end
  return out
end
if not soon or (watched and watched <= at and who ~= me) then return { '', string.format('%d', LOOK_MS) } end
local wait = math.max(1, at - now)
redis.call('SET', P .. 'fetchwatch', string.format('%d %s', at, me), 'PX', string.format('%d', wait))
return { '', string.format('%d', wait) }
