#!lua
-- fetch_add: an order changed, and what it is now has to be fetched: it is put on its store's lane,
-- as fetch_ask does, but as an event of the order.
-- Refused before its first write when Redis is full.
-- ARGV: 1 order  2 store key  3 store version  4 connection  5 delivery hash (8 bytes) or ''
--   6 event  7 import stamp 0|1  8 name  9 link  10 the trail's inputs as JSON members  11 state for the
--   worker or ''
-- Returns {result, reason}; {'stale_settings'}, {'no_store'}, {'full'} wrote nothing.
-- Sent twice: the second is a duplicate by its delivery hash; without one the id stands there already.
local O, S, C = ARGV[1], ARGV[2], ARGV[4]
local store = redis.call('HMGET', P .. 'store:' .. S, 'version', 'deleted')
if not store[1] or store[2] then return { 'no_store' } end
if store[1] ~= ARGV[3] then return { 'stale_settings' } end
if redis.call('EXISTS', P .. 'full') == 1 then return { 'full' } end

local key = P .. 'order:' .. O
local o = redis.call('HMGET', key, 'st', 'on', 'dlv', 'reason', 'inx', 'name', 'doubt')
local st, on, deliveries = o[1], o[2], o[3] or ''
if ARGV[5] ~= '' then
  for i = 1, #deliveries, 8 do
    if deliveries:sub(i, i + 7) == ARGV[5] then return { 'duplicate', o[4] or '' } end
  end
  redis.call('HSET', key, 'dlv', (deliveries .. ARGV[5]):sub(-128))
end
if not on then
  on = ARGV[7]
  redis.call('HSET', key, 'on', on, 'conn', C)
end
if ARGV[8] ~= '' and ARGV[8] ~= o[6] then
  redis.call('HSET', key, 'name', ARGV[8], 'link', ARGV[9])
  redis.call('ZADD', P .. 'names:' .. S, 0, ARGV[8]:lower() .. '\0' .. O)
end

-- What no state of the order would change needs no fetch.
local conn = redis.call('HMGET', P .. 'conn:' .. C, 'status', 'tenant')
local in_xero = st == 'leased' or o[7] or (o[5] and o[5] == conn[2])
local result, reason = 'queued', 'waiting_for_fetch'
if conn[1] == 'uninstalled' then
  result, reason = 'skipped', 'xero_uninstalled'
elseif on ~= '1' and not in_xero then
  result, reason = 'skipped', 'accounting_invoice_off'
end
if result == 'queued' then
  -- One that is being read at this moment is in its lease, not here: it will be read again.
  fetch_put(S, 'fetch:', O:sub(#S + 2), now)
  fetch_state(S, 'fetch:', O:sub(#S + 2), ARGV[11])
  fetch_relane(S)
end

local rests = not st or st == 'skipped' or st == 'kept'
if rests then redis.call('HSET', key, 'st', 'skipped', 'reason', reason) end
trail_add(O, '"kind":"event","event":"' .. ARGV[6] .. '","result":"' .. result .. '","reason":"' .. reason
  .. '"' .. (ARGV[10] ~= '' and ',' or '') .. ARGV[10])
if st ~= 'waiting' and st ~= 'leased' and st ~= 'failed' then at_rest(O) end
return { result, reason }
