#!lua flags=allow-oom
-- fetch_sweep: upkeep of the stores' lanes: each store whose shop a worker can open is reconciled from time to time, and
-- lanes that are missing from `fetchdue` (there must be none) are put back.
-- ARGV: 1 ms for which nobody else sweeps  2 1 if stores are to be reconciled, else 0
-- Returns {did 0|1, repairs}.
-- Sent twice: the second finds the lock.
if not redis.call('SET', P .. 'fetchsweep', '1', 'NX', 'PX', ARGV[1]) then return { 0, 0 } end
local ITEM, repairs = '*reconcile', 0

local function leased(S)
  local token = redis.call('ZRANGE', P .. 'fetchlease:' .. S, 0, 0)[1]
  return token and redis.call('HEXISTS', P .. 'fetchbatch:' .. S .. ':' .. token, ITEM) == 1
end

for _, S in ipairs(redis.call('SMEMBERS', P .. 'stores')) do
  local s = redis.call('HMGET', P .. 'store:' .. S, 'secret_at:api_token', 'secret_at:api_client_secret',
    'secret_at:refresh_token')
  local queue, missing = P .. 'fetchlater:' .. S, false
  if ARGV[2] == '1' and (s[1] or s[2] or s[3]) then
    if not redis.call('ZSCORE', queue, ITEM) and not leased(S) then redis.call('ZADD', queue, now, ITEM) end
  elseif redis.call('ZREM', queue, ITEM) == 0 then
    missing = true
  end
  local before = redis.call('ZSCORE', P .. 'fetchdue', S)
  if fetch_relane(S) and not before and missing then repairs = repairs + 1 end
end
return { 1, repairs }
