#!lua flags=allow-oom
-- fetch_permit: stands before every call to a shop under a fetch lease: takes COST from the bucket of
-- the call's KIND. It extends the lease also where there is nothing to take: who waits is alive.
-- ARGV: 1 store  2 token  3 lease ms  4 kind  5 cost  then, of a call before, what the shop said of its
--   limits: 6 kind or ''  7 a second or ''  8 at once or ''  9 left or ''
-- Returns {'go'}, {'wait', ms} (who does not wait gives back what is left), or {'lost'}.
-- Sent twice: a cost too many taken.
local S, token = ARGV[1], ARGV[2]
if not redis.call('ZSCORE', P .. 'fetchlease:' .. S, token) then return { 'lost' } end
if redis.call('HGET', P .. 'store:' .. S, 'deleted') then return { 'lost' } end
redis.call('ZADD', P .. 'fetchlease:' .. S, now + tonumber(ARGV[3]), token)
bucket_said(S, 6)
local kind, cost = ARGV[4], tonumber(ARGV[5])
local wait = bucket_wait(S, kind, cost)
if wait > 0 then
  redis.call('HSET', P .. 'seller:' .. S, kind .. ':need', cost)
  fetch_relane(S)
  return { 'wait', string.format('%d', wait) }
end
redis.call('HDEL', P .. 'seller:' .. S, kind .. ':need')
bucket_set(S, kind, math.max(bucket(S, kind) - cost, 0))
fetch_relane(S)
return { 'go' }
