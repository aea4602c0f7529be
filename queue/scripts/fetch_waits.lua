#!lua
-- fetch_waits: whether an order waits to be read, or is being read at this moment. One script, since it
-- moves between the two.
-- ARGV: 1 store  2 order's id in the shop
-- Returns 1 or 0.
-- Sent twice: changes nothing.
local S, item = ARGV[1], ARGV[2]
if redis.call('ZSCORE', P .. 'fetch:' .. S, item) then return 1 end
local token = redis.call('ZRANGE', P .. 'fetchlease:' .. S, 0, 0)[1]
return token and redis.call('HEXISTS', P .. 'fetchbatch:' .. S .. ':' .. token, item) or 0
