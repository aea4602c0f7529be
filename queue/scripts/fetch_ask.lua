#!lua
-- fetch_ask: asks for one order of a store to be read, by hand or by a worker. Refused when Redis is full.
-- ARGV: 1 store  2 order's id in the shop  3 state for the worker or ''  4 'fetch:', or 'fetchlater:' if it
--   may wait
-- Returns 1, or 0: there is no such store.
-- Sent twice: an order that waits stays once; one that waits in front anyway is not put behind.
local S, item = ARGV[1], ARGV[2]
local s = redis.call('HMGET', P .. 'store:' .. S, 'version', 'deleted')
if not s[1] or s[2] then return 0 end
if ARGV[4] == 'fetchlater:' and redis.call('ZSCORE', P .. 'fetch:' .. S, item) then return 1 end
fetch_put(S, ARGV[4], item, now)
fetch_state(S, ARGV[4], item, ARGV[3])
fetch_relane(S)
return 1
