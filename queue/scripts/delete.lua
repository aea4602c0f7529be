#!lua flags=allow-oom
-- delete: an order was deleted in the shop. One that is not in Xero is taken out of the queue; one that
-- is goes on the failed list, because nothing is voided by itself. Either way no event exports it later.
-- ARGV: 1 order  2 store key  3 store version  4 delivery hash (8 bytes) or ''
--   5 row for the failed list  6 its group
-- Returns {result, reason}; {'stale_settings'}, {'no_store'} wrote nothing; {'ignored'}: the order was
-- never seen; {'leased'}: it is being exported now, and whoever asks again finds out how that ended.
-- Sent twice: the second is a duplicate by its delivery hash; without one it finds the order deleted.
local O, S = ARGV[1], ARGV[2]
local store = redis.call('HMGET', P .. 'store:' .. S, 'version', 'deleted')
if not store[1] or store[2] then return { 'no_store' } end
if store[1] ~= ARGV[3] then return { 'stale_settings' } end

local key = P .. 'order:' .. O
local o = redis.call('HMGET', key, 'st', 'dlv', 'reason', 'inx', 'name', 'doubt', 'conn', 'gone')
local st, deliveries, C = o[1], o[2] or '', o[7]
if not st or not C then return { 'ignored', 'deleted_in_shop' } end
if ARGV[4] ~= '' then
  for i = 1, #deliveries, 8 do
    if deliveries:sub(i, i + 7) == ARGV[4] then return { 'duplicate', o[3] or '' } end
  end
end
if o[8] then return { 'skipped', 'deleted_in_shop' } end
if st == 'leased' then return { 'leased' } end

local conn = redis.call('HMGET', P .. 'conn:' .. C, 'status', 'tenant')
local in_xero = conn[1] ~= 'uninstalled' and (o[6] or (o[4] and o[4] == conn[2]))
withdraw(C, O)
local failed = unfail(C, O)
redis.call('HSET', key, 'gone', '1', 'st', 'skipped', 'reason', 'deleted_in_shop', 'dlv',
  (deliveries .. ARGV[4]):sub(-128))
redis.call('HDEL', key, 'byhand', 'ff', 'pend')
trail_add(O, '"kind":"event","event":"deleted","result":"skipped","reason":"deleted_in_shop"')
if in_xero then
  fail(C, O, ARGV[5], ARGV[6])
  log_add(C, 'error', S, o[5] or '', 'deleted_in_shop', 'The order was deleted in the shop, but its invoice is in Xero.')
else
  if failed or st == 'waiting' then
    log_add(C, 'info', S, o[5] or '', 'deleted_in_shop', 'The order was deleted in the shop and is not exported.')
  end
  at_rest(O)
end
relane(C)
return { 'skipped', 'deleted_in_shop' }
