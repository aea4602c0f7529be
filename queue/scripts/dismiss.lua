#!lua flags=allow-oom
-- dismiss: takes orders off the failed list. Nothing in the shop or in Xero changes; an order comes
-- back to the list only when the documents it wants have changed and fail again.
-- ARGV: 1 connection  2 who  then order keys. Returns how many were on the list.
-- Sent twice: the second finds none of them on the list.
local C, moved = ARGV[1], 0
for i = 3, #ARGV do
  local O = ARGV[i]
  if unfail(C, O) then
    moved = moved + 1
    local key = P .. 'order:' .. O
    redis.call('HSET', key, 'st', 'dismissed', 'dis', redis.call('HGET', key, 'wh') or '')
    redis.call('HDEL', key, 'ff')
    trail_add(O, '"kind":"change","message":"Taken off the failed list.","who":' .. cjson.encode(ARGV[2]))
    at_rest(O)
  end
end
if moved > 0 then audit(ARGV[2], 'dismiss', C, '', moved .. ' failed orders') end
return moved
