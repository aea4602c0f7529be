#!lua
-- ingest: takes one event of one order. Refused before its first write when Redis is full.
-- ARGV: 1 order  2 store key  3 store version  4 connection  5 delivery hash (8 bytes) or ''
--   6 event  7 stamp or ''  8 part of the snapshot or ''  9 its bytes  10 import stamp 0|1
--   11-14 decisions (not in Xero, stamped off and on; in Xero, stamped off and on), each a letter and a
--   reason code: E export, M export but only money may change, S skip, W skip and withdraw
--   15 name  16 link  17 day it is paid or ''  18 rules' inputs as JSON members
--   19 row for the failed list ('' = usable)  20 its group  21 '1' if it may wait behind live orders
--   22 '1' if it was read from the shop because what is stored may lack something
-- Returns {result, reason}; {'stale_settings'}, {'no_store'}, {'full'} wrote nothing.
-- Sent twice: the second is a duplicate by its delivery hash; without one the same snapshot is not
-- newer, and the order is already waiting.
local O, C, event, stamp, part = ARGV[1], ARGV[4], ARGV[6], ARGV[7], ARGV[8]
local store = redis.call('HMGET', P .. 'store:' .. ARGV[2], 'version', 'deleted')
if not store[1] or store[2] then return { 'no_store' } end
if store[1] ~= ARGV[3] then return { 'stale_settings' } end
if redis.call('EXISTS', P .. 'full') == 1 then return { 'full' } end

local key, fields = P .. 'order:' .. O, {}
local o = redis.call('HMGET', key, 'st', 'on', 'snap', 'dlv', 'reason', 'inx', 'name', 'pend', 'doubt', 'conn',
  'gone', 'paid')
