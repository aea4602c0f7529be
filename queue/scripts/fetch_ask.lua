#!lua
-- fetch_ask: asks for one order of a store to be read, by hand or by a worker. Refused when Redis is full.
-- ARGV: 1 store  2 order's id in the shop  3 state for the worker or ''  4 'fetch:', or 'fetchlater:' if it
--   may wait
-- Returns 1, or 0: there is no such store.
-- Sent twice: an order that waits stays once; one that waits in front anyway is not put behind.
local S, item = ARGV[1], ARGV[2]
local s = redis.call('HMGET', P .. 'store:' .. S, 'version', 'deleted')
if not s[1] or s[2] then return 0 end
if ARGV[4] == 'fetch:' then
  fetch_front(S, item)
  if ARGV[3] ~= '' then redis.call('HSET', P .. 'fetchstate:' .. S, item, ARGV[3]) end
elseif not redis.call('ZSCORE', P .. 'fetch:' .. S, item) then
  fetch_put(S, 'fetchlater:', item, now)
  -- It may be read for somebody at this moment, from whom nothing is taken.
  if ARGV[3] ~= '' then redis.call('HSETNX', P .. 'fetchstate:' .. S, item, ARGV[3]) end
end
fetch_relane(S)
return 1
