#!lua
-- resync: failed orders of one connection go back to waiting, by hand; on the connection that their
-- store is on now. Refused when Redis is full.
-- ARGV: 1 connection  2 who  then order keys. At most 20 by hand go to the front.
-- Returns {'ok', moved}, or {'paused'|'disconnected'|'uninstalled'|'none'}: then nothing was done.
-- Sent twice: the second finds none of them on the list.
local C, moved = ARGV[1], 0
local status = redis.call('HGET', P .. 'conn:' .. C, 'status') or 'none'
if status ~= 'active' then return { status } end
for i = 3, #ARGV do
  local O = ARGV[i]
  if unfail(C, O) then
    moved = moved + 1
    local key = P .. 'order:' .. O
    redis.call('HDEL', key, 'att', 'dth', 'sus', 'dis')
    redis.call('HSET', key, 'byhand', '1', 'lines', '1', 'reason', 'manual')
    local home = redis.call('HGET', P .. 'store:' .. O:match('^(.*)/'), 'connection') or C
    make_ready(home, O, moved <= 20 and 0 or now)
    if home ~= C then relane_and_ring(home) end
    trail_add(O, '"kind":"change","message":"Exported again by hand.","who":' .. cjson.encode(ARGV[2]))
  end
end
if moved > 0 then audit(ARGV[2], 'export', C, '', moved .. ' failed orders') end
relane_and_ring(C)
return { 'ok', moved }