local st, on, stored, deliveries = o[1], o[2], o[3], o[4] or ''
local home = o[10] or C -- where it waits or has failed: its store may be on another connection now
local function put(field, value)
  fields[#fields + 1] = field
  fields[#fields + 1] = value
end
if ARGV[5] ~= '' then
  for i = 1, #deliveries, 8 do
    if deliveries:sub(i, i + 7) == ARGV[5] then return { 'duplicate', o[5] or '' } end
  end
  put('dlv', (deliveries .. ARGV[5]):sub(-128))
end
if not on then
  on = ARGV[10]
  put('on', on)
  put('conn', C)
end
if ARGV[15] ~= '' and ARGV[15] ~= o[7] then
  put('name', ARGV[15])
  put('link', ARGV[16])
  redis.call('ZADD', P .. 'names:' .. ARGV[2], 0, ARGV[15]:lower() .. '\0' .. O)
end
if ARGV[17] ~= '' and not o[12] then put('paid', ARGV[17]) end

-- The newer snapshot wins, or the same one after its retention; records of refunds and payments are
-- kept beside it. What was read because something may lack takes the place of another message of the
-- same state (a stamp's first 15 digits), and no other message of that state takes its place.
local whole = part == 'order'
local fuller = whole and ARGV[22] == '1' and stamp ~= ''
if fuller then stamp = stamp:sub(1, 15) .. string.rep('9', #stamp - 15) end
fuller = fuller and stored and stamp:sub(1, 15) == stored:sub(1, 15)
local newer
if fuller then
  newer = redis.call('HGET', P .. 'snap:' .. O, 'order') ~= ARGV[9]
else
  newer = whole and (not stored or stamp > stored
    or stamp == stored and redis.call('HEXISTS', P .. 'snap:' .. O, 'order') == 0)
end
local older = whole and not newer and not fuller and stamp ~= stored
local changed = newer or (part ~= '' and not whole)
if changed then redis.call('HSET', P .. 'snap:' .. O, part, ARGV[9]) end
if newer then put('snap', stamp) end
if #fields > 0 then redis.call('HSET', key, unpack(fields)) end
fields = {}

-- The decision, by the history of this instant.
local conn = redis.call('HMGET', P .. 'conn:' .. C, 'status', 'tenant')
local in_xero = st == 'leased' or o[9] or (o[6] and o[6] == conn[2])
local decision = ARGV[11 + (in_xero and 2 or 0) + (on == '1' and 1 or 0)]
local gone = o[11]
if gone then decision = 'Sdeleted_in_shop' end
if conn[1] == 'uninstalled' then decision = 'Sxero_uninstalled' end
local action, reason = decision:sub(1, 1), decision:sub(2)
local unusable = ARGV[19] ~= '' and not older and not gone and conn[1] ~= 'uninstalled' and (on == '1' or in_xero)
if unusable then action, reason = 'E', 'unusable' end

-- An order of connection C is ready. A lane that is due already cannot become so earlier.
local function ready_now(C)
  local due = redis.call('ZSCORE', P .. 'due', C)
  if due and tonumber(due) <= now then ring() else relane_and_ring(C) end
end

-- Exports, or says why there is nothing to do: what is stored has been exported, or has failed, and
-- the event brought nothing new.
local later = ARGV[21] == '1'
local function export()
  if action == 'E' then put('lines', '1') end
  local covered = not changed and not o[8]
  if o[8] then redis.call('HDEL', key, 'pend') end
  if st == 'leased' or st == 'waiting' then
    if not covered then redis.call('HINCRBY', key, 'rev', 1) end
    if not covered and st == 'waiting' then -- news may be what a delayed order waits for
      redis.call('ZADD', P .. 'ready:' .. home, 'XX', 'LT', now, O)
      ready_now(home)
    end
    if not later and redis.call('ZREM', P .. 'later:' .. home, O) == 1 then -- it is live now
      make_ready(home, O)
      ready_now(home)
    end
  elseif not (covered and (st == 'done' or st == 'failed' or st == 'dismissed')) then
    redis.call('HINCRBY', key, 'rev', 1)
    if unfail(home, O) then redis.call('HDEL', key, 'att', 'dth', 'sus') end
    make_ready(C, O, nil, later)
    ready_now(C)
    st = 'waiting'
    return conn[1] == 'active' and 'queued' or 'held'
  end
  if older then return 'stale_event' end
  return conn[1] == 'active' and 'queued' or 'held'
end

local function park()
  -- A worker that has it parks it by itself; what it does not know yet is brought back by the lease's end.
  if st ~= 'leased' or changed then redis.call('HINCRBY', key, 'rev', 1) end
  if st ~= 'leased' then
    withdraw(home, O)
    unfail(home, O)
    fail(C, O, ARGV[19], ARGV[20])
    relane(home)
    st = 'failed'
  end
  log_add(C, 'error', ARGV[2], ARGV[15], 'order_unusable', 'The order lacks what an invoice needs.')
  return 'unusable'
end

-- Skips. An older event takes nothing away.
local function skip()
  if changed then put('pend', '1') end
  local waiting = st == 'waiting' or st == 'failed' or st == 'dismissed'
  if action == 'W' and waiting and not older then
    withdraw(home, O)
    unfail(home, O)
    relane(home)
    st = 'skipped'
    put('st', st)
    redis.call('HDEL', key, 'byhand', 'ff')
  elseif not st or st == 'kept' then
    st = reason == 'kept_for_the_order' and 'kept' or 'skipped'
    put('st', st)
  end
  return older and 'stale_event' or reason == 'kept_for_the_order' and 'kept' or 'skipped'
end

local result = unusable and park() or (action == 'E' or action == 'M') and export() or skip()
if result ~= 'stale_event' then put('reason', reason) end
if #fields > 0 then redis.call('HSET', key, unpack(fields)) end
trail_add(O, '"kind":"event","event":"' .. event .. '","result":"' .. result .. '","reason":"' .. reason
  .. '"' .. (ARGV[18] ~= '' and ',' or '') .. ARGV[18])
if st ~= 'waiting' and st ~= 'leased' and st ~= 'failed' then at_rest(O) end
return { result, reason }
