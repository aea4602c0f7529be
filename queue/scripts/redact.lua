#!lua flags=allow-oom
-- redact: takes the buyer's data out of what is stored of an order. What it was made into in Xero stays.
-- ARGV: 1 order  2 what stands in place of Xero's words  then per part of the snapshot: name, bytes as
--   they were read, bytes without the buyer ('' removes the part)
-- Returns 'ok', 'none' (no such order), 'leased' (it is being exported now), 'moved' (the snapshot is not
-- what was read).
-- Sent twice: the second finds other bytes than those read, and who asks reads them again.
local O, key, snap = ARGV[1], P .. 'order:' .. ARGV[1], P .. 'snap:' .. ARGV[1]
local o = redis.call('HMGET', key, 'st', 'conn', 'name')
if not o[1] then return 'none' end
if o[1] == 'leased' then return 'leased' end
if #redis.call('HKEYS', snap) ~= (#ARGV - 2) / 3 then return 'moved' end
for i = 3, #ARGV, 3 do
  if redis.call('HGET', snap, ARGV[i]) ~= ARGV[i + 1] then return 'moved' end
end
for i = 3, #ARGV, 3 do
  if ARGV[i + 2] == '' then
    redis.call('HDEL', snap, ARGV[i])
  else
    redis.call('HSET', snap, ARGV[i], ARGV[i + 2])
  end
end

local row = o[2] and redis.call('HGET', P .. 'failrow:' .. o[2], O)
if row then
  row = cjson.decode(row)
  row.exported_item = o[3] or O
  for i in ipairs(row.export_error) do row.export_error[i] = ARGV[2] end
  redis.call('HSET', P .. 'failrow:' .. o[2], O, cjson.encode(row))
end

-- The trail is written anew, oldest first; of its entries only those of attempts have Xero's words.
local trail = redis.call('LRANGE', P .. 'trail:' .. O, 0, -1)
redis.call('DEL', P .. 'trail:' .. O)
for i = #trail, 1, -1 do
  local entry = cjson.decode(trail[i])
  if entry.kind == 'attempt' then
    entry.message = ARGV[2]
    trail[i] = cjson.encode(entry)
  end
  redis.call('LPUSH', P .. 'trail:' .. O, trail[i])
end
trail_add(O, '"kind":"change","message":"The buyer\'s data was erased at their request."')
if o[1] == 'waiting' or o[1] == 'failed' then at_work(O) else at_rest(O) end
return 'ok'
