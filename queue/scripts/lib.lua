-- lib: what the scripts share. The build puts this text behind the first line of every other script.
-- KEYS[1] is the prefix of all keys. Keys beyond it are built here: there is one Redis primary, and a
-- hash tag in the prefix keeps them in one slot should there ever be more.
-- Times are Redis' own, in milliseconds; order ids stay texts; payloads are never parsed.
local P = KEYS[1]
local TIME = redis.call('TIME')
local now = TIME[1] * 1000 + math.floor(TIME[2] / 1000)

-- Xero's limits an organisation: calls in flight, and calls in a window (see service/base/limits.h).
local IN_FLIGHT, MINUTE, MINUTE_MS = 5, 57, 61000

-- Score of a sorted set's first member, or nil.
local function first(key)
  local r = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return r[2] and tonumber(r[2])
end

-- Earliest time at which connection C may make its next call by the minute's limit; 0: now.
local function minute_free(C)
  local key = P .. 'minute:' .. C
  if redis.call('ZCARD', key) < MINUTE then return 0 end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - MINUTE_MS)
  if redis.call('ZCARD', key) < MINUTE then return 0 end
  return first(key) + MINUTE_MS + 1
end

-- What of connection C says when it may call: status, not-before, turn, and what `budget` needs.
local function lane_of(C)
  return redis.call('HMGET', P .. 'conn:' .. C, 'status', 'nb', 'turn', 'day_left', 'day_max', 'day_end', 'cpb')
end

-- What the connection of LANE may spend. Xero says with each answer how many calls of its day are left; its day
-- ends at a time of its own, seen when the figure jumps up. Until the first answer, and when the day is
-- over, one call at a time finds out. A share of the day is kept for exports by hand. As long as nine
-- tenths of what an even spending leaves are left, an order leaves at once: a tenth of the day may be
-- spent ahead, less and less towards its end, so that the last hours have their share. With less, a batch
-- lingers as long as what is left has to last, so that its calls are shared by more orders.
-- Returns calls in flight allowed, calls left for all, calls left by hand, linger ms, end of the day.
local DAY_MS, BATCH = 86400000, 50
local function budget(lane)
  local left, max, ends = tonumber(lane[4] or 0), tonumber(lane[5] or 0), tonumber(lane[6] or 0)
  if not lane[4] or ends <= now then return 1, 1, 1, 0, now end
  local o = redis.call('HMGET', P .. 'options', 'reserve', 'linger_max')
  local reserve = math.ceil(max * tonumber(o[1] or 5) / 100)
  local free, usual = left - reserve, max - reserve
  local linger = 0
  if free < usual * 0.9 * (ends - now) / DAY_MS then
    linger = (ends - now) * tonumber(lane[7] or 200) / 100 / math.max(free, 1)
    linger = math.floor(math.min(linger, tonumber(o[2] or 900000)))
  end
  return IN_FLIGHT, free, left, linger, ends
end

-- When connection C, whose LANE is given with its calls in FLIGHT, may begin a new batch; nil: nothing
-- waits, or its calls in flight are all taken. Second: true if only exports by hand may be taken.
local function start_time(C, lane, flight)
  local r, l = first(P .. 'ready:' .. C), first(P .. 'later:' .. C)
  local at = r and l and math.min(r, l) or r or l
  if not at then return nil end
  local allowed, free, left, linger, ends = budget(lane)
  if flight >= allowed then return nil end
  local by_hand = r == 0
  if (by_hand and left or free) <= 0 then
    at = math.max(at, ends)
  elseif linger > 0 and not by_hand and
      redis.call('ZCARD', P .. 'ready:' .. C) + redis.call('ZCARD', P .. 'later:' .. C) < BATCH then
    at = at + linger
  end
  return math.max(at, tonumber(lane[2] or 0), tonumber(lane[3] or 0), minute_free(C)), free <= 0
end

