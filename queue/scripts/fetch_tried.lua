#!lua flags=allow-oom
-- fetch_tried: counts a try at which a store's shop failed at one order while it answered others.
-- ARGV: 1 store  2 token  3 order
-- Returns the tries since it was asked for; 0 if the lease is over: then nothing was counted, and nothing
-- stays of a store that was deleted meanwhile.
-- Sent twice: counted twice, which gives the order up one try early.
local S = ARGV[1]
if not redis.call('ZSCORE', P .. 'fetchlease:' .. S, ARGV[2]) then return 0 end
return redis.call('HINCRBY', P .. 'fetchtries:' .. S, ARGV[3], 1)
