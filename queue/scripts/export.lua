#!lua
-- export: one order by hand, whatever the rules and its stamp. Refused when Redis is full.
-- ARGV: 1 order  2 store key  3 who  4 1: with another invoice if its own was voided in Xero
-- Returns {'ok', connection}; {'unknown'} (never received), {'gone'} (its snapshot), {'no_store'};
-- {'leased', connection}; {'paused'|'disconnected'|'uninstalled'|'none', connection}: nothing done.
-- Sent twice: the second finds it waiting, or leased, by hand already.
local FRONT = 20 -- orders that may stand at the front at once
local O, who, again = ARGV[1], ARGV[3], ARGV[4] == '1'
local key = P .. 'order:' .. O
local store = redis.call('HMGET', P .. 'store:' .. ARGV[2], 'connection', 'deleted')
local o = redis.call('HMGET', key, 'st', 'conn', 'byhand', 'again')
local st = o[1]
if not st then return { 'unknown' } end
if not store[1] or store[2] then return { 'no_store' } end
local C, home = store[1], o[2] or store[1]
local status = redis.call('HGET', P .. 'conn:' .. C, 'status') or 'none'
if status ~= 'active' then return { status, C } end
if st == 'leased' then return { o[3] and (o[4] or not again) and 'ok' or 'leased', home } end
if redis.call('HEXISTS', P .. 'snap:' .. O, 'order') == 0 then
  return { st == 'kept' and 'unknown' or 'gone' }
end
if again then redis.call('HSET', key, 'again', '1') end
if st == 'waiting' and o[3] then return { 'ok', home } end

unfail(home, O)
withdraw(home, O)
if home ~= C then relane(home) end
if st ~= 'waiting' then redis.call('HINCRBY', key, 'rev', 1) end
redis.call('HDEL', key, 'att', 'dth', 'sus', 'dis', 'pend')
redis.call('HSET', key, 'byhand', '1', 'lines', '1', 'reason', 'manual')
local front = redis.call('ZRANGE', P .. 'ready:' .. C, 0, 0, 'BYSCORE', 'LIMIT', 0, FRONT)
make_ready(C, O, #front < FRONT and 0 or now)
trail_add(O, '"kind":"change","message":"Exported by hand' ..
  (again and ', with another invoice if its own was voided in Xero' or '') .. '.","who":' .. cjson.encode(who))
audit(who, 'export', 'order ' .. O, st, 'waiting')
relane_and_ring(C)
return { 'ok', C }