-- When lane C is next worth a try; nil: nothing to do. A lane that is not active does nothing: its
-- dead leases are settled when it is resumed.
local function lane_time(C)
  local lane = lane_of(C)
  if lane[1] ~= 'active' then return nil end
  local leases = redis.call('ZRANGE', P .. 'leases:' .. C, 0, -1, 'WITHSCORES')
  local dead, at = tonumber(leases[2]), start_time(C, lane, #leases / 2)
  return dead and at and math.min(dead, at) or at or dead
end

-- Puts lane C where it belongs in the due set. Every script that changes a lane's ready, later or
-- leases, or its connection's state, ends with this. Returns the lane's time.
local function relane(C)
  local at = lane_time(C)
  if at then
    redis.call('ZADD', P .. 'due', at, C)
  else
    redis.call('ZREM', P .. 'due', C)
  end
  return at
end

-- Wakes an idle worker. At most 64 rings are kept; a ring too many costs one empty look.
local function ring()
  if redis.call('LPUSH', P .. 'wake', '1') > 64 then redis.call('LTRIM', P .. 'wake', 0, 63) end
end

local function relane_and_ring(C)
  local at = relane(C)
  if at and at <= now then ring() end
end

-- ---- reading from shops: store S ("amazon/A1") is a lane of its own ----
-- `fetch:S` holds orders that were asked for, `fetchfirst:S` what somebody waits for and `fetchlater:S` what
-- may wait (both beginning with "*"), each with the time from which it is due; `fetchlease:S` the one lease
-- that reads them.
local FETCH_QUEUES = { 'fetchfirst:', 'fetch:', 'fetchlater:' }
-- Where an item stands that a task tells of: "*<kind>:<task>".
local TASK_QUEUES = { check = 'fetchfirst:', backfill = 'fetchlater:' }

-- Calls that a shop allows a seller, by platform and kind: a second, and at once, until it says other.
-- Shopify counts points, Amazon calls: 30 and 20 at once. One less of each is taken: Amazon's bucket is
-- full until the first call arrives, while ours fills again from its permit on, by one call at most, since
-- a seller's calls come one after the other.
local BUCKETS = {
  ['amazon:order'] = { 0.5, 29 }, ['amazon:search'] = { 0.0056, 19 }, ['shopify:cost'] = { 50, 1000 },
}

-- What is in the bucket of KIND now, how much runs in a second, and how much it holds.
local function bucket(S, kind)
  local usual = BUCKETS[S:match('^%a+') .. ':' .. kind] or { 1, 1 }
  local b = redis.call('HMGET', P .. 'seller:' .. S, kind .. ':rate', kind .. ':burst', kind .. ':tokens',
    kind .. ':at')
  local rate, burst = tonumber(b[1] or usual[1]), tonumber(b[2] or usual[2])
  local since = math.max(now - tonumber(b[4] or now), 0)
  return math.min(burst, tonumber(b[3] or burst) + since / 1000 * rate), rate, burst
end

-- Sets what is in the bucket of KIND.
local function bucket_set(S, kind, tokens)
  redis.call('HSET', P .. 'seller:' .. S, kind .. ':tokens', tostring(tokens), kind .. ':at', string.format('%d', now))
end

-- What the shop said of its limits, as ARGV from I on has it: kind, a second, at once, left; '' unknown.
local function bucket_said(S, i)
  local kind, rate, burst, left = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
  if kind == '' then return end
  bucket_set(S, kind, left or (bucket(S, kind))) -- what ran so far ran at the old rate
  if (tonumber(rate) or 0) > 0 then redis.call('HSET', P .. 'seller:' .. S, kind .. ':rate', rate) end
  if (tonumber(burst) or 0) >= 1 then redis.call('HSET', P .. 'seller:' .. S, kind .. ':burst', burst) end
end

-- ms until the bucket has COST, or is full if it cannot hold so much; 0: now.
local function bucket_wait(S, kind, cost)
  local tokens, rate, burst = bucket(S, kind)
  return math.ceil(math.max(math.min(cost, burst) - tokens, 0) / rate * 1000)
end

-- ms until the bucket of KIND has what the next call takes, as far as it is known: what a call had to
-- wait for last (`need`), else 1. So nothing else spends what is being waited for.
local function bucket_due(S, kind)
  return bucket_wait(S, kind, tonumber(redis.call('HGET', P .. 'seller:' .. S, kind .. ':need') or 1))
end

-- The kind of call that reads what is in QUEUE.
local function fetch_kind(S, queue)
  if S:sub(1, 7) ~= 'amazon/' then return 'cost' end
  return queue == 'fetch:' and 'order' or 'search'
end

-- When lane S is next worth a try; nil: nothing to do. What has been served last goes behind (`turn`).
local function fetch_time(S)
  local s = redis.call('HMGET', P .. 'store:' .. S, 'version', 'deleted')
  if not s[1] or s[2] then return nil end
  local leased, at = first(P .. 'fetchlease:' .. S), nil
  if leased then return leased end
  for _, queue in ipairs(FETCH_QUEUES) do
    local due = first(P .. queue .. S)
    if due then
      local wait = bucket_due(S, fetch_kind(S, queue))
      if wait > 0 then due = math.max(due, now + wait) end
      at = at and math.min(at, due) or due
    end
  end
  local s2 = redis.call('HMGET', P .. 'seller:' .. S, 'nb', 'turn')
  return at and math.max(at, tonumber(s2[1] or 0), tonumber(s2[2] or 0))
end

-- The task that ITEM of a lane stands for, and its status ('cancelled' if it is gone); nil: for none.
local function fetch_task_of(item)
  local id = item:match('^%*%a+:(.*)$')
  return id, id and (redis.call('HGET', P .. 'task:' .. id, 'status') or 'cancelled')
end

-- Puts ITEM into QUEUE of lane S, due from AT on. It waits in one queue only: once it is asked for in
-- front, it need not be read again behind. A task that was paused or cancelled meanwhile does not wait.
local function fetch_put(S, queue, item, at)
  local task, status = fetch_task_of(item)
  if task and status ~= 'waiting' then return end
  if queue == 'fetch:' then
    redis.call('ZREM', P .. 'fetchlater:' .. S, item)
  elseif redis.call('ZSCORE', P .. 'fetch:' .. S, item) then
    return
  end
  redis.call('ZADD', P .. queue .. S, 'LT', at, item)
end

-- The field of fetchstate with what a worker is to be told with ITEM of QUEUE: who asks for an order by
-- hand and who may wait do not overwrite each other.
local function fetch_field(queue, item)
  return queue == 'fetch:' and '!' .. item or item
end

-- Notes what a worker is to be told with ITEM of QUEUE. That what is stored lacks something does not take
-- the place of an export by hand, which brings the same.
local function fetch_state(S, queue, item, state)
  local states, field = P .. 'fetchstate:' .. S, fetch_field(queue, item)
  local had = (state == 'whole' or state == 'parts') and redis.call('HGET', states, field) or ''
  if state == '' or had:match('^%a+:') then return end
  redis.call('HSET', states, field, state)
end

-- Item is at rest: its state goes, unless it was asked for again meanwhile.
local function fetch_forget(S, item)
  redis.call('HDEL', P .. 'fetchtries:' .. S, item)
  for _, queue in ipairs({ 'fetch:', 'fetchlater:' }) do
    if not redis.call('ZSCORE', P .. queue .. S, item) then
      redis.call('HDEL', P .. 'fetchstate:' .. S, fetch_field(queue, item))
    end
  end
end

-- What the lease TOKEN holds: {item, queue, its place there}, of each.
local function fetch_held(S, token)
  local flat, list = redis.call('HGETALL', P .. 'fetchbatch:' .. S .. ':' .. token), {}
  for i = 1, #flat, 2 do
    local queue, at = flat[i + 1]:match('^(%a+:)(%d+)$')
    list[#list + 1] = { flat[i], queue, at }
  end
  return list
end

-- Idle threads look every LOOK_MS, and when the bell rings. One of them, the watch, looks at the next
-- lane's time as well, so that not all do: `fetchwatch` says which time that is, and who.
local LOOK_MS = 5000

local function fetch_watch()
  local at, who = (redis.call('GET', P .. 'fetchwatch') or ''):match('^(%d+) (.*)$')
  return tonumber(at), who
end

local function fetch_ring()
  redis.call('LPUSH', P .. 'fetchwake', '1')
  redis.call('LTRIM', P .. 'fetchwake', 0, 63)
end

-- Puts lane S where it belongs; every script that changes a store's lane ends with this. Wakes an idle
-- thread if there is something to do, or will be before anybody looks; LOOKS: the caller will look itself.
-- Returns the lane's time.
local function fetch_relane(S, looks)
  local at = fetch_time(S)
  if not at then
    redis.call('ZREM', P .. 'fetchdue', S)
    return nil
  end
  redis.call('ZADD', P .. 'fetchdue', at, S)
  if at <= now or (not looks and at < now + LOOK_MS and at < (fetch_watch() or math.huge)) then fetch_ring() end
  return at
end

-- Ends the task that ITEM of lane S stands for; RESULT is JSON, or ''.
local function fetch_task_end(S, item, status, result)
  local task = P .. 'task:' .. fetch_task_of(item)
  redis.call('SREM', P .. 'fetchtasks:' .. S, item)
  redis.call('HSET', task, 'status', status)
  if result ~= '' then redis.call('HSET', task, 'result', result) end
  redis.call('HDEL', task, 'input')
  redis.call('EXPIRE', task, 86400)
end

-- Nothing of lane S is read any more: whoever reads at this moment has lost its lease, and its tasks are
-- cancelled.
local function fetch_clear(S)
  for _, token in ipairs(redis.call('ZRANGE', P .. 'fetchlease:' .. S, 0, -1)) do
    redis.call('DEL', P .. 'fetchbatch:' .. S .. ':' .. token)
  end
  for _, item in ipairs(redis.call('SMEMBERS', P .. 'fetchtasks:' .. S)) do
    fetch_task_end(S, item, 'cancelled', '')
  end
  for _, queue in ipairs(FETCH_QUEUES) do redis.call('DEL', P .. queue .. S) end
  redis.call('DEL', P .. 'fetchstate:' .. S, P .. 'fetchdied:' .. S, P .. 'fetchtries:' .. S,
    P .. 'fetchlease:' .. S)
  fetch_relane(S)
end

-- Adds to an order's trail: MEMBERS is JSON members without braces.
local TRAIL = 200
local function trail_add(O, members)
  local key, line = P .. 'trail:' .. O, '{"t":' .. string.format('%d', now) .. ',' .. members .. '}'
  if redis.call('LPUSH', key, line) > TRAIL then redis.call('LTRIM', key, 0, TRAIL - 1) end
end

local function log_add(C, level, store, order, event, message)
  redis.call('XADD', P .. 'log:' .. C, '*', 'level', level, 'store', store, 'order', order, 'event',
    event, 'message', message)
end

local AUDIT_MS = 400 * 86400000
local function audit(who, what, object, old, new)
  redis.call('XADD', P .. 'audit', 'MINID', '~', string.format('%d', now - AUDIT_MS), '*', 'who', who,
    'what', what, 'object', object, 'old', old, 'new', new)
end

-- An order at rest keeps its snapshot and trail for the retention; one at work keeps them for good.
local function at_rest(O)
  local keep = redis.call('HGET', P .. 'options', 'retention') or '2592000000'
  redis.call('PEXPIRE', P .. 'snap:' .. O, keep)
  redis.call('PEXPIRE', P .. 'trail:' .. O, keep)
  redis.call('HDEL', P .. 'order:' .. O, 'wt')
end
local function at_work(O)
  redis.call('PERSIST', P .. 'snap:' .. O)
  redis.call('PERSIST', P .. 'trail:' .. O)
end

-- Takes an order off the failed list, if it is there. True if it was.
local function unfail(C, O)
  if redis.call('ZREM', P .. 'failed:' .. C, O) == 0 then return false end
  redis.call('HDEL', P .. 'failrow:' .. C, O)
  local group = redis.call('HGET', P .. 'order:' .. O, 'fg')
  if group and redis.call('HINCRBY', P .. 'failgroups:' .. C, group, -1) <= 0 then
    redis.call('HDEL', P .. 'failgroups:' .. C, group)
  end
  redis.call('HDEL', P .. 'order:' .. O, 'fg')
  return true
end

-- Puts an order on the failed list. ROW is JSON members without braces; GROUP is the first cause.
local function fail(C, O, row, group)
  local key = P .. 'order:' .. O
  unfail(C, O)
  redis.call('HSETNX', key, 'ff', string.format('%d', now))
  local o = redis.call('HMGET', key, 'ff', 'att', 'link')
  redis.call('HSET', key, 'st', 'failed', 'conn', C, 'fg', group)
  redis.call('HDEL', key, 'wt')
  redis.call('ZADD', P .. 'failed:' .. C, now, O)
  redis.call('HINCRBY', P .. 'failgroups:' .. C, group, 1)
  redis.call('HSET', P .. 'failrow:' .. C, O, string.format(
    '{"attempts":%d,"first_failed_at":%s,"last_failed_at":%d,"order_link":%s,%s}',
    tonumber(o[2] or 0), o[1], now, cjson.encode(o[3] or ''), row))
  at_work(O)
end

-- Makes an order wait for its turn. AT nil: now, or the front if it is exported by hand. LATER: behind
-- all that is live, unless it is by hand.
local function make_ready(C, O, at, later)
  local key = P .. 'order:' .. O
  local o = redis.call('HMGET', key, 'byhand', 'wt', 'tok')
  at = at or o[1] and 0 or now
  redis.call('HSET', key, 'st', 'waiting', 'conn', C, 'wt', o[2] or string.format('%d', now))
  if o[3] then redis.call('HDEL', key, 'tok') end
  redis.call('ZADD', P .. (later and at > 0 and 'later:' or 'ready:') .. C, at, O)
  at_work(O)
end

-- The orders of BATCH that TOKEN still holds, each with the revision that was taken. The other fields
-- of a batch are of its call; an order's key is the only one with a slash.
local function held(batch, token)
  local flat, list = redis.call('HGETALL', batch), {}
  for i = 1, #flat, 2 do
    local O = flat[i]
    if O:find('/', 1, true) and redis.call('HGET', P .. 'order:' .. O, 'tok') == token then
      list[#list + 1] = { O, flat[i + 1] }
    end
  end
  return list
end

-- Takes a waiting order out of the queue.
local function withdraw(C, O)
  redis.call('ZREM', P .. 'ready:' .. C, O)
  redis.call('ZREM', P .. 'later:' .. C, O)
end

-- Writes fields of order records as a call's answer gave them: ARGV from I on holds N groups of
-- order, field, "S" or "D", value. Only of orders that TOKEN holds. Returns the index behind them.
-- The tenant is kept beside the invoice's id, so that "is it in Xero" is one comparison.
local function record(C, token, i, n)
  local tenant = redis.call('HGET', P .. 'conn:' .. C, 'tenant') or ''
  for _ = 1, n do
    local key, field, op, value = P .. 'order:' .. ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    if redis.call('HGET', key, 'tok') == token then
      if op == 'D' then
        redis.call('HDEL', key, field)
      else
        redis.call('HSET', key, field, value)
      end
      if field == 'doc:invoice' then
        if op == 'D' then redis.call('HDEL', key, 'inx') else redis.call('HSET', key, 'inx', tenant) end
      end
    end
    i = i + 4
  end
  return i
end

-- Xero's newest word on the day's budget. Calls in flight are not in it yet. A figure well above ours
-- means that a new day has begun (answers that overtake each other are apart by the calls in flight).
local function day_said(C, said)
  said = tonumber(said)
  if said < 0 then return end
  local key = P .. 'conn:' .. C
  local c = redis.call('HMGET', key, 'day_left', 'day_max', 'day_end')
  local max, ends = tonumber(c[2] or 0), tonumber(c[3] or 0)
  if not c[1] or ends <= now or said > tonumber(c[1]) + 4 * IN_FLIGHT then
    max, ends = said, now + DAY_MS
  end
  local others = math.max(redis.call('ZCARD', P .. 'leases:' .. C) - 1, 0)
  redis.call('HSET', key, 'day_left', math.max(said - others, 0), 'day_max', math.max(max, said), 'day_end',
    string.format('%d', ends))
end

-- What was learnt of connection C's organisation does not hold for another one.
local function forget_tenant(C)
  redis.call('HDEL', P .. 'conn:' .. C, 'tenant_name', 'day_left', 'day_max', 'day_end', 'cpb', 'nb', 'why', 'turn')
  redis.call('DEL', P .. 'contacts:' .. C, P .. 'mapped:' .. C, P .. 'items:' .. C, P .. 'ref:' .. C,
    P .. 'open:' .. C)
end

-- Xero was uninstalled: order O is not exported any more.
local function put_aside(O)
  local key = P .. 'order:' .. O
  redis.call('HSET', key, 'st', 'skipped', 'reason', 'xero_uninstalled')
  redis.call('HDEL', key, 'tok', 'byhand', 'ff')
  trail_add(O, '"kind":"change","message":"Xero was uninstalled, so the order is not exported."')
  at_rest(O)
end

-- Ends the leases of dead workers, of an uninstalled connection: nobody settles them any more, so
-- whoever exports such an order again has to look first.
local function end_dead(C)
  for _, token in ipairs(redis.call('ZRANGE', P .. 'leases:' .. C, '-inf', now, 'BYSCORE')) do
    local batch = P .. 'batch:' .. C .. ':' .. token
    local called = redis.call('HGET', batch, 'key')
    for _, x in ipairs(held(batch, token)) do
      if called then redis.call('HSET', P .. 'order:' .. x[1], 'doubt', '1') end
      put_aside(x[1])
    end
    redis.call('DEL', batch)
    redis.call('ZREM', P .. 'leases:' .. C, token)
  end
end

-- Goes on erasing what uninstalled connection C held. 'more': there is more to do now; 'leased': live
-- leases still record what Xero makes; 'ok': all is gone.
local function erase(C)
  local key, seen = P .. 'conn:' .. C, 0
  if not redis.call('HGET', key, 'erasing') then return 'ok' end
  for _, queue in ipairs({ 'ready:', 'later:', 'failed:' }) do
    for _, O in ipairs(redis.call('ZRANGE', P .. queue .. C, 0, 999 - seen)) do
      if queue == 'failed:' then unfail(C, O) else withdraw(C, O) end
      put_aside(O)
      seen = seen + 1
    end
    if seen >= 1000 then return 'more' end
  end
  for _, S in ipairs(redis.call('SMEMBERS', P .. 'stores')) do
    local store = P .. 'store:' .. S
    if redis.call('HGET', store, 'connection') == C and redis.call('HDEL', store, 'doc') == 1 then
      for _, name in ipairs({ 'api_token', 'api_client_id', 'api_client_secret', 'refresh_token' }) do
        redis.call('HDEL', store, 'secret:' .. name, 'secret_at:' .. name)
      end
      redis.call('HSET', store, 'erased', '1')
      redis.call('HINCRBY', store, 'version', 1)
      fetch_clear(S)
    end
  end
  end_dead(C)
  if redis.call('EXISTS', P .. 'leases:' .. C) == 1 then return 'leased' end
  forget_tenant(C)
  redis.call('DEL', P .. 'failrow:' .. C, P .. 'failgroups:' .. C, P .. 'down:' .. C)
  redis.call('HDEL', key, 'grant', 'consent', 'client_id', 'erasing')
  return 'ok'
end
