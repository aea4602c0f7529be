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
  redis.call('ZREMRANGEBYSCORE', P .. 'minute:' .. C, '-inf', now - MINUTE_MS)
  if redis.call('ZCARD', P .. 'minute:' .. C) < MINUTE then return 0 end
  return first(P .. 'minute:' .. C) + MINUTE_MS + 1
end

-- When lane C is next worth a try; nil: nothing to do. A lane that is not active does nothing: its
-- dead leases are settled when it is resumed.
local function lane_time(C)
  local conn = redis.call('HMGET', P .. 'conn:' .. C, 'status', 'nb', 'turn')
  if conn[1] ~= 'active' then return nil end
  local dead = first(P .. 'leases:' .. C)
  local r, l = first(P .. 'ready:' .. C), first(P .. 'later:' .. C)
  local at = r and l and math.min(r, l) or r or l
  if at and redis.call('ZCARD', P .. 'leases:' .. C) < IN_FLIGHT then
    at = math.max(at, tonumber(conn[2] or 0), tonumber(conn[3] or 0), minute_free(C))
    return dead and math.min(at, dead) or at
  end
  return dead
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
  redis.call('LPUSH', P .. 'wake', '1')
  redis.call('LTRIM', P .. 'wake', 0, 63)
end

local function relane_and_ring(C)
  local at = relane(C)
  if at and at <= now then ring() end
end

-- Adds to an order's trail: MEMBERS is JSON members without braces.
local function trail_add(O, members)
  redis.call('LPUSH', P .. 'trail:' .. O, '{"t":' .. string.format('%d', now) .. ',' .. members .. '}')
  redis.call('LTRIM', P .. 'trail:' .. O, 0, 199)
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
  local keep = redis.call('GET', P .. 'retention') or '2592000000'
  redis.call('PEXPIRE', P .. 'snap:' .. O, keep)
  redis.call('PEXPIRE', P .. 'trail:' .. O, keep)
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
  redis.call('ZADD', P .. 'failed:' .. C, now, O)
  redis.call('HINCRBY', P .. 'failgroups:' .. C, group, 1)
  redis.call('HSET', P .. 'failrow:' .. C, O, string.format(
    '{"attempts":%d,"first_failed_at":%s,"last_failed_at":%d,"order_link":%s,%s}',
    tonumber(o[2] or 0), o[1], now, cjson.encode(o[3] or ''), row))
  at_work(O)
end

-- Makes an order wait for its turn. AT nil: now, or the front if it is exported by hand.
local function make_ready(C, O, at)
  local key = P .. 'order:' .. O
  if not at then
    at = redis.call('HGET', key, 'byhand') and 0 or now
  end
  redis.call('HSET', key, 'st', 'waiting', 'conn', C)
  redis.call('HDEL', key, 'tok')
  redis.call('ZADD', P .. 'ready:' .. C, at, O)
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

-- Xero's newest word on the day's budget, less the permits since.
local function day_left(C, said)
  if tonumber(said) >= 0 then redis.call('HSET', P .. 'conn:' .. C, 'day_left', said) end
end
