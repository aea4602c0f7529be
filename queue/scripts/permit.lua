#!lua flags=allow-oom
-- permit: stands before every call to Xero under a lease.
-- ARGV: 1 connection  2 token  3 lease ms  4 answered 0|1  5 day left or -1  6 call 0|1  7 kind  8 bytes
--   9 idempotency key or '' (a look-up)  10 meta  11 n  then n groups order, field, S|D, value
-- Returns {'go'}, {'wait', ms}, {'paused'} or {'lost'}.
-- Stores what the call before answered, then the exact bytes and key of the next one, so that whoever
-- takes over a dead lease knows what may have been made. The first sending's time stays with its key.
-- Sent twice: the same fields and request again, and one permit too many taken.
local C, token = ARGV[1], ARGV[2]
local leases, batch = P .. 'leases:' .. C, P .. 'batch:' .. C .. ':' .. token
if not redis.call('ZSCORE', leases, token) then return { 'lost' } end
record(C, token, 12, tonumber(ARGV[11]))
day_said(C, ARGV[5])
if ARGV[4] == '1' then
  redis.call('HDEL', batch, 'kind', 'bytes', 'key', 'meta', 'sent', 'look_up', 'settles')
end
if ARGV[6] == '0' then return { 'go' } end
local lane = lane_of(C)
if lane[1] ~= 'active' then return { 'paused' } end
local free = minute_free(C)
if free > 0 then return { 'wait', string.format('%d', free - now) } end
local _, all, by_hand, _, ends = budget(lane)
if (redis.call('HGET', batch, 'by_hand') and by_hand or all) <= 0 then
  return { 'wait', string.format('%d', ends - now) }
end
local n = redis.call('HINCRBY', batch, 'calls', 1)
redis.call('ZADD', P .. 'minute:' .. C, now, token .. ':' .. n)
redis.call('PEXPIRE', P .. 'minute:' .. C, 2 * MINUTE_MS)
if lane[4] then redis.call('HINCRBY', P .. 'conn:' .. C, 'day_left', -1) end
if ARGV[9] ~= '' then
  local same = redis.call('HGET', batch, 'key') == ARGV[9]
  redis.call('HSET', batch, 'kind', ARGV[7], 'bytes', ARGV[8], 'key', ARGV[9], 'meta', ARGV[10])
  if not same then redis.call('HSET', batch, 'sent', now) end
end
redis.call('ZADD', leases, now + tonumber(ARGV[3]), token)
relane(C)
return { 'go' }
