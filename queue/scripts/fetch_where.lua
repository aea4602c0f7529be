#!lua
-- fetch_where: where orders stand on their stores' lanes. One script, since they move between the lane
-- and the lease that reads them.
-- ARGV: pairs of store and order's id in the shop
-- Returns of each pair: 'reading', 'asked' or 'later' ('' it is not there; 'gone' nor is its store), the
--   time from which it is due, and of its lane not-before and why ('' none)
-- Sent twice: changes nothing.
local out = {}

local function where(S, item)
  local token = redis.call('ZRANGE', P .. 'fetchlease:' .. S, '(' .. now, '+inf', 'BYSCORE', 'LIMIT', 0, 1)[1]
  if token and redis.call('HEXISTS', P .. 'fetchbatch:' .. S .. ':' .. token, item) == 1 then
    return 'reading', '0'
  end
  local due = redis.call('ZSCORE', P .. 'fetch:' .. S, item)
  if due then return 'asked', due end
  due = redis.call('ZSCORE', P .. 'fetchlater:' .. S, item)
  if due then return 'later', due end
  local dead = redis.call('ZRANGE', P .. 'fetchlease:' .. S, 0, 0)[1]
  if dead and redis.call('HEXISTS', P .. 'fetchbatch:' .. S .. ':' .. dead, item) == 1 then
    return 'asked', '0' -- its worker died: the next one reads it
  end
  local s = redis.call('HMGET', P .. 'store:' .. S, 'version', 'deleted')
  return s[1] and not s[2] and '' or 'gone', '0'
end

for i = 1, #ARGV, 2 do
  local S = ARGV[i]
  local word, due = where(S, ARGV[i + 1])
  local seller = redis.call('HMGET', P .. 'seller:' .. S, 'nb', 'why')
  for _, v in ipairs({ word, due, seller[1] or '0', seller[2] or '' }) do out[#out + 1] = v end
end
return out
