#!lua flags=allow-oom
-- lease: takes the next lane that may act and up to N of its orders.
-- ARGV: 1 token  2 lease ms  3 N
-- Returns {orders failed as poison, connection, settling 0|1, kind, bytes, key, meta, age ms, look up 0|1,
-- order, revision, ...} or {orders failed as poison, '', ms until there may be something}.
-- Sent twice (the first answer was lost): the first lease dies unused and its orders come back. Its
-- lane is passed over, so that the same token never stands for two batches of one connection.
local token, lease_ms, N = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local LOOK = 20 -- lanes looked at in one call; the others keep their place
local POISON = 3
local poisoned = 0

-- CALLED: a call's answer is missing, so whoever exports the order next has to look first.
local function poison(C, O, called)
  local o = redis.call('HMGET', P .. 'order:' .. O, 'name')
  if called then redis.call('HSET', P .. 'order:' .. O, 'doubt', '1') end
  redis.call('HDEL', P .. 'order:' .. O, 'tok')
  fail(C, O, '"failed_export":"Sales invoice","exported_item":' .. cjson.encode(o[1] or '') ..
    ',"export_error":["Three workers died while exporting this order alone."],"catalogue":["poison"]',
    'poison')
  trail_add(O, '"kind":"attempt","result":"failed","message":"Three workers died on it."')
  log_add(C, 'error', '', o[1] or '', 'order_poison', 'Three workers died while exporting this order alone.')
end

-- A worker died. Its batch is suspected in ever smaller parts, so that one poisonous order cannot fail
-- healthy ones: only a death while leased alone counts.
local function suspect(C, list, called)
  if #list > 1 then
    for _, x in ipairs(list) do
      redis.call('HSET', P .. 'order:' .. x[1], 'sus', math.floor(#list / 2))
    end
    return false
  end
  if #list == 0 or redis.call('HINCRBY', P .. 'order:' .. list[1][1], 'dth', 1) < POISON then
    return false
  end
  poison(C, list[1][1], called)
  poisoned = poisoned + 1
  return true
end

-- Moves the second half of a batch into one of its own, dead at once, for the next taker.
local function split(C, batch, list)
  local half = P .. 'batch:' .. C .. ':' .. token .. '-b'
  local req = redis.call('HMGET', batch, 'kind', 'bytes', 'key', 'meta', 'sent')
  redis.call('HSET', half, 'kind', req[1], 'bytes', req[2], 'key', req[3], 'meta', req[4], 'sent', req[5],
    'look_up', '1', 'settles', '1', 'split', '1')
  for i = #list, math.floor(#list / 2) + 1, -1 do
    redis.call('HSET', half, list[i][1], list[i][2])
    redis.call('HSET', P .. 'order:' .. list[i][1], 'tok', token .. '-b')
    redis.call('HDEL', batch, list[i][1])
    list[i] = nil
  end
  redis.call('ZADD', P .. 'leases:' .. C, now, token .. '-b')
end

-- Takes over the dead lease OLD. Nobody had called: its orders are ready again, nil. A call's answer is
-- missing: the batch goes whole to this worker to be settled; if a settling worker died too, in halves
-- that are only looked up.
local function take_over(C, old)
  local batch = P .. 'batch:' .. C .. ':' .. old
  local list = held(batch, old)
  local b = redis.call('HMGET', batch, 'key', 'settles', 'split')
  redis.call('ZREM', P .. 'leases:' .. C, old)
  local dead = not b[3] and suspect(C, list, b[1])
  if dead or #list == 0 or not b[1] then
    redis.call('DEL', batch)
    if not dead then
      for _, x in ipairs(list) do make_ready(C, x[1]) end
    end
    return nil
  end
  local mine = P .. 'batch:' .. C .. ':' .. token
  redis.call('RENAME', batch, mine)
  redis.call('HDEL', mine, 'split')
  if b[2] then
    redis.call('HSET', mine, 'look_up', '1')
    if not b[3] and #list > 1 then split(C, mine, list) end
  end
  redis.call('HINCRBY', mine, 'settles', 1)
  for _, x in ipairs(list) do redis.call('HSET', P .. 'order:' .. x[1], 'tok', token) end
  redis.call('ZADD', P .. 'leases:' .. C, now + lease_ms, token)
  local r = redis.call('HMGET', mine, 'kind', 'bytes', 'key', 'meta', 'sent', 'look_up')
  local out = { C, '1', r[1], r[2], r[3], r[4], string.format('%d', now - tonumber(r[5])), r[6] or '0' }
  for _, x in ipairs(list) do
    out[#out + 1] = x[1]
    out[#out + 1] = x[2]
  end
  return out
end

-- Adds orders of KEY that are due by TILL to TAKEN; an order under suspicion keeps the batch small, and
-- so do large snapshots: a worker unpacks all of a batch at once.
local BYTES = 2097152
local function take(key, taken, limit, till)
  local bytes = 0
  for _, O in ipairs(redis.call('ZRANGE', key, '-inf', till, 'BYSCORE', 'LIMIT', 0, limit)) do
    local sus = tonumber(redis.call('HGET', P .. 'order:' .. O, 'sus') or limit)
    bytes = bytes + redis.call('HSTRLEN', P .. 'snap:' .. O, 'order')
    if #taken >= math.min(limit, sus) or (bytes > BYTES and #taken > 0) then return #taken end
    limit = math.min(limit, sus)
    taken[#taken + 1] = O
  end
  return limit
end

local function take_ready(C, lane)
  local at, only_by_hand = start_time(C, lane, redis.call('ZCARD', P .. 'leases:' .. C))
  if not at or at > now then return nil end
  local taken = {}
  local limit = take(P .. 'ready:' .. C, taken, N, only_by_hand and 0 or now)
  if not only_by_hand then take(P .. 'later:' .. C, taken, limit, now) end
  if #taken == 0 then return nil end
  local batch = P .. 'batch:' .. C .. ':' .. token
  local out = { C, '0', '', '', '', '', '0', '0' }
  for _, O in ipairs(taken) do
    local rev = redis.call('HGET', P .. 'order:' .. O, 'rev') or '0'
    redis.call('HSET', P .. 'order:' .. O, 'st', 'leased', 'tok', token)
    redis.call('HSET', batch, O, rev)
    withdraw(C, O)
    out[#out + 1] = O
    out[#out + 1] = rev
  end
  if only_by_hand then redis.call('HSET', batch, 'by_hand', '1') end
  redis.call('ZADD', P .. 'leases:' .. C, now + lease_ms, token)
  redis.call('HSET', P .. 'conn:' .. C, 'turn', now)
  return out
end

for _, C in ipairs(redis.call('ZRANGE', P .. 'due', '-inf', now, 'BYSCORE', 'LIMIT', 0, LOOK)) do
  local out
  local lane, sent_twice = lane_of(C), redis.call('ZSCORE', P .. 'leases:' .. C, token)
  if lane[1] == 'active' and not sent_twice then
    local dead = redis.call('ZRANGE', P .. 'leases:' .. C, '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)[1]
    if dead then out = take_over(C, dead) end
    out = out or take_ready(C, lane)
  end
  local at = relane(C)
  if out then
    if at and at <= now then ring() end
    table.insert(out, 1, poisoned)
    return out
  end
end
local at = first(P .. 'due')
return { poisoned, '', at and string.format('%d', math.max(1, at - now)) or '5000' }
