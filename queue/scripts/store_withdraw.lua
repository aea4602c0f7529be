#!lua flags=allow-oom
-- store_withdraw: takes some of a deleted store's orders out of one of its connection's queues.
-- ARGV: 1 store key  2 connection  3 'ready', 'later' or 'failed'  4 cursor ('0' to begin)
-- Returns {next cursor ('0': all seen), how many were taken out}. Nothing, if the store lives again.
-- Sent twice: what is out is out; every order that was there from the first to the last call is seen.
local S, C, queue = ARGV[1], ARGV[2], ARGV[3]
if not redis.call('HGET', P .. 'store:' .. S, 'deleted') then return { '0', 0 } end
local found = redis.call('ZSCAN', P .. queue .. ':' .. C, ARGV[4], 'COUNT', 1000)
local taken = 0
for i = 1, #found[2], 2 do
  local O = found[2][i]
  if O:sub(1, #S + 1) == S .. '/' then
    local key = P .. 'order:' .. O
    if queue == 'failed' then unfail(C, O) else withdraw(C, O) end
    if redis.call('HGET', key, 'st') ~= 'leased' then
      redis.call('HSET', key, 'st', 'skipped', 'reason', 'store_deleted')
      redis.call('HDEL', key, 'byhand', 'ff')
      trail_add(O, '"kind":"change","message":"The store was deleted, so the order is not exported."')
      at_rest(O)
    end
    taken = taken + 1
  end
end
if taken > 0 then relane(C) end
return { found[1], taken }
