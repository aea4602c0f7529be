#!lua flags=allow-oom
-- fetch_release: what held a store's lane is mended (it has another token): its orders are read again.
-- What is being read at this moment may have the old one still: `mended` says which lease that is.
-- ARGV: 1 store
-- Returns 1.
-- Sent twice: the second finds it free.
local S = ARGV[1]
local leased = redis.call('ZRANGE', P .. 'fetchlease:' .. S, 0, 0)[1]
redis.call('HDEL', P .. 'seller:' .. S, 'nb', 'why', 'down')
if leased then redis.call('HSET', P .. 'seller:' .. S, 'mended', leased) end
fetch_relane(S)
return 1
